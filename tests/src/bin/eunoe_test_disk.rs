//! Serves a disk for black-box tests: see [`eunoe_tests::disk`].

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(mount_point) = std::env::args_os().nth(1) else {
        eprintln!("eunoe-test-disk: where is the disk to be mounted?");
        return ExitCode::FAILURE;
    };
    match eunoe_tests::disk::serve(Path::new(&mount_point)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("eunoe-test-disk: {error}");
            ExitCode::FAILURE
        }
    }
}
