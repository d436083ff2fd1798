//! Damaged streams of gzip, zstd, bzip2 and xz.

use trips_containers::Limit;
use zstd_safe::CParameter;

use super::Expected::{AnyFault, FaultOrContent};
use super::{Fault, Files, flipped, offsets, with};
use crate::containers::pack::{self, STREAMS};

pub(super) fn add(files: &mut Files<'_>) {
    for (format, make) in STREAMS {
        let whole = pack::in_two(files.content, make);
        let first = make(&files.content[..files.content.len() / 2]).len();
        cut(files, format, &whole, first);
        flip(files, format, &whole);
        pad(files, format, &whole, first);
    }
    gzip(files);
    zstd(files);
    bzip2(files);
    xz(files);
}

/// Every cut but the one between the streams, and those in the first bytes, which are no container.
fn cut(files: &mut Files<'_>, format: &str, whole: &[u8], first: usize) {
    let last = whole.len();
    let edges = [10, 18, first - 1, first + 1, first + 5, first + 12, last - 9, last - 5, last - 1];
    let random: Vec<usize> = offsets(last, 8).filter(|&at| at > 10 && at != first).collect();
    for at in edges.into_iter().chain(random) {
        files.fault(format!("cut-{at}.csv.{format}"), &whole[..at], Fault::Cut);
    }
}

fn flip(files: &mut Files<'_>, format: &str, whole: &[u8]) {
    for at in (0..12).chain(offsets(whole.len(), 10)).chain(whole.len() - 8..whole.len()) {
        files.add(format!("flipped-{at}.csv.{format}"), flipped(whole, at), FaultOrContent);
    }
}

fn pad(files: &mut Files<'_>, format: &str, whole: &[u8], first: usize) {
    let line = b"Prague,POINT (1 2),POINT (3 4),2018-05-01 00:00:00,pad\n";
    for (name, padding) in
        [("zero", b"\0".as_slice()), ("zeros", &[0; 513]), ("line", line), ("space", b" ")]
    {
        files.fault(
            format!("padded-{name}.csv.{format}"),
            [whole, padding].concat(),
            Fault::Padded,
        );
        let between = [&whole[..first], padding, &whole[first..]].concat();
        files.fault(format!("between-{name}.csv.{format}"), between, Fault::Padded);
    }
    let half = [whole, &whole[..whole.len() / 3]].concat();
    files.fault(format!("again-cut.csv.{format}"), half, Fault::Cut);
}

fn gzip(files: &mut Files<'_>) {
    let whole = pack::gzip(files.content);
    let end = whole.len();
    let size = u32::try_from(files.content.len()).expect("a small file");
    let fields: [(&str, usize, &[u8], Fault); 8] = [
        ("crc", end - 8, &[0; 4], Fault::Damaged),
        ("size-0", end - 4, &[0; 4], Fault::Damaged),
        ("size-more", end - 4, &(size + 1).to_le_bytes(), Fault::Damaged),
        ("size-less", end - 4, &(size - 1).to_le_bytes(), Fault::Damaged),
        ("method", 2, &[7], Fault::Damaged),
        ("reserved-flags", 3, &[0x80], Fault::Damaged),
        ("name-without-end", 3, &[8], Fault::Damaged),
        ("extra-field", 3, &[4], Fault::Damaged),
    ];
    for (name, at, new, fault) in fields {
        // What is taken for a name, or a field, is data: where the data then begins depends on it.
        let expected =
            if at == 3 && new != [0x80] { AnyFault } else { super::Expected::Fault(fault) };
        files.add(format!("{name}.csv.gz"), with(&whole, at, new), expected);
    }
    let header = [&[0x1f, 0x8b, 8, 2, 0, 0, 0, 0, 0, 3, 0xff, 0xff], &whole[10..]].concat();
    files.fault("header-crc.csv.gz", header, Fault::Damaged);
    let block = [&whole[..10], &[0b111], &whole[11..]].concat();
    files.fault("block-type.csv.gz", block, Fault::Damaged);
    let endless_name = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3], [b'a'; 200_000].as_slice()].concat();
    files.fault("endless-name.csv.gz", endless_name, Fault::Cut);
}

fn zstd(files: &mut Files<'_>) {
    let whole = pack::zstd(files.content);
    let end = whole.len();
    files.fault("checksum.csv.zst", with(&whole, end - 4, &[0; 4]), Fault::Damaged);
    // The size has 2, 4 or 8 bytes behind the descriptor, the lowest one first.
    files.fault("size.csv.zst", with(&whole, 5, &[whole[5] ^ 1]), Fault::Damaged);
    files.fault("reserved-bit.csv.zst", with(&whole, 4, &[whole[4] | 8]), Fault::Damaged);
    let dictionary = [&[0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x58, 0x2a], &whole[6..]].concat();
    files.fault("dictionary.csv.zst", dictionary, Fault::Unsupported);
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0, 0];
    files.fault("window-1GiB.csv.zst", window, Fault::Limit(Limit::Memory));
    // One empty block, with its checksum, in a frame of 4 bytes.
    let empty = [0x28, 0xb5, 0x2f, 0xfd, 0x24, 4, 1, 0, 0, 0x99, 0xe9, 0xd8, 0x51];
    files.fault("size-of-no-block.csv.zst", empty, Fault::Damaged);
    let reserved_block = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x07, 0, 0];
    files.fault("block-type.csv.zst", reserved_block, Fault::Damaged);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 100, 0, 0, 0], [0; 50].as_slice()].concat();
    files.fault("skippable-cut.csv.zst", [whole.as_slice(), &skippable].concat(), Fault::Cut);
    let without_checksum = pack::zstd_with(files.content, &[CParameter::ContentSizeFlag(true)]);
    let size = with(&without_checksum, 5, &[without_checksum[5] ^ 1]);
    files.fault("size-without-checksum.csv.zst", size, Fault::Damaged);
}

fn bzip2(files: &mut Files<'_>) {
    let whole = pack::bzip2(files.content);
    files.fault("block-crc.csv.bz2", with(&whole, 10, &[whole[10] ^ 1]), Fault::Damaged);
    files.fault("stream-crc.csv.bz2", flipped(&whole, whole.len() - 3), Fault::Damaged);
    files.fault("no-block.csv.bz2", with(&whole, 8, &[0]), Fault::Damaged);
    files.fault(
        "smaller-block.csv.bz2",
        with(&pack::bzip2(&[b'a'; 200]), 14, &[0xff; 3]),
        Fault::Damaged,
    );
}

fn xz(files: &mut Files<'_>) {
    let whole = pack::xz(files.content);
    let end = whole.len();
    files.fault("footer-magic.csv.xz", with(&whole, end - 2, b"YY"), Fault::Damaged);
    files.fault("footer-crc.csv.xz", with(&whole, end - 12, &[0; 4]), Fault::Damaged);
    files.fault("index.csv.xz", flipped(&whole, end - 17), Fault::Damaged);
    files.fault("header-crc.csv.xz", with(&whole, 8, &[0; 4]), Fault::Damaged);
    files.fault("block-header.csv.xz", flipped(&whole, 14), Fault::Damaged);
    files.fault("padding-3.csv.xz", [whole.as_slice(), &[0; 3]].concat(), Fault::Padded);
    files.fault("padding-6.csv.xz", [whole.as_slice(), &[0; 6], &whole].concat(), Fault::Padded);
    files.fault(
        "padding-line.csv.xz",
        [whole.as_slice(), &[0; 4], b"a,b\n"].concat(),
        Fault::Padded,
    );
}
