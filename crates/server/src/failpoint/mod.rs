//! Steps on the way of a message or an erasure at which a test ends or stops a node. Without the feature `failpoints`,
//! which no build of a node has that is for anybody, reaching a step does nothing and nothing of it is compiled.

#[cfg(feature = "failpoints")]
mod armed;

#[cfg(feature = "failpoints")]
pub use armed::{FOLDER, simulate};

macro_rules! steps {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// A step. What its name says has just been done, and nothing after it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Failpoint {
            $($(#[$doc])* $name,)*
        }

        impl Failpoint {
            /// All of them.
            pub const ALL: &[Failpoint] = &[$(Failpoint::$name),*];

            /// What tests call it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Failpoint::$name => $word,)*
                }
            }
        }
    };
}

steps! {
    /// A message is sealed and on its way to the log.
    AppendSealed "append-sealed";
    /// The leader's attempt at an epoch is in the log.
    EpochBegun "epoch-begun";
    /// The first pages of the attempt are in the log.
    ChunkProposed "chunk-proposed";
    /// A share of the new root is here and not in the vault.
    ShareArrived "share-arrived";
    /// It is in the vault, synced, and nobody knows.
    ShareKept "share-kept";
    /// Who keeps shares is in the log.
    SharesProposed "shares-proposed";
    /// This node found the attempt right and has not said so.
    Verified "verified";
    /// The switch is handed in; whether it is committed is open.
    SwitchProposed "switch-proposed";
    /// The switch is applied; nothing of the old root is destroyed.
    SwitchApplied "switch-applied";
    /// The memory is rid of the old root, the vault is not.
    RootWiped "root-wiped";
    /// The vault is rid of it, too, and nobody knows.
    ShareDestroyed "share-destroyed";
    /// That is in the log.
    Attested "attested";
}

impl Failpoint {
    /// Whether only the leader of the control group comes to it.
    pub fn is_of_leader(self) -> bool {
        matches!(
            self,
            Self::EpochBegun | Self::ChunkProposed | Self::SharesProposed | Self::SwitchProposed
        )
    }
}

/// Says that a step is reached. Without the feature it is empty where it is compiled.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) const fn reached(_step: Failpoint) {}

#[cfg(feature = "failpoints")]
pub(crate) use armed::reached;

/// The same of a step that is one only if `is_one` says so, which is asked with the feature alone.
#[inline(always)]
pub(crate) fn reached_if(step: Failpoint, is_one: impl FnOnce() -> bool) {
    if cfg!(feature = "failpoints") && is_one() {
        reached(step);
    }
}
