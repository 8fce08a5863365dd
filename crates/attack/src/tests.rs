mod world;

use eunoe_core::control::{KeyState, MadeRoot};
use eunoe_crypto::{Entropy as _, OsEntropy, SecretKey, root_commitment, sub_key_commitment};

use crate::{Dump, Evidence, MemoryKeys, Opened, Report, Stage, entries};
use world::{CONVERSATION, NAME, SECRET, SUBJECT, World, fresh};

const TRIALS: u64 = 1_000_000;

/// What these roots read, with an erased subject if the state says so.
fn read(evidence: &Evidence, roots: &[&SecretKey]) -> Report {
    let memory = MemoryKeys {
        roots: roots.iter().map(|root| root.duplicate()).collect(),
        ..MemoryKeys::default()
    };
    Report::of(evidence, &memory, true).expect("an attack")
}

fn texts(report: &Report) -> Vec<&str> {
    report.texts.iter().map(|text| text.text.as_str()).collect()
}

#[test]
fn with_the_root_everything_is_read_and_without_it_nothing() {
    let (world, first) = World::new();
    let evidence = world.evidence(&[&first]);
    let report = read(&evidence, &[&first.root]);
    let (messages, names) = (report.messages["unknown"], report.names["unknown"]);
    assert_eq!(
        (messages.read, messages.unread, names.read, names.unread),
        (1, 0, 2, 0)
    );
    assert_eq!(texts(&report), [SECRET, "a title", "a reference", NAME]);
    assert_eq!(report.keys["unknown"].read, 4);
    assert_eq!(
        (report.roots[0].epoch, report.texts[0].conversation.len()),
        (Some(0), 32)
    );

    for nothing in [&[][..], &[&fresh()]] {
        let report = read(&evidence, nothing);
        let (messages, names) = (report.messages["unknown"], report.names["unknown"]);
        assert_eq!(
            (messages.read, messages.unread, names.read, names.unread),
            (0, 1, 0, 2)
        );
        assert_eq!((report.keys["unknown"].read, report.texts.len()), (0, 0));
    }
}

#[test]
fn what_an_epoch_left_out_is_read_with_the_root_before_it_alone() {
    let (mut world, first) = World::new();
    let second = world.epoch(1, &[SUBJECT]);
    let mut evidence = world.evidence(&[&first, &second]);
    for kid in evidence.keys.keys().copied().collect::<Vec<_>>() {
        evidence.take_state(kid, KeyState::Active);
    }
    evidence.take_state(SUBJECT, KeyState::Erased { epoch: 0 });
    evidence.take_state(SUBJECT, KeyState::Active);

    let report = read(&evidence, &[&second.root]);
    assert_eq!((report.keys["erased"].read, report.keys["erased"].unread), (0, 1));
    assert_eq!((report.keys["active"].read, report.keys["active"].unread), (3, 0));
    assert_eq!((report.messages["erased"].unread, report.texts.len()), (1, 0));
    for roots in [&[&first.root][..], &[&second.root, &first.root]] {
        let report = read(&evidence, roots);
        assert_eq!(
            (report.keys["erased"].read, report.messages["erased"].read),
            (1, 1)
        );
        assert!(texts(&report).contains(&SECRET));
    }
}

#[test]
fn evidence_that_names_no_realm_is_an_error() {
    assert!(Report::of(&Evidence::new(), &MemoryKeys::default(), false).is_err());
}

#[test]
fn entries_are_found_wherever_they_stand_and_half_ones_are_none() {
    let (world, _) = World::new();
    let segment = world.segment();
    let noise = |bytes: usize| {
        let mut noise = vec![0; bytes];
        OsEntropy.fill(&mut noise).expect("randomness");
        noise
    };
    let mut evidence = Evidence::new();
    let half = &segment[..segment.len() - 1];
    entries::search(
        &mut evidence,
        &[&noise(333), &segment[..], &noise(7), half].concat(),
    );
    // The last entry of the second copy is cut.
    assert_eq!(evidence.counts.log_entries, 4 + 3);
    assert_eq!(evidence.contents.messages(), 1);
    assert!(evidence.contents.conversations.contains_key(&CONVERSATION));
    assert_eq!(evidence.sealed.count().1, 4);
}

/// Random bytes with a key at a place.
fn dump_with(key: &SecretKey, at: usize) -> Vec<u8> {
    let mut dump = vec![0; 4_096];
    OsEntropy.fill(&mut dump).expect("randomness");
    dump[at..at + 32].copy_from_slice(key.expose());
    dump
}

/// What a memory adds to nothing.
fn searched(evidence: &Evidence, dump: &[u8], trials: u64) -> MemoryKeys {
    let mut found = MemoryKeys::default();
    for stage in [Stage::Roots, Stage::Pages] {
        let opened = Opened::from(evidence, &[], &found).expect("a realm");
        let mut search = Dump::new(evidence, &opened, stage, trials).expect("a realm");
        search.search(dump, &mut found);
    }
    found
}

#[test]
fn a_root_and_a_record_key_are_found_at_any_byte_of_a_memory() {
    let (mut world, first) = World::new();
    let second = world.epoch(1, &[SUBJECT]);
    let evidence = world.evidence(&[&first, &second]);
    for at in [0, 1_001, 4_096 - 32] {
        let found = searched(&evidence, &dump_with(&first.root, at), 0);
        assert_eq!(found.found(), (1, 0, 0, 0));
        assert!(found.roots[0].matches(&first.root));
        let found = searched(&evidence, &dump_with(world.key(SUBJECT), at), 0);
        assert_eq!(found.found(), (0, 0, 0, 1));
    }
    let found = searched(&evidence, &dump_with(&fresh(), 5), 0);
    assert_eq!(found.found(), (0, 0, 0, 0));
    assert_eq!(found.tried.windows, 4_096 - 31);
    assert!(found.tried.candidates > 3_000 && found.tried.page_trials == 0);

    // A record key alone does not read what needs three others, and the root does.
    let with_key = searched(&evidence, &dump_with(world.key(SUBJECT), 8), 0);
    let report = Report::of(&evidence, &with_key, true).expect("an attack");
    assert_eq!((report.keys["unknown"].read, report.texts.len()), (1, 0));
    let with_root = searched(&evidence, &dump_with(&first.root, 9), 0);
    let report = Report::of(&evidence, &with_root, true).expect("an attack");
    assert!(texts(&report).contains(&SECRET));
}

#[test]
fn parts_of_a_root_in_a_memory_are_found_and_make_it_when_all_are_there() {
    let (world, first) = World::new();
    let mut evidence = world.evidence(&[]);
    // Three parts whose sum is the root.
    let (one, other) = (fresh(), fresh());
    let mut last = *first.root.expose();
    for (byte, (one, other)) in last.iter_mut().zip(one.expose().iter().zip(other.expose())) {
        *byte ^= one ^ other;
    }
    let parts = [one, other, SecretKey::from_bytes(&last)];
    let made = MadeRoot {
        root_commit: root_commitment(&first.root),
        sub_keys: parts.iter().map(sub_key_commitment).collect(),
        kept: Vec::new(),
    };
    evidence.take_made_root(&made, Some(0));
    let dumps = parts.each_ref().map(|part| dump_with(part, 77));
    let two = searched(&evidence, &dumps[..2].concat(), 0);
    assert_eq!(two.found(), (0, 2, 0, 0));
    assert!(
        Report::of(&evidence, &two, true)
            .expect("an attack")
            .texts
            .is_empty()
    );
    let all = searched(&evidence, &dumps.concat(), 0);
    assert_eq!(all.found(), (0, 3, 0, 0));
    let report = Report::of(&evidence, &all, true).expect("an attack");
    assert_eq!(report.roots[0].from, "shares");
    assert!(texts(&report).contains(&SECRET));
}

#[test]
fn a_pages_key_is_found_where_programs_keep_values_and_gives_what_it_opens() {
    let (mut world, first) = World::new();
    let second = world.epoch(1, &[SUBJECT]);
    let evidence = world.evidence(&[&first, &second]);
    let found = searched(&evidence, &dump_with(&first.leaf_key, 800), TRIALS);
    assert_eq!(found.found(), (0, 0, 1, 0));
    let report = Report::of(&evidence, &found, true).expect("an attack");
    assert_eq!(report.keys["unknown"].read, 1);

    // What the root gives to seal the top page with is kept by a node in the root's place.
    let derived = SecretKey::derive("eunoe v1 page", first.root.expose());
    let found = searched(&evidence, &dump_with(&derived, 80), TRIALS);
    assert_eq!(found.found(), (0, 0, 1, 0));
    let report = Report::of(&evidence, &found, true).expect("an attack");
    assert!(texts(&report).contains(&SECRET));

    let bounded = searched(&evidence, &dump_with(&first.leaf_key, 800), 10);
    assert_eq!(bounded.found(), (0, 0, 0, 0));
    assert!(bounded.tried.page_trials <= 2 * 10 && bounded.tried.page_trials_left_out > 0);
}
