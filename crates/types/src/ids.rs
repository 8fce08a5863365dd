//! Identifiers. Random 16-byte ids are opaque; ids that lead to a person are never printed.

use std::fmt;

/// A node of the cluster. Never reused: a replaced machine gets a new id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// A Raft group: 0 is the control group, 1 and up are data groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl GroupId {
    /// The group that knows keys and rules and never a message.
    pub const CONTROL: GroupId = GroupId(0);

    /// Whether this is the control group.
    pub fn is_control(self) -> bool {
        self == Self::CONTROL
    }
}

/// Position of a message in its conversation, from 1, without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Which life of the data this is: a restore from backup begins a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

/// One of the 256 virtual shards that map to data groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualShard(pub u8);

impl VirtualShard {
    /// The data group that holds this shard when there are `data_groups` of them.
    ///
    /// The number of data groups is fixed at genesis, so the map needs no table.
    pub fn group(self, data_groups: u32) -> GroupId {
        GroupId(1 + u32::from(self.0) * data_groups.max(1) / 256)
    }
}

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The id as bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = std::array::TryFromSliceError;
            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                Ok(Self(bytes.try_into()?))
            }
        }
    };
}

macro_rules! printed_as_hex {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

macro_rules! never_printed {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

id16!(
    /// The logical identity of the data, constant over restores and part of every AAD.
    Realm
);
id16!(
    /// The name of a key record: random, and after erasure a number that leads to nobody.
    Kid
);
id16!(
    /// A conversation. Its first byte is its virtual shard; the whole is also the kid of its CONV key.
    ConversationId
);
id16!(
    /// A message: a MAC of the request id under the conversation's lookup key, or random without one.
    MessageId
);
id16!(
    /// One run of a node's process.
    BootId
);
id16!(
    /// A request for erasure: a MAC of the request id under the tenant's lookup key, or random without one.
    ErasureId
);

printed_as_hex!(ErasureId);
printed_as_hex!(Realm);
printed_as_hex!(ConversationId);
printed_as_hex!(MessageId);
printed_as_hex!(BootId);
never_printed!(Kid);

impl Kid {
    /// The virtual shard of whatever this key's owner is principal of.
    pub fn shard(&self) -> VirtualShard {
        VirtualShard(self.0[0])
    }
}

impl ConversationId {
    /// The virtual shard that holds the conversation.
    pub fn shard(&self) -> VirtualShard {
        VirtualShard(self.0[0])
    }

    /// The kid of the conversation's own key (kind CONV).
    pub fn kid(&self) -> Kid {
        Kid(self.0)
    }
}

/// MAC of a request's body, compared when a request id comes again (erasure.md R10).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestMac(pub [u8; 8]);
never_printed!(RequestMac);

/// The controller on whose behalf messages are kept: 1 to 64 of `a-z`, `0-9`, `-`, starting with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Box<str>);

/// Why a tenant name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tenant is 1 to 64 characters of a-z, 0-9 and '-', starting with a letter or digit")]
pub struct TenantIdError;

impl TenantId {
    /// Checks and takes a tenant name.
    pub fn new(name: &str) -> Result<Self, TenantIdError> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let well_formed = (1..=crate::limits::TENANT_BYTES_MAX).contains(&name.len())
            && name.bytes().all(allowed)
            && !name.starts_with('-');
        if well_formed {
            Ok(Self(name.into()))
        } else {
            Err(TenantIdError)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_a_group_and_every_group_has_shards() {
        for groups in [1u32, 3, 4, 16, 256] {
            let mut seen = std::collections::BTreeSet::new();
            for shard in 0..=255u8 {
                let group = VirtualShard(shard).group(groups);
                assert!((1..=groups).contains(&group.0));
                seen.insert(group);
            }
            assert_eq!(seen.len(), groups as usize);
        }
    }

    #[test]
    fn tenant_names_are_checked() {
        assert!(TenantId::new("acme-7").is_ok());
        for bad in ["", "Acme", "-a", "a_b", "ä", &"x".repeat(65)] {
            assert_eq!(TenantId::new(bad), Err(TenantIdError), "{bad}");
        }
    }

    #[test]
    fn a_kid_is_never_printed() {
        assert_eq!(format!("{:?}", Kid([7; 16])), "Kid(…)");
    }
}
