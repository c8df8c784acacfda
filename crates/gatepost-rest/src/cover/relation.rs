//! How covers relate to each other and to templates: overlap and containment.

use super::{Cover, Part, Tail};
use crate::pattern::Pattern;
use crate::router::has_parts;

/// What a cover asks of the segment in one place.
#[derive(Clone, Copy)]
enum Place<'a> {
    Literal(&'a str),
    Parameters(usize),
    Prefix(&'a str),
    Free,
}

impl Cover {
    /// Whether some path is covered by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let length = self.segments_least().max(other.segments_least());
        let fits = |cover: &Self| cover.segments_most().is_none_or(|most| length <= most);
        fits(self) && fits(other) && (0..length).all(|index| self.place(index).meets(other.place(index)))
    }

    /// Whether every path that `other` covers is covered.
    pub fn contains(&self, other: &Self) -> bool {
        let (least, others_least) = (self.segments_least(), other.segments_least());
        let ends_within = match (self.segments_most(), other.segments_most()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(most), Some(others_most)) => others_most <= most,
        };
        // Places after the least number of segments are free.
        least <= others_least
            && ends_within
            && (0..least).all(|index| self.place(index).contains(other.place(index)))
    }

    /// Whether both cover the same paths, however they are spelled.
    pub fn equals(&self, other: &Self) -> bool {
        self.contains(other) && other.contains(self)
    }

    /// Whether some path that a template answers is covered.
    pub fn can_meet(&self, base_path: &str, pattern: &Pattern) -> bool {
        Self::of_template(base_path, pattern).iter().any(|form| self.overlaps(form))
    }

    /// Whether every path that a template answers is covered.
    pub fn always_covers(&self, base_path: &str, pattern: &Pattern) -> bool {
        Self::of_template(base_path, pattern).iter().all(|form| self.contains(form))
    }

    /// The least number of segments of a path that is covered.
    pub(super) fn segments_least(&self) -> usize {
        self.parts.len() + usize::from(matches!(self.tail, Tail::Prefix(_)))
    }

    /// The greatest number of segments; none: any.
    fn segments_most(&self) -> Option<usize> {
        match self.tail {
            Tail::End => Some(self.parts.len()),
            Tail::Optional => Some(self.parts.len() + 1),
            Tail::Rest | Tail::Prefix(_) => None,
        }
    }

    fn place(&self, index: usize) -> Place<'_> {
        match (self.parts.get(index), &self.tail) {
            (Some(Part::Literal(text)), _) => Place::Literal(text),
            (Some(Part::Parameters(count)), _) => Place::Parameters(*count),
            (None, Tail::Prefix(prefix)) if index == self.parts.len() => Place::Prefix(prefix),
            (None, _) => Place::Free,
        }
    }
}

impl Place<'_> {
    /// Whether some segment suits both.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Free, _) | (_, Self::Free) => true,
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Literal(text), Self::Parameters(count))
            | (Self::Parameters(count), Self::Literal(text)) => has_parts(text, count),
            (Self::Literal(text), Self::Prefix(prefix)) | (Self::Prefix(prefix), Self::Literal(text)) => {
                text.starts_with(prefix)
            }
            (Self::Parameters(a), Self::Parameters(b)) => a == b || a == 1 || b == 1,
            (Self::Parameters(count), Self::Prefix(prefix))
            | (Self::Prefix(prefix), Self::Parameters(count)) => begins_parts(prefix, count),
            (Self::Prefix(a), Self::Prefix(b)) => a.starts_with(b) || b.starts_with(a),
        }
    }

    /// Whether every segment that suits `other` suits this.
    fn contains(self, other: Self) -> bool {
        match (self, other) {
            (Self::Free | Self::Parameters(1), _) => true,
            (Self::Literal(a), Self::Literal(b)) => a == b,
            (Self::Parameters(count), Self::Literal(text)) => has_parts(text, count),
            (Self::Parameters(a), Self::Parameters(b)) => a == b,
            (Self::Prefix(prefix), Self::Literal(text) | Self::Prefix(text)) => text.starts_with(prefix),
            (Self::Literal(_) | Self::Parameters(_) | Self::Prefix(_), _) => false,
        }
    }
}

/// Whether a segment of so many parts can begin so.
fn begins_parts(prefix: &str, count: usize) -> bool {
    let whole = !prefix.starts_with(',') && !prefix.contains(",,");
    count == 1 || (whole && prefix.split(',').count() <= count)
}
