//! BLAKE3 in the three ways this crate uses it: derive a key, authenticate, expand.

use zeroize::Zeroize;

use crate::SecretKey;

/// BLAKE3 `derive_key` over the parts, one after the other.
pub(crate) fn derive(context: &'static str, parts: &[&[u8]]) -> SecretKey {
    let mut key = SecretKey::from_bytes(&[0; 32]);
    derive_into(context, parts, &mut [key.expose_mut()]);
    key
}

/// Two independent keys from one secret.
pub(crate) fn derive_pair(context: &'static str, secret: &SecretKey) -> (SecretKey, SecretKey) {
    let (mut first, mut second) = (SecretKey::from_bytes(&[0; 32]), SecretKey::from_bytes(&[0; 32]));
    derive_into(
        context,
        &[secret.expose()],
        &mut [first.expose_mut(), second.expose_mut()],
    );
    (first, second)
}

fn derive_into(context: &'static str, parts: &[&[u8]], outputs: &mut [&mut [u8; 32]]) {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(part);
    }
    let mut reader = hasher.finalize_xof();
    for output in outputs {
        reader.fill(*output);
    }
    reader.zeroize();
    hasher.zeroize();
}

/// BLAKE3 keyed over the parts, cut to `N` bytes.
pub(crate) fn keyed<const N: usize>(key: &SecretKey, parts: &[&[u8]]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new_keyed(key.expose());
    for part in parts {
        hasher.update(part);
    }
    let mut output = [0; N];
    hasher.finalize_xof().fill(&mut output);
    output
}
