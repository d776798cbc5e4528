//! Stretches of a night in which an objective must hold, each on its own: quiet
//! seconds before and after a bad one are no excuse for it.

use std::ops::Range;

/// Every stretch of `length` seconds, one second apart. Where less than `needed`
/// was seen in one it goes on until that much was; what is left at the end is in
/// one that ends there.
pub(super) fn windows(seen: &[u64], length: usize, needed: u64) -> Vec<Range<usize>> {
    let enough = |range: &Range<usize>, sum: u64| range.len() >= length && sum >= needed;
    let (mut all, mut window, mut sum) = (Vec::new(), 0..0, 0);
    for (from, first) in seen.iter().enumerate() {
        window.start = from;
        while window.end < seen.len() && !enough(&window, sum) {
            sum += seen[window.end];
            window.end += 1;
        }
        if !enough(&window, sum) {
            break;
        }
        all.push(window.clone());
        sum -= first;
    }
    let (mut last, mut sum) = (seen.len()..seen.len(), 0);
    while last.start > 0 && !enough(&last, sum) {
        last.start -= 1;
        sum += seen[last.start];
    }
    if !last.is_empty() && all.last() != Some(&last) {
        all.push(last);
    }
    all
}

/// A fault's own seconds; longer where too little was seen in them.
pub(super) fn during(seen: &[u64], own: Range<usize>, needed: u64) -> Option<Range<usize>> {
    let mut range = own.start.min(seen.len())..own.end.min(seen.len());
    let mut sum: u64 = seen.get(range.clone())?.iter().sum();
    while range.end < seen.len() && (range.is_empty() || sum < needed) {
        sum += seen[range.end];
        range.end += 1;
    }
    (!range.is_empty()).then_some(range)
}

/// Of how many a quantile or a share says something.
pub(super) fn needed(share: f64) -> u64 {
    match 1.0 - share {
        rest if rest > 0.0 => crate::random::to_u64(libm::round(1.0 / rest)).clamp(1, 100_000),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(
        clippy::single_range_in_vec_init,
        reason = "one window is a list of one"
    )]
    fn windows_are_one_second_apart_and_go_on_where_too_little_was_seen() {
        // Counts, shortest window, fewest samples, and the windows.
        type Case<'a> = (&'a [u64], usize, u64, &'a [Range<usize>]);
        let cases: [Case<'_>; 6] = [
            (&[5; 12], 10, 10, &[0..10, 1..11, 2..12]),
            (&[5; 4], 10, 10, &[0..4]),
            (&[], 10, 10, &[]),
            (&[1; 6], 2, 4, &[0..4, 1..5, 2..6]),
            (&[4, 0, 0, 1, 0], 2, 4, &[0..2, 0..5]),
            (&[0; 3], 2, 1, &[0..3]),
        ];
        for (seen, length, needed, expected) in cases {
            assert_eq!(windows(seen, length, needed), expected, "{seen:?}");
        }
    }

    #[test]
    fn a_fault_is_its_own_seconds_or_as_many_more_as_it_takes() {
        assert_eq!(during(&[9, 9, 1, 9], 2..3, 5), Some(2..4));
        assert_eq!(during(&[9; 4], 2..2, 5), Some(2..3));
        assert_eq!(during(&[9; 4], 1..3, 5), Some(1..3));
        assert_eq!(during(&[9, 9], 5..7, 5), None);
    }

    #[test]
    fn a_quantile_needs_as_many_as_have_one_beyond_it() {
        let needed = [0.99, 0.999, 0.995, 0.4, 1.0].map(needed);
        assert_eq!(needed, [100, 1_000, 200, 2, 1]);
    }
}
