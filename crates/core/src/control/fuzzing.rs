//! The forms of the control group.

use eunoe_types::fuzzing::Form;

use super::row::GenesisRow;
use super::{
    Command, EpochRow, ErasureRow, HolderRow, KeyStateRow, NodeRow, PendingRow, Reply, ReturnedRow, RootRow,
    placement,
};

/// Every form with one encoding.
pub(crate) const FORMS: &[Form] = &[
    ("control command", |bytes| {
        Ok(Command::decode(bytes)?.encode().into())
    }),
    ("control reply", |bytes| Ok(Reply::decode(bytes)?.encode().into())),
    ("genesis row", |bytes| {
        Ok(GenesisRow::decode(bytes)?.encode().into())
    }),
    ("node row", |bytes| Ok(NodeRow::decode(bytes)?.encode().into())),
    ("key state row", |bytes| {
        Ok(KeyStateRow::decode(bytes)?.encode().into())
    }),
    ("erasure row", |bytes| {
        Ok(ErasureRow::decode(bytes)?.encode().into())
    }),
    ("epoch row", |bytes| Ok(EpochRow::decode(bytes)?.encode().into())),
    ("pending row", |bytes| {
        Ok(PendingRow::decode(bytes)?.encode().into())
    }),
    ("holder row", |bytes| {
        Ok(HolderRow::decode(bytes)?.encode().into())
    }),
    ("root row", |bytes| Ok(RootRow::decode(bytes)?.encode().into())),
    ("returned row", |bytes| {
        Ok(ReturnedRow::decode(bytes)?.encode().into())
    }),
    ("policy row", |bytes| {
        Ok(placement::encode(placement::decode(bytes)?).into())
    }),
];
