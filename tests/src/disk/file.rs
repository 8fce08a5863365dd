//! One file of a disk: what everybody sees, what is durable, and the changes between the two.

use crate::random::Random;

/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// A change of a file.
#[derive(Debug)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A file.
#[derive(Debug, Default)]
pub(super) struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl File {
    /// What everybody sees.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What was not synced will never be durable.
    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// The power fails: see [`super::model::Model::crash`].
    pub(super) fn crash(&mut self, some: Option<&mut Random>) {
        let pending = std::mem::take(&mut self.pending);
        if let Some(random) = some {
            let kept = random.below(pending.len() as u64 + 1) as usize;
            for change in &pending[..kept] {
                change.apply(&mut self.durable);
            }
            if let Some(change) = pending.get(kept) {
                change.tear(&mut self.durable, random);
            }
        }
        self.live.clone_from(&self.durable);
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(to, *offset, bytes),
            Self::Length(length) => to.resize(*length, 0),
        }
    }

    /// Any of its sectors, and not the others.
    fn tear(&self, to: &mut Vec<u8>, random: &mut Random) {
        let Self::Write { offset, bytes } = self else {
            return;
        };
        let (mut at, end) = (*offset, offset + bytes.len());
        while at < end {
            let next = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
            if random.below(2) == 0 {
                put(to, at, &bytes[at - offset..next - offset]);
            }
            at = next;
        }
    }
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[offset..end].copy_from_slice(bytes);
}
