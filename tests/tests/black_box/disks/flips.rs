//! One byte of one file of a stopped node is another. Either the node stops, when it is started or when it needs what was
//! damaged, or it does not need the byte. In no case is anything read that was not written, or missing.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use eunoe_client::types::{Message, MessageInput, ParticipantKind, part};
use eunoe_client::{Client, ClientError, MessageQuery, input};
use eunoe_tests::cluster::{Cluster, Setup, connect};
use eunoe_tests::random::Random;
use eunoe_tests::wait::{PATIENCE, until_true};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{TENANT, last_words};
use crate::erasure::PATIENT;

const PURPOSE: &str = "support";
const NODE: u64 = 1;
const CONVERSATIONS: usize = 16;
const TEXT_BYTES: usize = 60_000;
/// Messages of a conversation: with these the log is longer than a segment, which is 32 MiB.
const MESSAGES: usize = 40;
/// Messages of the first conversation, so that its group makes a snapshot.
const MESSAGES_FIRST: usize = 240;
const BATCH: usize = 40;
const LIMITS: &str = "snapshot_log_bytes = 12582912";
/// A call to a node that has ended is over after so long.
const CALL_TIME: Duration = Duration::from_secs(4);
/// Between two attempts to read.
const PAUSE: Duration = Duration::from_millis(100);
/// What a node says whose share of the root is gone: this one's is the only one.
const SHARE_LOST: &str = "the share of the root in this node's vault cannot be read";
/// Flips at random places when `EUNOE_FLIPS` does not say how many.
const FLIPS_DEFAULT: u64 = 0;

/// A kind of file: its folder, where `*` is anything, and how its name begins and ends. Of several the largest is meant.
type Kind = (&'static str, &'static str, &'static str);

/// Where a byte is.
#[derive(Clone, Copy, Debug)]
enum Place {
    At(u64),
    Middle,
    Last,
    /// So many bytes before the end of what was written to a file that is longer.
    BeforeWrittenEnd(u64),
    /// In the length of the last record of a manifest of RocksDB.
    LastRecordLength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fsck {
    Damaged,
    /// A crash could explain it, and the next start repairs it.
    Repairable,
    /// It does not look at the byte, or takes it for right.
    Sound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    /// It stops, and its last words have this in them.
    Stops(&'static str),
    /// It stays up without the root key, reads nothing, and says why: other nodes' shares would do.
    StaysSealed,
    /// All is read as it was written.
    Serves,
}
use Fsck::{Damaged, Repairable, Sound};
use Node::{Serves, StaysSealed, Stops};
use Place::{At, BeforeWrittenEnd, Last, LastRecordLength, Middle};

const IDENTITY: Kind = ("", "node", "");
const VAULT: Kind = ("", "vault", "");
const SEALED: Kind = ("log", "seg-0000000000000001", ".log");
const ACTIVE: Kind = ("log", "seg-0000000000000002", ".log");
const PREPARED: Kind = ("log", "seg-", ".next");
const FORMAT: Kind = ("state/*", "FORMAT", "");
const CURRENT: Kind = ("state/*/state", "CURRENT", "");
const DATABASE_ID: Kind = ("state/*/state", "IDENTITY", "");
const DATABASE_LOG: Kind = ("state/*/state", "LOG", "");
/// Of a group without a snapshot, which may share the file.
const DATABASE_OPTIONS: Kind = ("state/group-0/state", "OPTIONS-", "");
const DATABASE_MANIFEST: Kind = ("state/*/state", "MANIFEST-", "");
const TABLE: Kind = ("state/*/state", "", ".sst");
const SNAPSHOT: Kind = ("state/*/snapshots/*", "MANIFEST", "");
const SNAPSHOT_CURRENT: Kind = ("state/*/snapshots/*/state", "CURRENT", "");
const SNAPSHOT_MANIFEST: Kind = ("state/*/snapshots/*/state", "MANIFEST-", "");
const SNAPSHOT_OPTIONS: Kind = ("state/*/snapshots/*/state", "OPTIONS-", "");

/// What is said to each. What only `fsck` finds is in a snapshot, which is for other nodes and checked when it is sent.
const CASES: &[(Kind, Place, Fsck, Node)] = &[
    (IDENTITY, Middle, Sound, Stops("belongs to another node, realm")),
    // The two copies of the header.
    (VAULT, At(10), Sound, Serves),
    (VAULT, At(4_096 + 10), Sound, Serves),
    // The record of the root, the bytes that it is sealed under, and the record of a free slot.
    (VAULT, At(8_192 + 20), Sound, Stops("the vault is damaged")),
    (VAULT, At(12_288 + 50), Sound, StaysSealed),
    (VAULT, At(77_824 + 10), Sound, Stops("the vault is damaged")),
    (VAULT, Last, Sound, Serves),
    (SEALED, At(0), Damaged, Stops("is damaged at byte 0")),
    (SEALED, Middle, Damaged, Stops(".log is damaged at byte")),
    (SEALED, Last, Damaged, Stops(".log is damaged at byte")),
    (ACTIVE, At(0), Damaged, Stops("is damaged at byte 0")),
    (ACTIVE, At(100), Damaged, Stops(".log is damaged at byte")),
    (
        ACTIVE,
        BeforeWrittenEnd(1 << 20),
        Damaged,
        Stops("later ones exist"),
    ),
    // The last batch cannot be told from one that a crash tore. After an orderly stop it holds positions that others
    // have, too; after a crash it may be a vote or a message: docs/operations/disks.md.
    (ACTIVE, BeforeWrittenEnd(1), Repairable, Serves),
    (ACTIVE, Last, Repairable, Serves),
    (PREPARED, Middle, Sound, Serves),
    (FORMAT, Middle, Damaged, Stops("names a format")),
    (CURRENT, At(5), Damaged, Stops("CURRENT file corrupted")),
    (DATABASE_ID, Middle, Sound, Serves),
    (DATABASE_LOG, Middle, Sound, Serves),
    // In its first words, which are for people.
    (DATABASE_OPTIONS, At(5), Sound, Serves),
    (DATABASE_MANIFEST, At(3), Damaged, Stops("checksum mismatch")),
    (DATABASE_MANIFEST, Middle, Damaged, Stops("Corruption")),
    (DATABASE_MANIFEST, Last, Damaged, Stops("checksum mismatch")),
    // RocksDB takes it for a record that a crash cut off, and falls back to the state before; the log brings it back.
    (DATABASE_MANIFEST, LastRecordLength, Sound, Serves),
    (TABLE, At(0), Damaged, Stops("group")),
    (TABLE, Middle, Damaged, Stops("group")),
    (TABLE, Last, Damaged, Stops("cannot open the state of group")),
    (SNAPSHOT, Middle, Damaged, Stops("a snapshot on disk is unusable")),
    (SNAPSHOT_CURRENT, At(5), Damaged, Serves),
    (SNAPSHOT_MANIFEST, Middle, Damaged, Serves),
    (SNAPSHOT_OPTIONS, Middle, Damaged, Serves),
];

#[tokio::test(flavor = "multi_thread")]
async fn e18_a_flipped_byte_in_any_file_stops_the_node_or_harms_nothing() {
    let world = World::begin().await;
    let mut wrong = Vec::new();
    for (kind, place, fsck, node) in CASES {
        let path = world.find(kind);
        let (at, seen_fsck) = world.flip(&path, *place, 1).await;
        let seen = world.run().await;
        let fits = match (&seen, node) {
            (Seen::Served, Serves) | (Seen::StayedSealed, StaysSealed) => true,
            (Seen::Stopped(said), Stops(words)) => said.contains(words),
            _ => false,
        };
        if seen_fsck != *fsck || !fits {
            wrong.push(format!("{kind:?} {place:?} (byte {at}): {seen_fsck:?}, {seen:?}"));
        }
    }
    let kinds: Vec<Kind> = CASES.iter().map(|(kind, ..)| *kind).collect();
    let (mut random, mut stopped) = (Random::new(), 0);
    let flips = std::env::var("EUNOE_FLIPS").map_or(FLIPS_DEFAULT, |flips| flips.parse().unwrap());
    for _ in 0..flips {
        let path = world.find(random.pick(&kinds));
        let at = random.below(fs::metadata(world.slot().join(&path)).unwrap().len());
        let (at, fsck) = world.flip(&path, At(at), 1 << random.below(8)).await;
        eprintln!("{} byte {at}: {fsck:?}", path.display());
        // What is read is right, or the node has stopped: that is all that holds everywhere.
        stopped += u64::from(matches!(world.run().await, Seen::Stopped(_)));
    }
    eprintln!("{flips} random flips stopped the node {stopped} times");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What became of the node, with the last words of one that stopped.
#[derive(Debug)]
enum Seen {
    Served,
    Stopped(String),
    StayedSealed,
}

/// A stopped node with data of every kind, a copy of which is damaged in each case.
struct World {
    cluster: Cluster,
    folder: TempDir,
    texts: BTreeMap<String, Vec<String>>,
}

impl World {
    async fn begin() -> Self {
        let folder = tempfile::Builder::new().prefix("eunoe-flips-").tempdir().unwrap();
        let cluster = Cluster::start_with(Setup {
            nodes: 1,
            limits: LIMITS,
            arguments: PATIENT,
            data: BTreeMap::from([(NODE, folder.path().join("slot"))]),
            ..Setup::default()
        })
        .await;
        let texts = write(&cluster.client(TENANT).await).await;
        until_true("there is a snapshot", async || {
            let groups = cluster.status_of(NODE).await.groups;
            groups.iter().any(|group| group.snapshot > 0)
        })
        .await;
        cluster.stop().await;
        let world = Self {
            cluster,
            folder,
            texts,
        };
        copy(&world.slot(), &world.whole());
        world
    }

    /// Where the node keeps its data.
    fn slot(&self) -> PathBuf {
        self.folder.path().join("slot")
    }

    /// The data as it was when nothing was damaged.
    fn whole(&self) -> PathBuf {
        self.folder.path().join("whole")
    }

    /// The largest file of a kind, below the data directory.
    fn find(&self, (folder, begin, end): &Kind) -> PathBuf {
        let mut folders = vec![PathBuf::new()];
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            let below = folders.iter().flat_map(|folder| match part {
                "*" => names(&self.whole().join(folder))
                    .iter()
                    .map(|name| folder.join(name))
                    .collect(),
                part => vec![folder.join(part)],
            });
            folders = below.collect();
        }
        let files = folders.iter().flat_map(|folder| {
            let names = names(&self.whole().join(folder)).into_iter();
            let fitting = names.filter(|name| name.starts_with(begin) && name.ends_with(end));
            fitting.map(|name| folder.join(name)).collect::<Vec<_>>()
        });
        let files = files.filter(|path| self.whole().join(path).is_file());
        let largest = files.max_by_key(|path| fs::metadata(self.whole().join(path)).unwrap().len());
        largest.unwrap_or_else(|| panic!("there is no {folder}/{begin}…{end}"))
    }

    /// Damages one byte of a fresh copy; answers where, and what `fsck` says.
    async fn flip(&self, path: &Path, place: Place, mask: u8) -> (u64, Fsck) {
        fs::remove_dir_all(self.slot()).unwrap();
        copy(&self.whole(), &self.slot());
        let file = self.slot().join(path);
        let at = self.offset(path, place).await;
        let open = OpenOptions::new().read(true).write(true).open(&file).unwrap();
        let mut byte = [0];
        open.read_exact_at(&mut byte, at).unwrap();
        open.write_all_at(&[byte[0] ^ mask], at).unwrap();
        let (sound, findings) = self.cluster.fsck(NODE).await;
        eprintln!("{} byte {at}: {findings}", path.display());
        assert_eq!(findings.contains("damaged "), !sound, "{findings}");
        let repairable = findings.contains("repairable ");
        match (sound, repairable) {
            (false, _) => (at, Damaged),
            (true, true) => (at, Repairable),
            (true, false) => (at, Sound),
        }
    }

    async fn offset(&self, path: &Path, place: Place) -> u64 {
        let bytes = fs::read(self.slot().join(path)).unwrap();
        let end = bytes.len() as u64;
        match place {
            At(at) => at,
            Middle => end / 2,
            Last => end - 1,
            BeforeWrittenEnd(before) => self.written_end(path).await - before,
            LastRecordLength => last_record(&bytes) + 5,
        }
    }

    /// Where the records of a segment end.
    async fn written_end(&self, path: &Path) -> u64 {
        let (_, findings) = self.cluster.fsck(NODE).await;
        let name = path.file_name().unwrap().to_str().unwrap();
        let line = findings.lines().find(|line| line.contains(name)).unwrap();
        let (_, bytes) = line.split_once(" records in ").unwrap();
        bytes.trim_end_matches(" bytes").parse().unwrap()
    }

    /// Starts the node and reads all that was written.
    async fn run(&self) -> Seen {
        let log = self.cluster.node_dir(NODE).join("eunoed.log");
        fs::write(&log, "").unwrap();
        let (mut child, process) = self.cluster.start_here(NODE).await;
        let read = async {
            while self.read().await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let sealed = async {
            while !fs::read_to_string(&log).unwrap().contains(SHARE_LOST) {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let seen = async {
            tokio::select! {
                ended = child.wait() => {
                    assert_eq!(ended.unwrap().code(), Some(1));
                    Seen::Stopped(last_words(&self.cluster, NODE))
                }
                () = read => Seen::Served,
                () = sealed => Seen::StayedSealed,
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        let seen = seen.expect("a node serves, says what it lacks, or stops");
        if !matches!(seen, Seen::Stopped(_)) {
            process.signal(Signal::KILL);
            child.wait().await.unwrap();
        }
        seen
    }

    /// Reads everything. What is read is right; an error says that it could not be read.
    async fn read(&self) -> Result<(), ClientError> {
        let mut context = self.cluster.context("platform", TENANT, None);
        context.timeouts.call = CALL_TIME;
        let client = connect(context).await;
        for (conversation, expected) in &self.texts {
            let mut pages = client.list_messages(MessageQuery::all(input::by_id(conversation), PURPOSE));
            let mut texts = Vec::new();
            while let Some(page) = pages.next_page().await? {
                texts.extend(page.messages.iter().map(text));
            }
            assert!(texts == *expected, "{conversation} is not what it was");
        }
        Ok(())
    }
}

/// Writes what all kinds of file need; answers the texts of each conversation.
async fn write(client: &Client) -> BTreeMap<String, Vec<String>> {
    let mut texts = BTreeMap::new();
    for number in 0..CONVERSATIONS {
        let visitor = input::participant(ParticipantKind::Visitor, format!("visitor/{number}"));
        let request = input::support(format!("talk-{number}"), visitor.clone(), PURPOSE);
        let id = client.create_conversation(request).await.unwrap().conversation.id;
        let count = if number == 0 { MESSAGES_FIRST } else { MESSAGES };
        let of_id: Vec<String> = (0..count)
            .map(|message| format!("{number}:{message:0>TEXT_BYTES$}"))
            .collect();
        for batch in of_id.chunks(BATCH) {
            let messages: Vec<MessageInput> = batch
                .iter()
                .map(|text| input::text_message(&id, visitor.clone(), PURPOSE, text.clone()))
                .collect();
            for result in client.append_many(messages).await {
                result.unwrap();
            }
        }
        texts.insert(id, of_id);
    }
    texts
}

fn text(message: &Message) -> String {
    match &message.parts[0].content {
        Some(part::Content::Text(text)) => text.clone(),
        _ => panic!("a message of this test is text"),
    }
}

/// The names in a folder; none if there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Copies a folder with its links, holes and rights.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "{} is not copied", from.display());
}

/// Where the last record of a manifest begins: 4 bytes of checksum, 2 of length, 1 of type, and the content.
fn last_record(manifest: &[u8]) -> u64 {
    const HEAD_BYTES: usize = 7;
    let (mut at, mut last) = (0, 0);
    while at + HEAD_BYTES < manifest.len() {
        last = at;
        at += HEAD_BYTES + usize::from(u16::from_le_bytes([manifest[at + 4], manifest[at + 5]]));
    }
    assert_eq!(at, manifest.len(), "the manifest has another form");
    last as u64
}
