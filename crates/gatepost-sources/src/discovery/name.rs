//! Names of columns and parameters from names on the wire.

use std::collections::BTreeSet;

use crate::definition::NAME_LENGTH_MAX;

/// Hands out names that are identifiers, each once.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A name for something that stands at these steps: `avatarUrls`, `48x48` becomes `avatar_urls_48x48`.
    pub(super) fn claim(&mut self, steps: &[String]) -> String {
        let plain = identifier(&steps.join("_"));
        let name = if self.0.contains(&plain) {
            let numbered = (2..).map(|number| with_suffix(&plain, &format!("_{number}")));
            numbered.into_iter().find(|name| !self.0.contains(name)).unwrap_or(plain)
        } else {
            plain
        };
        self.0.insert(name.clone());
        name
    }

    /// Keeps names from being handed out.
    pub(super) fn reserve<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        self.0.extend(names.into_iter().map(str::to_owned));
    }
}

/// Lower case, words joined by `_`, a letter first.
pub(super) fn identifier(text: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for c in text.chars() {
        let starts_word = c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if (starts_word || !c.is_ascii_alphanumeric()) && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    let name = name.trim_end_matches('_');
    let name = match name.chars().next() {
        None => "column".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("c_{name}"),
        Some(_) => name.to_owned(),
    };
    with_suffix(&name, "")
}

fn with_suffix(name: &str, suffix: &str) -> String {
    let room = NAME_LENGTH_MAX - suffix.len();
    let kept: String = name.chars().take(room).collect();
    format!("{}{suffix}", kept.trim_end_matches('_'))
}
