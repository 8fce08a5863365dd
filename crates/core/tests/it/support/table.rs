//! Tables of golden bytes: a name and its hex. A difference prints the whole new table, ready to be compared.

use std::fmt::Write as _;

use super::Rows;

/// Bytes as hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes text");
        text
    })
}

/// Bytes from hex.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("hex") as u8;
    text.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// Fails unless `actual` is exactly what the table says.
pub(crate) fn assert_golden(table: &[(&str, &str)], actual: &[(String, Vec<u8>)]) {
    let actual: Vec<(String, String)> = actual
        .iter()
        .map(|(name, bytes)| (name.clone(), hex(bytes)))
        .collect();
    let same = table.len() == actual.len()
        && table
            .iter()
            .zip(&actual)
            .all(|(golden, actual)| (golden.0, golden.1) == (&actual.0, &actual.1));
    if same {
        return;
    }
    let mut report =
        String::from("stored bytes changed: old data would not be read. The table would be now:\n");
    for (name, bytes) in &actual {
        let known = table.iter().any(|golden| golden.0 == name && golden.1 == bytes);
        writeln!(
            report,
            "    (\"{name}\", \"{bytes}\"),{}",
            if known { "" } else { " // differs" }
        )
        .expect("a string takes text");
    }
    panic!("{report}");
}

/// All rows of a state, the key as the name.
pub(crate) fn rows_of(rows: &Rows) -> Vec<(String, Vec<u8>)> {
    rows.0
        .iter()
        .map(|(key, value)| (hex(key), value.clone()))
        .collect()
}
