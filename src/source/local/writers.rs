//! Whether a process still writes to a file.

use std::fs::File;

use rustix::fs::fstatfs;

use crate::os::lease::{self, Writers};

/// File systems on which this kernel sees every writer: ext2 to ext4, XFS, Btrfs, F2FS, ZFS, bcachefs, overlayfs,
/// tmpfs, ramfs. On others, other machines may write, and some of them refuse leases for their own reasons.
const LOCAL: [u32; 9] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0xf2f5_2010,
    0x2fc1_2fc1,
    0xca45_1a4e,
    0x794c_7630,
    0x0102_1994,
    0x8584_58f6,
];

/// The processes that have this file open for writing, as far as the kernel reports them.
pub fn of(file: &File) -> Writers {
    let is_local = fstatfs(file)
        .is_ok_and(|found| u32::try_from(found.f_type).is_ok_and(|kind| LOCAL.contains(&kind)));
    if is_local { lease::writers(file) } else { Writers::Unknown }
}
