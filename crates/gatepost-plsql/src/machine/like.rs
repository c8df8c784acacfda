//! The LIKE operator.

/// Whether a text matches a pattern of `%` and `_`; `escape` makes the next character an ordinary one.
pub(super) fn matches(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let text: Vec<char> = text.chars().collect();
    let pattern = parse(pattern, escape);
    let (mut at, mut piece) = (0, 0);
    // Where to take up again: behind the last `%`, with one more character taken by it.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(piece) {
            Some(Piece::Any) => {
                retry = Some((piece + 1, at));
                piece += 1;
            }
            Some(Piece::One) => (at, piece) = (at + 1, piece + 1),
            Some(Piece::Exactly(wanted)) if *wanted == text[at] => (at, piece) = (at + 1, piece + 1),
            _ => {
                let Some((behind, taken)) = retry else { return false };
                retry = Some((behind, taken + 1));
                (at, piece) = (taken + 1, behind);
            }
        }
    }
    pattern[piece..].iter().all(|piece| *piece == Piece::Any)
}

#[derive(PartialEq)]
enum Piece {
    Any,
    One,
    Exactly(char),
}

fn parse(pattern: &str, escape: Option<char>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        pieces.push(match character {
            _ if Some(character) == escape => Piece::Exactly(characters.next().unwrap_or(character)),
            '%' => Piece::Any,
            '_' => Piece::One,
            other => Piece::Exactly(other),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_sql() {
        for (text, pattern, expected) in [
            ("shop.reader", "shop.%", true),
            ("shop.reader", "%reader", true),
            ("shop.reader", "%p%e%r", true),
            ("shop", "sh_p", true),
            ("shop", "sh_", false),
            ("", "%", true),
            ("", "_", false),
            ("aaab", "%ab", true),
            ("a", "", false),
        ] {
            assert_eq!(matches(text, pattern, None), expected, "{text} like {pattern}");
        }
        assert!(matches("50%", "50\\%", Some('\\')));
        assert!(!matches("500", "50\\%", Some('\\')));
    }
}
