//! Any cut, any flipped bit and any padding of a container is an error, or changes nothing.

use proptest::prelude::*;
use trips_containers::{Limits, Packing, packing_of, unsupported_kind_of};
use trips_testkit::containers::check::{self, Content, content_as};
use trips_testkit::containers::pack::{self, STREAMS};
use trips_testkit::containers::zip::{Descriptor, Entry, Zip};

/// What is packed: text that compresses, bytes that do not, and bytes that begin as a container does.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
    let magics: [&[u8]; 5] = [b"\x1f\x9d", b"\x1f\xa0", b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ\0"];
    let container = (prop::sample::select(magics.to_vec()), bytes());
    prop_oneof![
        10 => bytes(),
        10 => ("[a-c,\\n]{0,40}", 0..200_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
        1 => container.prop_map(|(magic, rest)| [magic, &rest].concat()),
    ]
}

/// A packing, and the maker of its streams.
type Form = (Packing, fn(&[u8]) -> Vec<u8>);

fn stream() -> impl Strategy<Value = Form> {
    let packings = [Packing::Gzip, Packing::Zstd, Packing::Bzip2, Packing::Xz];
    (0..4_usize).prop_map(move |index| (packings[index], STREAMS[index].1))
}

fn member() -> impl Strategy<Value = Entry> {
    let method = prop_oneof![Just(0), Just(8), Just(9), Just(12), Just(14), Just(93), Just(95)];
    let descriptor = prop_oneof![
        Just(Descriptor::None),
        Just(Descriptor::Plain),
        Just(Descriptor::Signed),
        Just(Descriptor::Large)
    ];
    ("[a-z]{1,8}\\.csv", content(), method, descriptor, any::<bool>()).prop_map(
        |(name, content, method, descriptor, is_large)| {
            let entry = Entry::new(name, content).method(method).descriptor(descriptor);
            // A record behind the data leaves the header without sizes of zip64.
            if is_large && descriptor == Descriptor::None { entry.large() } else { entry }
        },
    )
}

fn archive() -> impl Strategy<Value = (Zip, Content)> {
    proptest::collection::vec(member(), 1..4).prop_map(|mut members| {
        // Two members of one name are refused.
        for (number, member) in members.iter_mut().enumerate() {
            member.name.insert(0, b"0123"[number]);
        }
        let name = |entry: &Entry| String::from_utf8_lossy(&entry.name).into_owned();
        let content = members.iter().map(|entry| (name(entry), entry.content.clone())).collect();
        (Zip::new(&members), content)
    })
}

/// The error of the bytes, or their content.
fn result(packing: Packing, bytes: &[u8]) -> Option<Content> {
    content_as(packing, bytes, Limits::default()).ok()
}

fn of_stream(content: Vec<u8>) -> Option<Content> {
    of_members(vec![(String::new(), content)])
}

/// What these members are when they are read: an error, if one of them begins as a container does and is none.
fn of_members(content: Content) -> Option<Content> {
    let is_plain =
        |bytes: &[u8]| packing_of(bytes) == Packing::Plain && unsupported_kind_of(bytes).is_none();
    content.iter().all(|(_, bytes)| is_plain(bytes)).then_some(content)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_is_its_content((packing, make) in stream(), parts in proptest::collection::vec(content(), 1..4)) {
        let file: Vec<u8> = parts.iter().flat_map(|part| make(part)).collect();
        prop_assert_eq!(result(packing, &file), of_stream(parts.concat()));
        check::check_stream(packing, &file);
    }

    #[test]
    fn a_cut_stream_is_an_error((packing, make) in stream(), content in content(), at: prop::sample::Index) {
        let file = make(&content);
        prop_assert_eq!(result(packing, &file[..at.index(file.len())]), None);
    }

    #[test]
    fn a_padded_stream_is_an_error(
        (packing, make) in stream(), content in content(), padding in proptest::collection::vec(any::<u8>(), 1..20),
    ) {
        let file = [make(&content), padding.clone()].concat();
        let is_allowed = packing == Packing::Xz && padding.len() % 4 == 0 && padding.iter().all(|&byte| byte == 0);
        prop_assert_eq!(result(packing, &file), if is_allowed { of_stream(content) } else { None });
    }

    #[test]
    fn a_flipped_bit_of_a_stream_changes_no_byte(
        (packing, make) in stream(), content in content(), at: prop::sample::Index, bit in 0..8_u8,
    ) {
        let mut file = make(&content);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let result = result(packing, &file);
        prop_assert!(result.is_none() || result == of_stream(content), "{:?}", result);
        check::check_stream(packing, &file);
    }

    #[test]
    fn other_bytes_of_a_stream_change_no_byte(
        (packing, make) in stream(), content in content(), at: prop::sample::Index,
        new in proptest::collection::vec(any::<u8>(), 1..6), removed in 0..6_usize,
    ) {
        let mut file = make(&content);
        let at = at.index(file.len());
        let end = (at + removed).min(file.len());
        file.splice(at..end, new);
        let result = result(packing, &file);
        prop_assert!(result.is_none() || result == of_stream(content), "{:?}", result);
    }

    #[test]
    fn an_archive_is_its_members((zip, content) in archive()) {
        prop_assert_eq!(result(Packing::Zip, &zip.bytes), of_members(content));
    }

    #[test]
    fn a_cut_archive_is_an_error((zip, _) in archive(), at: prop::sample::Index) {
        prop_assert_eq!(result(Packing::Zip, &zip.bytes[..at.index(zip.bytes.len())]), None);
    }

    #[test]
    fn a_padded_archive_is_an_error((zip, _) in archive(), at in 0..3_usize, padding in proptest::collection::vec(any::<u8>(), 1..30)) {
        let at = [0, zip.directory, zip.bytes.len()][at];
        let file = [&zip.bytes[..at], &padding, &zip.bytes[at..]].concat();
        prop_assert_eq!(result(Packing::Zip, &file), None);
    }

    #[test]
    fn a_flipped_bit_of_an_archive_changes_no_byte((zip, content) in archive(), at: prop::sample::Index, bit in 0..8_u8) {
        let mut file = zip.bytes;
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let result = result(Packing::Zip, &file);
        prop_assert!(result.is_none() || result == of_members(content), "{:?}", result);
        check::check_zip(&file);
    }

    /// What is damaged inside an inner archive is damaged outside, too.
    #[test]
    fn a_flipped_bit_of_an_inner_archive_changes_no_byte(
        (zip, content) in archive(), at: prop::sample::Index, bit in 0..8_u8, is_stored: bool,
    ) {
        let mut file = zip.bytes;
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let inner = Entry::new("inner.zip", file).method(if is_stored { 0 } else { 8 });
        let result = result(Packing::Zip, &Zip::new(&[inner]).bytes);
        let inner = |(name, bytes)| (format!("inner.zip/{name}"), bytes);
        let content: Content = content.into_iter().map(inner).collect();
        // An inner archive that has lost its first bytes is a file of its own.
        let is_lost = result.as_ref().is_some_and(|content| content[0].0 == "inner.zip");
        prop_assert!(result.is_none() || is_lost && at < 4 || result == of_members(content), "{:?}", result);
    }

    #[test]
    fn any_bytes_are_an_error_or_their_content(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for (_, make) in STREAMS {
            let whole = make(b"");
            let file = [&whole[..whole.len().min(10)], &bytes].concat();
            for check in [check::check_gzip, check::check_zstd, check::check_bzip2, check::check_xz] {
                check(&file);
            }
        }
        check::check_zip(&[b"PK\x03\x04", bytes.as_slice()].concat());
    }
}

#[test]
fn pack_makes_what_it_says() {
    assert_eq!(trips_containers::packing_of(&pack::gzip(b"")), Packing::Gzip);
    assert_eq!(trips_containers::packing_of(&pack::zstd(b"")), Packing::Zstd);
    assert_eq!(trips_containers::packing_of(&pack::bzip2(b"")), Packing::Bzip2);
    assert_eq!(trips_containers::packing_of(&pack::xz(b"")), Packing::Xz);
}
