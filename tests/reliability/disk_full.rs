//! The disk is full, at many points of a load: in a file system of memory, which root can make.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::Command;

use trips_tests::{Cluster, eventually, server_error};

use crate::strike::{begin, orphans};
use crate::subject::{Before, Subject};
use crate::{setting, turn};

/// A small file system; it goes when this does.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None when this user may not mount.
    fn mount(directory: &str, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(directory).ok()?;
        let status = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={megabytes}m,mode=0777"),
                "tmpfs",
                directory,
            ])
            .status()
            .ok()?;
        let disk = status.success().then(|| Self(directory.into()))?;
        // A tablespace must belong to the server's user, as the cluster's directory does.
        let owner = fs::metadata(disk.0.parent()?).ok()?;
        chown(directory, Some(owner.uid()), Some(owner.gid())).ok()?;
        Some(disk)
    }

    /// Leaves so many bytes free.
    fn fill(&self, leave: u64) {
        let free = || {
            let output = Command::new("df").args(["--output=avail", "-B1"]).arg(&self.0).output();
            let text = String::from_utf8(output.expect("df runs").stdout).expect("text");
            text.lines().last().and_then(|line| line.trim().parse::<u64>().ok()).expect("a number")
        };
        let size = free().saturating_sub(leave);
        let file = fs::File::create(self.0.join("filler")).expect("a file");
        let zeros = vec![0_u8; 1 << 16];
        let mut left = size;
        while left > 0 {
            let count = left.min(zeros.len() as u64);
            std::io::Write::write_all(&mut &file, &zeros[..usize::try_from(count).unwrap_or(0)])
                .expect("there is room");
            left -= count;
        }
    }

    fn empty(&self) {
        let _ = fs::remove_file(self.0.join("filler"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn out_of_disk_space() {
    let _turn = turn();
    let cluster = Cluster::start();
    let mount_point = cluster.path("small");
    let Some(disk) = SmallDisk::mount(&mount_point, 64) else {
        println!("out of disk space: not run, this user may not mount a file system");
        return;
    };
    let mut client = cluster.client();
    client
        .batch_execute(&format!("CREATE TABLESPACE small LOCATION '{mount_point}'"))
        .expect("a superuser may");
    // New partitions and temporary files go where the session's defaults say.
    client
        .batch_execute(
            "ALTER DATABASE trips SET default_tablespace = small;
             ALTER DATABASE trips SET temp_tablespaces = small",
        )
        .expect("a superuser may");
    drop(client);
    let subject = Subject::new(&cluster);
    let points = setting("TRIPS_DISK_POINTS", 8);
    let mut refused = 0;
    for number in 0..points {
        let mut client = cluster.client();
        let before = if number % 2 == 0 { Before::Nothing } else { Before::Half };
        subject.reset(&cluster, &mut client, before);
        disk.fill(u64::from(number) * 12_000_000 / u64::from(points) + 100_000);
        let (_, load) = begin(&cluster, "", &subject.query());
        let result = load.join().expect("the thread of the client");
        disk.empty();
        let is_in = subject.is_in(&mut client, before);
        assert_eq!(is_in, result.is_ok());
        if let Err(error) = &result {
            assert_eq!(server_error(error).0, "53100", "{error}");
            refused += 1;
            // The ledger is on the full disk, too: the failure is recorded when there is room again.
            let query = "SELECT coalesce(string_agg(error_code, ' '), '') FROM trips.loads WHERE state = 'failed'";
            eventually(&mut client, query, "53100");
        }
        assert_eq!(orphans(&mut client), Vec::<String>::new());
        subject.complete(&cluster, &mut client, is_in);
    }
    println!("out of disk space: {points} loads, {refused} refused, 0 lost, 0 doubled");
    assert!(refused >= points / 2);
    drop(cluster);
}
