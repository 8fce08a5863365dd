//! The short form of every fuzzer: its seeds, all that is near them, and seeded mutations.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use eunoe_fuzz::random::Random;
use eunoe_fuzz::{Case, TARGETS, Target, mutate, seeds};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a case; a failure says which input it was.
fn run(target: &Target, case: &Case, input: &[u8]) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(|| case.run(input)));
    outcome.unwrap_or_else(|_| panic!("{}, {}: broken by {}", target.name, case.name, hex(input)))
}

fn check(name: &str) {
    let target = Target::named(name).expect("a target of this name");
    let (seeds, kept) = (seeds::of(target), seeds::kept(target));
    let cases = target.cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "{name}: two cases have one name");
    for case in seeds.keys().chain(kept.keys()) {
        assert!(names.contains(case.as_str()), "{name} has no case {case}");
    }
    for case in &cases {
        let own = seeds.get(case.name).cloned().unwrap_or_default();
        // What is always refused has seeds that are refused; a decoder that takes none of its seeds is not reached.
        let is_taken = own.iter().filter(|seed| run(target, case, seed)).count() > 0;
        assert!(
            is_taken || target.refuses(case),
            "{name}: {} takes no seed of its own",
            case.name
        );
        for input in kept.get(case.name).into_iter().flatten() {
            run(target, case, input);
        }
        for input in own
            .iter()
            .flat_map(|seed| mutate::neighbours(seed).take(target.mutations))
        {
            run(target, case, &input);
        }
        // Of other cases too: what one decoder takes is nearly what another does.
        let all: Vec<Vec<u8>> = own.iter().chain(seeds.values().flatten()).cloned().collect();
        let mut random = Random::of(&format!("{name}/{}", case.name));
        for _ in 0..target.mutations / cases.len() + 1 {
            let few = if random.below(4) == 0 { &all } else { &own };
            run(target, case, &mutate::mutation(few, &mut random));
        }
    }
}

macro_rules! targets {
    ($($test:ident $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            check($name);
        })*

        #[test]
        fn every_target_has_a_test() {
            let tested = [$($name),*];
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, tested);
        }
    };
}

targets! {
    types "types",
    control "control",
    data "data",
    machines "machines",
    merkle "merkle",
    evidence "evidence",
    crypto "crypto",
    raft "raft",
    store "store",
    log_files "log-files",
    vault "vault",
    server "server",
    requests "requests",
    identity "identity",
    client "client",
    cli "cli",
}
