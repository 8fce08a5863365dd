//! Looks for words in every byte of every file, in each form that a careless program could have written them in.

use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Something that was found where it must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In which file.
    pub path: PathBuf,
    /// At which byte.
    pub offset: usize,
    /// Which word: its place in the list that was looked for.
    pub word: usize,
    /// In which form.
    pub form: &'static str,
}

/// What to look for.
pub struct Words {
    automaton: AhoCorasick,
    /// Word and form of each pattern.
    meaning: Vec<(usize, &'static str)>,
}

impl Words {
    /// Looks for these words raw and as hex, base64 (both alphabets, wherever in the encoded text they stand) and
    /// UTF-16 (both byte orders).
    ///
    /// # Panics
    ///
    /// If a word is shorter than 8 bytes: it would be found by chance.
    pub fn new<Word: AsRef<[u8]>>(words: &[Word]) -> Self {
        let (mut patterns, mut meaning) = (Vec::new(), Vec::new());
        for (index, word) in words.iter().enumerate() {
            let word = word.as_ref();
            assert!(word.len() >= 8, "a short word is found by chance");
            for (form, pattern) in forms(word) {
                patterns.push(pattern);
                meaning.push((index, form));
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(patterns)
            .expect("the words are not too many");
        Self { automaton, meaning }
    }

    /// Searches the bytes of one file.
    pub fn find_in(&self, path: &Path, bytes: &[u8]) -> Vec<Finding> {
        let matches = self.automaton.find_overlapping_iter(bytes);
        matches
            .map(|found| {
                let (word, form) = self.meaning[found.pattern().as_usize()];
                let (path, offset) = (path.to_owned(), found.start());
                Finding {
                    path,
                    offset,
                    word,
                    form,
                }
            })
            .collect()
    }

    /// Searches names and bytes of all files below `folder`. Says how many bytes it has seen, so that a caller can
    /// tell an empty folder from a clean one.
    ///
    /// # Panics
    ///
    /// If a file cannot be read.
    pub fn find_below(&self, folder: &Path) -> (Vec<Finding>, usize) {
        let (mut findings, mut bytes_seen) = (Vec::new(), 0);
        for path in files_below(folder) {
            findings.extend(self.find_in(&path, path.to_string_lossy().as_bytes()));
            let bytes = fs::read(&path).expect("a file of a stopped node is read");
            bytes_seen += bytes.len();
            findings.extend(self.find_in(&path, &bytes));
        }
        (findings, bytes_seen)
    }
}

/// All files below a folder.
///
/// # Panics
///
/// If a folder cannot be read.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).expect("a folder is read");
    for entry in entries {
        let path = entry.expect("an entry is read").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn forms(word: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let lower: String = word.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        ("raw", word.to_vec()),
        ("hex", lower.clone().into_bytes()),
        ("HEX", lower.to_uppercase().into_bytes()),
    ];
    for (form, engine) in [("base64", &STANDARD_NO_PAD), ("base64url", &URL_SAFE_NO_PAD)] {
        forms.extend((0..3).map(|offset| (form, inner_base64(engine, word, offset))));
    }
    if let Ok(text) = std::str::from_utf8(word) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let little = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        forms.extend([("UTF-16LE", little), ("UTF-16BE", big)]);
    }
    // Base64 without `+` and `/` is the same in both alphabets.
    forms.dedup_by(|a, b| a.1 == b.1);
    forms
}

/// The digits of base64 that depend on nothing but `word` when `offset` bytes of a group of three stand before it.
fn inner_base64(engine: &base64::engine::GeneralPurpose, word: &[u8], offset: usize) -> Vec<u8> {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(word);
    let digits = engine.encode(&padded).into_bytes();
    // A digit is six bits: those that hold bits of what stands before or after are left out.
    let first = (offset * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    digits[first..last].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms_found(text: &[u8]) -> Vec<&'static str> {
        let words = Words::new(&["nightingale"]);
        let found = words.find_in(Path::new("file"), text);
        found.into_iter().map(|finding| finding.form).collect()
    }

    #[test]
    fn a_word_is_found_in_every_form_and_place() {
        assert_eq!(forms_found(b"\x00\xffnightingale\x01"), ["raw"]);
        assert_eq!(forms_found(b"6e69676874696e67616c65"), ["hex"]);
        assert_eq!(forms_found(b"n\0i\0g\0h\0t\0i\0n\0g\0a\0l\0e\0"), ["UTF-16LE"]);
        for before in ["", "a", "ab", "abc", "abcd"] {
            for after in ["", "z", "zy", "zyx"] {
                let encoded = STANDARD_NO_PAD.encode(format!("{before}nightingale{after}"));
                let found = forms_found(encoded.as_bytes());
                assert!(found.iter().any(|form| form.starts_with("base64")), "{encoded}");
            }
        }
        assert_eq!(forms_found(b"a nightingal e"), [""; 0]);
    }

    #[test]
    fn names_and_contents_of_files_are_searched() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/a-nightingale.txt"), "nothing").unwrap();
        fs::write(folder.path().join("below/b"), "xxnightingalexx").unwrap();
        let words = Words::new(&["nightingale"]);
        let (found, bytes) = words.find_below(folder.path());
        assert_eq!((found.len(), bytes), (2, 22));
    }
}
