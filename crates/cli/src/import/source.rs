//! The file, line by line: plain or gzip, bounded, each line checked before it is handed on.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Sender;

use super::chat::{Chat, Malformed};
use super::tally::Tally;
use crate::failure::Failure;

/// Longest line; a conversation is held in memory while it is sent.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A file to import.
pub(super) struct Source {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    skip_bad: bool,
}

/// What was read of a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    EndOfFile,
}

impl Source {
    pub(super) fn open(path: &Path, skip_bad: bool) -> Result<Self, Failure> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size_bytes, file) = opened.map_err(|error| Failure::file("open", path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            size_bytes,
            skip_bad,
        })
    }

    /// Bytes of the file, compressed if it is.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Hands on at most `most` conversations, in order. Stops at the first malformed line unless those are
    /// skipped, and without an error when nobody takes them any more (whoever stopped knows why).
    pub(super) fn feed(
        self,
        sender: &Sender<Chat>,
        most: u64,
        tally: &Tally,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let (path, skip_bad) = (self.path, self.skip_bad);
        let unreadable = |error: std::io::Error| Failure::file("read", &path, &error);
        let raw = BufReader::with_capacity(BUFFER_BYTES, bar.wrap_read(self.file));
        let mut reader = plain(Box::new(raw)).map_err(unreadable)?;
        let mut lines = Lines::default();
        let mut taken = 0;
        while taken < most
            && let Some(next) = lines.next(&mut reader).map_err(unreadable)?
        {
            match next {
                Ok(chat) => {
                    taken += 1;
                    if sender.blocking_send(chat).is_err() {
                        return Ok(());
                    }
                }
                Err(_) if skip_bad => tally.line_skipped(),
                Err(Malformed { field, problem }) => {
                    let line = lines.number;
                    return Err(Failure::Line { line, field, problem });
                }
            }
        }
        Ok(())
    }
}

/// What a file holds, decompressed if it is gzip.
pub(super) fn plain(mut raw: Box<dyn BufRead>) -> std::io::Result<Box<dyn BufRead>> {
    if !raw.fill_buf()?.starts_with(&GZIP_MAGIC) {
        return Ok(raw);
    }
    let unzipped = MultiGzDecoder::new(raw);
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, unzipped)))
}

/// Lines read so far.
#[derive(Default)]
pub(super) struct Lines {
    number: u64,
    buffer: Vec<u8>,
    /// Digest of each reference, and its line: two conversations of one reference would be mixed.
    seen: HashMap<[u8; 16], u64>,
}

impl Lines {
    /// The next conversation, or why its line is refused; blank lines are passed over.
    pub(super) fn next(
        &mut self,
        reader: &mut dyn BufRead,
    ) -> std::io::Result<Option<Result<Chat, Malformed>>> {
        loop {
            let line = self.read_line(reader)?;
            self.number += 1;
            match line {
                Line::EndOfFile => return Ok(None),
                Line::TooLong => {
                    let problem = format!("is longer than {LINE_BYTES_MAX} bytes");
                    let field = "line".to_owned();
                    return Ok(Some(Err(Malformed { field, problem })));
                }
                Line::Whole if self.buffer.trim_ascii().is_empty() => {}
                Line::Whole => return Ok(Some(self.parse())),
            }
        }
    }

    fn parse(&mut self) -> Result<Chat, Malformed> {
        let chat = Chat::parse(self.number, &self.buffer)?;
        let digest = Sha256::digest(chat.external_ref.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        match self.seen.insert(key, self.number) {
            None => Ok(chat),
            Some(earlier) => {
                self.seen.insert(key, earlier);
                Err(Malformed {
                    field: "id".to_owned(),
                    problem: format!("is that of line {earlier} as well"),
                })
            }
        }
    }

    fn read_line(&mut self, reader: &mut dyn BufRead) -> std::io::Result<Line> {
        self.buffer.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        if reader.take(most).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(Line::EndOfFile);
        }
        if self.buffer.len() <= LINE_BYTES_MAX || self.buffer.ends_with(b"\n") {
            return Ok(Line::Whole);
        }
        skip_line(reader)?;
        Ok(Line::TooLong)
    }
}

/// Passes over what is left of a line, without keeping it.
fn skip_line(reader: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let available = reader.fill_buf()?;
        let end = available.iter().position(|byte| *byte == b'\n');
        let (used, done) = match end {
            Some(end) => (end + 1, true),
            None => (available.len(), available.is_empty()),
        };
        reader.consume(used);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn line(id: &str) -> String {
        format!("{{\"id\":\"{id}\",\"turns\":[{{\"from\":\"agent\",\"text\":\"x\"}}]}}\n")
    }

    /// The references handed on, how the reading ended, and how many lines were skipped.
    fn feed(content: &[u8], skip_bad: bool, most: u64) -> (Vec<String>, Result<(), String>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chats");
        std::fs::write(&path, content).unwrap();
        let (sender, mut receiver) = tokio::sync::mpsc::channel(100);
        let tally = Tally::default();
        let source = Source::open(&path, skip_bad).unwrap();
        let fed = source.feed(&sender, most, &tally, &ProgressBar::hidden());
        let mut references = Vec::new();
        while let Ok(chat) = receiver.try_recv() {
            references.push(format!("{}:{}", chat.line, chat.external_ref));
        }
        (
            references,
            fed.map_err(|failure| failure.to_string()),
            tally.counts().skipped,
        )
    }

    #[test]
    fn gzip_is_recognised_and_the_last_line_needs_no_end() {
        let text = format!("{}\n{}", line("a"), line("b").trim_end());
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let expected = (vec!["1:a".to_owned(), "3:b".to_owned()], Ok(()), 0);
        assert_eq!(feed(text.as_bytes(), false, 9), expected);
        assert_eq!(feed(&encoder.finish().unwrap(), false, 9), expected);
    }

    #[test]
    fn reading_stops_at_the_first_malformed_line() {
        let text = format!("{}{{\"id\":\"b\"}}\n{}", line("a"), line("c"));
        let (references, fed, skipped) = feed(text.as_bytes(), false, 9);
        assert_eq!(references, ["1:a"]);
        assert_eq!(fed.unwrap_err(), "line 2: turns: is missing");
        assert_eq!(skipped, 0);
    }

    #[test]
    fn malformed_lines_can_be_left_out() {
        let text = format!("{}{{\"id\":\"b\"}}\n\u{fffd}\n{}", line("a"), line("c"));
        let (references, fed, skipped) = feed(text.as_bytes(), true, 9);
        assert_eq!(
            (references, fed, skipped),
            (vec!["1:a".to_owned(), "4:c".to_owned()], Ok(()), 2)
        );
    }

    #[test]
    fn a_reference_may_not_come_twice() {
        let text = format!("{}{}{}", line("a"), line("b"), line("a"));
        let (_, fed, _) = feed(text.as_bytes(), false, 9);
        assert_eq!(fed.unwrap_err(), "line 3: id: is that of line 1 as well");
    }

    #[test]
    fn the_first_conversations_only() {
        let text = format!("{}{}not json", line("a"), line("b"));
        let (references, fed, _) = feed(text.as_bytes(), false, 2);
        assert_eq!((references.len(), fed), (2, Ok(())));
    }

    #[test]
    fn a_truncated_archive_is_an_error() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(line("a").as_bytes()).unwrap();
        let archive = encoder.finish().unwrap();
        let (_, fed, _) = feed(&archive[..archive.len() - 6], false, 9);
        assert!(fed.unwrap_err().starts_with("cannot read "));
    }
}
