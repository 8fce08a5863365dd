//! Whether a receipt holds, for an auditor who has a policy and perhaps the ticket, and no server to ask.

use std::collections::BTreeSet;

use super::derive::derive;
use super::{ASSUMPTIONS, Assumption, Failed, Receipt, ReceiptEntry, ReceiptFacts, Ticket};
use crate::policy::{Agreement, Policy};

/// What a receipt that holds proves, and what it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the log says about the erasure.
    pub facts: ReceiptFacts,
    /// Who signed the log and saw it.
    pub agreement: Agreement,
    /// Nodes that said under their own keys that they destroyed.
    pub attested: BTreeSet<u64>,
    /// Nodes that are gone, on evidence.
    pub decommissioned: BTreeSet<u64>,
    /// Nodes of whose memory only a lease says that the root is gone.
    pub by_lease: BTreeSet<u64>,
    /// Holders that said nothing: too few to rebuild the root.
    pub silent: BTreeSet<u64>,
    /// Whether a ticket says whom the erasure was about.
    pub is_opened: bool,
    /// What nobody can know from a receipt.
    pub assumptions: &'static [Assumption],
}

/// Checks a receipt. The policy comes from another channel than the receipt.
pub fn verify(receipt: &Receipt, policy: &Policy, ticket: Option<&Ticket>) -> Result<Verdict, Failed> {
    if receipt.policy_sha256 != *policy.sha256() {
        return Err(Failed::OtherPolicy);
    }
    let checkpoint = check_proofs(&receipt.origin, &receipt.entries)?;
    let agreement = policy.verify(checkpoint.proof.checkpoint())?;
    let derived = derive(&receipt.realm, &receipt.facts.request, &receipt.entries)?;
    check_stated(&receipt.facts, &derived.facts)?;
    if let Some(ticket) = ticket {
        check_ticket(receipt, ticket)?;
    }
    Ok(Verdict {
        facts: derived.facts,
        agreement,
        attested: derived.attested,
        decommissioned: derived.decommissioned,
        by_lease: derived.by_lease,
        silent: derived.silent,
        is_opened: ticket.is_some(),
        assumptions: &ASSUMPTIONS,
    })
}

/// Checks that all entries are in the tree of one checkpoint of the log, whoever signed it. Returns an entry with that
/// checkpoint.
pub(super) fn check_proofs<'a>(
    origin: &str,
    entries: &'a [ReceiptEntry],
) -> Result<&'a ReceiptEntry, Failed> {
    let first = entries
        .first()
        .ok_or(Failed::NotErased("the receipt has no entries"))?;
    let checkpoint = first.proof.checkpoint();
    if checkpoint.checkpoint().origin() != origin {
        return Err(Failed::Origin);
    }
    for entry in entries {
        let index = entry.proof.index();
        // A value has one spelling, so equal ones are equal byte for byte.
        if entry.proof.checkpoint() != checkpoint {
            return Err(Failed::OtherCheckpoint(index));
        }
        let included = entry.proof.verify_inclusion(&entry.leaf);
        included.map_err(|error| Failed::Inclusion { index, error })?;
    }
    Ok(first)
}

fn check_stated(stated: &ReceiptFacts, derived: &ReceiptFacts) -> Result<(), Failed> {
    let said = [
        ("kind", stated.kind == derived.kind),
        ("commit", stated.commit == derived.commit),
        ("key_commit", stated.key_commit == derived.key_commit),
        ("epoch", stated.epoch == derived.epoch),
        ("grade", stated.grade == derived.grade),
        ("strength", stated.strength == derived.strength),
    ];
    match said.into_iter().find(|(_, is_same)| !is_same) {
        Some((field, _)) => Err(Failed::Overstated(field)),
        None => Ok(()),
    }
}

fn check_ticket(receipt: &Receipt, ticket: &Ticket) -> Result<(), Failed> {
    if *ticket.request() != receipt.facts.request {
        return Err(Failed::Ticket("request"));
    }
    if *ticket.commit() != receipt.facts.commit {
        return Err(Failed::Ticket("commitment"));
    }
    if ticket.opens(&receipt.realm) != receipt.facts.commit {
        return Err(Failed::Ticket("opening"));
    }
    Ok(())
}
