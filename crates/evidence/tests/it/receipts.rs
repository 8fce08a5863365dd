//! A receipt proves one erasure, to one policy, and nothing if any of it is changed or too little is said in it.

use eunoe_evidence::{
    ASSUMPTIONS, AssembleError, Clause, Failed, Grade, Kind, Object, Policy, Receipt, ReceiptError, Ticket,
    TicketError, VaultClass, Verdict, attested_message, verify,
};
use proptest::prelude::*;

use crate::story::{
    ORIGIN, REFERENCE, REQUEST, Story, TENANT, attest_key, attested, attested_by, base64, commit,
    decommissioned, destroyed, erased, expired, log_key, node_keys, policy, policy_text, receipt, sha256,
    switched, ticket_text,
};
use crate::world::{TIME_S, cosigner};

/// What an auditor does with three files.
fn check(receipt: &[u8], policy: &[u8], ticket: &[u8]) -> Option<Result<Verdict, Failed>> {
    let receipt = Receipt::parse(receipt).ok()?;
    let (policy, ticket) = (Policy::parse(policy).ok()?, Ticket::parse(ticket).ok()?);
    Some(verify(&receipt, &policy, Some(&ticket)))
}

fn verdict(story: &Story, grade: &str) -> Result<Verdict, Failed> {
    let text = story.receipt(grade);
    let receipt = Receipt::parse(text.as_bytes()).unwrap();
    assert_eq!(receipt.to_string(), text);
    verify(&receipt, &policy(), None)
}

fn assembled(story: &Story) -> Result<Receipt, AssembleError> {
    let entries = story.entries(&story.signed(&["n1", "n3", "w"]));
    Receipt::assemble(ORIGIN, *policy().sha256(), REQUEST, entries)
}

/// The clause that stops the story, whoever asks: an auditor who was given a receipt, and a server that would make one.
fn refused(story: &Story) -> Clause {
    let failed = verdict(story, "threshold").unwrap_err();
    assert_eq!(assembled(story), Err(AssembleError::Failed(failed.clone())));
    assert!(!failed.to_string().is_empty());
    failed.clause()
}

#[test]
fn a_receipt_says_what_its_entries_say() {
    let verdict = verdict(&Story::at_threshold(), "threshold").unwrap();
    assert_eq!(verdict.facts.grade, Grade::Threshold);
    assert_eq!((verdict.facts.epoch, verdict.facts.kind), (0, Kind::Subject));
    assert_eq!((verdict.facts.commit, verdict.facts.request), (commit(), REQUEST));
    assert_eq!(verdict.facts.strength, VaultClass::File);
    assert_eq!(verdict.attested, [1, 2].into());
    assert_eq!(verdict.by_lease, [3, 4].into());
    assert_eq!(verdict.silent, [3].into());
    assert!(!verdict.is_opened);
    assert_eq!(verdict.assumptions, ASSUMPTIONS);
    assert_eq!(verdict.agreement.cosigners.len(), 3);
    let receipt = assembled(&Story::at_threshold()).unwrap();
    assert_eq!(receipt.to_string(), Story::at_threshold().receipt("threshold"));
}

#[test]
fn full_is_the_word_of_all() {
    let full = verdict(&Story::in_full(), "full").unwrap();
    assert_eq!(full.facts.grade, Grade::Full);
    assert!(full.silent.is_empty() && full.by_lease.is_empty());
    assert_eq!(
        assembled(&Story::in_full()).unwrap().to_string(),
        Story::in_full().receipt("full")
    );
    // A lease, evidence, or a summary that says less is not that.
    let retired = attested_by(&attest_key(3), 3, None, "hsm");
    let by_word = Story::in_full().put("attest3", retired);
    assert_eq!(assembled(&by_word).unwrap().facts().grade, Grade::Full);
    for less in [
        Story::in_full().put("attest4", expired(4, 1)),
        Story::in_full().put("attest3", decommissioned(3)),
        Story::in_full().put("summary", destroyed(1, 0)),
    ] {
        assert_eq!(assembled(&less).unwrap().facts().grade, Grade::Threshold);
        assert_eq!(verdict(&less, "full"), Err(Failed::Overstated("grade")));
    }
}

#[test]
fn the_weakest_vault_counts() {
    for (first, second, weakest) in [
        ("hsm", "tpm", VaultClass::Tpm),
        ("hsm", "test", VaultClass::Test),
        ("delegated", "hsm", VaultClass::Delegated),
    ] {
        let story = Story::at_threshold()
            .put("attest1", attested_by(&attest_key(1), 1, Some(1), first))
            .put("attest2", attested_by(&attest_key(2), 2, Some(1), second));
        assert_eq!(assembled(&story).unwrap().facts().strength, weakest);
    }
}

#[test]
fn a_node_signs_what_is_checked() {
    let leaf = attested(1, 1);
    let message = attested_message(&crate::story::REALM, &Object::parse(leaf.as_bytes()).unwrap()).unwrap();
    assert!(message.starts_with(b"eunoe/holder-attest/v1\0\x07"));
    assert!(!String::from_utf8(message).unwrap().contains("sig"));
    let other = destroyed(1, 1);
    assert_eq!(
        attested_message(&crate::story::REALM, &Object::parse(other.as_bytes()).unwrap()),
        None
    );
}

/// Flips every bit that `is_tried` in each of the three files.
fn flip(is_tried: impl Fn(usize) -> bool) {
    let files = [
        Story::at_threshold().receipt("threshold"),
        policy_text(),
        ticket_text(),
    ];
    let files = files.map(String::into_bytes);
    assert!(check(&files[0], &files[1], &files[2]).unwrap().is_ok());
    for place in 0..files.len() {
        for bit in (0..files[place].len() * 8).filter(|bit| is_tried(*bit)) {
            let mut files = files.clone();
            files[place][bit / 8] ^= 1 << (bit % 8);
            let verdict = check(&files[0], &files[1], &files[2]);
            assert!(!matches!(verdict, Some(Ok(_))), "file {place}, bit {bit}");
        }
    }
}

#[test]
fn p2_sampled_bits_count() {
    // Prime, so that all bits of bytes are among them.
    flip(|bit| bit % 97 == 0);
}

#[test]
#[ignore = "takes a quarter of a minute"]
fn p2_every_bit_counts() {
    flip(|_| true);
}

fn form(text: &str) -> ReceiptError {
    Receipt::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn p2_another_form_is_refused() {
    let good = Story::at_threshold().receipt("threshold");
    for (from, to) in [
        ("erasure-receipt@v1", "erasure-receipt@v2"),
        ("DESTROYED", "REKEYED"),
        ("\"A9\"", "\"A8\""),
        (",\"A9\"", ""),
        ("\"next_epoch\":1", "\"next_epoch\":2"),
        ("SUBJECT", "PERSON"),
        ("\"realm\":\"07", "\"realm\":\"08"),
        ("\"strength\":\"file\"", "\"strength\":\"FILE\""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(
            matches!(form(&bad), ReceiptError::Field(_)),
            "{from}: {:?}",
            form(&bad)
        );
    }
    assert!(matches!(
        form(&good.replacen(ORIGIN, "eunoe/0707", 1)),
        ReceiptError::Realm
    ));
    for (from, to) in [
        ("{\"assumptions\"", "{ \"assumptions\""),
        ("\"epoch\":0", "\"epoch\":00"),
        ("\"strength\":\"file\"", "\"strength\":\"file\",\"zeal\":1"),
        ("\"status\":\"DESTROYED\",", ""),
        // The last character of a commitment has two bits that count for nothing.
        (&base64(&commit())[..], &base64(&commit()).replace("=", "")[..]),
        (&base64(&REQUEST)[..], "CQkJCQkJCQkJCQkJCQkJCR=="),
        ("\"role\":\"genesis\"", "\"role\":\"genesis\",\"wit\":1"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(
            matches!(form(&bad), ReceiptError::Json(_)),
            "{from}: {:?}",
            form(&bad)
        );
    }
    let role = good.replacen("\"role\":\"genesis\"", "\"role\":\"key-created\"", 1);
    assert_eq!(form(&role), ReceiptError::Role(0));
    assert_eq!(form(&" ".repeat(2 << 20)), ReceiptError::TooLong);
}

#[test]
fn p2_each_entry_is_there_once_in_order() {
    let story = Story::at_threshold();
    let entries = story.entries(&story.signed(&["n1", "n3", "w"]));
    let mut doubled = entries.clone();
    doubled.push(entries.last().unwrap().clone());
    assert!(matches!(
        form(&receipt("threshold", &doubled)),
        ReceiptError::Order(_)
    ));
    let mut swapped = entries;
    swapped.swap(1, 2);
    assert!(matches!(
        form(&receipt("threshold", &swapped)),
        ReceiptError::Order(_)
    ));
    assert_eq!(form(&receipt("threshold", &[])), ReceiptError::Count);
    let assemble = |entries| Receipt::assemble(ORIGIN, *policy().sha256(), REQUEST, entries);
    // Whoever makes one need not know the order.
    assert!(assemble(swapped).is_ok());
    assert!(matches!(
        assemble(doubled),
        Err(AssembleError::Form(ReceiptError::Order(_)))
    ));
}

#[test]
fn p2_a_proof_is_of_its_leaf_and_of_one_checkpoint() {
    let story = Story::at_threshold();
    let signed = story.signed(&["n1", "n3", "w"]);
    let entries = story.entries(&signed);
    let clause = |entries: &[_]| {
        let receipt = Receipt::parse(receipt("threshold", entries).as_bytes()).unwrap();
        verify(&receipt, &policy(), None).unwrap_err().clause()
    };
    // The leaf of another.
    let mut other_leaf = entries.clone();
    other_leaf[2].0 = entries[3].0.clone();
    assert_eq!(clause(&other_leaf), Clause::V2);
    // The same tree, cosigned by others; and a longer tree.
    let others = story.entries(&story.signed(&["n1", "n2", "w"]));
    let longer = Story::at_threshold().and(expired(3, 1));
    let longer = longer.entries(&longer.signed(&["n1", "n3", "w"]));
    for swapped in [&others, &longer] {
        let mut mixed = entries.clone();
        mixed[4] = swapped[4].clone();
        assert_eq!(clause(&mixed), Clause::V3);
    }
}

#[test]
fn p2_the_policy_decides() {
    let story = Story::at_threshold();
    let clause_of = |signed| {
        let entries = story.entries(&signed);
        let receipt = Receipt::parse(receipt("threshold", &entries).as_bytes()).unwrap();
        verify(&receipt, &policy(), None).unwrap_err().clause()
    };
    // Without the witness, with one node too few.
    assert_eq!(clause_of(story.signed(&["n1", "n2", "n3"])), Clause::P4);
    assert_eq!(clause_of(story.signed(&["n1", "w"])), Clause::P4);
    // A node that signs twice does not count twice.
    let checkpoint = story.checkpoint();
    let twice = [TIME_S, TIME_S + 1].map(|time| cosigner("n1").cosign(&checkpoint, time).unwrap());
    let mut lines = vec![log_key().sign(&checkpoint).unwrap()];
    lines.extend(twice);
    lines.push(cosigner("w").cosign(&checkpoint, TIME_S).unwrap());
    let doubled = eunoe_evidence::SignedCheckpoint::new(checkpoint, lines).unwrap();
    assert_eq!(clause_of(doubled), Clause::P4);
    // Another policy than the receipt's, even one that trusts more.
    let trusting = policy_text().replace("quorum both", "quorum none");
    let receipt = Receipt::parse(story.receipt("threshold").as_bytes()).unwrap();
    let trusting = Policy::parse(trusting.as_bytes()).unwrap();
    assert_eq!(
        verify(&receipt, &trusting, None).unwrap_err().clause(),
        Clause::V1
    );
}

#[test]
fn p2_what_is_stated_beside_the_entries_is_checked() {
    let good = Story::at_threshold().receipt("threshold");
    for (field, from, to) in [
        ("grade", "\"grade\":\"threshold\"", "\"grade\":\"full\""),
        ("strength", "\"strength\":\"file\"", "\"strength\":\"hsm\""),
        ("kind", "SUBJECT", "TENANT"),
        ("epoch", "\"epoch\":0,\"format\"", "\"epoch\":1,\"format\""),
        ("commit", &base64(&commit())[..], &base64(&[0; 32])[..]),
    ] {
        let bad = good.replacen(from, to, 1);
        let bad = if field == "epoch" {
            bad.replacen("\"next_epoch\":1", "\"next_epoch\":2", 1)
        } else {
            bad
        };
        let receipt = Receipt::parse(bad.as_bytes()).unwrap();
        assert_eq!(verify(&receipt, &policy(), None), Err(Failed::Overstated(field)));
    }
}

#[test]
fn p3_without_the_key_s_life_nothing_is_proved() {
    let story = Story::at_threshold;
    assert_eq!(refused(&story().without("created")), Clause::P1);
    assert_eq!(refused(&story().without("erased")), Clause::P1);
    assert_eq!(refused(&story().without("switch")), Clause::P1);
    // Of another key, in another epoch, made afterwards, twice.
    assert_eq!(refused(&story().put("erased", erased(&[1; 32], 0))), Clause::P1);
    assert_eq!(refused(&story().put("erased", erased(&commit(), 1))), Clause::P1);
    let late = story()
        .without("created")
        .and(crate::story::created(&commit(), 0));
    assert_eq!(refused(&late), Clause::P1);
    assert_eq!(refused(&story().and(erased(&commit(), 0))), Clause::P1);
    // The next epoch began before the key was left out.
    let early = story()
        .without("switch")
        .before("erased", switched(1, "[1,2,3]", &[1, 2, 3, 4]));
    assert_eq!(refused(&early), Clause::P1);
}

#[test]
fn p3_too_few_holders_prove_nothing() {
    let story = Story::at_threshold;
    assert_eq!(refused(&story().without("genesis")), Clause::P2);
    // One of three; a stranger's word instead; a lease instead.
    let with_lease = |name| story().put(name, expired(2, 1));
    assert_eq!(refused(&with_lease("attest2")), Clause::P2);
    assert_eq!(
        refused(&story().put("attest2", attested(4, 1)).and(expired(2, 1))),
        Clause::P2
    );
    // The same one twice.
    assert_eq!(
        refused(&story().put("attest2", attested(1, 1)).and(expired(2, 1))),
        Clause::P2
    );
    // Of an older epoch, or before the new epoch began.
    assert_eq!(
        refused(&story().put("attest2", attested(2, 0)).and(expired(2, 1))),
        Clause::P2
    );
    let early = story()
        .without("attest2")
        .before("switch", attested(2, 1))
        .and(expired(2, 1));
    assert_eq!(refused(&early), Clause::P2);
    // Evidence counts for one, and for good.
    let gone = story().put("attest2", decommissioned(2));
    assert_eq!(verdict(&gone, "threshold").unwrap().decommissioned, [2].into());
}

#[test]
fn p3_older_roots_need_a_summary_after_the_switch() {
    let story = Story::at_threshold;
    assert_eq!(refused(&story().without("summary")), Clause::P2);
    assert_eq!(refused(&story().put("summary", destroyed(0, 0))), Clause::P2);
    let early = story().without("summary").before("switch", destroyed(1, 0));
    assert_eq!(refused(&early), Clause::P2);
    // A summary is no word of a holder.
    let alone = story().without("attest1").without("attest2");
    assert_eq!(refused(&alone), Clause::P2);
}

#[test]
fn p3_a_forged_word_refuses_the_receipt() {
    let story = Story::at_threshold;
    let forged = attested_by(&attest_key(1), 2, Some(1), "file");
    assert_eq!(refused(&story().put("attest2", forged.clone())), Clause::V5);
    // Though enough others attest.
    assert_eq!(refused(&Story::in_full().put("attest2", forged)), Clause::V5);
    // A better vault than was signed; a key that is not known, that comes too late, or that was replaced.
    let better = attested(2, 1).replace("\"vault\":\"file\"", "\"vault\":\"hsm\"");
    assert_eq!(refused(&story().put("attest2", better)), Clause::V5);
    assert_eq!(refused(&story().without("keys2")), Clause::V5);
    let late = story().without("keys2").and(node_keys(2, &attest_key(2)));
    assert_eq!(refused(&late), Clause::V5);
    let replaced = story().before("attest2", node_keys(2, &attest_key(3)));
    assert_eq!(refused(&replaced), Clause::V5);
    // Retired in words that were signed for one epoch.
    let boot = attested(2, 1)
        .replacen("\"epoch\":1,", "", 1)
        .replace("holder-attest", "holder-retired");
    assert_eq!(refused(&story().put("attest2", boot)), Clause::V5);
}

#[test]
fn p3_each_memory_is_accounted_for() {
    let story = Story::at_threshold;
    for lease in ["lease3", "lease4"] {
        assert_eq!(refused(&story().without(lease)), Clause::P3);
    }
    // Of an older epoch, of another node, without a wait, before the switch.
    assert_eq!(refused(&story().put("lease4", expired(4, 0))), Clause::P3);
    let other_node = expired(5, 1);
    assert_eq!(refused(&story().put("lease4", other_node)), Clause::P3);
    assert_eq!(
        refused(&story().put("lease4", expired(4, 1).replace("32300", "0"))),
        Clause::P3
    );
    let early = story().without("lease4").before("switch", expired(4, 1));
    assert_eq!(refused(&early), Clause::P3);
    // Its own word, or evidence, is as good as a lease.
    assert!(verdict(&story().put("lease4", attested(4, 1)), "threshold").is_ok());
    assert!(verdict(&story().put("lease4", decommissioned(4)), "threshold").is_ok());
}

#[test]
fn p3_who_ceased_for_good_need_not_say_it_again() {
    let retired = attested_by(&attest_key(2), 2, None, "file");
    let story = Story::at_threshold().without("attest2").before("erased", retired);
    assert_eq!(verdict(&story, "threshold").unwrap().attested, [1, 2].into());
}

#[test]
fn p7_the_ticket_opens_the_commitment() {
    let receipt = Receipt::parse(Story::at_threshold().receipt("threshold").as_bytes()).unwrap();
    let ticket = Ticket::parse(ticket_text().as_bytes()).unwrap();
    assert_eq!(ticket.to_string(), ticket_text());
    assert_eq!((ticket.tenant(), ticket.reference()), (TENANT, REFERENCE));
    assert!(verify(&receipt, &policy(), Some(&ticket)).unwrap().is_opened);
    assert!(!format!("{ticket:?}").contains(TENANT));
    for (from, to) in [
        (TENANT.to_owned(), "acne".to_owned()),
        (base64(REFERENCE), base64(b"visitor 4712")),
        (base64(&crate::story::KID), base64(&[0; 16])),
        (base64(&crate::story::BLIND), base64(&[0; 32])),
        (base64(&REQUEST), base64(&[0; 16])),
        (base64(&commit()), base64(&sha256(&[b"another"]))),
    ] {
        let other = Ticket::parse(ticket_text().replace(&from, &to).as_bytes()).unwrap();
        let failed = verify(&receipt, &policy(), Some(&other)).unwrap_err();
        assert_eq!(failed.clause(), Clause::V6, "{from}");
    }
}

#[test]
fn p7_a_ticket_has_one_spelling() {
    for (from, to) in [
        ("ticket@v1", "ticket@v2"),
        ("acme", "ac\\me"),
        ("{", "{ "),
        ("}", ",\"z\":1}"),
    ] {
        assert!(
            Ticket::parse(ticket_text().replace(from, to).as_bytes()).is_err(),
            "{from}"
        );
    }
    assert_eq!(Ticket::parse(&vec![b' '; 1 << 20]), Err(TicketError::TooLong));
    let quoted = Ticket::new(REQUEST, commit(), "a\"b", REFERENCE, [0; 16], [0; 32]);
    assert_eq!(quoted, Err(TicketError::Tenant));
}

proptest! {
    #[test]
    fn no_bytes_panic(at in any::<prop::sample::Index>(), cut in 0..40_usize, put in "[\\[\\]{}\",:0-9a-z+/=]{0,12}") {
        for text in [Story::at_threshold().receipt("threshold"), ticket_text()] {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, put.bytes());
            if let Ok(receipt) = Receipt::parse(&bytes) {
                prop_assert_eq!(receipt.to_string().into_bytes(), bytes.clone());
            }
            if let Ok(ticket) = Ticket::parse(&bytes) {
                prop_assert_eq!(ticket.to_string().into_bytes(), bytes);
            }
        }
    }
}
