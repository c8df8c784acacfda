//! From a path below a schema alias to the template that answers it, with the values of its parameters.
//!
//! First the module, by the longest base path that begins the path; then a trie of segments with
//! backtracking: literals before parameters, parameters of more parts before those of fewer, a glob last. If
//! no template of the longest base path fits, shorter base paths are tried. A trailing slash is significant:
//! `emp/` and `emp` are two templates. Only the base path itself also answers without its slash, when no
//! other template does.
//!
//! Each node of a trie is visited at most once for a path, so matching is linear in the size of the trie at
//! worst.

mod captures;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};

use self::captures::Binding;
pub use self::captures::Captures;
use crate::path::PathTail;
use crate::pattern::{Form, Pattern, Segment};

/// What a module brings to a router.
#[derive(Clone, Debug)]
pub struct ModuleRoutes<T> {
    /// The module's base path; `/` for none.
    pub base_path: String,
    /// Patterns with their priorities (0 to 9) and what they lead to.
    pub routes: Vec<(Pattern, u8, T)>,
}

/// The templates of one schema.
#[derive(Clone, Debug)]
pub struct Router<T> {
    modules: HashMap<Base, Module>,
    /// How many segments the base paths have, the longest first.
    base_lengths: Vec<usize>,
    values: Vec<T>,
}

/// A template that answers a path.
#[derive(Clone, Debug)]
pub struct Found<'r, 'p, T> {
    /// What the template leads to.
    pub value: &'r T,
    /// The values of its parameters.
    pub captures: Captures<'p>,
}

#[derive(Clone, Debug)]
struct Module {
    base_path: Box<str>,
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    literals: BTreeMap<Box<str>, Node>,
    /// By number of parts between commas, more first.
    parameters: Vec<(usize, Node)>,
    glob: Option<Leaf>,
    end: Option<Leaf>,
    end_with_slash: Option<Leaf>,
}

#[derive(Clone, Debug)]
struct Leaf {
    /// Index into the router's values.
    value: usize,
    bindings: Box<[Binding]>,
}

impl<T> Router<T> {
    /// Builds the router. Of two patterns that match the same paths the one of the longer base path wins,
    /// then the one of higher priority, then the first; the other is reported.
    pub fn build(modules: impl IntoIterator<Item = ModuleRoutes<T>>) -> (Self, Vec<RouteConflict>) {
        let mut router = Self { modules: HashMap::new(), base_lengths: Vec::new(), values: Vec::new() };
        let mut conflicts = Conflicts::default();
        for (base, routes) in sort_routes(modules) {
            let base_path = base_path_of(&base);
            let module = router
                .modules
                .entry(base.clone())
                .or_insert_with(|| Module { base_path: base_path.clone().into(), root: Node::default() });
            for (pattern, _, value) in routes {
                let index = router.values.len();
                router.values.push(value);
                for form in pattern.forms() {
                    if conflicts.admit(&base, &base_path, &pattern, form) {
                        module.root.insert(form, index);
                    }
                }
            }
        }
        router.base_lengths = router.modules.keys().map(|base| base.len()).collect();
        router.base_lengths.sort_unstable_by(|a, b| b.cmp(a));
        router.base_lengths.dedup();
        (router, conflicts.reports)
    }

    /// Finds the template that answers a path below the schema alias.
    pub fn find<'r: 'p, 'p>(&'r self, path: PathTail<'p>) -> Option<Found<'r, 'p, T>> {
        let mut base_without_slash = None;
        for (length, module) in self.modules_of(path) {
            let tail = path.below(length);
            if let Some(leaf) = module.root.find(tail.segments, tail.trailing_slash) {
                return Some(self.found(leaf, tail));
            }
            if tail.segments.is_empty() && base_without_slash.is_none() {
                base_without_slash = module.root.end_with_slash.as_ref().map(|leaf| (leaf, tail));
            }
        }
        base_without_slash.map(|(leaf, tail)| self.found(leaf, tail))
    }

    /// The longest base path that begins this path, with a slash at both ends.
    pub fn module_base(&self, path: PathTail<'_>) -> Option<&str> {
        self.modules_of(path).next().map(|(_, module)| &*module.base_path)
    }

    /// The modules whose base paths begin this path, the longest first, with the number of their segments.
    fn modules_of(&self, path: PathTail<'_>) -> impl Iterator<Item = (usize, &Module)> {
        self.base_lengths.iter().filter_map(move |&length| {
            let base = path.segments.get(..length)?;
            self.modules.get(base).map(|module| (length, module))
        })
    }

    fn found<'r: 'p, 'p>(&'r self, leaf: &'r Leaf, tail: PathTail<'p>) -> Found<'r, 'p, T> {
        Found { value: &self.values[leaf.value], captures: Captures::new(&leaf.bindings, tail) }
    }
}

impl Node {
    fn insert(&mut self, form: &Form, value: usize) {
        let mut node = self;
        for segment in &form.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Parameters(names) => node.parameter_child(names.len()),
            };
        }
        let place = if form.glob.is_some() {
            &mut node.glob
        } else if form.trailing_slash {
            &mut node.end_with_slash
        } else {
            &mut node.end
        };
        *place = Some(Leaf { value, bindings: Binding::of_form(form) });
    }

    fn parameter_child(&mut self, parts: usize) -> &mut Self {
        let place = self.parameters.partition_point(|(other, _)| *other > parts);
        if self.parameters.get(place).is_none_or(|(other, _)| *other != parts) {
            self.parameters.insert(place, (parts, Self::default()));
        }
        &mut self.parameters[place].1
    }

    fn find(&self, segments: &[Box<str>], trailing_slash: bool) -> Option<&Leaf> {
        let Some((first, rest)) = segments.split_first() else {
            return if trailing_slash { self.end_with_slash.as_ref() } else { self.end.as_ref() };
        };
        if let Some(leaf) = self.literals.get(first).and_then(|child| child.find(rest, trailing_slash)) {
            return Some(leaf);
        }
        let fitting = self.parameters.iter().filter(|(parts, _)| has_parts(first, *parts));
        let mut leaves = fitting.filter_map(|(_, child)| child.find(rest, trailing_slash));
        leaves.next().or(self.glob.as_ref())
    }
}

/// Whether a segment can fill so many parameters: one takes it whole, several take its parts between commas,
/// none of them empty.
pub(crate) fn has_parts(segment: &str, parts: usize) -> bool {
    parts == 1 || (segment.split(',').count() == parts && segment.split(',').all(|part| !part.is_empty()))
}

/// The segments of a base path.
pub(crate) fn base_segments(base_path: &str) -> Box<[Box<str>]> {
    base_path.split('/').filter(|segment| !segment.is_empty()).map(Box::from).collect()
}

fn base_path_of(base: &[Box<str>]) -> String {
    base.iter().fold("/".to_owned(), |path, segment| path + segment + "/")
}

type Base = Box<[Box<str>]>;
type Routes<T> = Vec<(Pattern, u8, T)>;

/// The routes of each base path, in the order in which they win.
fn sort_routes<T>(modules: impl IntoIterator<Item = ModuleRoutes<T>>) -> Vec<(Base, Routes<T>)> {
    let mut by_base: BTreeMap<Base, Routes<T>> = BTreeMap::new();
    for module in modules {
        by_base.entry(base_segments(&module.base_path)).or_default().extend(module.routes);
    }
    let mut sorted: Vec<_> = by_base.into_iter().collect();
    sorted.sort_by_key(|(base, _)| std::cmp::Reverse(base.len()));
    for (_, routes) in &mut sorted {
        routes.sort_by_key(|(_, priority, _)| std::cmp::Reverse(*priority));
    }
    sorted
}

/// Two templates that match the same paths: the names of their parameters may differ, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteConflict {
    /// Base path and pattern that will not answer.
    pub shadowed: (String, String),
    /// Base path and pattern that answer instead.
    pub kept: (String, String),
}

impl fmt::Display for RouteConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((base, pattern), (kept_base, kept)) = (&self.shadowed, &self.kept);
        write!(
            f,
            "Template `{pattern}` of base path `{base}` matches paths that template `{kept}` of base path \
             `{kept_base}` answers: change one of the two patterns"
        )?;
        f.write_str(if base == kept_base { " or their priorities." } else { "." })
    }
}

#[derive(Default)]
struct Conflicts {
    seen: HashMap<String, (String, String)>,
    reports: Vec<RouteConflict>,
}

impl Conflicts {
    /// Notes a form; `false` if another template has the same shape.
    fn admit(&mut self, base: &[Box<str>], base_path: &str, pattern: &Pattern, form: &Form) -> bool {
        let route = (base_path.to_owned(), pattern.as_str().to_owned());
        let Some(kept) = self.seen.get(&shape(base, form)) else {
            self.seen.insert(shape(base, form), route);
            return true;
        };
        let conflict = RouteConflict { shadowed: route, kept: kept.clone() };
        if self.reports.last() != Some(&conflict) {
            self.reports.push(conflict);
        }
        false
    }
}

/// A text that is the same for forms that match the same paths. A literal cannot hold `:`.
fn shape(base: &[Box<str>], form: &Form) -> String {
    let mut shape = base_path_of(base);
    for (index, segment) in form.segments.iter().enumerate() {
        if index > 0 {
            shape.push('/');
        }
        match segment {
            Segment::Literal(text) => shape.push_str(text),
            Segment::Parameters(names) => {
                let _ = write!(shape, ":{}", names.len());
            }
        }
    }
    match (&form.glob, form.trailing_slash) {
        (Some(_), _) => shape + "/:*",
        (None, true) if !shape.ends_with('/') => shape + "/",
        (None, _) => shape,
    }
}
