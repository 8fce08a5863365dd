//! A receipt's bytes: one canonical JSON document. Entries and proofs are base64, because canonical JSON escapes nothing.

use std::fmt;

use super::{
    ASSUMPTIONS, Grade, RECEIPT_BYTES_MAX, RECEIPT_ENTRIES_MAX, ROLES, Receipt, ReceiptEntry, ReceiptError,
    ReceiptFacts, check_order,
};
use crate::encoding::{decode_realm, encode_base64, encode_hex};
use crate::json::{Object, Value};
use crate::leaf::{Kind, VaultClass, role_of};
use crate::proof::Proof;

const FORMAT: &str = "eunoe/erasure-receipt@v1";
/// The only state that has receipts.
const STATUS: &str = "DESTROYED";

const FIELDS: [&str; 15] = [
    "assumptions",
    "commit",
    "entries",
    "epoch",
    "format",
    "grade",
    "key_commit",
    "kind",
    "next_epoch",
    "origin",
    "policy_sha256",
    "realm",
    "request",
    "status",
    "strength",
];

impl ReceiptEntry {
    pub(super) fn new(leaf: Vec<u8>, proof: Proof) -> Result<Self, ReceiptError> {
        let index = proof.index();
        let object = Object::parse(&leaf).map_err(|error| ReceiptError::Entry { index, error })?;
        let role = role_of(&object).map_err(|_| ReceiptError::Role(index))?;
        let role = ROLES.into_iter().find(|known| *known == role);
        let role = role.ok_or(ReceiptError::Role(index))?;
        Ok(Self { leaf, role, proof })
    }

    fn read(place: usize, entry: &Object<'_>) -> Result<Self, ReceiptError> {
        entry.expect_only(&["entry", "proof", "role"])?;
        let proof = Proof::parse(&entry.bytes("proof")?);
        let proof = proof.map_err(|error| ReceiptError::Proof { place, error })?;
        let read = Self::new(entry.bytes("entry")?, proof)?;
        if read.role == entry.text("role")? {
            Ok(read)
        } else {
            Err(ReceiptError::Role(read.proof.index()))
        }
    }
}

impl Receipt {
    /// Reads a receipt, and checks its form only.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        let receipt = Object::parse_within(bytes, RECEIPT_BYTES_MAX)?;
        receipt.expect_only(&FIELDS)?;
        constant(&receipt, "format", FORMAT)?;
        constant(&receipt, "status", STATUS)?;
        let ids: Option<Vec<&str>> = receipt.list("assumptions")?.iter().map(Value::as_text).collect();
        if !ids.is_some_and(|ids| {
            ids.into_iter()
                .eq(ASSUMPTIONS.iter().map(|assumption| assumption.id))
        }) {
            return Err(ReceiptError::Field("assumptions"));
        }
        let origin = receipt.text("origin")?;
        let realm = decode_realm(origin).ok_or(ReceiptError::Realm)?;
        constant(&receipt, "realm", &encode_hex(&realm))?;
        let facts = facts(&receipt)?;
        let entries = receipt.objects("entries")?;
        if entries.len() > RECEIPT_ENTRIES_MAX {
            return Err(ReceiptError::Count);
        }
        let entries = entries.into_iter().enumerate();
        let entries = entries
            .map(|(place, entry)| ReceiptEntry::read(place, entry))
            .collect::<Result<Vec<_>, _>>()?;
        check_order(&entries)?;
        Ok(Self {
            origin: origin.to_owned(),
            realm,
            policy_sha256: receipt.array("policy_sha256")?,
            facts,
            entries,
        })
    }
}

fn constant(receipt: &Object<'_>, name: &'static str, value: &str) -> Result<(), ReceiptError> {
    if receipt.text(name)? == value {
        Ok(())
    } else {
        Err(ReceiptError::Field(name))
    }
}

fn facts(receipt: &Object<'_>) -> Result<ReceiptFacts, ReceiptError> {
    let epoch = receipt.number("epoch")?;
    if receipt.number("next_epoch")? != epoch + 1 {
        return Err(ReceiptError::Field("next_epoch"));
    }
    let named = |name: &'static str| receipt.text(name).map(|text| (name, text));
    let (kind, grade, strength) = (named("kind")?, named("grade")?, named("strength")?);
    Ok(ReceiptFacts {
        request: receipt.array("request")?,
        kind: Kind::from_name(kind.1).ok_or(ReceiptError::Field(kind.0))?,
        commit: receipt.array("commit")?,
        key_commit: receipt.array("key_commit")?,
        epoch,
        grade: Grade::from_name(grade.1).ok_or(ReceiptError::Field(grade.0))?,
        strength: VaultClass::from_name(strength.1).ok_or(ReceiptError::Field(strength.0))?,
    })
}

/// The document. Its fields are written in the order of their names.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<String> = ASSUMPTIONS
            .iter()
            .map(|assumption| format!("\"{}\"", assumption.id))
            .collect();
        write!(f, "{{\"assumptions\":[{}]", ids.join(","))?;
        let facts = &self.facts;
        write!(
            f,
            ",\"commit\":\"{}\",\"entries\":[",
            encode_base64(&facts.commit)
        )?;
        for (place, entry) in self.entries.iter().enumerate() {
            write!(
                f,
                "{}{{\"entry\":\"{}\",\"proof\":\"{}\",\"role\":\"{}\"}}",
                if place == 0 { "" } else { "," },
                encode_base64(&entry.leaf),
                encode_base64(entry.proof.to_string().as_bytes()),
                entry.role
            )?;
        }
        write!(f, "],\"epoch\":{},\"format\":\"{FORMAT}\"", facts.epoch)?;
        write!(f, ",\"grade\":\"{}\"", facts.grade.name())?;
        write!(f, ",\"key_commit\":\"{}\"", encode_base64(&facts.key_commit))?;
        write!(
            f,
            ",\"kind\":\"{}\",\"next_epoch\":{}",
            facts.kind.name(),
            facts.epoch + 1
        )?;
        write!(f, ",\"origin\":\"{}\"", self.origin)?;
        write!(f, ",\"policy_sha256\":\"{}\"", encode_base64(&self.policy_sha256))?;
        write!(f, ",\"realm\":\"{}\"", encode_hex(&self.realm))?;
        write!(
            f,
            ",\"request\":\"{}\",\"status\":\"{STATUS}\"",
            encode_base64(&facts.request)
        )?;
        write!(f, ",\"strength\":\"{}\"}}", facts.strength.name())
    }
}
