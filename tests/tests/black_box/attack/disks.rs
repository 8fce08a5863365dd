//! Everything that was on disks, from before and after an erasure.

use std::path::PathBuf;

use eunoe_client::erasure_types::ErasureState;

use super::{Copies, VAULTS_OF_A_ROOT, assert_tally, attack, is_read};
use crate::erasure::{PATIENT, TENANT, erase, start, subject, talk, wait_for};

const ERASED: [&str; 2] = ["anna", "dora"];
const KEPT: [&str; 2] = ["bert", "carl"];

#[tokio::test(flavor = "multi_thread")]
async fn e2_to_e5_all_disks_of_all_times_read_what_lives_and_what_old_vaults_open() {
    let mut cluster = start(PATIENT).await;
    let client = cluster.client(TENANT).await;
    for name in ERASED.iter().chain(&KEPT) {
        talk(&client, name).await;
    }
    drop(client);
    let before = Copies::of(&mut cluster).await;
    let old_vaults: Vec<PathBuf> = before.vaults().collect();
    let everything = attack(&[&before], &old_vaults, &[]);
    assert_tally(&everything, "active", 4, true);
    let nothing = attack(&[&before], &[], &[]);
    assert_tally(&nothing, "active", 4, false);
    assert!(nothing.texts.is_empty());

    // E5: a key that is deleted and whose root stays. Fences alone are that.
    let client = cluster.client(TENANT).await;
    let mut erasures = Vec::new();
    for name in ERASED {
        erasures.push(erase(&client, subject(name, false)).await.id);
    }
    drop(client);
    let fenced = Copies::of(&mut cluster).await;
    let current: Vec<PathBuf> = fenced.vaults().collect();
    let report = attack(&[&before, &fenced], &current, &[]);
    assert_tally(&report, "fenced", 2, true);
    assert_tally(&report, "active", 2, true);
    assert!(ERASED.iter().all(|name| is_read(&report, name)));

    // E2: everything of before but the vaults, and everything of after.
    let client = cluster.client(TENANT).await;
    talk(&client, "fifi").await;
    erasures.push(erase(&client, subject("fifi", true)).await.id);
    for id in &erasures {
        wait_for(&client, id, ErasureState::Destroyed).await;
    }
    drop(client);
    let after = Copies::of(&mut cluster).await;
    let all = [&before, &fenced, &after];
    let current: Vec<PathBuf> = after.vaults().collect();
    let report = attack(&all, &current, &[]);
    assert_tally(&report, "erased", 3, false);
    assert_tally(&report, "active", 2, true);
    assert!(KEPT.iter().all(|name| is_read(&report, name)));
    assert!(!ERASED.iter().any(|name| is_read(&report, name)));

    // E3: one old vault fewer than make a root.
    let with = |old: usize| {
        current
            .iter()
            .chain(&old_vaults[..old])
            .cloned()
            .collect::<Vec<_>>()
    };
    let report = attack(&all, &with(VAULTS_OF_A_ROOT - 1), &[]);
    assert_tally(&report, "erased", 3, false);
    assert_tally(&report, "active", 2, true);

    // E4: as many as make one.
    let report = attack(&all, &with(VAULTS_OF_A_ROOT), &[]);
    assert_eq!(report.roots.len(), 2);
    assert!(ERASED.iter().all(|name| is_read(&report, name)));
    assert_tally(&report, "active", 2, true);
}
