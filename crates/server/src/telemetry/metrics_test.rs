//! The documentation of the metrics, and their names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{DEFINITIONS, Definition, Kind};

fn kind(definition: &Definition) -> &'static str {
    match definition.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    }
}

fn table() -> String {
    let mut table = "| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n".to_owned();
    for definition in DEFINITIONS {
        let Definition {
            name, unit, meaning, ..
        } = definition;
        let labels: Vec<String> = definition
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (kind, labels) = (kind(definition), labels.join(", "));
        table += &format!("| `{name}` | {kind} | {unit} | {labels} | {meaning} |\n");
    }
    table
}

#[test]
fn the_documentation_has_exactly_these_metrics() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations/metrics.md");
    let text = fs::read_to_string(file).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    let expected = table();
    assert_eq!(
        rows,
        expected.lines().collect::<Vec<_>>(),
        "the table must be:\n{expected}"
    );
}

#[test]
fn rules_for_prometheus_name_metrics_that_there_are() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/eunoe.rules.yml");
    let text = fs::read_to_string(file).unwrap();
    let is_name = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
    let words = text
        .split(|c: char| !is_name(c))
        .filter(|word| word.starts_with("eunoe_"));
    let used: BTreeSet<&str> = words.collect();
    assert!(used.len() > 5, "the rules are not read");
    for name in used {
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        let known = DEFINITIONS.iter().any(|definition| match definition.kind {
            Kind::Histogram(_) => Some(definition.name) == of_histogram,
            Kind::Counter | Kind::Gauge => definition.name == name,
        });
        assert!(known, "{name}");
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let read = |name: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        fs::read_to_string(file).unwrap()
    };
    let of = |text: &str, before: &str| -> BTreeSet<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(before));
        lines.map(|name| name.trim().to_owned()).collect()
    };
    let alerts = of(&read("deploy/prometheus/eunoe.rules.yml"), "- alert: ");
    assert!(alerts.len() > 10, "the rules are not read");
    assert_eq!(alerts, of(&read("docs/operations/alerts.md"), "## "));
}

#[test]
fn names_say_kind_and_unit_and_are_unique() {
    let mut names = BTreeSet::new();
    for definition in DEFINITIONS {
        let name = definition.name;
        assert!(name.starts_with("eunoe_") && names.insert(name), "{name}");
        assert_eq!(
            definition.kind == Kind::Counter,
            name.ends_with("_total"),
            "{name}"
        );
        let unit = name.trim_end_matches("_total").rsplit('_').next().unwrap();
        let expected = match definition.unit {
            "s" => unit == "seconds",
            "By" => unit == "bytes",
            other => other == "1" && unit != "seconds" && unit != "bytes",
        };
        assert!(expected, "{name} and {}", definition.unit);
        let known = ["method", "code", "reason", "group", "invariant", "node", "files"];
        assert!(
            definition.labels.iter().all(|label| known.contains(label)),
            "{name}"
        );
    }
}
