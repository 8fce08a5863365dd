//! Files stay small, promises have a number, and nothing below the server reads a clock.

use eunoe_tests::sources::{LINES_MAX, Source, breaches, of_this_workspace};

#[test]
fn the_repository_keeps_its_rules() {
    let sources = of_this_workspace();
    assert!(
        sources
            .iter()
            .any(|source| source.path == "crates/core/src/lib.rs"),
        "the search finds no source"
    );
    let found: Vec<String> = sources.iter().flat_map(breaches).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn breaches_of(path: &str, text: &str) -> usize {
    breaches(&Source {
        path: path.to_owned(),
        text: text.to_owned(),
    })
    .len()
}

#[test]
fn a_long_file_is_seen() {
    assert_eq!(breaches_of("crates/a/src/b.rs", &"\n".repeat(LINES_MAX)), 0);
    assert_eq!(breaches_of("crates/a/src/b.rs", &"\n".repeat(LINES_MAX + 1)), 1);
}

#[test]
fn a_promise_without_a_number_is_seen() {
    let mark = ["TO", "DO"].concat();
    assert_eq!(breaches_of("docs/a.md", &format!("{mark}: later")), 1);
    assert_eq!(breaches_of("docs/a.md", &format!("{mark}(#): later")), 1);
    assert_eq!(breaches_of("docs/a.md", &format!("{mark}(#12): later")), 0);
    assert_eq!(breaches_of("docs/a.md", &format!("MASTO{mark}N and {mark}S")), 0);
}

#[test]
fn a_clock_in_a_machine_is_seen() {
    let clock = ["System", "Time::now()"].concat();
    assert_eq!(breaches_of("crates/core/src/a.rs", &clock), 1);
    assert_eq!(breaches_of("crates/server/src/a.rs", &clock), 0);
}

#[test]
fn an_attribute_outside_of_the_allow_list_is_seen() {
    let (grpc, telemetry) = ("crates/server/src/grpc/a.rs", "crates/server/src/telemetry/a.rs");
    let add = ["span.set", "_attribute(", "one);"].concat();
    let make = ["Key", "Value::new(name, text)"].concat();
    let name = ["use open", "telemetry::Context;"].concat();
    for (path, line, breaches) in [
        (grpc, &name, 1),
        (telemetry, &name, 0),
        (grpc, &add, 1),
        (telemetry, &add, 1),
        (telemetry, &make, 1),
        ("crates/server/src/telemetry/attribute.rs", &make, 0),
        (grpc, &format!("// {name}"), 0),
    ] {
        assert_eq!(breaches_of(path, line), breaches, "{path}: {line}");
    }
}

#[test]
fn a_test_ignored_without_a_reason_is_seen() {
    assert_eq!(breaches_of("crates/a/tests/b.rs", "    #[ignore]"), 1);
    assert_eq!(
        breaches_of("crates/a/tests/b.rs", "    #[ignore = \"needs two machines\"]"),
        0
    );
}
