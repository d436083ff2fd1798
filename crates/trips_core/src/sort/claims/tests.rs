use proptest::prelude::*;

use super::*;

fn claim() -> impl Strategy<Value = Claim> {
    let time = prop_oneof![any::<i64>(), 0..200_i64, Just(i64::MIN), Just(i64::MAX)];
    (time, prop_oneof![any::<[u8; 16]>(), (0..3_u8).prop_map(|byte| [byte; 16])])
        .prop_map(|(time, key)| (Timestamp(time), key))
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(mut claims in prop::collection::vec(claim(), 0..300)) {
        claims.sort_unstable();
        match ClaimBlock::of(&claims).unwrap() {
            None => prop_assert!(claims.is_empty()),
            Some(block) => {
                prop_assert_eq!(block.trips as usize, claims.len());
                prop_assert_eq!(block.last, claims[claims.len() - 1].0);
                prop_assert_eq!(block.claims(), Ok(claims));
            }
        }
    }

    #[test]
    fn other_bytes_are_refused_or_sorted(
        first in any::<i64>(), trips in any::<u32>(), mut bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Some(version) = bytes.first_mut() {
            *version = VERSION;
        }
        if let Ok(claims) = decode(Timestamp(first), trips, &bytes) {
            prop_assert!(claims.is_sorted() && claims.len() == trips as usize);
        }
    }

    #[test]
    fn a_damaged_block_is_not_the_same(
        mut claims in prop::collection::vec(claim(), 1..50), at in any::<prop::sample::Index>(), change in 1..=255_u8,
    ) {
        claims.sort_unstable();
        let mut block = ClaimBlock::of(&claims).unwrap().unwrap();
        let at = at.index(block.bytes.len());
        block.bytes[at] ^= change;
        prop_assert_ne!(block.claims(), Ok(claims));
        // Without the change: a changed length may fit a shorter block.
        block.bytes[at] ^= change;
        block.bytes.pop();
        prop_assert_eq!(block.claims(), Err(DamagedClaims));
    }

    #[test]
    fn new_claims_are_kept_in_sorted_blocks(claims in prop::collection::vec(claim(), 0..300)) {
        let mut new = NewClaims::default();
        for (time, key) in &claims {
            new.add(*time, key).unwrap();
        }
        prop_assert_eq!(new.is_empty(), claims.is_empty());
        let blocks = new.take();
        let decoded: Vec<Claim> = blocks.iter().flat_map(|block| block.claims().unwrap()).collect();
        prop_assert_eq!(decoded, claims);
        prop_assert_eq!((new.bytes(), new.is_empty()), (0, true));
    }
}

#[test]
fn a_block_has_a_limited_number_of_bytes() {
    let mut new = NewClaims::default();
    for i in 0..1_000 {
        new.add(Timestamp(i / 3 * 60_000_000), &[7; 16]).unwrap();
    }
    let blocks = new.take();
    // A trip of the same time or of the minute after takes 17 bytes.
    assert_eq!(blocks.iter().map(|block| block.trips).collect::<Vec<_>>(), [470, 470, 60]);
    assert!(blocks.iter().all(|block| block.bytes.len() == 1 + 17 * block.trips as usize));
    assert!(blocks.iter().all(|block| block.bytes.len() <= BYTES_OF_BLOCK));
}

#[test]
fn a_step_has_its_shortest_form() {
    let lengths = [0, 63_000_000, 64_000_000, 1, 63, 64, 999_999, u64::MAX].map(|micros| {
        let mut bytes = Vec::new();
        push_step(micros, &mut bytes);
        assert_eq!(take_step(&mut &bytes[..]), Ok(micros));
        assert!(bytes.len() <= LONGEST_STEP);
        bytes.len()
    });
    assert_eq!(lengths, [1, 1, 2, 1, 1, 2, 3, 10]);
}

#[test]
fn a_step_has_no_other_form() {
    // No time in microseconds, a second in microseconds (15,625 times 64), and a second with an empty byte.
    for bytes in [&[0x01][..], &[0x81, 0x89, 0x7a], &[0x82, 0x00]] {
        assert_eq!(take_step(&mut &bytes[..]), Err(DamagedClaims), "{bytes:?}");
    }
}

#[test]
fn a_number_of_trips_takes_no_memory() {
    assert_eq!(decode(Timestamp(0), u32::MAX, &[VERSION; 40]), Err(DamagedClaims));
    assert_eq!(decode(Timestamp(0), 0, &[VERSION]), Err(DamagedClaims));
    assert_eq!(decode(Timestamp(0), 1, &[]), Err(DamagedClaims));
}
