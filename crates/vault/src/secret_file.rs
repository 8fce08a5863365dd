//! Secrets that an operator puts into files: a PIN, a token.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use eunoe_crypto::SecretBytes;
use zeroize::Zeroizing;

use crate::VaultError;

const BYTES_MAX: usize = 4096;

/// The one line of the file `what` at `path`, without the line's end.
pub(crate) fn read_line(path: &Path, what: &'static str) -> Result<SecretBytes, VaultError> {
    let bad = |problem| VaultError::BadFile { file: what, problem };
    let file = File::open(path).map_err(VaultError::io(what))?;
    // As large as it may get, so that it never moves and leaves a copy behind.
    let mut content = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
    file.take(BYTES_MAX as u64 + 1)
        .read_to_end(&mut content)
        .map_err(VaultError::io(what))?;
    if content.len() > BYTES_MAX {
        return Err(bad("is larger than 4096 bytes"));
    }
    let line = content.strip_suffix(b"\n").unwrap_or(&content);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(bad("is empty"));
    }
    if !line.iter().all(u8::is_ascii_graphic) {
        return Err(bad("has more than one line of visible ASCII without spaces"));
    }
    Ok(SecretBytes::from(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<SecretBytes, VaultError> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pin");
        std::fs::write(&path, content).expect("writes");
        read_line(&path, "the PIN file")
    }

    #[test]
    fn one_line_is_read_with_and_without_its_end() {
        for content in [&b"s3cret"[..], b"s3cret\n", b"s3cret\r\n"] {
            assert_eq!(read(content).expect("a line").expose(), b"s3cret");
        }
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        let large = [b'x'; BYTES_MAX + 1];
        for content in [
            &b""[..],
            b"\n",
            b"s3cret\ns3cret\n",
            b"s3cret s3cret",
            b"s3cret\0",
            "s3crét".as_bytes(),
            &large,
        ] {
            let error = read(content).expect_err("no line");
            assert!(matches!(error, VaultError::BadFile { .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cr"));
        }
        let missing = read_line(Path::new("/nowhere"), "the PIN file");
        assert!(matches!(missing, Err(VaultError::Io { .. })));
    }
}
