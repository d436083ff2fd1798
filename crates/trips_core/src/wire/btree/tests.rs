use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The pages of an index with these entries; the n-th row has position n.
fn build(entries: &[(i64, Uuid)]) -> BTreeMap<u32, Box<Page>> {
    let (mut index, mut pages) = (IndexPages::default(), BTreeMap::new());
    let mut write = |number, page: &Page| {
        assert!(pages.insert(number, Box::new(*page)).is_none(), "page {number} is written twice");
    };
    for (i, (time, key)) in (0..).zip(entries) {
        let row = RowPosition { block: i / 50, offset: u16::try_from(i % 50 + 1).unwrap() };
        index.push(Timestamp(*time), key, row, &mut write);
    }
    index.finish(&mut write);
    pages
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().unwrap()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(number(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(number(bytes, at))
}

/// The tuples of a page, in the order of its line pointers.
fn tuples(page: &Page) -> Vec<&[u8]> {
    let lower = usize::from(u16_at(page, 12));
    let pointers = (24..lower).step_by(4).map(|at| u32_at(page, at));
    pointers.map(|p| &page[(p & 0x7fff) as usize..][..(p >> 17) as usize]).collect()
}

/// The value of a key: what it lacks is below everything.
fn key_of(tuple: &[u8]) -> (Option<i64>, Option<Uuid>) {
    let time = (tuple.len() >= 16).then(|| i64::from_ne_bytes(number(tuple, 8)));
    (time, (tuple.len() == 32).then(|| number(tuple, 16)))
}

/// Reads a page and all below it, and checks their keys against those of the level above. Returns the entries.
fn read(
    pages: &BTreeMap<u32, Box<Page>>,
    at: u32,
    level: u32,
    above: &(Option<i64>, Option<Uuid>),
) -> Vec<(i64, Uuid, u32, u16)> {
    let page = &pages[&at];
    let (behind, flags) = (u32_at(&page[..], 8180), u16_at(&page[..], 8188));
    assert_eq!(u32_at(&page[..], 8184), level);
    assert_eq!(flags & LEAF != 0, level == 0);
    let mut all = tuples(page);
    let high = (behind != NONE).then(|| key_of(all.remove(0)));
    let mut found = Vec::new();
    for (i, tuple) in all.iter().enumerate() {
        let (block, offset) =
            (u32::from(u16_at(tuple, 0)) << 16 | u32::from(u16_at(tuple, 2)), u16_at(tuple, 4));
        assert!(i == 0 || key_of(tuple) > key_of(all[i - 1]), "not in order");
        assert!(i == 0 && level > 0 || key_of(tuple) >= *above, "below its page");
        assert!(high.is_none_or(|high| key_of(tuple) < high), "not below the high key");
        if level == 0 {
            let (time, key) = key_of(tuple);
            found.push((time.unwrap(), key.unwrap(), block, offset));
        } else {
            let least = if i == 0 { *above } else { key_of(tuple) };
            found.extend(read(pages, block, level - 1, &least));
        }
    }
    found
}

fn check(entries: &[(i64, Uuid)]) {
    let pages = build(entries);
    assert!(pages.keys().copied().eq(0..u32::try_from(pages.len()).unwrap()), "a gap");
    let meta = &pages[&0];
    let (root, level) = (u32_at(&meta[..], 32), u32_at(&meta[..], 36));
    let found = if root == NONE { Vec::new() } else { read(&pages, root, level, &(None, None)) };
    let expected = (0..)
        .zip(entries)
        .map(|(i, (time, key))| (*time, *key, i / 50, u16::try_from(i % 50 + 1).unwrap()));
    assert!(found.into_iter().eq(expected));
    // Every page but the first has one neighbour that names it.
    for (at, page) in &pages {
        let behind = u32_at(&page[..], 8180);
        if behind != NONE {
            assert_eq!(u32_at(&pages[&behind][..], 8176), *at);
        }
    }
}

#[test]
fn small_and_large_indexes() {
    let entry = |i: u64| {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        (i64::try_from(i).unwrap() / 3, key)
    };
    for count in [0, 1, 2, 202, 203, 204, 205, 406, 407, 60_000, 100_000] {
        let mut entries: Vec<_> = (0..count).map(entry).collect();
        entries.sort_unstable();
        check(&entries);
    }
}

#[test]
#[should_panic(expected = "not in its order")]
fn an_equal_entry() {
    build(&[(1, [1; 16]), (1, [1; 16])]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_entries(entries in prop::collection::btree_set((-3_i64..400, any::<[u8; 16]>()), 0..4000)) {
        let entries: Vec<_> = entries.into_iter().collect();
        check(&entries);
    }
}
