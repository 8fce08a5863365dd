//! Memory for keys that stay: never swapped, never in a core dump, between guard pages, wiped when freed.
//!
//! The only module of this crate with `unsafe`: it maps memory and hands out cells of it.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use zeroize::Zeroize;

use crate::SecretKey;

/// Bytes of keys mapped at once. A multiple of every page size that Linux has on x86-64 and arm64.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNK_KEYS: usize = CHUNK_BYTES / SecretKey::BYTES;
/// Memory without access on either side of a chunk, so that an overrun stops the process.
const GUARD_BYTES: usize = 64 * 1024;
const MAPPED_BYTES: usize = CHUNK_BYTES + 2 * GUARD_BYTES;

/// Why a key found no memory.
#[derive(Debug, thiserror::Error)]
pub enum ArenaError {
    /// The system gave no memory.
    #[error("mapping memory for keys")]
    Map(#[source] io::Error),
    /// The system does not lock the memory, and locking was required.
    #[error("locking memory for keys (is the memory-lock limit too low?)")]
    Lock(#[source] io::Error),
    /// The arena holds as many keys as it may.
    #[error("the key arena is full")]
    Full,
}

/// What to do when the system does not lock memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// Refuse: a key might reach the swap device.
    Required,
    /// Go on and say so in [`KeyArena::is_locked`]: for development and for the simulator.
    BestEffort,
}

/// A growing set of locked cells for keys. Clones share it, and count their keys together.
#[derive(Clone)]
pub struct KeyArena(Arc<Account>);

/// Keys that belong together.
struct Account {
    memory: Arc<Shared>,
    held: AtomicUsize,
}

struct Shared {
    locking: Locking,
    keys_max: usize,
    state: Mutex<State>,
}

struct State {
    chunks: Vec<Chunk>,
    free: Vec<Cell>,
    all_locked: bool,
}

/// A key in the arena; dropping it wipes the cell and frees it.
pub struct LockedKey {
    cell: Cell,
    account: Arc<Account>,
}

impl KeyArena {
    /// An arena for at most `keys_max` keys. It maps its first chunk at once, so that a system that does not
    /// lock memory shows at the start.
    pub fn new(locking: Locking, keys_max: usize) -> Result<Self, ArenaError> {
        let mut state = State {
            chunks: Vec::new(),
            free: Vec::new(),
            all_locked: true,
        };
        state.grow(locking)?;
        Ok(Self::over(Arc::new(Shared {
            locking,
            keys_max,
            state: Mutex::new(state),
        })))
    }

    fn over(memory: Arc<Shared>) -> Self {
        let held = AtomicUsize::new(0);
        Self(Arc::new(Account { memory, held }))
    }

    /// The same memory; keys that are stored through what this returns, and through clones of it, are counted apart.
    pub fn apart(&self) -> Self {
        Self::over(Arc::clone(&self.0.memory))
    }

    /// Keys stored through this handle or a clone of it that are not wiped yet, whoever holds them.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Acquire)
    }

    /// Copies `key` into a cell; the caller's copy is wiped where it is dropped.
    pub fn store(&self, key: &SecretKey) -> Result<LockedKey, ArenaError> {
        #[cfg(feature = "export-keys")]
        super::export::key(key.expose());
        let memory = &self.0.memory;
        let mut state = memory.lock();
        if state.used() >= memory.keys_max {
            return Err(ArenaError::Full);
        }
        if state.free.is_empty() {
            state.grow(memory.locking)?;
        }
        let cell = state.free.pop().ok_or(ArenaError::Full)?;
        // SAFETY: the cell came from the free list, so no LockedKey points to it; it is mapped readable and
        // writable as long as the arena lives, which the new LockedKey keeps alive.
        unsafe { (*cell.0.as_ptr()).expose_mut().copy_from_slice(key.expose()) };
        self.0.held.fetch_add(1, Ordering::AcqRel);
        Ok(LockedKey {
            cell,
            account: Arc::clone(&self.0),
        })
    }

    /// Whether all key memory so far is locked.
    pub fn is_locked(&self) -> bool {
        self.0.memory.lock().all_locked
    }

    /// Keys in the memory now, however they are counted.
    pub fn used(&self) -> usize {
        self.0.memory.lock().used()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves at worst a cell that is never reused.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn used(&self) -> usize {
        self.chunks.len() * CHUNK_KEYS - self.free.len()
    }

    fn grow(&mut self, locking: Locking) -> Result<(), ArenaError> {
        let chunk = Chunk::map().map_err(ArenaError::Map)?;
        match (chunk.lock(), locking) {
            (Ok(()), _) => {}
            (Err(error), Locking::Required) => return Err(ArenaError::Lock(error)),
            (Err(_), Locking::BestEffort) => self.all_locked = false,
        }
        self.free.extend(chunk.cells());
        self.chunks.push(chunk);
        Ok(())
    }
}

impl Deref for LockedKey {
    type Target = SecretKey;

    fn deref(&self) -> &SecretKey {
        // SAFETY: the cell is mapped while `self.account` lives, holds 32 initialised bytes, and only this
        // LockedKey points to it; nothing writes to it before `drop`.
        unsafe { self.cell.0.as_ref() }
    }
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        // SAFETY: as in `deref`; `drop` has the only reference.
        unsafe { (*self.cell.0.as_ptr()).expose_mut().zeroize() };
        self.account.memory.lock().free.push(self.cell);
        self.account.held.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockedKey(…)")
    }
}

impl fmt::Debug for KeyArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyArena")
            .field("used", &self.used())
            .field("locked", &self.is_locked())
            .finish()
    }
}

/// One cell: a pointer into a chunk, held either by the free list or by one `LockedKey`.
#[derive(Clone, Copy)]
struct Cell(NonNull<SecretKey>);

// SAFETY: a cell is owned by one holder at a time; what it points to has no thread affinity.
unsafe impl Send for Cell {}
// SAFETY: shared access to a cell only reads it (`LockedKey::deref`).
unsafe impl Sync for Cell {}

/// One mapping: guard, keys, guard.
struct Chunk {
    base: NonNull<u8>,
}

// SAFETY: the chunk owns its mapping, and memory mappings have no thread affinity.
unsafe impl Send for Chunk {}

impl Chunk {
    fn map() -> io::Result<Self> {
        // SAFETY: a fresh private mapping at an address of the kernel's choice touches no memory in use.
        let base = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                MAPPED_BYTES,
                ProtFlags::empty(),
                MapFlags::PRIVATE,
            )
        }?;
        let base =
            NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let chunk = Self { base };
        // SAFETY: the range lies within the mapping made above, and nothing points into it yet.
        unsafe {
            let access = MprotectFlags::READ | MprotectFlags::WRITE;
            rustix::mm::mprotect(chunk.keys().cast(), CHUNK_BYTES, access)?;
            rustix::mm::madvise(chunk.keys().cast(), CHUNK_BYTES, Advice::LinuxDontDump)?;
        }
        Ok(chunk)
    }

    fn lock(&self) -> io::Result<()> {
        // SAFETY: the range is this chunk's own memory.
        Ok(unsafe { rustix::mm::mlock(self.keys().cast(), CHUNK_BYTES) }?)
    }

    fn keys(&self) -> *mut u8 {
        // SAFETY: the guard is shorter than the mapping that `base` begins.
        unsafe { self.base.as_ptr().add(GUARD_BYTES) }
    }

    fn cells(&self) -> impl Iterator<Item = Cell> + use<> {
        let first = self.keys().cast::<SecretKey>();
        (0..CHUNK_KEYS).map(move |index| {
            // SAFETY: `index` is below the number of keys in the chunk, and the chunk is not at address 0.
            Cell(unsafe { NonNull::new_unchecked(first.add(index)) })
        })
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: chunks are dropped with the arena, which every LockedKey keeps alive: no cell is in use.
        // The memory is wiped already, cell by cell. If unmapping fails, the memory stays unused.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), MAPPED_BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes(&[byte; 32])
    }

    #[test]
    fn keys_keep_their_bytes_across_chunks_and_freed_cells_are_wiped_and_reused() {
        let arena = KeyArena::new(Locking::BestEffort, 3 * CHUNK_KEYS).expect("memory");
        let held: Vec<_> = (0..=CHUNK_KEYS)
            .map(|i| arena.store(&key(i as u8)).expect("room"))
            .collect();
        assert!(
            held.iter()
                .enumerate()
                .all(|(i, key)| key.expose() == &[i as u8; 32])
        );
        let freed = held[1].cell;
        drop(held);
        assert_eq!(arena.used(), 0);
        // SAFETY: the arena lives and nothing else uses the freed cell in this test.
        assert_eq!(unsafe { freed.0.as_ref() }.expose(), &[0; 32]);
    }

    #[test]
    fn keys_are_counted_apart_until_the_last_is_wiped_and_share_the_limit() {
        let arena = KeyArena::new(Locking::BestEffort, 3).expect("memory");
        let (one, other) = (arena.apart(), arena.apart());
        let held = [
            one.store(&key(1)).expect("room"),
            one.store(&key(2)).expect("room"),
        ];
        let beside = other.store(&key(3)).expect("room");
        assert_eq!((arena.held(), one.held(), other.held()), (0, 2, 1));
        assert_eq!(arena.used(), 3);
        assert!(matches!(one.store(&key(4)), Err(ArenaError::Full)));
        drop(held);
        assert_eq!((one.held(), other.held(), arena.used()), (0, 1, 1));
        drop(beside);
        assert_eq!(other.held(), 0);
    }

    #[test]
    fn a_full_arena_says_so() {
        let arena = KeyArena::new(Locking::BestEffort, 1).expect("memory");
        let held = arena.store(&key(1)).expect("room");
        assert!(matches!(arena.store(&key(2)), Err(ArenaError::Full)));
        drop(held);
        assert!(arena.store(&key(2)).is_ok());
    }

    #[test]
    fn a_key_outlives_the_arena_handle_it_came_from() {
        let held = KeyArena::new(Locking::BestEffort, 8)
            .expect("memory")
            .store(&key(9))
            .expect("room");
        assert_eq!(
            std::thread::spawn(move || *held.expose()).join().expect("reads"),
            [9; 32]
        );
    }

    #[test]
    fn key_memory_is_locked_kept_out_of_dumps_and_guarded() {
        // The default limit of 8 MiB allows one chunk everywhere that tests run.
        let arena = KeyArena::new(Locking::Required, 8).expect("locked memory");
        assert!(arena.is_locked());
        let held = arena.store(&key(3)).expect("room");
        let address = held.cell.0.as_ptr() as usize;
        let (chunk, flags) = mapping_at(address);
        assert!(flags.contains("lo") && flags.contains("dd"), "{flags}");
        let (guard, flags) = mapping_at(chunk - 1);
        assert!(guard <= chunk - GUARD_BYTES && !flags.contains("rd"), "{flags}");
    }

    /// Where the mapping at `address` begins, and the kernel's flags of it (`/proc/self/smaps`).
    fn mapping_at(address: usize) -> (usize, String) {
        let smaps = std::fs::read_to_string("/proc/self/smaps").expect("procfs");
        let mut inside = None;
        for line in smaps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            if let Some((Ok(from), Ok(to))) =
                range.map(|(from, to)| (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)))
            {
                inside = (from..to).contains(&address).then_some(from);
            }
            if let (Some(from), Some(flags)) = (inside, line.strip_prefix("VmFlags:")) {
                return (from, flags.to_owned());
            }
        }
        panic!("no mapping at the address");
    }
}
