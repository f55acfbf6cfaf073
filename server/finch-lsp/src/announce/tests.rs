use super::*;

#[test]
fn percents_are_whole_and_never_above_a_hundred() {
    let cases = [
        (0, 200, Some(0)),
        (50, 200, Some(25)),
        (199, 200, Some(99)),
        (200, 200, Some(100)),
        (300, 200, Some(100)),
        (5, 0, None),
        (u64::MAX, u64::MAX, None),
    ];
    for (done, total, expected) in cases {
        assert_eq!(percent(done, total), expected, "{done} of {total}");
    }
}
