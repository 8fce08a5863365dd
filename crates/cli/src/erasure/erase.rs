//! `eunoe subject|conversation|tenant erase`: asks, waits as far as was wanted, and prints how far it is.

use clap::ValueEnum as _;
use eunoe_client::erasure_types::{Erasure, ErasureReason, ErasureState, RequestErasureRequest, Target};
use eunoe_client::{Client, Waited};
use serde_json::{Map, Value};

use super::args::{EraseConversation, EraseOptions, Reason, Wait};
use super::show::{erasure_text, status};
use eunoe_types::Role;

use crate::args::Global;
use crate::failure::Failure;
use crate::files::{self, Access};
use crate::json::insert_time;
use crate::output::{self, Output, list, printable};

/// Erases a person.
pub(super) async fn subject(
    global: &Global,
    client: &Client,
    subject: String,
    options: EraseOptions,
) -> Result<(), Failure> {
    let reason = options.reason.unwrap_or(Reason::SubjectRequest);
    let wanted = options.wait.unwrap_or(Wait::Fenced).state();
    run(global, client, Target::Subject(subject), reason, wanted, &options).await
}

/// Erases a conversation.
pub(crate) async fn conversation(
    global: &Global,
    client: &Client,
    arguments: EraseConversation,
) -> Result<(), Failure> {
    let EraseConversation { which, options } = arguments;
    let target = match (which.id, which.r#ref) {
        (Some(id), _) => Target::ConversationId(id),
        (None, reference) => Target::ConversationExternalRef(reference.unwrap_or_default()),
    };
    let reason = options.reason.unwrap_or(Reason::SubjectRequest);
    let wanted = options.wait.unwrap_or(Wait::Fenced).state();
    run(global, client, target, reason, wanted, &options).await
}

/// Erases the tenant. Who asks first is told how the second person goes on, and waits only if that was wanted.
pub(super) async fn tenant(global: &Global, client: &Client, options: EraseOptions) -> Result<(), Failure> {
    let reason = options.reason.unwrap_or(Reason::ContractEnded);
    let wanted = options.wait.map_or(ErasureState::Requested, Wait::state);
    run(
        global,
        client,
        Target::WholeTenant(true),
        reason,
        wanted,
        &options,
    )
    .await
}

async fn run(
    global: &Global,
    client: &Client,
    target: Target,
    reason: Reason,
    wanted: ErasureState,
    options: &EraseOptions,
) -> Result<(), Failure> {
    let request = RequestErasureRequest {
        target: Some(target),
        request_id: options.request_id.clone(),
        reason: ErasureReason::from(reason).into(),
        urgent: options.urgent,
        hold_seconds: options.hold,
        ..Default::default()
    };
    if let Some(path) = options.ticket.as_deref().filter(|path| path.exists()) {
        let message = format!("{} is there already: no ticket is overwritten", path.display());
        return Err(Failure::local(message));
    }
    let requested = client.erasures().request(request).await?;
    keep_ticket(options, requested.ticket.as_deref())?;
    let mut result = Requested {
        erasure: requested.erasure,
        request_id: requested.request_id,
        next: next_person(global, client.tenant(), options),
    };
    let waited = if result.erasure.state() < wanted {
        result.announce(global.output, wanted);
        wait(client, &mut result.erasure, wanted, options).await
    } else {
        Ok(())
    };
    // Also when the wait failed: without its id nobody could look after the erasure.
    result.print(global.output)?;
    waited
}

/// Keeps what opens the receipt's commitment, before anything else: it is given only until the key is gone.
fn keep_ticket(options: &EraseOptions, ticket: Option<&str>) -> Result<(), Failure> {
    match (&options.ticket, ticket) {
        (None, _) => Ok(()),
        (Some(path), Some(ticket)) => files::write(path, ticket, Access::Private),
        (Some(_), None) => Err(Failure::local(
            "the erasure is under way and there is no ticket: its key is gone, or the conversation was named by --id",
        )),
    }
}

/// Waits, and brings `erasure` up to date.
async fn wait(
    client: &Client,
    erasure: &mut Erasure,
    wanted: ErasureState,
    options: &EraseOptions,
) -> Result<(), Failure> {
    let erasures = client.erasures();
    match erasures.wait_for(&erasure.id, wanted, options.timeout).await? {
        Waited::Reached(reached) => {
            *erasure = reached;
            Ok(())
        }
        Waited::Cancelled(cancelled) => {
            *erasure = cancelled;
            Err(Failure::local(format!(
                "the erasure was taken back before it was {}",
                status(wanted)
            )))
        }
        Waited::TimeOver(last) => {
            if let Some(last) = last {
                *erasure = last;
            }
            Err(Failure::local(time_over(erasure, wanted)))
        }
    }
}

fn time_over(erasure: &Erasure, wanted: ErasureState) -> String {
    let missing = match erasure.missing_nodes.as_slice() {
        [] => String::new(),
        nodes => format!(", missing nodes {}", list(nodes)),
    };
    format!(
        "the time is over and the erasure is {}, not {}{missing}; `eunoe erasure watch {}` follows it",
        status(erasure.state()),
        status(wanted),
        erasure.id
    )
}

/// The command of the second person, but for the request id that comes at its end.
fn next_person(global: &Global, tenant: &str, options: &EraseOptions) -> String {
    // Of the two people one is a dpo.
    let role = match global.role {
        None | Some(Role::Dpo) => Role::Platform,
        Some(_) => Role::Dpo,
    };
    let mut command = format!("eunoe tenant erase --tenant {tenant} --role {}", role.name());
    if let Some(reason) = options.reason.and_then(|reason| reason.to_possible_value()) {
        command.push_str(&format!(" --reason {}", reason.get_name()));
    }
    if options.urgent {
        command.push_str(" --urgent");
    }
    if options.hold > 0 {
        command.push_str(&format!(" --hold {}", options.hold));
    }
    command.push_str(" --request-id");
    command
}

/// What the command prints.
struct Requested {
    erasure: Erasure,
    request_id: String,
    next: String,
}

impl Requested {
    /// Tells a person what is waited for. Scripts are told only what another person has to know meanwhile.
    fn announce(&self, output: Output, wanted: ErasureState) {
        if output == Output::Text || self.waits_for_second() {
            output::note(&self.text());
        }
        if output == Output::Text {
            output::note(&format!("waiting until it is {}", status(wanted)));
        }
    }

    fn print(&self, output: Output) -> Result<(), Failure> {
        output::result(output, &self.json().into(), || self.text())
    }

    fn waits_for_second(&self) -> bool {
        self.erasure.state() == ErasureState::Requested
    }

    fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("request".to_owned(), self.erasure.id.clone().into());
        object.insert("status".to_owned(), status(self.erasure.state()).into());
        insert_time(&mut object, "fenced_at_ms", self.erasure.fence_time.as_ref());
        if self.waits_for_second() {
            object.insert("request_id".to_owned(), self.request_id.clone().into());
        }
        object
    }

    fn text(&self) -> String {
        let line = erasure_text(&self.erasure);
        if !self.waits_for_second() {
            return line;
        }
        let (next, request_id) = (&self.next, printable(&self.request_id));
        format!("{line}\na second person has to ask for the same: {next} '{request_id}'")
    }
}
