//! What a caller may be. One list for certificates, tokens, the table of methods and the command line.

use std::fmt;

/// A caller's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Writes, and reads for purposes.
    Platform,
    /// Reads the conversations given to it.
    Agent,
    /// Reaches its own data only.
    Subject,
    /// Cases and evidence, never content.
    Dpo,
    /// The audit service only.
    Auditor,
    /// The cluster service, never content.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 6] = [
        Role::Platform,
        Role::Agent,
        Role::Subject,
        Role::Dpo,
        Role::Auditor,
        Role::Operator,
    ];

    /// Its name in certificates, tokens and contexts: lower case, never changed.
    pub fn name(self) -> &'static str {
        match self {
            Role::Platform => "platform",
            Role::Agent => "agent",
            Role::Subject => "subject",
            Role::Dpo => "dpo",
            Role::Auditor => "auditor",
            Role::Operator => "operator",
        }
    }

    /// The role of this name, in this spelling only.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// What it may do, in a line for people.
    pub fn about(self) -> &'static str {
        match self {
            Role::Platform => "Writes, and reads for purposes",
            Role::Agent => "Reads conversations given to it",
            Role::Subject => "Its own data only",
            Role::Dpo => "Cases and evidence, never content",
            Role::Auditor => "The audit service only",
            Role::Operator => "The cluster service, never content",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_found_by_its_own_name_only() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
            assert_eq!(Role::from_name(&role.name().to_uppercase()), None);
        }
        assert_eq!(Role::from_name("root"), None);
    }
}
