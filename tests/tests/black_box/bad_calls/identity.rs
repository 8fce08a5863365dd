//! Callers who are nobody, or not who they would have to be.

use eunoe_client::input::{by_id, by_ref};
use eunoe_proto::chat::AppendMessageRequest;
use eunoe_proto::cluster::GetStatusRequest;
use tonic::Code::{PermissionDenied, Unauthenticated, Unimplemented};

use super::appends::APPEND;
use super::caller::Caller;
use super::chat::{self, GET, LIST_CONVERSATIONS, LIST_MESSAGES, TYPING};
use super::cluster::GET_STATUS;
use super::table::{Row, Rows};
use super::world::{World, message, visitor};
use super::{OTHER, TENANT};

const ROLE: (tonic::Code, &str, &str) = (PermissionDenied, "ROLE", "");
const WRONG_TENANT: (tonic::Code, &str, &str) = (PermissionDenied, "TENANT", "");

pub(super) fn nobody(world: &World) -> Vec<Row> {
    let good = chat::get(Some(by_id(&world.open)));
    let mut rows = Rows::of(Caller::default());
    let unknown = (Unauthenticated, "NO_IDENTITY", "");
    rows.refused("neither certificate nor token", GET, &good, unknown);
    rows.refused("a stranger", "/eunoe.chat.v1.ChatService/Nothing", &good, unknown);
    for text in ["Basic YW5uYTphbm5h", "Bearer", "Bearer a b"] {
        rows.caller.authorization = Some(text.into());
        rows.refused(text, GET, &good, (Unauthenticated, "TOKEN_MALFORMED", ""));
    }
    for (name, token, reason) in world.issuer.bad_tokens() {
        let expected = (Unauthenticated, reason, "");
        rows.caller = World::bearer(&token);
        rows.refused(name, GET, &good, expected);
        // A good certificate does not make up for it.
        rows.caller.identity = world.certified("platform").identity;
        rows.refused(&format!("{name}, with a certificate"), GET, &good, expected);
    }
    rows.caller = world.certified("platform");
    let none = (Unimplemented, "", "");
    rows.refused(
        "no such method",
        "/eunoe.chat.v1.ChatService/Nothing",
        &good,
        none,
    );
    rows.refused(
        "a method of nodes",
        "/eunoe.peer.v1.PeerService/Ping",
        &good,
        none,
    );
    rows.finish()
}

pub(super) fn roles(world: &World) -> Vec<Row> {
    let good = chat::get(Some(by_id(&world.open)));
    let append = AppendMessageRequest {
        tenant: TENANT.into(),
        message: Some(message(&world.open, "anna", 96)),
    };
    let mut rows = Rows::of(Caller::default());
    for role in ["dpo", "auditor", "operator"] {
        let token = world.issuer.token(role, "somebody");
        for (what, caller) in [
            ("certificate", world.certified(role)),
            ("token", World::bearer(&token)),
        ] {
            rows.caller = caller;
            let name = format!("{role} by {what}");
            rows.refused(&name, GET, &good, ROLE);
            rows.refused(&name, LIST_MESSAGES, &chat::page(&world.open), ROLE);
            rows.refused(&name, APPEND, &append, ROLE);
        }
    }
    for role in ["agent", "subject"] {
        rows.caller = world.certified(role);
        let unnamed = (PermissionDenied, "SUBJECT", "");
        rows.refused(&format!("{role} without a name"), GET, &good, unnamed);
        rows.caller = World::bearer(&world.issuer.token(role, "visitor/anna"));
        rows.refused(&format!("{role} who writes"), APPEND, &append, ROLE);
        rows.refused(&format!("{role} who creates"), chat::CREATE, &chat::new(), ROLE);
        rows.refused(
            &format!("{role} who looks after the cluster"),
            GET_STATUS,
            &GetStatusRequest {},
            ROLE,
        );
    }
    rows.finish()
}

pub(super) fn people(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(World::bearer(&world.issuer.token("subject", "visitor/anna")));
    let other = (PermissionDenied, "SUBJECT", "subject");
    rows.refused(
        "somebody else's",
        LIST_CONVERSATIONS,
        &chat::list("visitor/bert"),
        other,
    );
    rows.absent(
        "somebody else's",
        GET,
        &chat::get(Some(by_id(&world.closed))),
        "conversation",
    );
    rows.absent(
        "somebody else's",
        LIST_MESSAGES,
        &chat::page(&world.closed),
        "conversation",
    );
    // What is there for somebody else and what is not there at all are told in the same words.
    for reference in ["case/bert", "case/none"] {
        let call = chat::get(Some(by_ref(reference)));
        rows.absent(reference, GET, &call, "conversation");
    }
    for id in [world.closed.as_str(), chat::NO_ID] {
        let call = chat::typing(id, Some(visitor("anna")));
        rows.absent("typing elsewhere", TYPING, &call, "conversation_id");
    }
    let as_another = (PermissionDenied, "SUBJECT", "participant.subject");
    let call = chat::typing(&world.open, Some(visitor("bert")));
    rows.refused("as somebody else", TYPING, &call, as_another);
    // Bo takes part, and is not the one served.
    rows.caller = World::bearer(&world.issuer.token("subject", "agent/bo"));
    rows.absent(
        "an agent as a subject",
        GET,
        &chat::get(Some(by_id(&world.open))),
        "conversation",
    );
    rows.caller = World::bearer(&world.issuer.token("agent", "agent/jo"));
    rows.absent(
        "an agent outside",
        GET,
        &chat::get(Some(by_id(&world.open))),
        "conversation",
    );
    rows.finish()
}

pub(super) fn tenants(world: &World) -> Vec<Row> {
    let good = chat::get(Some(by_id(&world.open)));
    let append = AppendMessageRequest {
        tenant: TENANT.into(),
        message: Some(message(&world.open, "anna", 95)),
    };
    let mut rows = Rows::of(world.named(&format!("tenant/{OTHER}/role/platform")));
    rows.refused("another tenant's certificate", GET, &good, WRONG_TENANT);
    rows.refused("another tenant's certificate", APPEND, &append, WRONG_TENANT);
    rows.refused(
        "another tenant's certificate",
        chat::CREATE,
        &chat::new(),
        WRONG_TENANT,
    );
    rows.caller = World::bearer(&world.issuer.token("platform", "clerk"));
    let mut elsewhere = chat::get(Some(by_id(&world.foreign)));
    elsewhere.tenant = OTHER.into();
    rows.refused("another tenant's token", GET, &elsewhere, WRONG_TENANT);
    // A token beside a certificate narrows it.
    let token = rows.caller.authorization.clone();
    let both = |mut caller: Caller| {
        caller.authorization.clone_from(&token);
        caller
    };
    rows.caller = both(world.named(&format!("tenant/{OTHER}/role/platform")));
    rows.refused(
        "a certificate beside the token's tenant",
        GET,
        &good,
        WRONG_TENANT,
    );
    rows.caller = both(world.certified("agent"));
    rows.refused("a token above the certificate", GET, &good, ROLE);
    rows.caller = both(world.certified("platform"));
    rows.refused(
        "a tenant that the token does not name",
        GET,
        &elsewhere,
        WRONG_TENANT,
    );
    rows.finish()
}
