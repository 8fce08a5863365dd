//! What the benchmarks share: what a stretch of work cost this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A point from which cost is counted. It counts all threads of the process.
pub struct Meter {
    since: Instant,
    cpu: Duration,
    io: Io,
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
    /// Bytes that the kernel sent, or will send, to the device: whole pages.
    pub device_bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Io {
    written_bytes: u64,
    device_bytes: u64,
}

impl Meter {
    /// Begins to count.
    pub fn start() -> std::io::Result<Self> {
        Ok(Self {
            since: Instant::now(),
            cpu: cpu(),
            io: io()?,
        })
    }

    /// What was spent since the start.
    pub fn stop(&self) -> std::io::Result<Cost> {
        let io = io()?;
        Ok(Cost {
            wall: self.since.elapsed(),
            cpu: cpu().saturating_sub(self.cpu),
            written_bytes: io.written_bytes - self.io.written_bytes,
            device_bytes: io.device_bytes - self.io.device_bytes,
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

fn io() -> std::io::Result<Io> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.trim().parse().ok())
            .unwrap_or_default()
    };
    Ok(Io {
        written_bytes: field("wchar:"),
        device_bytes: field("write_bytes:"),
    })
}

/// The value in the middle; zero of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
