//! Erasures that must not begin, and those that nobody may see.

use eunoe_proto::erasure::request_erasure_request::Target;
use eunoe_proto::erasure::{
    CancelErasureRequest, ErasureReason, GetErasureRequest, ListErasuresRequest, RequestErasureRequest,
    WatchErasureRequest,
};
use tonic::Code;

use super::chat::NO_ID;
use super::table::{Row, Rows};
use super::world::World;
use super::{OTHER, TENANT};

pub(super) const REQUEST: &str = "/eunoe.erasure.v1.ErasureService/RequestErasure";
pub(super) const GET: &str = "/eunoe.erasure.v1.ErasureService/GetErasure";
pub(super) const LIST: &str = "/eunoe.erasure.v1.ErasureService/ListErasures";
pub(super) const CANCEL: &str = "/eunoe.erasure.v1.ErasureService/CancelErasure";
pub(super) const WATCH: &str = "/eunoe.erasure.v1.ErasureService/WatchErasure";

const ROLE: (Code, &str, &str) = (Code::PermissionDenied, "ROLE", "");

fn erase(target: Target) -> RequestErasureRequest {
    RequestErasureRequest {
        tenant: TENANT.into(),
        target: Some(target),
        reason: ErasureReason::SubjectRequest.into(),
        ..RequestErasureRequest::default()
    }
}

fn anna() -> Target {
    Target::Subject("visitor/anna".into())
}

fn get(erasure: &str) -> GetErasureRequest {
    GetErasureRequest {
        tenant: TENANT.into(),
        erasure_id: erasure.into(),
    }
}

fn cancel(erasure: &str) -> CancelErasureRequest {
    CancelErasureRequest {
        tenant: TENANT.into(),
        erasure_id: erasure.into(),
    }
}

fn watch(erasure: &str) -> WatchErasureRequest {
    WatchErasureRequest {
        tenant: TENANT.into(),
        erasure_id: erasure.into(),
    }
}

fn conversation(id: &str) -> RequestErasureRequest {
    erase(Target::ConversationId(id.into()))
}

fn reference(name: &str) -> RequestErasureRequest {
    erase(Target::ConversationExternalRef(name.into()))
}

fn whole(value: bool, request_id: &str) -> RequestErasureRequest {
    RequestErasureRequest {
        request_id: request_id.into(),
        ..erase(Target::WholeTenant(value))
    }
}

pub(super) fn malformed(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    #[rustfmt::skip]
    let calls = [
        ("no tenant", RequestErasureRequest { tenant: String::new(), ..erase(anna()) }, "tenant"),
        ("no target", RequestErasureRequest { target: None, ..erase(anna()) }, "target"),
        ("no reason", RequestErasureRequest { reason: 0, ..erase(anna()) }, "reason"),
        ("an unknown reason", RequestErasureRequest { reason: 99, ..erase(anna()) }, "reason"),
        ("a request id of 129 bytes", RequestErasureRequest { request_id: "x".repeat(129), ..erase(anna()) }, "request_id"),
        ("a hold of more than 30 days", RequestErasureRequest { hold_seconds: 2_592_001, ..erase(anna()) }, "hold_seconds"),
        ("an empty subject", erase(Target::Subject(String::new())), "subject"),
        ("a subject of 129 bytes", erase(Target::Subject("x".repeat(129))), "subject"),
        ("no id", conversation("1"), "conversation_id"),
        ("an empty reference", reference(""), "conversation_external_ref"),
        ("a reference of 129 bytes", reference(&"x".repeat(129)), "conversation_external_ref"),
        ("not the whole tenant", whole(false, "leaving"), "whole_tenant"),
        ("a tenant without a request id", whole(true, ""), "request_id"),
    ];
    for (name, call, field) in calls {
        rows.invalid(name, REQUEST, &call, field);
    }
    rows.finish()
}

/// Rows of callers who ask in nobody's name, or in their own.
fn in_own_name(world: &World, rows: &mut Rows) {
    let unnamed = (Code::PermissionDenied, "SUBJECT", "");
    rows.caller = World::bearer(&world.issuer.wrong("sub", serde_json::Value::Null));
    rows.refused("a tenant by nobody", REQUEST, &whole(true, "leaving"), unnamed);
    // The id is taken among the tenant's, and free among this person's own.
    rows.caller = World::bearer(&world.issuer.token("subject", "visitor/nobody"));
    let own_id = RequestErasureRequest {
        request_id: "erasure-1".into(),
        ..erase(Target::Subject("visitor/nobody".into()))
    };
    rows.absent(
        "a subject with a tenant's request id",
        REQUEST,
        &own_id,
        "subject",
    );
}

pub(super) fn refused(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("platform"));
    let nobody = erase(Target::Subject("visitor/nobody".into()));
    rows.absent("an unknown subject", REQUEST, &nobody, "subject");
    rows.absent(
        "an unknown conversation",
        REQUEST,
        &conversation(NO_ID),
        "conversation_id",
    );
    rows.absent(
        "another tenant's conversation",
        REQUEST,
        &conversation(&world.foreign),
        "conversation_id",
    );
    let unknown = reference("case/none");
    rows.absent(
        "an unknown reference",
        REQUEST,
        &unknown,
        "conversation_external_ref",
    );
    let elsewhere = RequestErasureRequest {
        tenant: "nobody".into(),
        ..erase(anna())
    };
    rows.absent("an unknown tenant", REQUEST, &elsewhere, "tenant");
    let reused = RequestErasureRequest {
        request_id: "erasure-1".into(),
        ..erase(anna())
    };
    let reuse = (Code::AlreadyExists, "REQUEST_ID_REUSED", "request_id");
    rows.refused("a request id with another target", REQUEST, &reused, reuse);
    rows.refused(
        "a platform that ends a tenant",
        REQUEST,
        &whole(true, "leaving"),
        ROLE,
    );
    in_own_name(world, &mut rows);
    for role in ["operator", "auditor", "agent"] {
        rows.caller = world.certified(role);
        rows.refused(role, REQUEST, &erase(anna()), ROLE);
    }
    rows.caller = World::bearer(&world.issuer.token("agent", "agent/bo"));
    rows.refused("agent by token", REQUEST, &erase(anna()), ROLE);
    let other = (Code::PermissionDenied, "SUBJECT", "target");
    rows.caller = World::bearer(&world.issuer.token("subject", "visitor/bert"));
    rows.refused("somebody else", REQUEST, &erase(anna()), other);
    rows.refused(
        "a subject's whole tenant",
        REQUEST,
        &whole(true, "leaving"),
        other,
    );
    rows.refused(
        "a conversation by a subject",
        REQUEST,
        &conversation(&world.closed),
        other,
    );
    rows.caller = world.named(&format!("tenant/{OTHER}/role/dpo"));
    let tenant = (Code::PermissionDenied, "TENANT", "");
    rows.refused("another tenant's officer", REQUEST, &erase(anna()), tenant);
    rows.finish()
}

pub(super) fn looks(world: &World) -> Vec<Row> {
    let mut rows = Rows::of(world.certified("dpo"));
    for id in ["", "1"] {
        rows.invalid("no id", GET, &get(id), "erasure_id");
        rows.invalid("no id", WATCH, &watch(id), "erasure_id");
        rows.invalid("no id", CANCEL, &cancel(id), "erasure_id");
    }
    rows.absent("an unknown erasure", GET, &get(NO_ID), "erasure_id");
    rows.absent("an unknown erasure", WATCH, &watch(NO_ID), "erasure_id");
    rows.absent("an unknown erasure", CANCEL, &cancel(NO_ID), "erasure_id");
    let foreign = CancelErasureRequest {
        tenant: OTHER.into(),
        ..cancel(&world.erasure)
    };
    rows.absent("another tenant's erasure", CANCEL, &foreign, "erasure_id");
    let elsewhere = GetErasureRequest {
        tenant: OTHER.into(),
        ..get(&world.erasure)
    };
    rows.absent("another tenant's erasure", GET, &elsewhere, "erasure_id");
    let list = |size, token: &str| ListErasuresRequest {
        tenant: TENANT.into(),
        page_size: size,
        page_token: token.into(),
    };
    rows.invalid("a negative page size", LIST, &list(-5, ""), "page_size");
    rows.invalid("no token", LIST, &list(0, "!!"), "page_token");
    let unknown = ListErasuresRequest {
        tenant: "nobody".into(),
        ..list(0, "")
    };
    rows.absent("an unknown tenant", LIST, &unknown, "tenant");
    for role in ["operator", "auditor", "agent", "subject"] {
        rows.caller = world.certified(role);
        rows.refused(role, LIST, &list(0, ""), ROLE);
        rows.refused(role, CANCEL, &cancel(&world.erasure), ROLE);
    }
    rows.caller = world.certified("operator");
    rows.refused("operator", GET, &get(&world.erasure), ROLE);
    rows.refused("operator", WATCH, &watch(&world.erasure), ROLE);
    // Somebody else asked for it.
    rows.caller = World::bearer(&world.issuer.token("subject", "visitor/bert"));
    rows.absent("another one's erasure", GET, &get(&world.erasure), "erasure_id");
    rows.absent(
        "another one's erasure",
        WATCH,
        &watch(&world.erasure),
        "erasure_id",
    );
    rows.finish()
}
