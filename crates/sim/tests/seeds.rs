//! Seeds of worlds: some always, those that found something for good, and worlds that are broken on purpose.

use std::collections::BTreeSet;

use eunoe_sim::world::coverage::Coverage;
use eunoe_sim::world::{Broken, Options, run};

/// Seeds that found something once, with what they found. The state of the code decides what a seed does, so that these
/// are no proof that it cannot come back; they are worth their moment.
const FOUND: &[(u64, &str)] = &[
    (
        1,
        "a node waited for the realm in a loop without a pause (custodian)",
    ),
    (
        4,
        "a node whose group had failed asked for its leader in a loop without a pause (founding)",
    ),
    (
        8,
        "a node whose group had failed asked whether it had recovered in a loop without a pause (start)",
    ),
    (
        9,
        "a cut-off node accepts appends after a fence, for its lease at most",
    ),
    (12, "reads began before a command that was under way was over"),
    (
        45,
        "a call was told that it had no effect when only its answer could not be made",
    ),
    (
        57,
        "too few shares could be reached and one memory had the root: nothing could mend that",
    ),
    (88, "the same, with a node that was leaving"),
    (
        10_546,
        "a node that does not know a fence yet stores under the keys of before",
    ),
    (10_576, "the share of a node that leaves was out of reach"),
    (10_703, "the same"),
    (11_138, "the same"),
];

/// Seeds of every run, beside those.
const ALWAYS: std::ops::Range<u64> = 1_000..1_030;
/// Seeds in which a node is removed to the end, which one in fifteen is.
const REMOVING: [u64; 2] = [11, 13];
/// A broken world is found out within so many seeds.
const SOON: std::ops::Range<u64> = 1..41;

fn violations(seed: u64, options: Options) -> Vec<String> {
    run(seed, options).violations
}

fn all_well(seeds: impl Iterator<Item = u64>) -> Coverage {
    let coverage = Coverage::default();
    for seed in seeds {
        let report = run(seed, Options::default());
        assert!(
            report.violations.is_empty(),
            "seed {seed}: {:#?}",
            report.violations
        );
        coverage.add(&report.coverage);
    }
    coverage
}

#[test]
fn promises_are_kept_whatever_goes_wrong() {
    let coverage = all_well(ALWAYS.chain(REMOVING));
    let missing = coverage.missing();
    assert!(missing.is_empty(), "never happened: {missing:?}\n{coverage}");
}

#[test]
fn what_was_found_once_is_not_found_again() {
    all_well(FOUND.iter().map(|(seed, _)| *seed));
}

#[test]
fn the_same_seed_does_the_same() {
    let mut digests = BTreeSet::new();
    for seed in [7, 21, 77] {
        let options = Options {
            keeps_trace: true,
            ..Options::default()
        };
        let (one, two) = (run(seed, options), run(seed, options));
        let differ = one.trace.iter().zip(&two.trace).find(|(one, two)| one != two);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(
            (one.digest, one.history),
            (two.digest, two.history),
            "seed {seed}"
        );
        assert!(one.trace.len() > 100, "a trace says something");
        digests.insert(one.digest);
    }
    assert_eq!(digests.len(), 3, "other seeds do other things");
}

fn found_soon(what: &str, options: Options) {
    let found = SOON
        .into_iter()
        .find(|seed| !violations(*seed, options).is_empty());
    let seed = found.unwrap_or_else(|| panic!("{what} was not found in {} seeds", SOON.count()));
    eprintln!("{what}: found with seed {seed}");
}

#[test]
fn a_disk_that_does_not_sync_is_found() {
    broken(Broken::SkippedSync);
}

#[test]
fn a_snapshot_that_is_not_flushed_is_found() {
    broken(Broken::UnflushedSnapshot);
}

#[test]
fn a_node_id_that_is_used_again_is_found() {
    broken(Broken::ReusedNodeId);
}

#[test]
fn an_apply_that_differs_is_found() {
    broken(Broken::UnstableApply);
}

fn broken(broken: Broken) {
    let options = Options {
        broken: Some(broken),
        ..Options::default()
    };
    found_soon(&format!("{broken:?}"), options);
}

/// Nodes that end where it hurts, by seeds that also have everything else go wrong.
#[cfg(feature = "failpoints")]
mod failpoints {
    use std::collections::BTreeMap;

    use eunoe_sim::world::failpoints::places;

    use super::*;

    /// Each begins with another step, so that all have their turn. 2012 and 2030 found something once (docs/testing.md).
    const SEEDS: std::ops::Range<u64> = 2_000..2_031;

    #[test]
    fn e11_promises_are_kept_when_nodes_end_at_every_step_of_an_epoch_in_every_role() {
        let mut ended = BTreeMap::new();
        for seed in SEEDS {
            let options = Options {
                safety_ms: 24_000,
                failpoints: true,
                ..Options::default()
            };
            let report = run(seed, options);
            assert!(
                report.violations.is_empty(),
                "seed {seed}: {:#?}",
                report.violations
            );
            for (place, times) in report.ended_at {
                *ended.entry(place).or_insert(0) += times;
            }
        }
        let missing: Vec<_> = places()
            .into_iter()
            .filter(|place| !ended.contains_key(place))
            .collect();
        assert!(missing.is_empty(), "nobody ended at {missing:?}: {ended:#?}");
        eprintln!("{ended:#?}");
    }
}

#[cfg(feature = "sabotage")]
mod sabotage {
    use eunoe_types::sabotage::Sabotage;

    use super::*;

    fn sabotaged(sabotage: Sabotage) {
        let options = Options {
            sabotage: Some(sabotage),
            ..Options::default()
        };
        found_soon(&format!("{sabotage:?}"), options);
    }

    #[test]
    fn an_answer_before_the_commit_is_found() {
        sabotaged(Sabotage::AckBeforeCommit);
    }

    #[test]
    fn a_stale_read_is_found() {
        sabotaged(Sabotage::StaleRead);
    }

    #[test]
    fn a_skipped_control_barrier_is_found() {
        sabotaged(Sabotage::SkipControlBarrier);
    }

    #[test]
    fn a_lease_without_a_round_is_found() {
        sabotaged(Sabotage::LeaseWithoutRound);
    }

    #[test]
    fn an_effect_of_an_entry_rather_than_of_the_state_is_found() {
        sabotaged(Sabotage::EffectOnEntry);
    }

    #[test]
    fn a_share_that_is_counted_and_not_kept_is_found() {
        sabotaged(Sabotage::UnkeptShareCounts);
    }

    #[test]
    fn what_is_called_destroyed_too_early_is_found() {
        sabotaged(Sabotage::DestroyedEarly);
    }

    #[test]
    fn a_word_before_the_deed_is_found() {
        sabotaged(Sabotage::WordBeforeDeed);
    }
}
