//! What the process takes of its machine.

use rustix::time::{ClockId, clock_gettime};

use super::metrics::{PROCESS_CPU, PROCESS_FDS, PROCESS_MEMORY, observe};

pub(super) fn observe_all() {
    observe(&PROCESS_CPU, |observed| {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        observed.set(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9, &[]);
    });
    observe(&PROCESS_MEMORY, |observed| {
        if let Some(bytes) = resident_bytes() {
            observed.set(bytes, &[]);
        }
    });
    observe(&PROCESS_FDS, |observed| {
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            observed.set(entries.count() as f64, &[]);
        }
    });
}

/// `/proc/self/status` says `VmRSS: 1234 kB`.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}
