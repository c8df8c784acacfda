//! Taking secrets out of texts that go to a log: by their values, which we know, and by the names of parameters.

use url::Url;

use crate::definition::wire::is_secret_name;

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

/// Shorter values are no secrets worth the name, and would tear ordinary texts apart.
const LENGTH_MIN: usize = 4;

/// Knows the secrets and tokens that are in use. Holds them in the clear: make it where it is used and drop it.
pub struct Redactor(Vec<String>);

impl Redactor {
    /// Knows these values, in the spellings in which they travel: as they are, form-encoded, and escaped in JSON.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut spellings = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= LENGTH_MIN) {
            let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let percent = form.replace('+', "%20");
            let json = serde_json::Value::from(secret).to_string();
            spellings.extend([secret.to_owned(), form, percent, json[1..json.len() - 1].to_owned()]);
        }
        // The longest first, so that one that has another within it goes as a whole.
        spellings.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        spellings.dedup();
        Self(spellings)
    }

    /// The text without the known secrets.
    pub fn text(&self, text: &str) -> String {
        let mut redacted = text.to_owned();
        for secret in &self.0 {
            if redacted.contains(secret) {
                redacted = redacted.replace(secret, REDACTED);
            }
        }
        redacted
    }

    /// The URL without user and fragment, without known secrets, and without the values of parameters whose names say
    /// that they are secret.
    pub fn url(&self, url: &Url) -> String {
        let mut plain = url.clone();
        plain.set_fragment(None);
        // A URL without a host refuses; it has no user then.
        let _ = plain.set_username("");
        let _ = plain.set_password(None);
        if url.query().is_some() {
            let pairs = url.query_pairs().map(|(name, value)| {
                let value = if is_secret_name(&name) { REDACTED.into() } else { value };
                (name, value)
            });
            plain.query_pairs_mut().clear().extend_pairs(pairs);
        }
        self.text(plain.as_str())
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} spellings)", self.0.len())
    }
}

/// The beginning of a text of somebody else, on one line: at most `most` characters, no control characters. For
/// administrators' eyes. A [`Redactor`] goes over the text first: a secret that was cut is not known again.
pub fn quote(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    // Marks that turn the direction of the text could make a log line read as another one.
    let plain = plain.filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    let mut quoted: String = plain.take(most).collect();
    if text.chars().nth(most).is_some() {
        quoted.push('\u{2026}');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_in_every_spelling() {
        let redactor = Redactor::new(["p@ss w%rd+/~\"", "abc"]);
        for text in [
            "x p@ss w%rd+/~\" y",
            "client_secret=p%40ss+w%25rd%2B%2F%7E%22&a=b",
            "https://h/?k=p%40ss%20w%25rd%2B%2F%7E%22",
            r#"{"k":"p@ss w%rd+/~\""}"#,
        ] {
            let redacted = redactor.text(text);
            assert!(redacted.contains(REDACTED) && !redacted.contains("rd"), "{redacted}");
        }
        assert_eq!(redactor.text("abcdef"), "abcdef", "too short to be a secret");
        assert!(!format!("{redactor:?}").contains("p@ss"));
    }

    #[test]
    fn a_secret_within_another_leaves_no_rest() {
        let redactor = Redactor::new(["token-1", "token-12345"]);
        assert_eq!(redactor.text("token-12345 token-1"), "[redacted] [redacted]");
    }

    #[test]
    fn urls_lose_user_fragment_and_secret_parameters() {
        let redactor = Redactor::new(["QSECRET"]);
        let url = Url::parse("https://u:pw@h/a/QSECRET?api_key=1234&dept=10&x=QSECRET#f").unwrap();
        let redacted = redactor.url(&url);
        assert_eq!(redacted, "https://h/a/[redacted]?api_key=%5Bredacted%5D&dept=10&x=[redacted]");
    }

    #[test]
    fn quoted_text_is_short_and_plain() {
        assert_eq!(quote("a\r\nb\u{0}c\u{202e}d", 10), "a  b cd");
        assert_eq!(quote("abcdef", 3), "abc\u{2026}");
    }
}
