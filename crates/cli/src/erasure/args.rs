//! `eunoe subject|tenant|erasure …` as clap reads them, and what all erasures share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use eunoe_client::erasure_types::{ErasureReason, ErasureState};
use eunoe_types::limits;

use crate::args::{Which, seconds};

/// `eunoe subject …`
#[derive(Subcommand)]
pub(crate) enum SubjectCommand {
    /// Erase a person: what the person owns, and the support conversations that the person was served in
    Erase {
        /// The tenant's reference for the person
        subject: String,
        #[command(flatten)]
        options: EraseOptions,
    },
}

/// `eunoe conversation erase`
#[derive(Args)]
pub(crate) struct EraseConversation {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) options: EraseOptions,
}

/// `eunoe tenant …`
#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Erase the tenant named by --tenant with everything (role dpo; a second person in another role has to ask
    /// for the same, with the same --request-id)
    Erase(EraseOptions),
}

/// What all erasures take.
#[derive(Args)]
pub(crate) struct EraseOptions {
    /// Return when it has come so far [default: fenced; for a tenant as soon as it is recorded]
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) wait: Option<Wait>,
    /// Destroy as soon as possible, out of turn
    #[arg(long)]
    pub(crate) urgent: bool,
    /// Destroy nothing for so long after the fence, so that the erasure can be taken back; at most 30 days
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = hold)]
    pub(crate) hold: u32,
    /// Why, for the record [default: subject-request; for a tenant contract-ended]
    #[arg(long, value_enum)]
    pub(crate) reason: Option<Reason>,
    /// The same id and target give the same erasure; without it a random one
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) request_id: String,
    /// Keep what opens the receipt's commitment in this file, which must not exist. It is personal data, and nobody else
    /// has it
    #[arg(long, value_name = "FILE")]
    pub(crate) ticket: Option<PathBuf>,
    /// Seconds that --wait waits at most; the erasure goes on all the same
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// Seconds of a hold.
fn hold(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(seconds @ 0..=limits::HOLD_S_MAX) => Ok(seconds),
        _ => Err(format!(
            "is not a number of seconds from 0 to {}",
            limits::HOLD_S_MAX
        )),
    }
}

/// How far to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    /// No later read returns anything of it
    Fenced,
    /// The roots that led to it are destroyed
    Destroyed,
}

impl Wait {
    /// As the API spells it.
    pub(super) fn state(self) -> ErasureState {
        match self {
            Self::Fenced => ErasureState::Fenced,
            Self::Destroyed => ErasureState::Destroyed,
        }
    }
}

/// Why something is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reason {
    /// The person asked for it (GDPR Art. 17)
    SubjectRequest,
    /// The purpose is over or consent was withdrawn
    PurposeEnded,
    /// The contract with the controller ended (GDPR Art. 28(3)(g))
    ContractEnded,
    /// The data should not have been there
    Unlawful,
}

impl From<Reason> for ErasureReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::SubjectRequest => Self::SubjectRequest,
            Reason::PurposeEnded => Self::PurposeEnded,
            Reason::ContractEnded => Self::ContractEnded,
            Reason::Unlawful => Self::Unlawful,
        }
    }
}

/// `eunoe erasure …`
#[derive(Subcommand)]
pub(crate) enum ErasureCommand {
    /// Show how far an erasure is
    Show {
        /// Its id, 32 hex digits
        request: String,
    },
    /// Print an erasure as it is, then a line after each step, until every holder has destroyed its part
    Watch {
        /// Its id, 32 hex digits
        request: String,
    },
    /// Print or keep a receipt of an erasure that is DESTROYED; verify it with `eunoe verify receipt`
    Receipt {
        /// Its id, 32 hex digits
        request: String,
        /// Write it to this file
        #[arg(short = 'o', long = "out", value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Take an erasure back that is REQUESTED or FENCED (role dpo; a platform what it asked for itself)
    Cancel {
        /// Its id, 32 hex digits
        request: String,
    },
    /// List the tenant's erasures, newest first
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command, ConversationCommand};

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Arguments::try_parse_from(line.split(' ')).map(|arguments| arguments.command)
    }

    #[test]
    fn a_person_is_erased_with_what_the_options_say() {
        let line = "eunoe subject erase --tenant acme visitor/1 --wait destroyed --urgent --hold 2592000 --reason purpose-ended --timeout 5 --request-id r";
        let Ok(Command::Subject(SubjectCommand::Erase { subject, options })) = parse(line) else {
            panic!("is well formed")
        };
        assert_eq!(
            (subject.as_str(), options.request_id.as_str()),
            ("visitor/1", "r")
        );
        assert_eq!(
            (
                options.wait,
                options.reason,
                options.urgent,
                options.timeout,
                options.hold
            ),
            (
                Some(Wait::Destroyed),
                Some(Reason::PurposeEnded),
                true,
                Duration::from_secs(5),
                limits::HOLD_S_MAX
            )
        );
    }

    #[test]
    fn without_options_the_wait_is_a_quarter_of_an_hour() {
        let Ok(Command::Tenant(TenantCommand::Erase(options))) = parse("eunoe tenant erase --tenant acme")
        else {
            panic!("is well formed")
        };
        assert_eq!(
            (options.wait, options.reason, options.urgent, options.timeout),
            (None, None, false, Duration::from_secs(900))
        );
    }

    #[test]
    fn a_conversation_to_erase_is_named_in_exactly_one_way() {
        let erases = |line| {
            matches!(
                parse(line),
                Ok(Command::Conversation(ConversationCommand::Erase(_)))
            )
        };
        assert!(erases("eunoe conversation erase --ref t-1"));
        assert!(erases("eunoe conversation erase --id 00 --urgent"));
        for line in [
            "eunoe conversation erase",
            "eunoe conversation erase --ref t-1 --id 00",
            "eunoe subject erase",
            "eunoe subject erase s --wait rekeyed",
            "eunoe subject erase s --reason because",
            "eunoe subject erase s --timeout 0",
            "eunoe subject erase s --hold 2592001",
            "eunoe subject erase s --hold -1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
