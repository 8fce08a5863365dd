//! What a receipt rests on, and no proof can replace. The texts belong to the version of the format.

/// Something that a receipt takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// What receipts call it.
    pub id: &'static str,
    /// What nobody can know from the receipt.
    pub text: &'static str,
}

/// All of them, in the order of their ids.
pub const ASSUMPTIONS: [Assumption; 9] = [
    assumption(
        "A1",
        "that the holders that said so really destroyed their shares; the strength says what kind of vault it was at worst",
    ),
    assumption(
        "A2",
        "that nobody had copied so many vaults of one epoch before, by snapshots of disks or machines, that the root can be rebuilt",
    ),
    assumption(
        "A3",
        "that nobody had taken an image of a node's memory before, by a snapshot or a migration of its machine, a debugger or a device",
    ),
    assumption(
        "A4",
        "that the programs that ran are those that were published and audited",
    ),
    assumption(
        "A5",
        "that the clocks that leases were waited for with go wrong by one per cent at most",
    ),
    assumption("A6", "that the random numbers and the cryptography are sound"),
    assumption(
        "A7",
        "that copies which clients, their exports and screenshots hold are gone; they are outside of the store",
    ),
    assumption("A8", "that the data was sealed whenever it was stored"),
    assumption(
        "A9",
        "that at least one outside witness is honest, so that everybody was shown the same log",
    ),
];

const fn assumption(id: &'static str, text: &'static str) -> Assumption {
    Assumption { id, text }
}
