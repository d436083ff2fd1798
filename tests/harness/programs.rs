//! PostgreSQL's programs and files, where a test may add its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{copy, env, new_directory};

/// A copy of the programs and files with which all tests run: other tests do not see what is added
/// here. It goes with this value.
pub struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// A copy as the project's build has made it.
    ///
    /// # Panics
    /// When there is none, or no room for it.
    #[must_use]
    pub fn copy() -> Self {
        let directory = new_directory();
        copy(Path::new(&env("TRIPS_TEST_TREE")), &directory.join("tree"));
        Self { directory }
    }

    pub(crate) fn bin(&self) -> PathBuf {
        let bin = PathBuf::from(env("TRIPS_TEST_BIN"));
        let inside = bin.strip_prefix(env("TRIPS_TEST_TREE")).expect("programs inside the tree");
        self.directory.join("tree").join(inside)
    }

    /// Adds a file to those of which extensions are made.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn add_extension_file(&self, name: &str, text: &str) {
        fs::write(extension_directory(&self.bin()).join(name), text).expect("a file");
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A file of those of which the project's build makes extensions.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn extension_file(name: &str) -> String {
    let path = extension_directory(Path::new(&env("TRIPS_TEST_BIN"))).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The install script of the extension as the project's build has made it.
pub fn install_script() -> String {
    let directory = extension_directory(Path::new(&env("TRIPS_TEST_BIN")));
    let entries = fs::read_dir(&directory).expect("the directory of extensions").flatten();
    let mut scripts: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("trips_pipeline--") && name.ends_with(".sql")
        })
        .collect();
    scripts.sort();
    scripts.iter().map(|path| fs::read_to_string(path).expect("a script")).collect()
}

/// Where the server of these programs looks for extensions.
fn extension_directory(bin: &Path) -> PathBuf {
    let output = Command::new(bin.join("pg_config")).arg("--sharedir").output().expect("pg_config");
    let share = String::from_utf8(output.stdout).expect("UTF-8");
    Path::new(share.trim()).join("extension")
}
