//! Problems in a script and the places they are at.

use std::fmt;

/// The longest piece of a source line that [`Diagnostic::render`] shows, in characters.
const LINE_CHARS_MAX: usize = 110;

/// A place in the script text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Position {
    /// Bytes before it.
    pub offset: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

impl Position {
    /// The first character of a text.
    pub const START: Self = Self { offset: 0, line: 1, column: 1 };
}

/// A problem in a script: what is wrong, where, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, without the place.
    pub message: String,
    /// Where.
    pub position: Position,
    /// The word that was probably meant.
    pub suggestion: Option<String>,
    /// The Oracle error code when an exception that nobody handled caused it, such as -20001.
    pub code: Option<i32>,
}

impl Diagnostic {
    /// A problem at a place.
    pub fn new(message: impl Into<String>, position: Position) -> Self {
        Self { message: message.into(), position, suggestion: None, code: None }
    }

    /// Adds the word that was probably meant.
    #[must_use]
    pub fn with_suggestion(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
    }

    /// Adds the word that was probably meant, if there is one.
    #[must_use]
    pub(crate) fn suggesting(self, suggestion: Option<&str>) -> Self {
        Self { suggestion: suggestion.map(str::to_owned), ..self }
    }

    /// The problem for people to read: message, place, the source line with a caret below the place,
    /// and the suggestion. `script` is the whole script.
    pub fn render(&self, script: &str) -> String {
        let Position { offset, line, column } = self.position;
        let mut lines = vec![format!("{}\nline {line}, column {column}:", self.message)];
        let (source, caret) = source_line(script, offset);
        if !source.is_empty() {
            lines.push(format!("  {source}\n  {caret}^"));
        }
        if let Some(suggestion) = &self.suggestion {
            lines.push(format!("did you mean `{suggestion}`?"));
        }
        lines.join("\n") + "\n"
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.position.line, self.position.column, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " (did you mean `{suggestion}`?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// The line around an offset, shortened if need be, and the blanks that lead to the place in it.
fn source_line(script: &str, offset: usize) -> (String, String) {
    let mut at = offset.min(script.len());
    while !script.is_char_boundary(at) {
        at -= 1;
    }
    let (before, after) = script.split_at(at);
    let before = &before[before.rfind(['\n', '\r']).map_or(0, |end| end + 1)..];
    let before = before.trim_start_matches('\u{feff}');
    let after = after.split(['\n', '\r']).next().unwrap_or_default();

    let skipped = before.chars().count().saturating_sub(LINE_CHARS_MAX / 2);
    let head: String = before.chars().skip(skipped).collect();
    let room = LINE_CHARS_MAX - head.chars().count();
    let mut tail: String = after.chars().take(room).collect();
    if tail.len() < after.len() {
        tail.push('…');
    }
    let head = if skipped > 0 { format!("…{head}") } else { head };
    let caret = head.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    (format!("{head}{tail}").trim_end().to_owned(), caret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_place() {
        let script = "begin\n\tfoo(1);\nend;";
        let position = Position { offset: 7, line: 2, column: 2 };
        let text = Diagnostic::new("unknown procedure `foo`", position).with_suggestion("for").render(script);
        assert_eq!(
            text,
            "unknown procedure `foo`\nline 2, column 2:\n  \tfoo(1);\n  \t^\ndid you mean `for`?\n"
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let script = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let position = Position { offset: 500, line: 1, column: 501 };
        let text = Diagnostic::new("no", position).render(&script);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].chars().count() < 120, "{}", lines[2]);
        let caret = lines[3].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[2].chars().nth(caret), Some('X'));
    }

    #[test]
    fn a_place_outside_the_script_does_no_harm() {
        let position = Position { offset: 99, line: 9, column: 9 };
        assert_eq!(Diagnostic::new("no", position).render(""), "no\nline 9, column 9:\n");
        assert!(Diagnostic::new("no", Position { offset: 1, ..position }).render("é").contains('é'));
    }
}
