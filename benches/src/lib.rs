//! What the benchmarks share: what a stretch of work cost this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A point from which cost is counted. It counts all threads of the process.
pub struct Meter {
    since: Instant,
    cpu: Duration,
    written_bytes: u64,
}

/// What was spent since a point.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Time on the wall.
    pub wall: Duration,
    /// Time on all CPUs, kernel included.
    pub cpu: Duration,
    /// Bytes given to the kernel.
    pub written_bytes: u64,
}

impl Meter {
    /// Begins to count.
    pub fn start() -> std::io::Result<Self> {
        Ok(Self {
            since: Instant::now(),
            cpu: cpu(),
            written_bytes: written_bytes()?,
        })
    }

    /// What was spent since the start.
    pub fn stop(&self) -> std::io::Result<Cost> {
        Ok(Cost {
            wall: self.since.elapsed(),
            cpu: cpu().saturating_sub(self.cpu),
            written_bytes: written_bytes()? - self.written_bytes,
        })
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// The kernel's count of bytes for the device is no use here: a page of a large folio counts as all of it.
fn written_bytes() -> std::io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("wchar:"));
    let number = line.and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| std::io::Error::other("/proc/self/io has no count of written bytes"))
}

/// The value in the middle; zero of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
