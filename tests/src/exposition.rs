//! Prometheus' text format, read strictly.

use std::collections::BTreeMap;

/// A metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// For people.
    pub help: String,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// A line with a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The family's name, for histograms with `_bucket`, `_sum` or `_count` behind it.
    pub name: String,
    /// By name.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// Reads all of `text`; says which line is wrong, if one is.
pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        let wrong = |why: &str| format!("{why}: {line}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            let family = Family {
                help: help.to_owned(),
                ..Family::default()
            };
            if families.insert(name.to_owned(), family).is_some() {
                return Err(wrong("a family comes twice"));
            }
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            let family = families.get_mut(name).filter(|_| name == current);
            let family = family.ok_or_else(|| wrong("a type without its help"))?;
            kind.clone_into(&mut family.kind);
        } else {
            let sample = sample(line).map_err(|why| wrong(&why))?;
            let family = families
                .get_mut(&current)
                .ok_or_else(|| wrong("a value without a family"))?;
            let suffix = sample.name.strip_prefix(&current);
            let fits = match family.kind.as_str() {
                "counter" | "gauge" => suffix == Some(""),
                "histogram" => matches!(suffix, Some("_bucket" | "_sum" | "_count")),
                _ => false,
            };
            if !fits
                || family
                    .samples
                    .iter()
                    .any(|other| other.name == sample.name && other.labels == sample.labels)
            {
                return Err(wrong("a value of another family, or twice"));
            }
            family.samples.push(sample);
        }
    }
    Ok(families)
}

fn sample(line: &str) -> Result<Sample, String> {
    let (series, value) = line.rsplit_once(' ').ok_or("no value")?;
    let value: f64 = value.replace("+Inf", "inf").parse().map_err(|_| "no number")?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').ok_or("an open brace")?),
        None => (series, ""),
    };
    let is_name = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if !is_name(name) {
        return Err("a malformed name".into());
    }
    let mut found = BTreeMap::new();
    // No label of ours has a quote, a comma or a backslash in it.
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (label, value) = label.split_once('=').ok_or("a label without a value")?;
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = value
            .filter(|value| !value.contains(['"', '\\']))
            .ok_or("a malformed label")?;
        if !is_name(label) || found.insert(label.to_owned(), value.to_owned()).is_some() {
            return Err("a malformed label, or one twice".into());
        }
    }
    Ok(Sample {
        name: name.to_owned(),
        labels: found,
        value,
    })
}

impl Family {
    /// The sum of the values of `name` whose labels include these.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        self.samples.iter().filter(has).map(|sample| sample.value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total What it is\n# TYPE a_total counter\na_total{code=\"OK\",method=\"a.B/C\"} 3\na_total 1.5\n\
        # HELP b B\n# TYPE b histogram\nb_bucket{le=\"+Inf\"} 2\nb_sum 0.5\nb_count 2\n";

    #[test]
    fn a_good_text_is_read() {
        let families = parse(GOOD).unwrap();
        assert_eq!(families["a_total"].sum("a_total", &[("code", "OK")]), 3.0);
        assert_eq!(families["a_total"].sum("a_total", &[]), 4.5);
        assert_eq!(families["b"].samples.len(), 3);
    }

    #[test]
    fn a_bad_line_is_refused() {
        for (from, to) in [
            ("# TYPE a_total counter\n", ""),
            ("a_total 1.5", "other 1.5"),
            ("a_total 1.5", "a_total one"),
            ("a_total 1.5", "a_total"),
            ("a_total 1.5", "a_total{code=\"OK\",method=\"a.B/C\"} 4"),
            ("code=\"OK\"", "code=OK"),
            ("code=\"OK\"", "Code=\"OK\""),
            ("b_sum", "b_total"),
            ("# HELP b B", "# HELP a_total B"),
        ] {
            assert!(GOOD.contains(from));
            assert!(parse(&GOOD.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }
}
