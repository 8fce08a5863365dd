//! Fuzzers of everything that reads bytes from outside, from peers or from disk.
//!
//! A target is a family of cases, and a case is one decoder. No bytes may make a case panic, and where a value has one
//! form, bytes that are taken must be the bytes that the value is encoded to. `docs/testing.md` lists which decoder is
//! in which target.
//!
//! The first byte of a target's input names the case; what follows is the case's own input. Two programs run them: the
//! tests of this package, on seeds and what is near them, and `scripts/fuzz.sh`, guided by coverage.
#![forbid(unsafe_code)]

pub mod mutate;
pub mod random;
pub mod seeds;
mod targets;

use bytes::Bytes;
use eunoe_types::DecodeError;
use eunoe_types::fuzzing::{Form, Reader};

pub use targets::TARGETS;

/// A family of cases.
pub struct Target {
    /// Its name, which is the name of its seeds' file and of its corpus.
    pub name: &'static str,
    /// Cases whose values have one form each.
    forms: &'static [&'static [Form]],
    /// The others.
    readers: &'static [&'static [Reader]],
    /// Cases that must refuse whatever they are given.
    refused: &'static [&'static str],
    /// Mutations of its seeds that the short form runs.
    pub mutations: usize,
}

/// One decoder.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name in its target.
    pub name: &'static str,
    check: Check,
}

#[derive(Clone, Copy)]
enum Check {
    Form(fn(&Bytes) -> Result<Bytes, DecodeError>),
    Reader(fn(&Bytes) -> bool),
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Its cases, in the order of the numbers that inputs begin with.
    pub fn cases(&self) -> Vec<Case> {
        let forms = self.forms.iter().copied().flatten().map(|(name, recode)| Case {
            name,
            check: Check::Form(*recode),
        });
        let readers = self.readers.iter().copied().flatten().map(|(name, read)| Case {
            name,
            check: Check::Reader(*read),
        });
        forms.chain(readers).collect()
    }

    /// Whether the case must refuse whatever it is given.
    pub fn refuses(&self, case: &Case) -> bool {
        self.refused.contains(&case.name)
    }

    /// Runs the case that the first byte names on what follows.
    ///
    /// # Panics
    ///
    /// If the case is broken.
    pub fn run(&self, input: &[u8]) {
        let cases = self.cases();
        if let Some((number, input)) = input.split_first()
            && let Some(case) = cases.get(usize::from(*number) % cases.len().max(1))
        {
            case.run(input);
        }
    }
}

impl Case {
    /// Whether the decoder takes `input`.
    ///
    /// # Panics
    ///
    /// If the decoder does, or takes bytes that are not the one form of what they mean.
    pub fn run(&self, input: &[u8]) -> bool {
        let input = Bytes::copy_from_slice(input);
        match self.check {
            Check::Reader(read) => read(&input),
            Check::Form(recode) => recode(&input).is_ok_and(|again| {
                assert_eq!(again, input, "{}: a value has two forms", self.name);
                true
            }),
        }
    }
}
