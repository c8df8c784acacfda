//! Which of many covers can meet a given one, found by the literal segments that they begin with. An installation can
//! have thousands of covers; a template meets few of them.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::Cover;

/// Numbers of covers by their beginning: leading literal segments, each with a slash behind it.
#[derive(Debug, Default)]
pub(crate) struct CoverIndex {
    by_beginning: BTreeMap<String, Vec<usize>>,
}

impl CoverIndex {
    /// Numbers covers from 0.
    pub(crate) fn of<'a>(covers: impl IntoIterator<Item = &'a Cover>) -> Self {
        let mut by_beginning: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, cover) in covers.into_iter().enumerate() {
            by_beginning.entry(cover.beginning()).or_default().push(number);
        }
        Self { by_beginning }
    }

    /// The numbers, ascending, of all covers that overlap one of these, and perhaps of others: where two covers
    /// begin with literal segments, one of them begins as the other does, or no path is covered by both.
    pub(crate) fn near<'a>(&self, covers: impl IntoIterator<Item = &'a Cover>) -> Vec<usize> {
        let mut found = Vec::new();
        for cover in covers {
            let beginning = cover.beginning();
            let ends = std::iter::once(0).chain(beginning.match_indices('/').map(|(at, _)| at + 1));
            let shorter = ends.filter_map(|end| self.by_beginning.get(&beginning[..end]));
            let after = (Bound::Excluded(beginning.as_str()), Bound::Unbounded);
            let longer = self.by_beginning.range::<str, _>(after);
            let longer =
                longer.take_while(|(other, _)| other.starts_with(&beginning)).map(|(_, numbers)| numbers);
            found.extend(shorter.chain(longer).flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Cover {
    /// The leading literal segments.
    pub(crate) fn beginning(&self) -> String {
        self.leading_literals().fold(String::new(), |text, segment| text + segment + "/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers of every shape over few words, so that many of them meet.
    fn covers() -> Vec<Cover> {
        let words = ["a", "ab", "b", ":x", ":x,:y", ":p?", ":rest*", "*", "a*", "{old}"];
        let mut texts = vec!["/".to_owned()];
        for first in words {
            texts.push(format!("/{first}"));
            for second in words {
                texts.push(format!("/{first}/{second}"));
                texts.extend(words.iter().map(|third| format!("/{first}/{second}/{third}")));
            }
        }
        texts.iter().filter_map(|text| Cover::parse("p", text).ok()).collect()
    }

    #[test]
    fn whatever_overlaps_is_near() {
        let covers = covers();
        assert!(covers.len() > 300);
        let index = CoverIndex::of(&covers);
        let mut left_out = 0;
        for cover in &covers {
            let near = index.near([cover]);
            assert!(near.is_sorted());
            for (number, other) in covers.iter().enumerate() {
                let is_near = near.binary_search(&number).is_ok();
                assert!(is_near || !cover.overlaps(other), "{cover} and {other}");
                assert!(is_near || !other.contains(cover) && !cover.contains(other), "{cover} and {other}");
                left_out += usize::from(!is_near);
            }
        }
        assert!(left_out > covers.len() * covers.len() / 10, "it leaves something out: {left_out}");
    }

    #[test]
    fn equal_covers_begin_alike_and_are_as_wide() {
        let covers = covers();
        for (number, one) in covers.iter().enumerate() {
            for other in covers[number..].iter().filter(|other| one.equals(other)) {
                assert_eq!(
                    (one.breadth(), one.beginning()),
                    (other.breadth(), other.beginning()),
                    "{one} {other}"
                );
            }
        }
    }
}
