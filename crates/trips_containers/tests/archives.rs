//! Archives as programs make them.

use std::io::Read;
use std::sync::Arc;

use trips_containers::{Archive, Budget, Limits, Reason, packing_of, unpack};
use trips_testkit::containers::check::{Content, TemporaryFiles, content_of};
use trips_testkit::containers::zip::{Descriptor, Entry, Zip, as_zip64, with_comment};
use trips_testkit::containers::{pack, quine};

const TRIPS: &[u8] = b"region,origin_coord\nPrague,POINT (1 2)\n";

fn open(bytes: Vec<u8>, limits: Limits) -> (Archive, Budget) {
    let budget = Budget::new(limits, bytes.len() as u64);
    (Archive::open(Arc::new(bytes), &budget, &TemporaryFiles).unwrap(), budget)
}

fn content(bytes: &[u8]) -> Content {
    content_of(bytes, Limits::default()).unwrap()
}

fn one(name: &str) -> Content {
    vec![(name.to_owned(), TRIPS.to_vec())]
}

#[test]
fn every_method_and_form_of_a_member() {
    for method in [0, 8, 9, 12, 14, 93, 95] {
        for descriptor in
            [Descriptor::None, Descriptor::Plain, Descriptor::Signed, Descriptor::Large]
        {
            let member = Entry::new("a.csv", TRIPS).method(method).descriptor(descriptor);
            assert_eq!(
                content(&Zip::new(&[member]).bytes),
                one("a.csv"),
                "{method} {descriptor:?}"
            );
        }
        let zip = Zip::new(&[Entry::new("a.csv", TRIPS).method(method).large()]);
        assert_eq!(content(&zip.bytes), one("a.csv"));
        assert_eq!(content(&as_zip64(&zip)), one("a.csv"));
    }
    let empty = Zip::new(&[Entry::new("a.csv", "").method(0), Entry::new("b.csv", "")]);
    assert_eq!(content(&empty.bytes), [("a.csv".to_owned(), vec![]), ("b.csv".to_owned(), vec![])]);
}

#[test]
fn a_comment_may_look_like_anything() {
    let members = [Entry::new("a.csv", TRIPS)];
    let long = [b'x'; 65_535];
    let end: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for comment in [b"by trips".as_slice(), &long, end, &[end, b"x"].concat(), b"PK\x05\x06"] {
        assert_eq!(content(&with_comment(&members, comment)), one("a.csv"), "{:?}", &comment[..4]);
    }
}

#[test]
fn archives_in_archives_are_one_list() {
    let leaf = |name: &str| Entry::new(name, TRIPS);
    let inner = Zip::new(&[leaf("b.csv"), Entry::new("README", "x"), leaf("c.csv")]).bytes;
    let gz = Entry::new("d.csv.gz", pack::in_two(TRIPS, pack::gzip));
    let outer = [
        Entry::new("2020/", "").method(0),
        leaf("2020/a.csv"),
        Entry::new("2020/i.zip", &inner),
        Entry::new("__MACOSX/._a.csv", "x"),
        Entry::new("stored.zip", &inner).method(0),
        gz,
    ];
    let bytes = Zip::new(&outer).bytes;
    let names = [
        "2020/a.csv",
        "2020/i.zip/b.csv",
        "2020/i.zip/c.csv",
        "stored.zip/b.csv",
        "stored.zip/c.csv",
        "d.csv.gz",
    ];
    let expected: Content = names.iter().map(|name| ((*name).to_owned(), TRIPS.to_vec())).collect();
    assert_eq!(content(&bytes), expected);
    let (archive, _) = open(bytes, Limits::default());
    let passed: Vec<(&str, Reason)> =
        archive.passed_over().iter().map(|passed| (passed.name.as_str(), passed.reason)).collect();
    let expected = [
        ("2020/", Reason::Folder),
        ("2020/i.zip/README", Reason::Document),
        ("__MACOSX/._a.csv", Reason::SystemFile),
        ("stored.zip/README", Reason::Document),
    ];
    assert_eq!(passed, expected);
}

#[test]
fn a_link_is_passed_over() {
    let mut zip = Zip::new(&[Entry::new("a.csv", TRIPS), Entry::new("b.csv", "a.csv").method(0)]);
    let attributes = zip.entries[1] + 38;
    zip.bytes[attributes..attributes + 4].copy_from_slice(&(0o120_777_u32 << 16).to_le_bytes());
    let (archive, _) = open(zip.bytes, Limits::default());
    assert_eq!(archive.members().len(), 1);
    assert_eq!(archive.passed_over()[0].reason, Reason::Link);
}

#[test]
fn a_member_that_is_read_again_costs_the_budget_nothing() {
    let content = vec![b'a'; 2_000_000];
    let stored = Entry::new("a.csv", &content).method(0);
    let packed = Entry::new("b.csv.gz", pack::gzip(&content)).method(0);
    let size = content.len() as u64;
    let limits = Limits { unpacked: 2 * size + 10_000, ..Limits::default() };
    let (archive, budget) = open(Zip::new(&[stored, packed]).bytes, limits);
    for _ in 0..3 {
        for index in 0..2 {
            let mut read = Vec::new();
            archive.read(index).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read.len(), content.len());
        }
    }
    // The second member's own bytes count once more than what they unpack to.
    assert!((2 * size..2 * size + 10_000).contains(&budget.unpacked()), "{}", budget.unpacked());
    assert!(archive.read(2).is_err(), "there is no third member");
}

#[test]
fn members_may_be_read_side_by_side() {
    let members = [Entry::new("a.csv", TRIPS), Entry::new("b.csv", TRIPS)];
    let (archive, _) = open(Zip::new(&members).bytes, Limits::default());
    let mut readers = [archive.read(1).unwrap(), archive.read(0).unwrap()];
    drop(archive);
    for reader in &mut readers {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, TRIPS);
    }
}

#[test]
fn quines_unpack_to_themselves() {
    let gzip = quine::gzip();
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(gzip.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, gzip);
    let zip = quine::zip();
    let size = u32::from_le_bytes(*zip[18..].first_chunk().unwrap()) as usize;
    let mut unpacked = Vec::new();
    flate2::read::DeflateDecoder::new(&zip[60..60 + size]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, zip);
}

#[test]
fn streams_in_streams_are_unpacked_to_the_depth() {
    for (_, outer) in pack::STREAMS {
        for (_, inner) in pack::STREAMS {
            let file = outer(&inner(TRIPS));
            assert_eq!(content(&file), one(""));
            let budget = Budget::new(Limits { depth: 1, ..Limits::default() }, file.len() as u64);
            let packing = packing_of(&file);
            assert!(unpack(packing, std::io::Cursor::new(file), &budget).read(&mut [0]).is_err());
        }
    }
}

/// Programs differ in which of two members they read.
#[test]
fn names_of_members_are_unique() {
    let twice = |name: &str| Entry::new(name, TRIPS);
    let inner = Zip::new(&[twice("a.csv")]).bytes;
    for members in [
        vec![twice("a.csv"), twice("b.csv"), Entry::new("a.csv", "x")],
        vec![Entry::new("i", &inner), twice("i/a.csv")],
    ] {
        let error = content_of(&Zip::new(&members).bytes, Limits::default()).unwrap_err();
        assert!(error.to_string().contains("two members of one name"), "{error}");
    }
    let others = [twice("a.csv"), Entry::new("README", "x"), Entry::new("README", "x")];
    assert_eq!(content(&Zip::new(&others).bytes), one("a.csv"));
}
