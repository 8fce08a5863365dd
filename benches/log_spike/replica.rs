//! One replica: a log, a state, and a way to keep the body of an entry.

use std::path::Path;

use bytes::Bytes;
use eunoe_core::Changes;
use eunoe_store::{LogRecord, RocksOptions, RocksState, RocksStates, StateEngine, StateFactory};

use super::logs::Log;
use super::{Body, GROUP, Outcome, Variant};

/// Rows that one commit moves out of the log.
const MOVED_ROWS_MAX: usize = 256;
/// Conversations among which the entries are spread, so that rows do not arrive in the order of their keys.
const CONVERSATIONS: u64 = 1009;
/// What an entry carries beside the body: term, node, payload head.
const ENTRY_HEAD: [u8; 24] = [0x5a; 24];

pub(super) struct Replica {
    pub(super) log: Log,
    state: RocksState,
    body: Body,
    purged: u64,
}

impl Replica {
    pub(super) fn open(variant: Variant, dir: &Path) -> Outcome<Self> {
        let log = match variant.log_in_rocks {
            true => Log::rocks(&dir.join("log"))?,
            false => Log::segments(&dir.join("log"))?,
        };
        let states = RocksStates::new(&dir.join("state"), &RocksOptions::default())?;
        Ok(Self {
            log,
            state: states.open(GROUP)?,
            body: variant.body,
            purged: 0,
        })
    }

    /// Makes the bodies durable in the log, then visible in the state.
    pub(super) fn append(&mut self, first: u64, bodies: &[&[u8]]) -> Outcome<()> {
        let record = |(index, body): (u64, &&[u8])| LogRecord {
            index,
            data: Bytes::from([&ENTRY_HEAD[..], body].concat()),
        };
        let last = first + bodies.len() as u64 - 1;
        self.log.append((first..).zip(bodies).map(record).collect())?;
        let row = |(index, body): (u64, &&[u8])| {
            let value = match self.body {
                Body::Twice => body.to_vec(),
                Body::InLog | Body::MovedAtPurge => pointer(index),
            };
            (key(index), Some(value))
        };
        let changes: Changes = (first..).zip(bodies).map(row).collect();
        Ok(self.state.commit(changes, &last.to_le_bytes())?)
    }

    /// Makes the state durable, and gives the log's space back as far as the way of keeping bodies allows.
    pub(super) fn release(&mut self, upto: u64) -> Outcome<()> {
        match self.body {
            Body::Twice => {}
            Body::MovedAtPurge => self.move_bodies(upto)?,
            Body::InLog => return Ok(self.state.flush()?),
        }
        self.state.flush()?;
        self.purged = upto;
        self.log.purge(upto)
    }

    fn move_bodies(&self, upto: u64) -> Outcome<()> {
        let mut next = self.purged + 1;
        while next <= upto {
            let records = self.log.read(next, upto + 1)?;
            next += records.len() as u64;
            for records in records.chunks(MOVED_ROWS_MAX) {
                let row = |record: &LogRecord| {
                    let body = record.data.slice(ENTRY_HEAD.len()..);
                    (key(record.index), Some(body.to_vec()))
                };
                let changes: Changes = records.iter().map(row).collect();
                self.state.commit(changes, &upto.to_le_bytes())?;
            }
        }
        Ok(())
    }
}

/// Conversation and place in it.
fn key(index: u64) -> Vec<u8> {
    let conversation = (index % CONVERSATIONS).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = vec![1];
    key.extend_from_slice(&conversation.to_be_bytes());
    key.extend_from_slice(&[0xc0; 8]);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

fn pointer(index: u64) -> Vec<u8> {
    [index.to_le_bytes(), [0; 8]].concat()
}
