#!/bin/sh
# The compiler of this workspace's crates when they are fuzzed (RUSTC_WORKSPACE_WRAPPER): adds coverage as libFuzzer
# reads it, which stable Rust leaves to LLVM. Libraries of others are built as always, and so are build scripts.
case " $* " in
    *" --crate-name build_script_build "* | *" --crate-type proc-macro "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module -Cdebug-assertions -Coverflow-checks \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
