//! The invariants of the fuzz targets, checked on their seeds.

use std::fs;
use std::path::{Path, PathBuf};

/// Distance between the offsets where a seed is cut: a prime, so that all kinds of bytes are cut.
const BETWEEN_ENDS: usize = 13;

/// The files in the directory of a target's seeds.
fn seeds(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let files = fs::read_dir(&directory).expect("every target has seeds");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths
}

#[test]
fn invariants_hold_for_seeds_and_their_beginnings() {
    for (target, check) in trips_testkit::CHECKS {
        let paths = seeds(target);
        assert!(paths.len() >= 5, "{target} has {} seeds", paths.len());
        for path in paths {
            println!("{}", path.display());
            let bytes = fs::read(&path).expect("a seed can be read");
            check(&bytes);
            // A file can end anywhere.
            for end in (0..bytes.len()).step_by(BETWEEN_ENDS) {
                check(&bytes[..end]);
            }
        }
    }
}
