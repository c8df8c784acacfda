//! Where a value stands in a JSON document: JSON Pointer (RFC 6901). The dotted form of APEX data profiles
//! (`avatarUrls."48x48"`, `items[0].id`) is read as well and kept as a pointer.

use serde::{Deserialize, Serialize};

use super::{Checked, DefinitionError};

/// A pointer has at most this many steps.
const STEPS_MAX: usize = 32;

/// A JSON Pointer, checked. The empty one means the whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pointer(String);

impl Pointer {
    /// Reads a JSON Pointer (empty or with a leading `/`), or the dotted form.
    pub fn parse(key: &str, text: &str) -> Checked<Self> {
        let invalid = |rule: &str| DefinitionError::new(key, rule);
        let steps = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(unescape).collect::<Option<Vec<_>>>(),
            None if text.is_empty() => Some(Vec::new()),
            None => dotted(text),
        };
        let steps = steps.ok_or_else(|| {
            invalid("a JSON Pointer such as `/items/0/name` is needed (or `items[0].name`, `urls.\"48x48\"`)")
        })?;
        if steps.len() > STEPS_MAX {
            return Err(invalid("the pointer has too many steps"));
        }
        Ok(Self::of(&steps))
    }

    /// The pointer that goes through these members or indexes.
    pub fn of<S: AsRef<str>>(steps: &[S]) -> Self {
        let mut text = String::new();
        for step in steps {
            text.push('/');
            text.push_str(&step.as_ref().replace('~', "~0").replace('/', "~1"));
        }
        Self(text)
    }

    /// The canonical text, empty or with a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means the whole document.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The members and indexes it goes through, unescaped.
    pub fn steps(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).filter_map(unescape)
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `~0` is `~`, `~1` is `/`; any other `~` is an error (RFC 6901 section 3).
fn unescape(step: &str) -> Option<String> {
    let valid =
        step.match_indices('~').all(|(at, _)| matches!(step.as_bytes().get(at + 1), Some(b'0' | b'1')));
    valid.then(|| step.replace("~1", "/").replace("~0", "~"))
}

/// `name`, `"any text"` and `[0]`, joined by dots.
fn dotted(text: &str) -> Option<Vec<String>> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let (step, after) = dotted_step(rest)?;
        steps.push(step);
        rest = after;
        while let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            let canonical = index == "0" || !index.starts_with('0');
            if index.is_empty() || !canonical || !index.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            steps.push(index.to_owned());
            rest = after;
        }
        if rest.is_empty() {
            return Some(steps);
        }
        rest = rest.strip_prefix('.')?;
    }
}

fn dotted_step(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, after) = quoted.split_once('"')?;
        return Some((name.to_owned(), after));
    }
    let end = text.find(['.', '[', '"', '/', ']']).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| (name.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        Pointer::parse("at", text).ok().map(|pointer| pointer.as_str().to_owned())
    }

    #[test]
    fn broken_pointers_are_refused() {
        for text in
            ["a/b", "/a~2", "/a~", ".a", "a.", "a..b", "a[", "a[x]", "a[01]", "a[-1]", "\"a", "a b", " "]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&"/a".repeat(STEPS_MAX + 1)), None);
    }

    #[test]
    fn dotted_form_becomes_a_pointer() {
        assert_eq!(read(""), Some(String::new()));
        assert_eq!(read("/items/0/name").as_deref(), Some("/items/0/name"));
        assert_eq!(read("items").as_deref(), Some("/items"));
        assert_eq!(read("avatarUrls.\"48x48\"").as_deref(), Some("/avatarUrls/48x48"));
        assert_eq!(read("\"@odata.nextLink\"").as_deref(), Some("/@odata.nextLink"));
        assert_eq!(read("items[0].id").as_deref(), Some("/items/0/id"));
        assert_eq!(read("\"a/b~c\"").as_deref(), Some("/a~1b~0c"));
    }

    proptest! {
        #[test]
        fn any_steps_survive_the_canonical_text(steps in prop::collection::vec(".*", 0..5)) {
            let pointer = Pointer::of(&steps);
            prop_assert_eq!(pointer.steps().collect::<Vec<_>>(), steps);
            prop_assert_eq!(read(pointer.as_str()), Some(pointer.as_str().to_owned()));
        }
    }
}
