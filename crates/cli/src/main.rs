//! `eunoe`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    eunoe_cli::main()
}
