//! What the machines promise, tested from outside: the same commands give the same bytes, on every replica.

mod control;
mod data;
mod golden;
mod invariant;
mod placement;
mod support;
mod txn;
