//! The coverage-guided fuzzer of one target. libFuzzer is its `main`: `scripts/fuzz.sh` builds and starts it.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use eunoe_fuzz::{Target, seeds};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn start() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let name = variable("EUNOE_FUZZ_TARGET");
    let target = Target::named(&name).unwrap_or_else(|| panic!("there is no target {name}"));
    seeds::write(target, Path::new(&variable("EUNOE_FUZZ_SEEDS")));
    assert!(TARGET.set(target).is_ok(), "the fuzzer starts once");
}

fuzz_target!(init: start(), |input: &[u8]| {
    if let Some(target) = TARGET.get() {
        target.run(input);
    }
});
