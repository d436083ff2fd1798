//! The server's own files, which no role may load.

use std::ffi::CStr;
use std::fs::{File, canonicalize, read_dir};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::pg::session;

/// Files with the server's configuration, in the locations that the settings name.
const CONFIGURATION: [&CStr; 3] = [c"config_file", c"hba_file", c"ident_file"];
/// Files with keys, and others that only the server should read.
const FILES: [&CStr; 7] = [
    c"ssl_cert_file",
    c"ssl_key_file",
    c"ssl_ca_file",
    c"ssl_crl_file",
    c"ssl_dh_params_file",
    c"krb_server_keyfile",
    c"external_pid_file",
];
/// Directories of the server's files.
const DIRECTORIES: [&CStr; 3] = [c"log_directory", c"ssl_crl_dir", c"stats_temp_directory"];

/// Whether an open file belongs to the server: in the data directory or a target of its links (pg_wal), in a
/// tablespace, or a configuration, key or log file.
pub fn holds(file: &File, path: &str) -> bool {
    // The open file, even if its name now means another file.
    let real = canonicalize(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .or_else(|_| canonicalize(path))
        .unwrap_or_else(|_| PathBuf::from(path));
    let data = PathBuf::from(session::data_directory());
    let data = canonicalize(&data).unwrap_or(data);
    real.starts_with(&data)
        || is_in_tablespace(&real)
        || is_behind_a_link(&data, &real)
        || is_configured(&data, &real)
}

/// Tablespaces are outside the data directory; the server's files in each are in `PG_<version>_<number>`.
fn is_in_tablespace(path: &Path) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        let numbers = name.strip_prefix("PG_").and_then(|rest| rest.split_once('_'));
        numbers.is_some_and(|(version, number)| is_number(version) && is_number(number))
    })
}

/// Whether a link in the data directory leads to it: that of pg_wal (`initdb --waldir`), of the log, of the
/// configuration.
fn is_behind_a_link(data: &Path, real: &Path) -> bool {
    let Ok(entries) = read_dir(data) else { return false };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()))
        .filter_map(|entry| canonicalize(entry.path()).ok())
        .any(|target| real.starts_with(target))
}

/// Whether a setting names the file, or it is next to a file that a setting names.
fn is_configured(data: &Path, real: &Path) -> bool {
    let named = |name: &&CStr| {
        let text = session::setting(name).filter(|text| !text.is_empty())?;
        // krb_server_keyfile may begin with the type of the file.
        canonicalize(data.join(text.strip_prefix("FILE:").unwrap_or(&text))).ok()
    };
    let parent = real.parent();
    // Included files are there, too: conf.d of Debian, others that pg_hba.conf names.
    let is_configuration = CONFIGURATION.iter().filter_map(named).any(|file| {
        file.parent()
            .is_some_and(|home| parent == Some(home) || real.starts_with(home.join("conf.d")))
    });
    is_configuration
        || FILES.iter().filter_map(named).any(|file| file == real)
        || DIRECTORIES.iter().filter_map(named).any(|directory| parent == Some(&*directory))
}
