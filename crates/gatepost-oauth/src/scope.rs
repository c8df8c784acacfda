//! Scope: names split by single spaces (RFC 6749 section 3.3). Each name is that of a privilege.

use std::fmt;

use crate::sealed_token::PRIVILEGES_MAX;

/// Scope names, sorted, each once: order and repeats do not matter (TOK-21).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Vec<String>);

/// Why a text is no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// An empty name, from two spaces in a row or one at an end, or a character that is not allowed.
    #[error("scope must be names of visible ASCII characters, split by single spaces")]
    Syntax,
    /// A token is not narrowed to more than [`PRIVILEGES_MAX`] privileges.
    #[error("scope names more than {PRIVILEGES_MAX} privileges")]
    TooMany,
}

impl Scopes {
    /// Reads the value of `scope`.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut names = Vec::new();
        for name in text.split(' ') {
            if !is_scope_name(name) {
                return Err(ScopeError::Syntax);
            }
            names.push(name.to_owned());
        }
        let scopes = Self::from_sorted(names);
        if scopes.0.len() > PRIVILEGES_MAX { Err(ScopeError::TooMany) } else { Ok(scopes) }
    }

    /// The scope that lists these privileges. One whose name cannot be written in a scope is left out.
    pub fn of_privileges<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().filter(|name| is_scope_name(name));
        Self::from_sorted(names.map(str::to_owned).collect())
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the name is one of them; case counts.
    pub fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|other| other.as_str().cmp(name)).is_ok()
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none; [`parse`](Self::parse) never gives that.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn from_sorted(mut names: Vec<String>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self(names)
    }
}

/// The form on the wire.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{name}")?;
        }
        Ok(())
    }
}

/// Whether a text can be a scope name: %x21, %x23-5B, %x5D-7E, at least one.
pub fn is_scope_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tok_21_bad_syntax_is_refused() {
        for bad in ["", " ", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "ä", "a\u{7f}", "a\nb"] {
            assert_eq!(Scopes::parse(bad), Err(ScopeError::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn scope_of_too_many_names_is_refused() {
        let text = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert!(Scopes::parse(&text(PRIVILEGES_MAX)).is_ok());
        assert_eq!(Scopes::parse(&text(PRIVILEGES_MAX + 1)), Err(ScopeError::TooMany));
        let repeated = vec!["a"; PRIVILEGES_MAX + 1].join(" ");
        assert_eq!(Scopes::parse(&repeated).map(|scopes| scopes.len()), Ok(1));
    }

    #[test]
    fn tok_21_order_and_repeats_do_not_matter_and_case_does() {
        assert_eq!(Scopes::parse("b a b"), Scopes::parse("a b"));
        assert_eq!(Scopes::parse("b a b").unwrap().to_string(), "a b");
        assert!(!Scopes::parse("A").unwrap().contains("a"));
    }

    #[test]
    fn privilege_whose_name_is_no_scope_is_left_out() {
        let scopes = Scopes::of_privileges(["payroll.read", "two words", "", "Ä", "hr"]);
        assert_eq!(scopes.to_string(), "hr payroll.read");
        assert!(Scopes::of_privileges([]).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(text in "[!#-\\[\\]-~]{1,9}( [!#-\\[\\]-~]{1,9}){0,9}") {
            let scopes = Scopes::parse(&text).unwrap();
            prop_assert_eq!(Scopes::parse(&scopes.to_string()), Ok(scopes.clone()));
            for name in text.split(' ') {
                prop_assert!(scopes.contains(name));
            }
        }
    }
}
