//! Request ids for callers that gave none: without one an attempt could not be repeated safely.

/// Gives `id` a random value if it is empty.
pub(crate) fn ensure(id: &mut String) {
    if id.is_empty() {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).expect("the system has a source of randomness");
        *id = random.iter().map(|byte| format!("{byte:02x}")).collect();
    }
}
