//! Implementations that are not ours, given the same bytes.

mod cloudflare;
mod go;
