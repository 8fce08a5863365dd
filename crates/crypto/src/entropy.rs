//! Where randomness comes from: the operating system, or a seed in the simulator.

use zeroize::Zeroize;

/// The source of randomness failed; nothing may be sealed or created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct EntropyError;

/// A source of random bytes.
///
/// ### To ensure correctness
///
/// Outside the simulator an implementation gives bytes that nobody can predict, or an error. Keys rest on
/// that alone; a message's nonce also survives a source that repeats itself (`seal`).
pub trait Entropy: Send {
    /// Fills `out`, or fails and leaves it unspecified.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;
}

/// The operating system's source, asked anew for every byte: the one for keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|_| EntropyError)
    }
}

const POOL_BYTES: usize = 1024;

/// Draws from another source in blocks, which saves the system call per message.
///
/// Only for the hedge of message nonces: a copy of this process (a cloned machine) repeats what is still in
/// the pool, which a hedged nonce forgives and a key does not.
pub struct PooledEntropy<E> {
    source: E,
    pool: [u8; POOL_BYTES],
    used: usize,
}

impl<E: Entropy> PooledEntropy<E> {
    /// An empty pool over `source`.
    pub fn new(source: E) -> Self {
        Self {
            source,
            pool: [0; POOL_BYTES],
            used: POOL_BYTES,
        }
    }
}

impl<E: Entropy> Entropy for PooledEntropy<E> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        if out.len() > POOL_BYTES {
            return self.source.fill(out);
        }
        if POOL_BYTES - self.used < out.len() {
            self.source.fill(&mut self.pool)?;
            self.used = 0;
        }
        let drawn = &mut self.pool[self.used..self.used + out.len()];
        out.copy_from_slice(drawn);
        drawn.zeroize();
        self.used += out.len();
        Ok(())
    }
}

impl<E> Drop for PooledEntropy<E> {
    fn drop(&mut self) {
        self.pool.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u8);

    impl Entropy for Counting {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
            for byte in out {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[test]
    fn a_pool_hands_out_every_byte_once_and_keeps_none_it_gave() {
        let mut pool = PooledEntropy::new(Counting(0));
        let mut seen = Vec::new();
        for _ in 0..32 {
            let mut out = [0; 32];
            pool.fill(&mut out).expect("counting never fails");
            seen.extend_from_slice(&out);
        }
        let expected: Vec<u8> = (0..1024u32).map(|i| i as u8).collect();
        assert_eq!(seen, expected);
        assert!(pool.pool.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_draw_larger_than_the_pool_goes_to_the_source() {
        let mut out = vec![0; POOL_BYTES + 1];
        PooledEntropy::new(Counting(7))
            .fill(&mut out)
            .expect("counting never fails");
        assert_eq!((out[0], out[1]), (7, 8));
    }

    #[test]
    fn the_operating_system_does_not_repeat_itself() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        OsEntropy.fill(&mut one).expect("the system has randomness");
        OsEntropy.fill(&mut two).expect("the system has randomness");
        assert_ne!(one, two);
    }
}
