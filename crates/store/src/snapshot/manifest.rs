//! The manifest of a snapshot, format version 1:
//! `version · meta · number of files · (name · bytes · hash)… · BLAKE3 of all before`.

use eunoe_types::{DecodeError, Decoder, Encoder};

use super::{FILES_MAX, MANIFEST_BYTES_MAX, SnapshotError, is_name};

const VERSION: u8 = 1;
const HASH_BYTES: usize = 32;

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// A plain file name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its content.
    pub hash: [u8; 32],
}

/// What a snapshot consists of. The files are in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The caller's bytes.
    pub meta: Vec<u8>,
    /// The files.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// Its stored and sent form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.u8(VERSION).bytes(&self.meta).varint(self.files.len() as u64);
        for file in &self.files {
            out.text(&file.name).varint(file.bytes).fixed(&file.hash);
        }
        let hash = blake3::hash(out.as_slice());
        out.fixed(hash.as_bytes());
        out.finish()
    }

    /// Decodes and checks it; a flipped bit is found by its own hash.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let refused = SnapshotError::Refused;
        let body = bytes
            .len()
            .checked_sub(HASH_BYTES)
            .ok_or(refused("its manifest is cut"))?;
        let (body, hash) = bytes.split_at(body);
        if blake3::hash(body).as_bytes() != hash {
            return Err(refused("its manifest is damaged"));
        }
        if body.first() != Some(&VERSION) {
            return Err(refused("its manifest's version is unknown"));
        }
        let manifest = Self::decode_body(body).map_err(|_| refused("its manifest does not decode"))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new(body);
        input.u8()?;
        let meta = input.bytes()?.to_vec();
        let mut files = Vec::new();
        for _ in 0..input.count(FILES_MAX)? {
            files.push(FileEntry {
                name: input.text()?.to_owned(),
                bytes: input.varint()?,
                hash: input.array()?,
            });
        }
        input.finish()?;
        Ok(Self { meta, files })
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Checks names, order and limits.
    pub(super) fn check(&self) -> Result<(), SnapshotError> {
        let encoded_bytes: usize = self.files.iter().map(|file| file.name.len() + 48).sum();
        let within_limits =
            self.files.len() <= FILES_MAX && encoded_bytes + self.meta.len() + 64 <= MANIFEST_BYTES_MAX;
        let names_are_plain = self.files.iter().all(|file| is_name(&file.name));
        let names_ascend = self.files.windows(2).all(|pair| pair[0].name < pair[1].name);
        match (within_limits, names_are_plain && names_ascend) {
            (true, true) => Ok(()),
            (false, _) => Err(SnapshotError::Refused("it has too many files")),
            (_, false) => Err(SnapshotError::Refused(
                "a file's name is not plain or not in order",
            )),
        }
    }
}
