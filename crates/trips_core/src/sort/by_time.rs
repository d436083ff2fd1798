//! The order of many times, by numbers that have the time and the place of an element.

use std::collections::TryReserveError;

use crate::model::timestamp::Timestamp;

/// Fills `order` with the numbers of the elements in the order of their times, elements of one time in their own order. Returns
/// false, and does nothing, if the times are too far apart for 64 bits with the numbers: decades, for some thousands.
pub(super) fn order_of(
    times: impl ExactSizeIterator<Item = Timestamp> + Clone,
    order: &mut Vec<usize>,
) -> Result<bool, TryReserveError> {
    order.clear();
    let (mut least, mut greatest) = (i64::MAX, i64::MIN);
    for Timestamp(time) in times.clone() {
        (least, greatest) = (least.min(time), greatest.max(time));
    }
    let count = times.len() as u64;
    let bits = u64::BITS - count.leading_zeros();
    if count > 0 && greatest.abs_diff(least).leading_zeros() < bits {
        return Ok(false);
    }
    let mut packed: Vec<u64> = Vec::new();
    packed.try_reserve_exact(times.len())?;
    packed.extend((0..).zip(times).map(|(number, time)| time.0.abs_diff(least) << bits | number));
    packed.sort_unstable();
    let mask = (1 << bits) - 1;
    order.try_reserve_exact(packed.len())?;
    order.extend(packed.iter().map(|both| usize::try_from(both & mask).unwrap_or(usize::MAX)));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_a_stable_sort(times in prop::collection::vec(prop_oneof![0_i64..9, any::<i64>(), 0_i64..1 << 45], 0..300)) {
            let mut order = Vec::new();
            let stamps = times.iter().copied().map(Timestamp);
            let mut expected: Vec<usize> = (0..times.len()).collect();
            let time = |number: &usize| times[*number];
            expected.sort_by_key(time);
            if order_of(stamps, &mut order).unwrap() {
                prop_assert_eq!(order, expected);
            } else {
                let span = times.iter().max().unwrap().abs_diff(*times.iter().min().unwrap());
                prop_assert!(span >= 1 << 54);
            }
        }
    }
}
