//! Roots: whole ones, and those that enough shares make.

use std::collections::BTreeMap;

use eunoe_crypto::{Commitment, SecretBytes, SecretKey, root_commitment, sub_key_commitment};
use eunoe_types::Decoder;
use eunoe_vault::Slot;

/// What a vault's secret begins with, and which form of it comes then.
const VERSION: u8 = 1;
const WHOLE: u8 = 0;
const SHARE: u8 = 1;
/// Holders of the largest cluster; a set of them is a bit for each.
const HOLDERS_MAX: u8 = 9;
/// Roots that shares of one slot are put together to, if holders contradict each other.
const COMBINATIONS_MAX: usize = 256;

/// A root that was found.
#[derive(Debug)]
pub struct FoundRoot {
    /// The root.
    pub key: SecretKey,
    /// Where: `vault`, `shares` (of vaults and memories, enough of them together) or `memory`.
    pub from: &'static str,
}

/// How the root of a slot is shared: epoch and attempt, holders, and how many of them have it together.
type Shared = (u64, u32, u8, u8);
/// The values of each sub-key, by the set of holders that lack it.
type SubKeys = BTreeMap<u16, Vec<SecretKey>>;

/// What vaults hold.
#[derive(Debug, Default)]
pub struct Roots {
    whole: Vec<SecretKey>,
    shares: BTreeMap<Shared, SubKeys>,
    /// Secrets of a form that is not known.
    pub(crate) strange: u64,
}

impl Roots {
    /// Takes what a vault's slot gave: a root or a share of one.
    pub fn take_secret(&mut self, slot: Slot, secret: &SecretBytes) {
        if self.take(slot, secret.expose()).is_none() {
            self.strange += 1;
        }
    }

    fn take(&mut self, slot: Slot, secret: &[u8]) -> Option<()> {
        let mut d = Decoder::new(secret);
        (d.u8().ok()? == VERSION).then_some(())?;
        match d.u8().ok()? {
            WHOLE => {
                let key = key(&mut d)?;
                d.finish().ok()?;
                add(&mut self.whole, key);
            }
            SHARE => {
                let (holders, threshold, position) = (d.u8().ok()?, d.u8().ok()?, d.u8().ok()?);
                let sets = sets(holders, threshold)?;
                let own = sets.into_iter().filter(|set| set & 1 << position == 0);
                let own = own
                    .map(|set| Some((set, key(&mut d)?)))
                    .collect::<Option<Vec<_>>>()?;
                d.finish().ok()?;
                let shared = (slot.epoch, slot.attempt, holders, threshold);
                let sub_keys = self.shares.entry(shared).or_default();
                for (set, key) in own {
                    add(sub_keys.entry(set).or_default(), key);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// All roots that come out of this: those of shares that belong together by their slots, and, of the sub-keys of all
    /// shares and of `more`, those that the public commitments in `made` put together.
    pub(crate) fn found_with(
        &self,
        made: &BTreeMap<Commitment, Vec<Commitment>>,
        more: &[SecretKey],
    ) -> Vec<FoundRoot> {
        let in_shares = self
            .shares
            .values()
            .flat_map(|sub_keys| sub_keys.values().flatten());
        let known = in_shares.chain(more).map(|key| (sub_key_commitment(key), key));
        let known: BTreeMap<Commitment, &SecretKey> = known.collect();
        let mut found = self.found();
        for (root, parts) in made {
            let parts: Option<Vec<&SecretKey>> = parts.iter().map(|part| known.get(part).copied()).collect();
            let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
                continue;
            };
            let none = SecretKey::from_bytes(&[0; SecretKey::BYTES]);
            let key = parts.into_iter().fold(none, |sum, part| xor(&sum, part));
            let is_new = !found.iter().any(|other| other.key.matches(&key));
            if is_new && root_commitment(&key) == *root {
                found.push(FoundRoot { key, from: "shares" });
            }
        }
        found
    }

    /// The whole roots, and those of shares that belong together by their slots.
    pub fn found(&self) -> Vec<FoundRoot> {
        let whole = self.whole.iter().map(|key| FoundRoot {
            key: key.duplicate(),
            from: "vault",
        });
        let rebuilt = self
            .shares
            .iter()
            .flat_map(|(shared, sub_keys)| rebuild(*shared, sub_keys));
        let rebuilt = rebuilt.map(|key| FoundRoot { key, from: "shares" });
        whole.chain(rebuilt).collect()
    }

    /// Shared roots of which some share was found, as epoch and attempt.
    pub fn shared(&self) -> impl Iterator<Item = (u64, u32)> {
        self.shares
            .keys()
            .map(|(epoch, attempt, _, _)| (*epoch, *attempt))
    }
}

/// Every root that the sub-keys make; none while one is missing.
fn rebuild((_, _, holders, threshold): Shared, sub_keys: &SubKeys) -> Vec<SecretKey> {
    let mut sums = vec![SecretKey::from_bytes(&[0; SecretKey::BYTES])];
    for set in sets(holders, threshold).unwrap_or_default() {
        let values = sub_keys.get(&set).map(Vec::as_slice).unwrap_or_default();
        let pairs = sums
            .iter()
            .flat_map(|sum| values.iter().map(move |value| xor(sum, value)));
        sums = pairs.take(COMBINATIONS_MAX).collect();
    }
    sums
}

fn xor(one: &SecretKey, other: &SecretKey) -> SecretKey {
    let mut sum = *one.expose();
    for (byte, other) in sum.iter_mut().zip(other.expose()) {
        *byte ^= other;
    }
    SecretKey::from_bytes(&sum)
}

/// The sets of holders that lack a sub-key, in the order of the sub-keys.
fn sets(holders: u8, threshold: u8) -> Option<Vec<u16>> {
    let sound = (1..=HOLDERS_MAX).contains(&holders) && (1..=holders).contains(&threshold);
    let lack = u32::from(threshold).checked_sub(1)?;
    sound.then(|| {
        (0..1_u16 << holders)
            .filter(|set| set.count_ones() == lack)
            .collect()
    })
}

fn key(d: &mut Decoder<'_>) -> Option<SecretKey> {
    d.array().ok().map(|key| SecretKey::from_bytes(&key))
}

fn add(keys: &mut Vec<SecretKey>, key: SecretKey) {
    if !keys.iter().any(|known| known.matches(&key)) {
        keys.push(key);
    }
}

#[cfg(test)]
#[path = "roots_test.rs"]
mod tests;
