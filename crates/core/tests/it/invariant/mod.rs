//! The invariants: every history keeps them, and each sees exactly what breaks it.

mod broken;
mod kept;
