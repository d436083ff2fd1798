//! Containers that are whole, and that no load reads.

use super::Expected::AnyFault;
use super::{Fault, Files, with};
use crate::containers::pack;
use crate::containers::zip::{Entry, Zip};

pub(super) fn add(files: &mut Files<'_>) {
    encrypted(files);
    methods(files);
    names(files);
    kinds(files);
    without_trips(files);
}

fn encrypted(files: &mut Files<'_>) {
    let zip = Zip::new(&[Entry::new("a.csv", files.content)]);
    let entry = zip.entries[0];
    for (name, flags) in [("member", [1, 0]), ("strong", [0x41, 0]), ("headers", [0x41, 0x20])] {
        let bytes = with(&zip.set(entry + 8, &flags), 6, &flags);
        files.fault(format!("encrypted-{name}.zip"), bytes, Fault::Encrypted);
    }
    let aes = Zip::new(&[Entry::new("a.csv", files.content).method(99)]);
    files.fault("encrypted-aes.zip", aes.bytes, Fault::Encrypted);
}

fn methods(files: &mut Files<'_>) {
    for method in [1, 2, 6, 10, 18, 19, 97, 98, 65535] {
        let zip = Zip::new(&[Entry::new("a.csv", files.content).method(method)]);
        files.fault(format!("method-{method}.zip"), zip.bytes, Fault::Unsupported);
    }
}

fn names(files: &mut Files<'_>) {
    let long = "a".repeat(1025);
    let names: [(&str, &[u8]); 8] = [
        ("empty", b""),
        ("absolute", b"/etc/passwd"),
        ("drive", b"C:\\trips.csv"),
        ("parent", b"../trips.csv"),
        ("parent-inside", b"a/../../trips.csv"),
        ("parent-backslash", b"a\\..\\..\\trips.csv"),
        ("zero", b"a\0.csv"),
        ("long", long.as_bytes()),
    ];
    for (what, name) in names {
        let zip = Zip::new(&[Entry::new(name, files.content)]);
        files.fault(format!("name-{what}.zip"), zip.bytes, Fault::Damaged);
    }
    let mut zip = Zip::new(&[Entry::new(b"\xff\xfe.csv", files.content)]);
    zip.bytes[zip.entries[0] + 9] = 8;
    files.fault("name-no-utf-8.zip", zip.bytes, Fault::Damaged);
}

/// Files of other programs, also inside containers.
fn kinds(files: &mut Files<'_>) {
    let kinds: [(&str, Vec<u8>); 6] = [
        ("lz4", [&[0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7], files.content].concat()),
        ("7z", [&[b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, 0, 4], files.content].concat()),
        ("rar", [b"Rar!\x1a\x07\x01\x00", files.content].concat()),
        ("tar", tar(files.content)),
        ("xls", [&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], files.content].concat()),
        ("Z", [&[0x1f, 0x9d, 0x90], files.content].concat()),
    ];
    for (name, bytes) in kinds {
        files.fault(format!("trips.{name}.gz"), pack::gzip(&bytes), Fault::Unsupported);
        files.fault(format!("trips.{name}.zst"), pack::zstd(&bytes), Fault::Unsupported);
        let inner =
            [Entry::new("a.csv", files.content), Entry::new(format!("trips.{name}"), &bytes)];
        files.fault(format!("trips.{name}.zip"), Zip::new(&inner).bytes, Fault::Unsupported);
        files.add(format!("trips.{name}"), bytes, AnyFault);
    }
    let zip = Zip::new(&[Entry::new("a.csv", files.content)]);
    files.fault("trips.zip.gz", pack::gzip(&zip.bytes), Fault::Unsupported);
    let sheet = Entry::new("xl/worksheets/sheet1.xml", files.content);
    let book = Zip::new(&[Entry::new("[Content_Types].xml", "<Types/>"), sheet]);
    files.fault("trips.xlsx", book.bytes.clone(), Fault::Unsupported);
    let inner = [Entry::new("a.csv", files.content), Entry::new("b.xlsx", &book.bytes)];
    files.fault("workbook-inside.zip", Zip::new(&inner).bytes, Fault::Unsupported);
    let sheet = [Entry::new("mimetype", "x").method(0), Entry::new("content.xml", files.content)];
    files.fault("trips.ods", Zip::new(&sheet).bytes, Fault::Unsupported);
}

/// An archive of one file by the format of POSIX.
fn tar(content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..9].copy_from_slice(b"trips.csv");
    header[124..136].copy_from_slice(format!("{:011o} ", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(content);
    header.resize(header.len().next_multiple_of(512) + 1024, 0);
    header
}

fn without_trips(files: &mut Files<'_>) {
    let readme = Entry::new("README.txt", "About the trips");
    let archives = [
        ("none", vec![]),
        ("folder", vec![Entry::new("2020/", "").method(0)]),
        ("readme", vec![readme.clone()]),
        (
            "system",
            vec![Entry::new("__MACOSX/._a.csv", "x"), Entry::new("a/.DS_Store", "x"), readme],
        ),
        ("inner", vec![Entry::new("inner.zip", Zip::new(&[]).bytes)]),
    ];
    for (name, members) in archives {
        files.fault(format!("without-trips-{name}.zip"), Zip::new(&members).bytes, Fault::Empty);
    }
}
