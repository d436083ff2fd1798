//! Data directories that clusters begin as copies of: initdb and CREATE EXTENSION run once.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Cluster;
use crate::machine::{INITDB, SETTINGS, copy, env, home, initdb, lock_home, make_directory};
use crate::programs::install_script;

/// What a cluster has from the beginning, beside its database `trips`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Bare,
    /// The extension, in that database.
    Extension,
}

/// The data directory of a cluster with this content; the first test that needs it makes it, and later runs use it.
pub fn template(bin: &Path, content: Content) -> PathBuf {
    let script = match content {
        Content::Bare => String::new(),
        Content::Extension => install_script(),
    };
    // What is made of something else has another name.
    let made_of = blake3::hash(format!("{INITDB:?} {SETTINGS} {script}").as_bytes()).to_hex();
    let name = format!("template-{}-{}", env("TRIPS_TEST_PG"), &made_of[..16]);
    let directory = home().join(name);
    let done = directory.join("done");
    if done.exists() {
        return directory.join("data");
    }
    let bare = (content == Content::Extension).then(|| template(bin, Content::Bare));
    let _lock = lock_home();
    if !done.exists() {
        make(bin, bare.as_deref(), &directory);
        fs::write(done, "").expect("written");
    }
    directory.join("data")
}

fn make(bin: &Path, bare: Option<&Path>, directory: &Path) {
    let _ = fs::remove_dir_all(directory);
    make_directory(directory);
    let data = directory.join("data");
    let (database, command) = match bare {
        Some(bare) => {
            copy(bare, &data);
            ("trips", "CREATE EXTENSION trips_pipeline")
        }
        None => {
            initdb(bin, &data, &[]);
            ("postgres", "CREATE DATABASE trips")
        }
    };
    let cluster = Cluster::launch(bin.to_owned(), directory.to_owned());
    cluster.client_of(database).batch_execute(command).expect(command);
    cluster.stop();
}
