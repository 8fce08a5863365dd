//! An erasure as JSON and as text. The JSON is a contract: fields may be added, never changed.

use eunoe_client::erasure_types::{Erasure, ErasureGrade, ErasureState};
use eunoe_client::types::Timestamp;
use serde_json::{Map, Value, json};

use crate::encoding::hex;
use crate::failure::Failure;
use crate::json::{insert_time, short};
use crate::output::{self, Output, list};

/// Prints an erasure, a line.
pub(super) fn print(output: Output, erasure: &Erasure) -> Result<(), Failure> {
    output::result(output, &erasure_json(erasure).into(), || erasure_text(erasure))
}

/// `REQUESTED`, `FENCED`, `REKEYED`, `DESTROYED`, `CANCELLING` or `CANCELLED`.
pub(super) fn status(state: ErasureState) -> &'static str {
    short(state.as_str_name(), "ERASURE_STATE_")
}

fn kind(erasure: &Erasure) -> &'static str {
    short(erasure.kind().as_str_name(), "ERASURE_KIND_")
}

/// `THRESHOLD` or `FULL`; nothing before it is destroyed.
fn grade(erasure: &Erasure) -> Option<&'static str> {
    let grade = erasure.grade();
    (grade != ErasureGrade::Unspecified).then(|| short(grade.as_str_name(), "ERASURE_GRADE_"))
}

/// What the state says about access, keys and roots, and nothing beyond it.
fn legs(state: ErasureState) -> Value {
    let is_taken_back = matches!(state, ErasureState::Cancelling | ErasureState::Cancelled);
    let leg = |name: &str, done: ErasureState| {
        let state = match state >= done {
            _ if is_taken_back => "CANCELLED",
            true => "DONE",
            false => "PENDING",
        };
        json!({"leg": name, "state": state})
    };
    json!([
        leg("ACCESS", ErasureState::Fenced),
        leg("KEYS", ErasureState::Rekeyed),
        leg("ROOTS", ErasureState::Destroyed),
    ])
}

/// All that the cluster says; grade, epoch and times are absent until there are some.
pub(super) fn erasure_json(erasure: &Erasure) -> Map<String, Value> {
    let mut object = Map::new();
    let mut insert = |name: &str, value: Value| object.insert(name.to_owned(), value);
    insert("request", erasure.id.clone().into());
    insert("kind", kind(erasure).into());
    insert("status", status(erasure.state()).into());
    if let Some(grade) = grade(erasure) {
        insert("grade", grade.into());
    }
    let reason = short(erasure.reason().as_str_name(), "ERASURE_REASON_");
    insert("reason", reason.into());
    insert("legs", legs(erasure.state()));
    insert("missing", erasure.missing_nodes.clone().into());
    insert("keys", erasure.keys.into());
    insert("keys_left", erasure.keys_left.into());
    if let Some(epoch) = erasure.epoch {
        insert("epoch", epoch.into());
    }
    insert("commitment", hex(&erasure.commitment).into());
    insert_time(&mut object, "requested_at_ms", erasure.request_time.as_ref());
    insert_time(&mut object, "fenced_at_ms", erasure.fence_time.as_ref());
    insert_time(&mut object, "hold_ends_at_ms", erasure.hold_end_time.as_ref());
    insert_time(&mut object, "cancelled_at_ms", erasure.cancel_time.as_ref());
    insert_time(&mut object, "rekeyed_at_ms", erasure.rekey_time.as_ref());
    insert_time(&mut object, "destroyed_at_ms", erasure.destroy_time.as_ref());
    object
}

/// One line for a person.
pub(super) fn erasure_text(erasure: &Erasure) -> String {
    let since = match erasure.state() {
        ErasureState::Fenced => &erasure.fence_time,
        ErasureState::Rekeyed => &erasure.rekey_time,
        ErasureState::Destroyed => &erasure.destroy_time,
        ErasureState::Cancelling | ErasureState::Cancelled => &erasure.cancel_time,
        ErasureState::Requested | ErasureState::Unspecified => &erasure.request_time,
    };
    let since = since.as_ref().map(Timestamp::to_string).unwrap_or_default();
    let grade = grade(erasure)
        .map(|grade| format!(" ({grade})"))
        .unwrap_or_default();
    let held = match (erasure.state(), &erasure.hold_end_time) {
        (ErasureState::Fenced, Some(end)) => format!(", held until {end}"),
        _ => String::new(),
    };
    let missing = match erasure.missing_nodes.as_slice() {
        [] => String::new(),
        nodes => format!(", may still be held by nodes {}", list(nodes)),
    };
    format!(
        "{}  {}  {}{grade}  {since}  {} of {} keys left{held}{missing}",
        erasure.id,
        kind(erasure),
        status(erasure.state()),
        erasure.keys_left,
        erasure.keys,
    )
}

#[cfg(test)]
mod tests {
    use eunoe_client::erasure_types::{ErasureKind, ErasureReason};

    use super::*;

    fn erasure(state: ErasureState) -> Erasure {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let mut erasure = Erasure {
            id: "0e".repeat(16),
            kind: ErasureKind::Subject.into(),
            state: state.into(),
            reason: ErasureReason::SubjectRequest.into(),
            request_time: at(1),
            keys: 5,
            keys_left: 5,
            commitment: vec![0xc0; 2].into(),
            ..Default::default()
        };
        if state >= ErasureState::Fenced {
            erasure.fence_time = at(2);
        }
        if state >= ErasureState::Rekeyed {
            (erasure.rekey_time, erasure.epoch, erasure.keys_left) = (at(3), Some(7), 0);
            erasure.missing_nodes = vec![2, 3];
        }
        if state >= ErasureState::Destroyed {
            erasure.destroy_time = at(4);
            erasure.missing_nodes = vec![3];
            erasure.set_grade(ErasureGrade::Threshold);
        }
        erasure
    }

    fn json_of(state: ErasureState) -> String {
        Value::from(erasure_json(&erasure(state))).to_string()
    }

    #[test]
    fn scripts_find_what_is_done_and_nothing_that_is_not() {
        assert_eq!(
            json_of(ErasureState::Requested),
            r#"{"commitment":"c0c0","keys":5,"keys_left":5,"kind":"SUBJECT","legs":[{"leg":"ACCESS","state":"PENDING"},{"leg":"KEYS","state":"PENDING"},{"leg":"ROOTS","state":"PENDING"}],"missing":[],"reason":"SUBJECT_REQUEST","request":"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e","requested_at_ms":1000,"status":"REQUESTED"}"#
        );
        assert_eq!(
            json_of(ErasureState::Destroyed),
            r#"{"commitment":"c0c0","destroyed_at_ms":4000,"epoch":7,"fenced_at_ms":2000,"grade":"THRESHOLD","keys":5,"keys_left":0,"kind":"SUBJECT","legs":[{"leg":"ACCESS","state":"DONE"},{"leg":"KEYS","state":"DONE"},{"leg":"ROOTS","state":"DONE"}],"missing":[3],"reason":"SUBJECT_REQUEST","rekeyed_at_ms":3000,"request":"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e","requested_at_ms":1000,"status":"DESTROYED"}"#
        );
    }

    #[test]
    fn each_state_finishes_one_leg() {
        let done = |state| {
            let legs = erasure_json(&erasure(state))["legs"].clone();
            let legs = legs.as_array().unwrap().clone();
            let done = legs.iter().filter(|leg| leg["state"] == "DONE");
            done.map(|leg| leg["leg"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert!(done(ErasureState::Unspecified).is_empty());
        assert_eq!(done(ErasureState::Fenced), ["ACCESS"]);
        assert_eq!(done(ErasureState::Rekeyed), ["ACCESS", "KEYS"]);
    }

    #[test]
    fn what_is_held_or_taken_back_says_until_and_since_when() {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let mut shown = erasure(ErasureState::Fenced);
        shown.hold_end_time = at(9);
        assert_eq!(
            erasure_text(&shown),
            "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e  SUBJECT  FENCED  1970-01-01T00:00:02Z  5 of 5 keys left, held until 1970-01-01T00:00:09Z"
        );
        assert_eq!(erasure_json(&shown)["hold_ends_at_ms"], 9_000);
        shown.set_state(ErasureState::Cancelled);
        (shown.cancel_time, shown.keys_left) = (at(5), 0);
        assert_eq!(
            erasure_text(&shown),
            "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e  SUBJECT  CANCELLED  1970-01-01T00:00:05Z  0 of 5 keys left"
        );
        let json = erasure_json(&shown);
        assert_eq!(
            (&json["cancelled_at_ms"], &json["status"]),
            (&5_000.into(), &"CANCELLED".into())
        );
        let legs = json["legs"].as_array().unwrap();
        assert!(legs.iter().all(|leg| leg["state"] == "CANCELLED"));
    }

    #[test]
    fn people_read_a_line() {
        assert_eq!(
            erasure_text(&erasure(ErasureState::Fenced)),
            "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e  SUBJECT  FENCED  1970-01-01T00:00:02Z  5 of 5 keys left"
        );
        assert_eq!(
            erasure_text(&erasure(ErasureState::Destroyed)),
            "0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e  SUBJECT  DESTROYED (THRESHOLD)  1970-01-01T00:00:04Z  0 of 5 keys left, may still be held by nodes 3"
        );
    }
}
