use super::*;

fn document(lines: usize) -> Document {
    Document::new(&"x\n".repeat(lines))
}

#[track_caller]
fn check(ring: &Ring, expected: &[(&str, Range<usize>)]) {
    let found: Vec<(&str, Range<usize>)> =
        ring.chunks().map(|chunk| (chunk.path.as_str(), chunk.lines.clone())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_visited_place_is_kept_with_the_lines_around_it() {
    let mut ring = Ring::default();
    ring.visited("a", &document(200), 100);
    ring.visited("a", &document(200), 10);
    check(&ring, &[("a", 68..132), ("a", 0..64)]);
}

#[test]
fn typing_on_in_one_place_is_one_place() {
    let mut ring = Ring::default();
    for line in 95..110 {
        ring.visited("a", &document(200 + line), line);
    }
    check(&ring, &[("a", 63..127)]);
    assert_eq!(ring.chunks().next().map(|chunk| chunk.document.line_count()), Some(310));
}

#[test]
fn a_place_that_overlaps_with_a_newer_one_gives_way() {
    let mut ring = Ring::default();
    ring.visited("a", &document(300), 100);
    ring.visited("b", &document(300), 100);
    ring.visited("a", &document(300), 120);
    check(&ring, &[("b", 68..132), ("a", 88..152)]);
}

#[test]
fn the_head_of_an_opened_document_is_its_newest_part() {
    let mut ring = Ring::default();
    ring.opened("a", &document(1000));
    check(&ring, &[("a", 192..256), ("a", 128..192), ("a", 64..128), ("a", 0..64)]);
    let mut ring = Ring::default();
    ring.opened("a", &document(3));
    check(&ring, &[("a", 0..4)]);
}

#[test]
fn the_oldest_place_goes_first_and_a_saved_one_is_as_good_as_new() {
    let mut ring = Ring::default();
    for number in 0..CHUNKS_MAX {
        ring.visited(&number.to_string(), &document(9), 4);
    }
    ring.saved("0");
    ring.visited("new", &document(9), 4);
    let paths: Vec<&str> = ring.chunks().map(|chunk| chunk.path.as_str()).collect();
    assert_eq!((paths.len(), paths[0], paths[CHUNKS_MAX - 2]), (CHUNKS_MAX, "2", "0"));
}
