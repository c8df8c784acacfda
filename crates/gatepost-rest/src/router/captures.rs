//! The values that the parameters of a template take from a path.

use std::borrow::Cow;

use crate::path::PathTail;
use crate::pattern::{Form, Segment};

/// Names and values of path parameters. Values are cut from the path when they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Captures<'p> {
    bindings: &'p [Binding],
    /// What follows the base path.
    path: PathTail<'p>,
}

/// Where a parameter's value stands.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    name: Box<str>,
    segment: usize,
    take: Take,
}

#[derive(Clone, Copy, Debug)]
enum Take {
    Segment,
    /// The part after so many commas.
    Part(usize),
    /// This segment and all that follow.
    Rest,
}

impl Binding {
    pub(super) fn of_form(form: &Form) -> Box<[Self]> {
        let mut bindings = Vec::new();
        for (segment, names) in form.segments.iter().enumerate() {
            let Segment::Parameters(names) = names else { continue };
            for (part, name) in names.iter().enumerate() {
                let take = if names.len() == 1 { Take::Segment } else { Take::Part(part) };
                bindings.push(Self { name: name.clone(), segment, take });
            }
        }
        if let Some(name) = &form.glob {
            bindings.push(Self { name: name.clone(), segment: form.segments.len(), take: Take::Rest });
        }
        bindings.into_boxed_slice()
    }

    fn value<'p>(&self, path: PathTail<'p>) -> Cow<'p, str> {
        let rest = path.segments.get(self.segment..).unwrap_or_default();
        match (self.take, rest) {
            (Take::Rest, [_, _, ..]) => {
                let joined = rest.join("/");
                Cow::Owned(if path.trailing_slash { joined + "/" } else { joined })
            }
            (Take::Rest, [only]) if path.trailing_slash => Cow::Owned(format!("{only}/")),
            (Take::Segment | Take::Rest, [first, ..]) => Cow::Borrowed(first),
            (Take::Part(part), [first, ..]) => Cow::Borrowed(first.split(',').nth(part).unwrap_or_default()),
            (_, []) => Cow::Borrowed(""),
        }
    }
}

impl<'p> Captures<'p> {
    pub(super) fn new(bindings: &'p [Binding], path: PathTail<'p>) -> Self {
        Self { bindings, path }
    }

    /// Names, as the pattern spells them, and decoded values, from left to right. An optional parameter that
    /// the path leaves out is not among them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'p str, Cow<'p, str>)> + use<'p> {
        let path = self.path;
        self.bindings.iter().map(move |binding| (&*binding.name, binding.value(path)))
    }

    /// The value of a parameter, its name in any letter case, as binds are.
    pub fn get(&self, name: &str) -> Option<Cow<'p, str>> {
        let binding = self.bindings.iter().find(|binding| binding.name.eq_ignore_ascii_case(name))?;
        Some(binding.value(self.path))
    }

    /// How many parameters have a value.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Whether no parameter has a value.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }
}
