//! What is near a seed: every cut, every changed byte, and seeded mutations of several bytes.

use crate::random::Random;

/// Bytes of a seed up to which every place is changed; of longer ones the places are drawn.
const EVERY_PLACE_MAX: usize = 512;
/// Numbers at whose edges decoders break, as little-endian bytes.
const EDGES: [u64; 8] = [
    0,
    1,
    0x7f,
    0x80,
    u32::MAX as u64,
    i64::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

/// Every truncation of `seed`, and every single byte of it changed in five ways.
pub fn neighbours(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let step = seed.len() / EVERY_PLACE_MAX + 1;
    let cuts = (0..seed.len()).step_by(step).map(|end| seed[..end].to_vec());
    let changes: [fn(u8) -> u8; 5] = [|b| b ^ 1, |b| b ^ 0x80, |b| b.wrapping_add(1), |_| 0, |_| 0xff];
    let flips = (0..seed.len()).step_by(step).flat_map(move |at| {
        changes.into_iter().map(move |change| {
            let mut changed = seed.to_vec();
            changed[at] = change(changed[at]);
            changed
        })
    });
    cuts.chain(flips)
}

/// One of `seeds` with one to four changes, or something else if there is none.
pub fn mutation(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(17)).min(bytes.len());
        match random.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.insert(at, random.byte()),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part).for_each(drop);
            }
            3 => {
                let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
                let edge = &edge[..1 << random.below(4)];
                bytes
                    .splice(at..(at + edge.len()).min(bytes.len()), edge.iter().copied())
                    .for_each(drop);
            }
            4 => {
                let other = &seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
                let from = random.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes[at..end].iter_mut().for_each(|byte| *byte = random.byte()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_seed_is_cut_and_changed() {
        let near: Vec<Vec<u8>> = neighbours(b"abc").collect();
        assert_eq!(near.len(), 3 + 3 * 5);
        assert!(near.contains(&b"ab".to_vec()) && near.contains(&b"a\xffc".to_vec()));
    }

    #[test]
    fn mutations_are_the_same_every_time_and_not_the_seed() {
        let seeds = vec![b"one seed".to_vec(), b"another".to_vec()];
        let run = || {
            let mut random = Random::of("x");
            (0..100)
                .map(|_| mutation(&seeds, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        assert!(run().iter().filter(|bytes| !seeds.contains(bytes)).count() > 80);
    }
}
