//! What the JSON shapes have in common: names of enum values, times, fields that are left out when there is nothing.

use eunoe_client::types::Timestamp;
use serde_json::{Map, Value};

/// The name of an enum's value without the prefix that protobuf asks for.
pub(crate) fn short<'a>(name: &'a str, prefix: &str) -> &'a str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// Milliseconds since 1970, as the API counts time.
pub(crate) fn millis(time: &Timestamp) -> i64 {
    time.seconds
        .saturating_mul(1_000)
        .saturating_add(i64::from(time.nanos) / 1_000_000)
}

/// Adds a text unless it is empty.
pub(crate) fn insert_text(object: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        object.insert(name.to_owned(), text.into());
    }
}

/// Adds a time in milliseconds unless there is none.
pub(crate) fn insert_time(object: &mut Map<String, Value>, name: &str, time: Option<&Timestamp>) {
    if let Some(time) = time {
        object.insert(name.to_owned(), millis(time).into());
    }
}
