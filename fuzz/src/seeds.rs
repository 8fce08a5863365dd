//! Inputs that cases take, and inputs that once broke one.
//!
//! `seeds/<target>.toml` has a table for each case, with the bytes of inputs in hex, or their text.
//! `corpus-kept/<target>/<case>/` has a file for each input that was found to break the case; blanks in a case's name
//! are dashes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Target;

/// Inputs of one case.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Inputs {
    hex: Vec<String>,
    text: Vec<String>,
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The seeds of a target, by case.
///
/// # Panics
///
/// If its file is not there or malformed.
pub fn of(target: &Target) -> BTreeMap<String, Vec<Vec<u8>>> {
    let path = folder().join("seeds").join(target.name).with_extension("toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: BTreeMap<String, Inputs> =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bytes = |inputs: Inputs| {
        let hex = inputs.hex.iter().map(|hex| unhex(hex));
        hex.chain(inputs.text.into_iter().map(String::into_bytes))
            .collect()
    };
    cases
        .into_iter()
        .map(|(case, inputs)| (case, bytes(inputs)))
        .collect()
}

/// What once broke a case, by case.
///
/// # Panics
///
/// If a folder cannot be read.
pub fn kept(target: &Target) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for case in entries(&folder().join("corpus-kept").join(target.name)) {
        let inputs = entries(&case)
            .iter()
            .map(|path| fs::read(path).expect("an input is read"))
            .collect();
        let name = case
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace('-', " ");
        found.insert(name, inputs);
    }
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    if !folder.exists() {
        return Vec::new();
    }
    let entries = fs::read_dir(folder).expect("a folder of inputs is read");
    let mut entries: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry is read").path())
        .collect();
    entries.sort();
    entries
}

/// Writes all inputs of a target into a folder, as a fuzzer wants them: the case's number first.
///
/// # Panics
///
/// If a file cannot be written.
pub fn write(target: &Target, into: &Path) {
    fs::create_dir_all(into).expect("the folder is made");
    let (seeds, kept) = (of(target), kept(target));
    for (number, case) in target.cases().iter().enumerate() {
        let inputs = [&seeds, &kept]
            .into_iter()
            .filter_map(|inputs| inputs.get(case.name))
            .flatten();
        for (index, input) in inputs.enumerate() {
            let number = u8::try_from(number).expect("a target has fewer cases than a byte has values");
            fs::write(
                into.join(format!("seed-{number}-{index}")),
                [&[number], &input[..]].concat(),
            )
            .expect("a seed is written");
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    digits
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => Some(value(high)? << 4 | value(low)?),
            _ => None,
        })
        .collect::<Option<_>>()
        .unwrap_or_else(|| panic!("{text} is not hex"))
}
