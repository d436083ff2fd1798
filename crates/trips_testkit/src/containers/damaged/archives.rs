//! Damaged zip archives.

use super::Expected::{AnyFault, FaultOrContent};
use super::{Fault, Files, flipped, offsets, with};
use crate::containers::pack;
use crate::containers::zip::{Descriptor, Entry, Zip, as_zip64};

pub(super) fn add(files: &mut Files<'_>) {
    let (first, second) = files.halves();
    let members = [Entry::new("a.csv", first), Entry::new("b.csv", second)];
    let zip = Zip::new(&members);
    ends(files, &zip);
    for (index, at) in [(0, "first"), (1, "second")] {
        directory(files, &zip, index, at);
        locals(files, &zip, index, at);
    }
    last_record(files, &zip);
    layout(files, &zip, &members);
    descriptors(files, &members);
    inner(files);
}

/// Cut, flipped, padded.
fn ends(files: &mut Files<'_>, zip: &Zip) {
    let size = zip.bytes.len();
    let edges =
        [4, 29, zip.data[0].end, zip.locals[1] + 3, zip.directory, zip.end, zip.end + 4, size - 1];
    for at in edges.into_iter().chain(offsets(size, 8).filter(|&at| at > 4)) {
        files.fault(format!("cut-{at}.zip"), &zip.bytes[..at], Fault::Cut);
    }
    for at in (0..4)
        .chain(offsets(size, 30))
        .chain(offsets(size - zip.directory, 20).map(|at| zip.directory + at))
    {
        let expected = if at < 4 { AnyFault } else { FaultOrContent };
        files.add(format!("flipped-{at}.zip"), flipped(&zip.bytes, at), expected);
    }
    for (name, padding) in [
        ("zero", b"\0".as_slice()),
        ("zeros", &[0; 513]),
        ("line", b"a,b\n"),
        ("end", b"PK\x05\x06"),
    ] {
        files.fault(format!("padded-{name}.zip"), [&zip.bytes, padding].concat(), Fault::Padded);
    }
    files.fault("twice.zip", [zip.bytes.as_slice(), &zip.bytes].concat(), Fault::Padded);
    files.add("before.zip", [b"#!/bin/sh\nexit\n", zip.bytes.as_slice()].concat(), AnyFault);
}

/// Wrong numbers in an entry of the directory.
fn directory(files: &mut Files<'_>, zip: &Zip, index: usize, name: &str) {
    let entry = zip.entries[index];
    let number = |at: usize| u32::from_le_bytes(*zip.bytes[at..].first_chunk().expect("a number"));
    let fields: [(&str, usize, Vec<u8>); 14] = [
        ("crc", 16, (number(entry + 16) ^ 1).to_le_bytes().into()),
        ("stored-more", 20, (number(entry + 20) + 1).to_le_bytes().into()),
        ("stored-less", 20, (number(entry + 20) - 1).to_le_bytes().into()),
        ("stored-0", 20, vec![0; 4]),
        ("stored-full", 20, vec![0xff; 4]),
        ("unpacked-more", 24, (number(entry + 24) + 1).to_le_bytes().into()),
        ("unpacked-less", 24, (number(entry + 24) - 1).to_le_bytes().into()),
        ("unpacked-0", 24, vec![0; 4]),
        ("unpacked-full", 24, vec![0xff; 4]),
        ("header", 42, (number(entry + 42) + 1).to_le_bytes().into()),
        ("header-far", 42, vec![0xfe; 4]),
        ("method", 10, vec![0, 0]),
        ("name", 46, b"c".to_vec()),
        ("signature", 0, vec![0]),
    ];
    for (field, at, new) in fields {
        let fault = if field == "header" { Fault::Padded } else { Fault::Damaged };
        files.fault(format!("directory-{name}-{field}.zip"), zip.set(entry + at, &new), fault);
    }
    // Both agree, and are wrong.
    let local = zip.locals[index];
    for (field, in_entry, in_local) in [("crc", 16, 14), ("unpacked", 24, 22)] {
        let wrong = (number(entry + in_entry) ^ 1).to_le_bytes();
        let bytes = with(&zip.set(entry + in_entry, &wrong), local + in_local, &wrong);
        files.fault(format!("both-{name}-{field}.zip"), bytes, Fault::Damaged);
    }
}

/// Wrong numbers in a local header, wrong data.
fn locals(files: &mut Files<'_>, zip: &Zip, index: usize, name: &str) {
    let local = zip.locals[index];
    let fields: [(&str, usize, &[u8]); 8] = [
        ("signature", 2, &[0]),
        ("method", 8, &[0, 0]),
        ("crc", 14, &[0; 4]),
        ("stored", 18, &[1, 0, 0, 0]),
        ("unpacked", 22, &[1, 0, 0, 0]),
        ("name", 30, b"c"),
        ("name-size", 26, &[4]),
        ("extra-size", 28, &[1]),
    ];
    for (field, at, new) in fields {
        // Without the first signature it is no container.
        let expected =
            if local + at < 4 { AnyFault } else { super::Expected::Fault(Fault::Damaged) };
        files.add(format!("local-{name}-{field}.zip"), zip.set(local + at, new), expected);
    }
    let data = &zip.data[index];
    files.fault(format!("data-{name}.zip"), zip.set(data.start, &[0xff; 4]), Fault::Damaged);
    files.add(format!("data-{name}-end.zip"), zip.set(data.end - 4, &[0; 4]), AnyFault);
}

fn last_record(files: &mut Files<'_>, zip: &Zip) {
    let end = zip.end;
    let directory = u32::try_from(zip.directory).expect("a small archive");
    let fields: [(&str, usize, Vec<u8>, Fault); 10] = [
        ("disk", 4, vec![1, 0], Fault::Unsupported),
        ("disk-of-directory", 6, vec![1, 0], Fault::Unsupported),
        ("entries-on-disk", 8, vec![1, 0], Fault::Unsupported),
        ("entries-more", 8, vec![3, 0, 3, 0], Fault::Cut),
        ("entries-less", 8, vec![1, 0, 1, 0], Fault::Damaged),
        ("directory-later", 16, (directory + 1).to_le_bytes().into(), Fault::Damaged),
        ("directory-earlier", 16, (directory - 1).to_le_bytes().into(), Fault::Padded),
        ("directory-larger", 12, vec![0xff, 0xff, 0, 0], Fault::Damaged),
        ("directory-full", 16, vec![0xff; 4], Fault::Damaged),
        ("comment", 20, vec![5, 0], Fault::Cut),
    ];
    for (name, at, new, fault) in fields {
        files.fault(format!("end-{name}.zip"), zip.set(end + at, &new), fault);
    }
    let large = as_zip64(zip);
    let fields: [(&str, usize, &[u8], Fault); 6] = [
        ("signature", 0, &[0], Fault::Damaged),
        ("size", 4, &[45], Fault::Damaged),
        ("entries", 24, &[3, 0, 0, 0, 0, 0, 0, 0, 3], Fault::Cut),
        ("directory", 48, &[0xff; 8], Fault::Damaged),
        ("locator", 56, &[0], Fault::Damaged),
        ("locator-offset", 64, &[0xff; 8], Fault::Damaged),
    ];
    for (name, at, new, fault) in fields {
        files.fault(format!("zip64-{name}.zip"), with(&large, end + at, new), fault);
    }
}

/// Members that overlap, bytes between them.
fn layout(files: &mut Files<'_>, zip: &Zip, members: &[Entry; 2]) {
    let [first, second] = [0, 1].map(|index| zip.entries[index]);
    files.fault("overlap-same.zip", zip.set(second + 42, &[0; 4]), Fault::Damaged);
    // The first member's data has the second one's header in it, as in a bomb of overlapping members.
    let size =
        u32::try_from(zip.data[1].end - zip.data[0].start).expect("a small archive").to_le_bytes();
    let quoted = with(&zip.set(first + 20, &size), zip.locals[0] + 18, &size);
    files.fault("overlap-quoted.zip", quoted, Fault::Damaged);
    // Each member once more, by a second entry.
    let twice =
        [&zip.bytes[..zip.end], &zip.bytes[zip.directory..zip.end], &zip.bytes[zip.end..]].concat();
    let end = twice.len() - 22;
    let size = u32::try_from(end - zip.directory).expect("a small archive").to_le_bytes();
    let twice = with(&with(&twice, end + 8, &[4, 0, 4, 0]), end + 12, &size);
    files.fault("overlap-twice.zip", twice, Fault::Damaged);
    // Bytes that no entry has.
    for (name, at) in [("between", zip.locals[1]), ("directory", zip.directory)] {
        let mut bytes = [&zip.bytes[..at], b"hidden", &zip.bytes[at..]].concat();
        let (end, directory) =
            (zip.end + 6, u32::try_from(zip.directory + 6).expect("a small archive"));
        bytes = with(&bytes, end + 16, &directory.to_le_bytes());
        if name == "between" {
            let local = u32::try_from(zip.locals[1] + 6).expect("a small archive");
            bytes = with(&bytes, second + 6 + 42, &local.to_le_bytes());
        }
        files.fault(format!("hidden-{name}.zip"), bytes, Fault::Padded);
    }
    let longer = Entry::new("a.csv", &members[0].content).method(0);
    let zip = Zip::new(&[longer]);
    let sizes = with(&zip.bytes, zip.entries[0] + 24, &[1, 0, 0, 0]);
    files.fault("stored-sizes.zip", with(&sizes, 22, &[1, 0, 0, 0]), Fault::Damaged);
}

fn descriptors(files: &mut Files<'_>, members: &[Entry; 2]) {
    for (name, descriptor) in
        [("plain", Descriptor::Plain), ("signed", Descriptor::Signed), ("large", Descriptor::Large)]
    {
        let zip = Zip::new(&members.clone().map(|member| member.descriptor(descriptor)));
        let (start, next) = (zip.data[0].end, zip.locals[1]);
        for at in [start, start + 5, next - 1] {
            files.fault(
                format!("descriptor-{name}-{}.zip", at - start),
                flipped(&zip.bytes, at),
                Fault::Damaged,
            );
        }
    }
    let large = Zip::new(&members.clone().map(Entry::large));
    let extra = large.entries[0] + 46 + 5;
    files.fault("zip64-sizes.zip", large.set(extra + 4, &[1]), Fault::Damaged);
    files.fault("zip64-no-field.zip", large.set(extra, &[2]), Fault::Damaged);
}

/// Damage inside an archive or a stream that is inside.
fn inner(files: &mut Files<'_>) {
    let (first, rest) = files.halves();
    let good = Entry::new("a.csv", first);
    let inner = Zip::new(&[Entry::new("b.csv", &rest)]);
    for (name, method) in [("stored", 0), ("deflated", 8)] {
        let damaged = [
            ("crc", inner.set(inner.entries[0] + 16, &[0; 4]), Fault::Damaged),
            ("cut", inner.bytes[..inner.end - 3].to_vec(), Fault::Cut),
            ("padded", [&inner.bytes, b"hello".as_slice()].concat(), Fault::Padded),
            ("data", inner.set(inner.data[0].start + 9, &[0xff; 4]), Fault::Damaged),
        ];
        for (what, bytes, fault) in damaged {
            let zip = Zip::new(&[good.clone(), Entry::new("inner.zip", bytes).method(method)]);
            files.fault(format!("inner-{name}-{what}.zip"), zip.bytes, fault);
        }
        for (format, make) in pack::STREAMS {
            let packed = make(&rest);
            let cut =
                Entry::new(format!("b.csv.{format}"), &packed[..packed.len() - 1]).method(method);
            files.fault(
                format!("inner-{name}-cut-{format}.zip"),
                Zip::new(&[good.clone(), cut]).bytes,
                Fault::Cut,
            );
        }
    }
    for method in [9, 12, 14, 93, 95] {
        let zip = Zip::new(&[good.clone(), Entry::new("b.csv", &rest).method(method)]);
        let data = &zip.data[1];
        let at = data.start + data.len() / 2;
        files.fault(format!("method-{method}-data.zip"), flipped(&zip.bytes, at), Fault::Damaged);
    }
}
