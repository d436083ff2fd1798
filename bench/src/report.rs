//! Medians, tables, JSON.

use std::fs;
use std::path::PathBuf;

use crate::Result;

/// The median, the least and the greatest of some measurements.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Spread {
    /// Of at least one measurement.
    pub fn of(measured: &[f64]) -> Self {
        let mut sorted = measured.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Self { median, least: sorted[0], greatest: sorted[sorted.len() - 1] }
    }
}

/// Writes a file of results to `target/bench/` and says so.
pub fn save(name: &str, text: &str) -> Result<()> {
    let directory = PathBuf::from("target/bench");
    fs::create_dir_all(&directory)?;
    let path = directory.join(name);
    fs::write(&path, text)?;
    println!("written: {}", path.display());
    Ok(())
}

/// The machine in one line: processor, how many of them, memory, kernel.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("?", |(_, value)| value.trim()).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{} × {}, memory {}, Linux {}",
        cores,
        value(&cpu, "model name"),
        value(&memory, "MemTotal"),
        kernel.trim()
    )
}
