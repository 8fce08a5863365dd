//! The metrics: what there is, in one list, and how it is counted. `docs/operations/metrics.md` has the same list.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Counter, Histogram, Meter};

use super::Attribute;

static METER: OnceLock<Meter> = OnceLock::new();

/// Metrics are counted from here on.
pub(super) fn begin(meter: Meter) {
    // Telemetry starts once a process, so there is none before.
    let _first = METER.set(meter);
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows while the process runs.
    Counter,
    /// A value now.
    Gauge,
    /// How many values were below each of these bounds.
    Histogram(&'static [f64]),
}

/// A metric as it is documented.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// In Prometheus' style, with the unit.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// In UCUM: `s`, `By`, or `1` for numbers of things.
    pub unit: &'static str,
    /// What distinguishes its series. None is open-ended, none names a person, a tenant or a key.
    pub labels: &'static [&'static str],
    /// For people.
    pub meaning: &'static str,
}

/// A metric that is counted where things happen.
pub(crate) struct Metric<Instrument> {
    pub(crate) definition: Definition,
    instrument: OnceLock<Instrument>,
}

const LATENCY: Kind = Kind::Histogram(&[
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
]);
const SIZE: Kind = Kind::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]);

const fn define(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Definition {
    Definition {
        name,
        kind,
        unit,
        labels,
        meaning,
    }
}

const fn metric<Instrument>(definition: Definition) -> Metric<Instrument> {
    Metric {
        definition,
        instrument: OnceLock::new(),
    }
}

macro_rules! metrics {
    (
        counted { $($counted:ident: $instrument:ty = ($name:literal, $kind:expr, $unit:literal, $labels:expr, $meaning:literal);)* }
        observed { $($observed:ident = ($oname:literal, $okind:expr, $ounit:literal, $olabels:expr, $omeaning:literal);)* }
    ) => {
        $(pub(crate) static $counted: Metric<$instrument> = metric(define($name, $kind, $unit, &$labels, $meaning));)*
        $(pub(crate) static $observed: Definition = define($oname, $okind, $ounit, &$olabels, $omeaning);)*
        /// All metrics of a node.
        pub static DEFINITIONS: &[&Definition] = &[$(&$counted.definition,)* $(&$observed,)*];
    };
}

metrics! {
    counted {
        CALLS: Histogram<f64> = ("eunoe_call_duration_seconds", LATENCY, "s", ["method", "code"], "Calls of clients, from the request's headers to the end of the answer; a stream counts when it ends");
        CALLS_REFUSED: Counter<u64> = ("eunoe_refusals_total", Kind::Counter, "1", ["reason"], "Calls and messages of batches that were answered with an error; `TENANT_QUOTA` is a tenant's quota");
        APPENDED: Counter<u64> = ("eunoe_appended_messages_total", Kind::Counter, "1", [], "Messages that this node has acknowledged, repeated requests not counted");
        APPENDED_BYTES: Counter<u64> = ("eunoe_appended_bytes_total", Kind::Counter, "By", [], "Bytes of their content, as it was sealed");
        BATCH: Histogram<f64> = ("eunoe_proposal_operations", SIZE, "1", [], "Operations of one command that this node proposed to a data group; its count is the number of commands");
        PROPOSE: Histogram<f64> = ("eunoe_proposal_duration_seconds", LATENCY, "s", [], "Time from handing a command to its group until its reply, or until it was given up");
        BARRIER: Histogram<f64> = ("eunoe_read_barrier_duration_seconds", LATENCY, "s", [], "Time that a read waited for the barriers of its data group and of the control group");
        FENCE: Histogram<f64> = ("eunoe_fence_duration_seconds", LATENCY, "s", [], "Time from a request for an erasure until it could be answered, with its fence in effect on every node");
        INVARIANT_VIOLATIONS: Counter<u64> = ("eunoe_invariant_violations_total", Kind::Counter, "1", ["group", "invariant"], "Rows of the state at which a rule that always holds was seen broken, again in each pass; anything but none is damage or a bug");
        SCRUB_PASSES: Counter<u64> = ("eunoe_scrub_passes_total", Kind::Counter, "1", ["group"], "Passes over all rows of a group's state that looked for broken rules");
        VAULT_ROLLBACKS: Counter<u64> = ("eunoe_vault_rollbacks_total", Kind::Counter, "1", [], "Shares that were in the vault after this node had said that they are destroyed: somebody put the vault back from a copy; they were destroyed again");
        COSIGNATURES_MISSED: Counter<u64> = ("eunoe_log_cosignatures_missed_total", Kind::Counter, "1", ["node"], "Checkpoints of the transparency log that a node did not sign: it was not reached in time, or its tree is another one");
        RELOADS_FAILED: Counter<u64> = ("eunoe_reload_failures_total", Kind::Counter, "1", ["files"], "Looks at changed files (`certificates`, `issuer_keys`) that could not be used, one every 5 seconds while it lasts");
        SPANS_EXPORTED: Counter<u64> = ("eunoe_telemetry_spans_exported_total", Kind::Counter, "1", [], "Spans that the collector has taken");
        SPANS_DROPPED: Counter<u64> = ("eunoe_telemetry_spans_dropped_total", Kind::Counter, "1", [], "Spans that found no room in the queue, or that the collector did not take in time");
    }
    observed {
        UNSEALED = ("eunoe_unsealed", Kind::Gauge, "1", [], "1 if the node has the root, 0 if it is sealed");
        EPOCH = ("eunoe_root_epoch", Kind::Gauge, "1", [], "Epoch of the root that the node has");
        LEASE_LEFT = ("eunoe_key_lease_left_seconds", Kind::Gauge, "s", [], "How long the node may use its keys without hearing from the cluster again");
        OLDEST_FENCE = ("eunoe_oldest_fence_age_seconds", Kind::Gauge, "s", [], "Age of the oldest fence without a hold whose keys the current root still leads to; 0 without one");
        OLDEST_ROOT = ("eunoe_oldest_held_root_epoch", Kind::Gauge, "1", ["node"], "Oldest epoch whose root a node may still hold, or a share of it, as far as it has said");
        SHARE_KEPT = ("eunoe_root_share_kept", Kind::Gauge, "1", [], "1 if the node's vault has a share of the current root");
        ROOT_THRESHOLD = ("eunoe_root_threshold", Kind::Gauge, "1", [], "Shares that it takes to have the current root after all nodes have stopped; with fewer left, all data is lost");
        ROOT_HOLDERS = ("eunoe_root_holders", Kind::Gauge, "1", [], "Nodes that keep shares of the current root, as the log says");
        CERTIFICATE_LEFT = ("eunoe_certificate_left_seconds", Kind::Gauge, "s", [], "How long the node's certificate in use, and those between it and the authority, are still good; negative when one is over");
        DRAINING = ("eunoe_draining", Kind::Gauge, "1", [], "1 while the node hands over and takes nothing new");
        SERVING = ("eunoe_serving", Kind::Gauge, "1", [], "1 while the node is ready for clients, as `/readyz` says");
        KEYS = ("eunoe_keys_in_memory", Kind::Gauge, "1", [], "Keys in locked memory, of all caches");
        LOG_SYNCS = ("eunoe_log_syncs_total", Kind::Counter, "1", [], "Syncs of the Raft log's files, all groups together");
        LOG_BATCHES = ("eunoe_log_batches_total", Kind::Counter, "1", [], "Batches written to the Raft log");
        LOG_RECORDS = ("eunoe_log_records_total", Kind::Counter, "1", [], "Records written to the Raft log");
        LOG_BYTES = ("eunoe_log_written_bytes_total", Kind::Counter, "By", [], "Bytes written to the Raft log");
        LOG_STALLED = ("eunoe_log_stalled_seconds", Kind::Gauge, "s", [], "How long the oldest write to the log has waited; the node ends at 20");
        GROUP_LEADER = ("eunoe_group_leader", Kind::Gauge, "1", ["group"], "1 if this node leads the group");
        GROUP_HAS_LEADER = ("eunoe_group_has_leader", Kind::Gauge, "1", ["group"], "1 if this node knows a leader of the group");
        QUORUM_SILENCE = ("eunoe_group_quorum_silence_seconds", Kind::Gauge, "s", ["group"], "How long ago the group had a quorum as far as this node knows: a majority answered it as the leader, or it heard one");
        GROUP_TERM = ("eunoe_group_term", Kind::Gauge, "1", ["group"], "Raft term");
        GROUP_LAST_LOG = ("eunoe_group_last_log_index", Kind::Gauge, "1", ["group"], "Index of the last entry of the log");
        GROUP_APPLIED = ("eunoe_group_applied_index", Kind::Gauge, "1", ["group"], "Index of the last entry applied");
        GROUP_SNAPSHOT = ("eunoe_group_snapshot_index", Kind::Gauge, "1", ["group"], "Index of the last entry in the newest snapshot");
        GROUP_LOG_BYTES = ("eunoe_group_log_bytes", Kind::Gauge, "By", ["group"], "Bytes of log that are not purged");
        GROUP_LAG = ("eunoe_group_follower_lag_entries", Kind::Gauge, "1", ["group", "node"], "On the leader: entries that a member lacks");
        PROCESS_CPU = ("eunoe_process_cpu_seconds_total", Kind::Counter, "s", [], "Processor time of the process");
        PROCESS_MEMORY = ("eunoe_process_resident_memory_bytes", Kind::Gauge, "By", [], "Resident memory of the process");
        PROCESS_FDS = ("eunoe_process_open_fds", Kind::Gauge, "1", [], "Open file descriptors of the process");
    }
}

/// Counts `number` things.
pub(crate) fn count(metric: &Metric<Counter<u64>>, number: u64, attributes: &[Attribute]) {
    let Some(meter) = METER.get() else { return };
    let Definition {
        name, unit, meaning, ..
    } = metric.definition;
    let instrument = metric.instrument.get_or_init(|| {
        meter
            .u64_counter(name)
            .with_unit(unit)
            .with_description(meaning)
            .build()
    });
    if attributes.is_empty() {
        instrument.add(number, &[]);
    } else {
        instrument.add(number, &key_values(attributes));
    }
}

/// Counts an error that is given to a caller, in the place of an answer or of one message's result.
pub(crate) fn refused(reason: &'static str) {
    count(&CALLS_REFUSED, 1, &[Attribute::Reason(reason)]);
}

/// Counts something that took so long.
pub(crate) fn took(metric: &Metric<Histogram<f64>>, time: Duration, attributes: &[Attribute]) {
    values(metric, time.as_secs_f64(), attributes);
}

/// Counts a value, in the metric's unit.
pub(crate) fn values(metric: &Metric<Histogram<f64>>, value: f64, attributes: &[Attribute]) {
    let Some(meter) = METER.get() else { return };
    let Definition {
        name,
        unit,
        meaning,
        kind,
        ..
    } = metric.definition;
    let instrument = metric.instrument.get_or_init(|| {
        let bounds = match kind {
            Kind::Histogram(bounds) => bounds.to_vec(),
            Kind::Counter | Kind::Gauge => Vec::new(),
        };
        let builder = meter
            .f64_histogram(name)
            .with_unit(unit)
            .with_description(meaning);
        builder.with_boundaries(bounds).build()
    });
    if attributes.is_empty() {
        instrument.record(value, &[]);
    } else {
        instrument.record(value, &key_values(attributes));
    }
}

/// Where a metric's values are put when it is read.
pub struct Observed<'a>(&'a dyn AsyncInstrument<f64>);

impl Observed<'_> {
    /// The value of the series with these labels, in the metric's unit.
    pub fn set(&self, value: f64, attributes: &[Attribute]) {
        self.0.observe(value, &key_values(attributes));
    }
}

/// Asks `values` whenever `definition`'s metric is read. It must neither block nor take long. For counters and
/// gauges; call it once for each.
pub fn observe(definition: &'static Definition, values: impl Fn(&Observed<'_>) + Send + Sync + 'static) {
    let Some(meter) = METER.get() else { return };
    let Definition {
        name,
        kind,
        unit,
        meaning,
        ..
    } = *definition;
    match kind {
        Kind::Counter => {
            let builder = meter
                .f64_observable_counter(name)
                .with_unit(unit)
                .with_description(meaning);
            builder
                .with_callback(move |instrument| values(&Observed(instrument)))
                .build();
        }
        Kind::Gauge | Kind::Histogram(_) => {
            let builder = meter
                .f64_observable_gauge(name)
                .with_unit(unit)
                .with_description(meaning);
            builder
                .with_callback(move |instrument| values(&Observed(instrument)))
                .build();
        }
    }
}

fn key_values(attributes: &[Attribute]) -> Vec<KeyValue> {
    attributes
        .iter()
        .cloned()
        .map(Attribute::into_key_value)
        .collect()
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
