//! The command line as clap reads it. What the commands do is elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use eunoe_types::Role;

use crate::audit::AuditCommand;
use crate::cluster::ClusterCommand;
use crate::dev::DevArgs;
use crate::erasure::args::{EraseConversation, ErasureCommand, SubjectCommand, TenantCommand};
use crate::output::Output;
use crate::verify::VerifyCommand;
use crate::witness::WitnessArgs;

/// Command line of Eunoe, the chat store that can prove it forgot.
///
/// Exit codes: 0 done, 1 failed, 2 used wrongly, 3 what was to be verified is not valid.
#[derive(Parser)]
#[command(name = "eunoe", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What all commands share.
#[derive(Args)]
pub(crate) struct Global {
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub(crate) output: Output,
    /// File that names endpoints and certificates; `eunoe dev` writes one
    #[arg(
        long,
        global = true,
        env = "EUNOE_CONTEXT",
        value_name = "FILE",
        default_value = ".eunoe/context.toml"
    )]
    pub(crate) context: PathBuf,
    /// The tenant (controller) that calls are made for
    #[arg(long, global = true)]
    pub(crate) tenant: Option<String>,
    /// host:port of a node, in place of the context's; may be repeated
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) endpoint: Vec<String>,
    /// Ask only the node with this id
    #[arg(long, global = true, value_name = "ID", conflicts_with = "endpoint")]
    pub(crate) node: Option<u64>,
    /// File with a token of the cluster's issuer that says who calls, in place of the context's. With a token, no
    /// certificate is shown unless --role names one
    #[arg(long, global = true, env = "EUNOE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Whose certificate to use
    #[arg(long, global = true, value_parser = role_parser())]
    pub(crate) role: Option<Role>,
    /// What messages are stored or read for
    #[arg(long, global = true, default_value = "support")]
    pub(crate) purpose: String,
}

/// Reads a role; completions and help list them.
fn role_parser() -> impl TypedValueParser<Value = Role> {
    let names = Role::ALL.map(|role| PossibleValue::new(role.name()).help(role.about()));
    PossibleValuesParser::new(names).try_map(|name| Role::from_name(&name).ok_or("no such role"))
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a whole local cluster for development
    Dev(DevArgs),
    /// Create, show, list, close or erase conversations
    #[command(subcommand)]
    Conversation(ConversationCommand),
    /// Add a message to a conversation
    Append(AppendArgs),
    /// Read the messages of a conversation
    Read(ReadArgs),
    /// Follow a conversation
    Tail(TailArgs),
    /// Import conversations from a file; importing it again adds nothing
    Import(ImportArgs),
    /// Erase people
    #[command(subcommand)]
    Subject(SubjectCommand),
    /// Erase whole tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Show how far erasures are
    #[command(subcommand)]
    Erasure(ErasureCommand),
    /// Show and change the cluster's members (role operator)
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Get the transparency log and the verification policy (role auditor), and watch what was got
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check evidence offline
    #[command(subcommand)]
    Verify(VerifyCommand),
    /// Run a witness of transparency logs, which cosigns what it saw to grow and never to fork
    Witness(WitnessArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// How a conversation is named: exactly one of the two.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The tenant's own reference
    #[arg(long, value_name = "REF")]
    pub(crate) r#ref: Option<String>,
    /// The server's id, 32 hex digits
    #[arg(long)]
    pub(crate) id: Option<String>,
}

/// Roles in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Writer {
    /// The person served
    Visitor,
    /// A person who serves
    Agent,
    /// A program
    Bot,
}

/// Whose keys the messages need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileName {
    /// The visitor's, whoever wrote
    Support,
    /// The author's
    Peer,
}

/// `eunoe conversation …`
#[derive(Subcommand)]
pub(crate) enum ConversationCommand {
    /// Open a conversation; with --ref, doing it twice changes nothing
    Create(CreateArgs),
    /// Show a conversation without its messages
    Show(Which),
    /// List the conversations that a data subject takes part in
    List {
        /// The tenant's reference for the person
        #[arg(long)]
        subject: String,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Close a conversation: it can be read, and takes no messages
    Close(Which),
    /// Erase a conversation: its place stays, nothing of it can be read
    Erase(EraseConversation),
}

/// `eunoe conversation create`
#[derive(Args)]
pub(crate) struct CreateArgs {
    /// The tenant's own reference, unique in the tenant
    #[arg(long, value_name = "REF")]
    pub(crate) r#ref: Option<String>,
    /// The person served; the first one owns a support conversation
    #[arg(long, value_name = "SUBJECT", required = true)]
    pub(crate) visitor: Vec<String>,
    /// A person who serves; may be repeated
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) agent: Vec<String>,
    /// A program that takes part; may be repeated
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) bot: Vec<String>,
    /// Title
    #[arg(long, default_value = "")]
    pub(crate) title: String,
    /// Whose keys the messages need
    #[arg(long, value_enum, default_value = "support")]
    pub(crate) profile: ProfileName,
}

/// `eunoe append`
#[derive(Args)]
pub(crate) struct AppendArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Who writes
    #[arg(long, value_enum)]
    pub(crate) from: Writer,
    /// Reference of the author; without it the first participant of that role
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) author: Option<String>,
    /// The message
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) text: String,
    /// The same id never adds a second message; without it a random one
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) request_id: String,
}

/// `eunoe read`
#[derive(Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Newest first
    #[arg(long)]
    pub(crate) backward: bool,
    /// Begin at this sequence number
    #[arg(long, value_name = "SEQ")]
    pub(crate) from_seq: Option<u64>,
    /// At most so many; all without it
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// `eunoe tail`
#[derive(Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Begin at this sequence number; without it, after the present last message
    #[arg(long, value_name = "SEQ", conflicts_with = "position")]
    pub(crate) from_seq: Option<u64>,
    /// Resume after this position from an earlier tail
    #[arg(long)]
    pub(crate) position: Option<String>,
    /// End after so many messages
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// `eunoe import`
#[derive(Args)]
pub(crate) struct ImportArgs {
    /// JSON lines, plain or gzip: {"id", "turns":[{"from":"visitor"|"agent","text"}], "visitor"?, "agent"?}
    pub(crate) file: PathBuf,
    /// Leave malformed lines out, and count them, instead of stopping at the first one
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Import the first N conversations of the file only
    #[arg(long, value_name = "N")]
    pub(crate) conversations: Option<u64>,
    /// Seconds without any progress (for example while a leader is elected) after which the import gives up
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) patience: Duration,
}

/// A whole number of seconds, at least 1 and at most a day.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("is not a number of seconds from 1 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_conversation_is_named_in_exactly_one_way() {
        let parse = |extra: &[&str]| {
            let base = ["eunoe", "read", "--tenant", "acme"];
            Arguments::try_parse_from(base.iter().chain(extra)).is_ok()
        };
        assert!(parse(&["--ref", "t-1"]));
        assert!(parse(&["--id", "00"]));
        assert!(!parse(&[]));
        assert!(!parse(&["--ref", "t-1", "--id", "00"]));
    }

    #[test]
    fn a_node_and_endpoints_exclude_each_other() {
        let arguments = ["eunoe", "read", "--ref", "t", "--node", "2", "--endpoint", "h:1"];
        assert!(Arguments::try_parse_from(arguments).is_err());
    }
}
