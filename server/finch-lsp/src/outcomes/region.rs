//! A piece of a document, followed through its changes. Pure.
//!
//! It holds its own text, which is small, so that nobody needs the document to know what became of it.

use crate::documents::Splice;
use crate::limits::REGION_BYTES_MAX;

/// Whether what is typed right behind it belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Fixed,
    Growing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) start: usize,
    pub(crate) text: String,
    pub(crate) edge: Edge,
}

/// It cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

impl Region {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Follows one change. A change that reaches over its ends takes its whole new text in.
    ///
    /// # Errors
    /// [`Lost`] when it becomes too large.
    pub(crate) fn follow(&mut self, splice: &Splice) -> Result<(), Lost> {
        let (start, end, range) = (self.start, self.end(), &splice.range);
        let grows = self.edge == Edge::Growing && range.start == end;
        // What is typed right before it changes it, as long as there is something of it.
        let is_first = range.is_empty() && range.start == start && start < end;
        if range.end <= start && !grows && !is_first {
            self.start = start - range.len() + splice.text.len();
            return Ok(());
        }
        if range.start >= end && !grows {
            return Ok(());
        }
        let within = range.start.max(start) - start..range.end.min(end).max(start) - start;
        let fits = self.text.len() - within.len() + splice.text.len() <= REGION_BYTES_MAX;
        let is_whole = self.text.is_char_boundary(within.start) && self.text.is_char_boundary(within.end);
        if !fits || !is_whole {
            return Err(Lost);
        }
        self.text.replace_range(within, &splice.text);
        self.start = range.start.min(start);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The region is between the bars.
    fn marked(text: &str, edge: Edge) -> Region {
        let parts: Vec<&str> = text.split('|').collect();
        Region { start: parts[0].len(), text: parts[1].to_owned(), edge }
    }

    #[track_caller]
    fn check_edge(edge: Edge, before: &str, range: std::ops::Range<usize>, text: &str, after: &str) {
        let mut region = marked(before, edge);
        region.follow(&Splice { range, text: text.to_owned() }).unwrap();
        assert_eq!(region, marked(after, edge));
    }

    #[track_caller]
    fn check(before: &str, range: std::ops::Range<usize>, text: &str, after: &str) {
        check_edge(Edge::Fixed, before, range, text, after);
    }

    #[test]
    fn changes_before_and_behind_it_leave_it_as_it_is() {
        check("ab|cd|ef", 0..0, "xx", "xxab|cd|ef");
        check("ab|cd|ef", 0..2, "", "|cd|ef");
        check("ab|cd|ef", 1..2, "x", "ax|cd|ef");
        check("ab||ef", 2..2, "x", "abx||ef");
        check("ab|cd|ef", 4..4, "x", "ab|cd|xef");
        check("ab|cd|ef", 5..6, "", "ab|cd|e");
    }

    #[test]
    fn changes_in_it_are_part_of_it() {
        check("ab|cd|ef", 3..3, "x", "ab|cxd|ef");
        check("ab|cd|ef", 2..2, "x", "ab|xcd|ef");
        check("ab|cd|ef", 2..4, "", "ab||ef");
        check("ab|cd|ef", 2..3, "xyz", "ab|xyzd|ef");
    }

    #[test]
    fn changes_over_its_ends_take_it_along() {
        check("ab|cd|ef", 1..3, "x", "a|xd|ef");
        check("ab|cd|ef", 3..5, "x", "ab|cx|f");
        check("ab|cd|ef", 0..6, "new", "|new|");
        check("ab|cd|ef", 0..6, "", "||");
    }

    #[test]
    fn what_is_typed_behind_a_growing_one_belongs_to_it() {
        check_edge(Edge::Growing, "ab||ef", 2..2, "x", "ab|x|ef");
        check_edge(Edge::Growing, "ab|x|ef", 3..3, "y", "ab|xy|ef");
        check_edge(Edge::Growing, "ab|x|ef", 3..5, "y", "ab|xy|");
        check_edge(Edge::Growing, "ab|x|ef", 0..0, "y", "yab|x|ef");
        check_edge(Edge::Growing, "ab|x|ef", 4..4, "y", "ab|x|eyf");
    }

    #[test]
    fn one_that_becomes_too_large_is_lost() {
        let mut region = marked("ab|cd|ef", Edge::Fixed);
        assert_eq!(region.follow(&Splice { range: 3..3, text: "x".repeat(REGION_BYTES_MAX) }), Err(Lost));
        let mut region = marked("|é|", Edge::Fixed);
        assert_eq!(region.follow(&Splice { range: 1..1, text: "x".to_owned() }), Err(Lost));
    }
}
