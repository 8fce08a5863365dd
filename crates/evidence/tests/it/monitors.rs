//! A monitor is silent about a log that can be true, and names what cannot; a surfaced key convicts whoever called it
//! destroyed.

use eunoe_evidence::{
    AttestationError, Checkpoint, Monitor, MonitorError, Problem, Surfaced, Suspicion, surfaced_bytes,
};

use crate::story::{
    KEY, NEW_ROOT, OLD_ROOT, ORIGIN, Story, aborted, attest_key, attested, attested_by, commit, created,
    decommissioned, destroyed, erased, expired, granted, switched,
};

fn watched(story: &Story) -> (Monitor, Vec<Problem>) {
    let mut monitor = Monitor::new(ORIGIN).unwrap();
    let mut problems = Vec::new();
    for (index, leaf) in (0..).zip(story.leaves()) {
        let alarms = monitor.feed(index, &leaf).unwrap();
        problems.extend(alarms.into_iter().map(|alarm| {
            assert_eq!(alarm.index, index);
            assert!(alarm.to_string().starts_with(&format!("entry {index}: ")));
            alarm.problem
        }));
    }
    (monitor, problems)
}

fn problems(story: &Story) -> Vec<Problem> {
    watched(story).1
}

#[test]
fn an_honest_log_is_quiet() {
    for (story, full) in [(Story::at_threshold(), 0), (Story::in_full(), 1)] {
        let (mut monitor, problems) = watched(&story);
        assert_eq!(problems, []);
        let summary = monitor.summary();
        assert_eq!((summary.keys, summary.erased, summary.unknown), (0, 1, 0));
        assert_eq!(
            (summary.epoch, summary.destroyed_before, summary.full_before),
            (Some(1), 1, full)
        );
        monitor.reach(&story.checkpoint()).unwrap();
    }
    let new_type = Story::in_full().and(r#"{"t":"eunoe/tide@v1"}"#.to_owned());
    let (monitor, problems) = watched(&new_type);
    assert_eq!((problems, monitor.summary().unknown), (Vec::new(), 1));
}

#[test]
fn keys_live_once() {
    let c = commit();
    let story = Story::in_full;
    assert_eq!(problems(&story().and(created(&c, 1))), [Problem::Returned(c)]);
    assert_eq!(
        problems(&story().before("fenced", created(&c, 0))),
        [Problem::CreatedTwice(c)]
    );
    assert_eq!(
        problems(&story().before("switch", erased(&c, 0))),
        [Problem::ErasedTwice(c)]
    );
    let other = [1; 32];
    assert_eq!(
        problems(&story().before("switch", erased(&other, 0))),
        [Problem::NeverCreated(other)]
    );
    let fenced = story().0[14].1.clone();
    assert_eq!(problems(&story().and(fenced)), [Problem::Returned(c)]);
    let kc = crate::story::base64(&crate::story::sha256(&[b"eunoe/key-commit/v1\0", &KEY]));
    let swapped = erased(&c, 0).replace(&kc, &crate::story::base64(&[5; 32]));
    assert_eq!(problems(&story().put("erased", swapped)), [Problem::OtherKey(c)]);
}

#[test]
fn destruction_is_not_stated_early() {
    let early = |shown| Problem::EarlyDestroyed { said: 1, shown };
    // One holder of three, no holder at all, a memory that nobody speaks of.
    let story = Story::at_threshold;
    assert_eq!(problems(&story().put("attest2", expired(2, 1))), [early(0)]);
    let alone = story()
        .put("attest1", expired(1, 1))
        .put("attest2", expired(2, 1));
    assert_eq!(problems(&alone), [early(0)]);
    assert_eq!(problems(&story().without("lease4")), [early(0)]);
    assert_eq!(problems(&story().before("attest2", destroyed(1, 0))), [early(0)]);
    // All are said to have spoken, and one did not.
    let full = story().put("summary", destroyed(1, 1));
    assert_eq!(problems(&full), [Problem::EarlyFull { said: 1, shown: 0 }]);
    // The epoch that is in use.
    let ahead = Story::in_full().and(destroyed(2, 1));
    assert_eq!(problems(&ahead), [Problem::EarlyDestroyed { said: 2, shown: 1 }]);
}

/// Node 3 stays silent about epoch 0; epoch 1 is shared by others, of whom all destroy. Epoch 0's root has two silent holders
/// then, who can rebuild it.
#[test]
fn replaced_holders_of_an_older_root_are_not_forgotten() {
    let mut story = Story::until_switch().put("switch", switched(1, "[1,4]", &[1, 2, 3, 4]));
    for node in 1..=4 {
        story.add("granted", granted(2, node));
    }
    story.add("second", switched(2, "[1,4]", &[1, 2, 3, 4]));
    for node in [1, 4] {
        story.add("attest", attested(node, 2));
    }
    for node in [2, 3] {
        story.add("lease", expired(node, 2));
    }
    // Both holders of epoch 1's root have destroyed, but two of three of epoch 0's have not.
    let (monitor, quiet) = watched(&story);
    assert_eq!((quiet, monitor.summary().destroyed_before), (Vec::new(), 0));
    let stated = story.clone().and(destroyed(2, 0));
    assert_eq!(problems(&stated), [Problem::EarlyDestroyed { said: 2, shown: 0 }]);
    let gone = story.and(decommissioned(2)).and(destroyed(2, 0));
    assert_eq!(problems(&gone), []);
}

#[test]
fn an_attempt_that_came_to_nothing_leads_to_what_was_alive() {
    // The attempt's holders were others, and two of them say nothing.
    let attempt = aborted(1, "[2,3]", &[1, 2, 3, 4]);
    let story = Story::at_threshold().before("new1", attempt);
    let (monitor, problems) = watched(&story.clone().without("summary"));
    assert_eq!(problems, []);
    // Of two, both are needed, and node 2 destroyed.
    assert_eq!(monitor.summary().destroyed_before, 1);
    let silent = story.put("attest2", expired(2, 1)).put("attest1", attested(1, 1));
    assert_eq!(watched(&silent).0.summary().destroyed_before, 0);
}

#[test]
fn words_are_signed_and_in_time() {
    let forged = attested_by(&attest_key(1), 2, Some(1), "file");
    let story = Story::in_full().put("summary", destroyed(0, 0));
    let error = AttestationError::Signature;
    assert_eq!(
        problems(&story.clone().put("attest2", forged)),
        [Problem::Forged { node: 2, error }]
    );
    assert_eq!(
        problems(&story.clone().without("keys2")),
        [Problem::AttestedWithoutKey { node: 2 }]
    );
    assert_eq!(
        problems(&story.clone().and(attested(2, 2))),
        [Problem::AttestedAhead { node: 2 }]
    );
    // A false word counts for nothing.
    let stated = Story::at_threshold().put("attest2", attested_by(&attest_key(1), 2, Some(1), "file"));
    let stated = stated.before("summary", expired(2, 1));
    assert!(problems(&stated).contains(&Problem::EarlyDestroyed { said: 1, shown: 0 }));
    let stranger = expired(4, 1).replace("\"node\":4", "\"node\":9");
    assert_eq!(
        problems(&story.clone().and(stranger)),
        [Problem::NoSuchLease { node: 9 }]
    );
    let unwaited = expired(4, 1).replace("32300", "0");
    assert_eq!(problems(&story.and(unwaited)), [Problem::NoSuchLease { node: 4 }]);
}

#[test]
fn roots_go_to_those_who_may_have_them() {
    let story = Story::in_full;
    assert_eq!(
        problems(&story().and(granted(1, 9))),
        [Problem::NotAdmitted { node: 9 }]
    );
    let removed = story()
        .and(r#"{"node":4,"t":"eunoe/node-removed@v1"}"#.to_owned())
        .and(granted(1, 4));
    assert_eq!(problems(&removed), [Problem::NotAdmitted { node: 4 }]);
    let retired = story()
        .and(attested_by(&attest_key(4), 4, None, "file"))
        .and(granted(1, 4));
    assert_eq!(problems(&retired), [Problem::Retired { node: 4 }]);
    let holder = story().put("switch", switched(1, "[1,2,9]", &[1, 2, 3, 4]));
    assert!(problems(&holder).contains(&Problem::NotAdmitted { node: 9 }));
    let unnamed = story().put("switch", switched(1, "[1,2,3]", &[1, 2, 3]));
    assert_eq!(problems(&unnamed), [Problem::Unnamed { node: 4, epoch: 0 }]);
}

#[test]
fn epochs_follow_each_other() {
    let story = Story::in_full;
    let skipped = story().and(switched(3, "[1,2,3]", &[1, 2, 3, 4]));
    assert!(problems(&skipped).contains(&Problem::WrongEpoch { said: 3, wanted: 2 }));
    assert_eq!(
        problems(&story().and(granted(3, 1))),
        [Problem::WrongEpoch { said: 3, wanted: 1 }]
    );
    assert_eq!(
        problems(&story().and(created(&[3; 32], 0))),
        [Problem::WrongEpoch { said: 0, wanted: 1 }]
    );
    let begun = story().0[0].1.clone();
    assert_eq!(problems(&story().and(begun)), [Problem::SecondGenesis]);
    assert_eq!(problems(&story().without("genesis"))[0], Problem::NoGenesis);
    let rolled_back = r#"{"attempt":1,"boot":"AQEBAQEBAQEBAQEBAQEBAQ==","epoch":0,"node":1,"t":"eunoe/vault-rollback-detected@v1"}"#;
    assert_eq!(
        problems(&story().and(rolled_back.to_owned())),
        [Problem::VaultRolledBack { node: 1, epoch: 0 }]
    );
    let malformed = destroyed(1, 1).replace("}", ",\"u\":1}");
    assert!(matches!(
        problems(&story().and(malformed))[..],
        [Problem::Malformed(_)]
    ));
}

#[test]
fn a_fork_is_noticed() {
    let seen = Story::until_switch().checkpoint();
    let mut monitor = Monitor::new(ORIGIN).unwrap();
    monitor.remember(seen.clone()).unwrap();
    for (index, leaf) in (0..).zip(Story::in_full().leaves()) {
        monitor.feed(index, &leaf).unwrap();
    }
    monitor.reach(&Story::in_full().checkpoint()).unwrap();
    // One of the entries is another than it was.
    let mut monitor = Monitor::new(ORIGIN).unwrap();
    monitor.remember(seen.clone()).unwrap();
    let other = Story::in_full().put("fenced", created(&[1; 32], 0));
    let fed = (0..)
        .zip(other.leaves())
        .map(|(index, leaf)| monitor.feed(index, &leaf).map(|_| ()));
    let fed: Result<Vec<()>, MonitorError> = fed.collect();
    assert_eq!(fed, Err(MonitorError::Forked(seen.size())));
    // A checkpoint of other entries, of fewer, of another log.
    let (mut monitor, _) = watched(&Story::in_full());
    let size = Story::in_full().0.len() as u64;
    let forked = Checkpoint::new(ORIGIN, size, [1; 32], Vec::new()).unwrap();
    assert_eq!(monitor.reach(&forked), Err(MonitorError::Forked(size)));
    assert_eq!(monitor.reach(&seen), Err(MonitorError::Size));
    let other_log = Checkpoint::new("eunoe/other", size, [1; 32], Vec::new()).unwrap();
    assert_eq!(monitor.reach(&other_log), Err(MonitorError::Origin));
    assert_eq!(
        monitor.feed(0, b"{}"),
        Err(MonitorError::Next {
            wanted: size,
            given: 0
        })
    );
}

fn suspect(story: &Story, bytes: &[u8; 32]) -> (bool, Option<(Surfaced, u64, String)>) {
    let mut suspicion = Suspicion::new(bytes);
    for (index, leaf) in (0..).zip(story.leaves()) {
        suspicion.look_at(index, &leaf).unwrap();
    }
    let is_known = suspicion.is_known();
    let convicted = suspicion.finish().map(|conviction| {
        assert!(conviction.destroyed_index > conviction.index);
        (
            conviction.surfaced,
            conviction.epoch,
            String::from_utf8(conviction.leaf).unwrap(),
        )
    });
    (is_known, convicted)
}

#[test]
fn p6_a_surfaced_key_or_root_convicts() {
    let story = Story::at_threshold();
    let leaf = |name| story.0.iter().find(|(other, _)| other == name).unwrap().1.clone();
    assert_eq!(
        suspect(&story, &KEY),
        (true, Some((Surfaced::Key, 0, leaf("erased"))))
    );
    assert_eq!(
        suspect(&story, &OLD_ROOT),
        (true, Some((Surfaced::Root, 0, leaf("genesis"))))
    );
}

#[test]
fn p6_what_is_in_use_or_unknown_convicts_nobody() {
    let story = Story::at_threshold();
    // The current root; a key that nobody called destroyed yet; bytes that nothing commits to.
    assert_eq!(suspect(&story, &NEW_ROOT), (true, None));
    assert_eq!(suspect(&Story::until_switch(), &KEY), (true, None));
    assert_eq!(suspect(&story, &[0; 32]), (false, None));
}

#[test]
fn p6_what_surfaced_is_read_in_three_spellings() {
    let key = [0xab; 32];
    for file in [
        key.to_vec(),
        "ab".repeat(32).into_bytes(),
        format!("{}\n", "AB".repeat(32)).into_bytes(),
        format!("{}\n", crate::story::base64(&key)).into_bytes(),
    ] {
        assert_eq!(surfaced_bytes(&file), Some(key));
    }
    for file in [
        &b"ab"[..],
        &[0; 31],
        "ä".repeat(32).as_bytes(),
        "+a".repeat(32).as_bytes(),
    ] {
        assert_eq!(surfaced_bytes(file), None);
    }
}
