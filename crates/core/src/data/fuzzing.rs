//! The forms of a data group.

use eunoe_types::fuzzing::Form;

use super::command::decode_command;
use super::reply::encode_replies;
use super::row::{MessageIdRow, SubjectRow};
use super::{
    ConversationRow, HeadRow, KeySetRow, MessageRow, ParticipantRow, decode_replies, encode_command,
    encode_operation,
};

/// Every form with one encoding.
pub(crate) const FORMS: &[Form] = &[
    ("data command", |bytes| {
        let operations: Vec<Vec<u8>> = decode_command(bytes)?.iter().map(encode_operation).collect();
        Ok(encode_command(operations.iter().map(Vec::as_slice)).into())
    }),
    ("data replies", |bytes| {
        Ok(encode_replies(&decode_replies(bytes)?).into())
    }),
    ("conversation row", |bytes| {
        Ok(ConversationRow::decode(bytes)?.encode().into())
    }),
    ("head row", |bytes| Ok(HeadRow::decode(bytes)?.encode().into())),
    ("participant row", |bytes| {
        let row = ParticipantRow::decode(bytes)?;
        Ok(ParticipantRow::encode(&row.kid, row.kind, &row.sealed).into())
    }),
    ("key set row", |bytes| {
        let row = KeySetRow::decode(bytes)?;
        Ok(KeySetRow::encode(row.day, &row.refs).into())
    }),
    ("message row", |bytes| {
        let row = MessageRow::decode(bytes)?;
        let sections = row.sections.iter();
        let sections = sections.map(|section| (section.key_set, &section.envelope[..]));
        Ok(MessageRow::encode(&row.id, row.time, row.participant, row.purpose, sections).into())
    }),
    ("message id row", |bytes| {
        Ok(MessageIdRow::decode(bytes)?.encode().into())
    }),
    ("subject row", |bytes| {
        Ok(SubjectRow::decode(bytes)?.encode().into())
    }),
];
