//! Compiles `proto/` with a compiler written in Rust, so that no protoc has to be installed.

use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;

const FILES: [&str; 5] = [
    "eunoe/audit/v1/audit.proto",
    "eunoe/chat/v1/chat.proto",
    "eunoe/cluster/v1/cluster.proto",
    "eunoe/erasure/v1/erasure.proto",
    "eunoe/peer/v1/peer.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let descriptors = protox::compile(FILES, [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".google.rpc.Status", "::tonic_types::Status")
        // Content must not reach a log through a derived Debug; see lib.rs for what replaces it.
        .skip_debug(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
