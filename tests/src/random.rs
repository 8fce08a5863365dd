//! Random choices that can be made again: a seed decides all of them.

/// A small generator (xorshift64*), good enough to choose victims and words.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From the seed in the environment variable `EUNOE_SEED`, or a new one; says which, so that a failure can be
    /// chosen again.
    ///
    /// # Panics
    ///
    /// If the variable is not a number or the system has no randomness.
    pub fn new() -> Self {
        let seed = match std::env::var("EUNOE_SEED") {
            Ok(seed) => seed.parse().expect("EUNOE_SEED is a number"),
            Err(_) => getrandom::u64().expect("the system has randomness"),
        };
        eprintln!("EUNOE_SEED={seed}");
        Self::from_seed(seed)
    }

    /// From a seed that somebody else chose.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.number() >> 11) % bound
    }

    /// One of `items`, of which there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let bound = u64::try_from(items.len()).expect("a length is a number");
        let index = usize::try_from(self.below(bound)).expect("an index is a number");
        &items[index]
    }

    /// `length` lower-case letters.
    pub fn letters(&mut self, length: usize) -> String {
        let alphabet: Vec<char> = ('a'..='z').collect();
        (0..length).map(|_| *self.pick(&alphabet)).collect()
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
