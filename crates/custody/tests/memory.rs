//! Where keys are while they are in memory, and until when they count as held.

mod support;

use std::fs::{self, File};
use std::hint;
use std::os::unix::fs::FileExt as _;
use std::thread;
use std::time::Duration;

use eunoe_core::control::{self, Reply};
use eunoe_crypto::{MetaPage, SecretKey};
use eunoe_custody::{KeyringError, Reconciled};
use eunoe_types::ConversationId;
use support::epoch::{copy, epoch, prepared};
use support::people::tenant;
use support::small::Small;
use support::{REALM, tenant_id};

/// Needles are kept under a mask, so that a search does not find itself.
const MASK: u8 = 0xa5;
const CHUNK_BYTES: usize = 1 << 16;

fn masked(key: &SecretKey) -> [u8; 32] {
    key.expose().map(|byte| byte ^ MASK)
}

struct Mapping {
    from: u64,
    to: u64,
    is_key_memory: bool,
}

/// Writable memory of this process, without the stack that the test itself runs on.
fn mappings() -> Vec<Mapping> {
    let on_stack = 0u8;
    let here = (&raw const on_stack).addr() as u64;
    let smaps = fs::read_to_string("/proc/self/smaps").expect("procfs");
    let (mut found, mut open) = (Vec::new(), None);
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some((from, to)) = first.split_once('-') {
            let hex = |text| u64::from_str_radix(text, 16).ok();
            let access = words.next().unwrap_or_default();
            let range = hex(from).zip(hex(to)).filter(|_| access.starts_with("rw"));
            open = range.filter(|(from, to)| !(*from..*to).contains(&here) && !line.contains("[stack]"));
        } else if let (Some((from, to)), Some(flags)) = (open, line.strip_prefix("VmFlags:")) {
            let has = |flag| flags.split_ascii_whitespace().any(|known| known == flag);
            let is_key_memory = has("lo") && has("dd");
            found.push(Mapping {
                from,
                to,
                is_key_memory,
            });
        }
    }
    found
}

/// How often `needle` is in key memory, and how often anywhere else.
fn search(needle: &[u8; 32]) -> (usize, usize) {
    let memory = File::open("/proc/self/mem").expect("procfs");
    let mut chunk = vec![0; CHUNK_BYTES + needle.len() - 1];
    let own = chunk.as_ptr().addr() as u64;
    let own = own..own + chunk.len() as u64;
    let (mut inside, mut outside) = (0, 0);
    for mapping in mappings() {
        let mut at = mapping.from;
        while at < mapping.to {
            let bytes = chunk.len().min((mapping.to - at) as usize);
            let read = memory.read_at(&mut chunk[..bytes], at).unwrap_or(0);
            for (place, part) in chunk[..read].windows(needle.len()).enumerate() {
                let is_it = part
                    .iter()
                    .zip(needle)
                    .all(|(byte, masked)| byte ^ MASK == *masked);
                // The chunk itself is memory of this process.
                if is_it && !own.contains(&(at + place as u64)) {
                    *(if mapping.is_key_memory {
                        &mut inside
                    } else {
                        &mut outside
                    }) += 1;
                }
            }
            at += CHUNK_BYTES as u64;
        }
    }
    // What it read is a copy that the next search would find.
    chunk.fill(0);
    hint::black_box(&chunk);
    (inside, outside)
}

#[test]
fn keys_that_all_others_hang_on_are_in_locked_memory_that_is_not_dumped_and_nowhere_else() {
    let world = Small::begun();
    let form = world.root.encode();
    let bytes: &[u8; 32] = form.expose()[2..].try_into().expect("32 bytes");
    let root = masked(&SecretKey::from_bytes(bytes));
    let top = masked(&SecretKey::derive("eunoe v1 page", bytes));
    let meta = control::page(
        &world.cluster.rows,
        control::PageName {
            tree: 0,
            level: 0,
            index: 0,
        },
    );
    let meta = meta.expect("reads").expect("a realm has it");
    let (_, meta) = MetaPage::open(&world.root.page_keys(), REALM, &meta).expect("opens");
    let locators = masked(&meta.locator_root);
    drop((form, meta));
    for needle in [&root, &locators] {
        let (inside, outside) = search(needle);
        assert!(inside > 0, "the search finds what is there");
        assert_eq!(outside, 0, "a key is in memory that is swapped and dumped");
    }
    // What it opens pages with is derived when it is needed, and wiped.
    assert_eq!(search(&top), (0, 0));
    drop(world);
    assert_eq!((search(&root), search(&locators)), ((0, 0), (0, 0)));
}

#[test]
fn keys_of_a_former_root_count_as_held_whoever_holds_them() {
    let mut world = Small::begun();
    for holder in 0..4 {
        let keys = world.keys();
        let rows = &world.cluster.rows;
        let refs = world.refs(0);
        let held: Box<dyn std::any::Any> = match holder {
            0 => Box::new(tenant(&world.cluster, &keys, &tenant_id())),
            1 => Box::new(keys.key(rows, world.people[0]).expect("reads").expect("is there")),
            2 => Box::new(keys.content_key(rows, &refs).expect("reads").expect("is there")),
            _ => {
                let chat = ConversationId(world.chats[0].0);
                Box::new(keys.conversation(rows, &chat).expect("reads").expect("is there"))
            }
        };
        drop(keys);
        epoch(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
        let now = control::epoch(&world.cluster.rows)
            .expect("reads")
            .expect("begun");
        assert!(
            !world.keyring.former_is_gone(&now),
            "holder {holder} is forgotten"
        );
        drop(held);
        assert!(world.keyring.former_is_gone(&now), "holder {holder}");
    }
}

#[test]
fn a_lookup_that_met_the_next_epoch_waits_for_its_keys() {
    let mut world = Small::begun();
    let stale = world.keys();
    let (attempt, made) = prepared(&mut world.cluster, &world.keyring, Vec::new(), &mut world.entropy);
    for chunk in &made.chunks {
        assert_eq!(world.cluster.propose(chunk), Reply::Done);
    }
    let held = world.keyring.expect_root(0).unwrap();
    world.keyring.keep_next(copy(made.dealt.root()), held);
    world
        .cluster
        .switch(attempt, made.digest, support::epoch::made(&made.dealt));
    let (keyring, rows) = (&world.keyring, &world.cluster.rows);
    let person = world.people[0];
    assert!(matches!(
        stale.key(rows, world.people[1]),
        Err(KeyringError::StaleRoot)
    ));
    let in_vain = keyring.instead_of(&stale, Duration::ZERO);
    assert!(matches!(in_vain, Err(KeyringError::StaleRoot)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| keyring.instead_of(&stale, Duration::from_secs(60)));
        assert_eq!(keyring.reconcile(rows).expect("reads"), Reconciled::Switched);
        let keys = waiting.join().expect("ends").expect("keys");
        assert!(keys.key(rows, person).expect("reads").is_some());
    });
    // Without keys there is nothing to wait for.
    let last = world.keyring.unsealed().expect("unsealed");
    world.keyring.seal();
    let sealed = world.keyring.instead_of(&last, Duration::from_secs(60));
    assert!(matches!(sealed, Err(KeyringError::Sealed)));
}
