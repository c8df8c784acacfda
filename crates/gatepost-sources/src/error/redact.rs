//! Taking secrets out of texts that go to a log: by their values, which we know, and by the names of parameters.

use url::Url;

use crate::definition::wire::is_secret_name;
use crate::definition::{Credential, SignIn};
use crate::token;

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

/// So much of the beginning of a secret is enough to take what there is of it: a text may have been cut.
const BEGINNING_MIN: usize = 12;

/// Shorter values are no secrets worth the name, and would tear ordinary texts apart.
const LENGTH_MIN: usize = 4;

/// Knows the secrets and tokens that are in use. Holds them in the clear: make it where it is used and drop it.
pub struct Redactor(Vec<String>);

impl Redactor {
    /// Knows a credential's secret, also within the value of Basic that it makes, and tokens that were had by it.
    pub fn of_credential<'s>(
        credential: &Credential,
        secret: &str,
        tokens: impl IntoIterator<Item = &'s str>,
    ) -> Self {
        let pairs = match &credential.sign_in {
            SignIn::Basic { username } => vec![(username.clone(), secret.to_owned())],
            SignIn::Oauth2ClientCredentials(client) => vec![
                (client.client_id.clone(), secret.to_owned()),
                (token::form_encode(&client.client_id), token::form_encode(secret)),
            ],
            SignIn::Bearer | SignIn::Header { .. } | SignIn::Query { .. } => Vec::new(),
        };
        let basic = |(id, secret): &(String, String)| {
            let value = token::basic(id, secret);
            value.to_str().unwrap_or_default().trim_start_matches("Basic ").to_owned()
        };
        let mut known: Vec<String> = pairs.iter().map(basic).collect();
        known.push(secret.to_owned());
        known.extend(tokens.into_iter().map(str::to_owned));
        Self::new(known.iter().map(String::as_str))
    }

    /// Knows these values, in the spellings in which they travel: as they are, form-encoded, and escaped in JSON, with
    /// and without escapes for slashes.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let mut spellings = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= LENGTH_MIN) {
            let form = token::form_encode(secret);
            let percent = form.replace('+', "%20");
            let json = serde_json::Value::from(secret).to_string();
            let json = json[1..json.len() - 1].to_owned();
            spellings.extend([secret.to_owned(), form, percent, json.replace('/', "\\/"), json]);
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
        for secret in &self.0 {
            redacted = without_beginnings(redacted, secret);
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

/// Takes out what is left of a secret that was cut.
fn without_beginnings(text: String, secret: &str) -> String {
    let Some(beginning) = secret.get(..BEGINNING_MIN) else { return text };
    let (mut kept, mut rest) = (String::new(), text.as_str());
    while let Some(at) = rest.find(beginning) {
        let common = rest[at..].chars().zip(secret.chars()).take_while(|(one, other)| one == other);
        let end = at + common.map(|(c, _)| c.len_utf8()).sum::<usize>();
        kept.push_str(&rest[..at]);
        kept.push_str(REDACTED);
        rest = &rest[end..];
    }
    if kept.is_empty() { text } else { kept + rest }
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
    use crate::definition::Oauth2Client;

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
    fn what_basic_makes_of_a_secret_goes_too() {
        let basic = Credential::new("c", SignIn::Basic { username: "svc".into() });
        let client = Oauth2Client { client_id: "svc:reports".into(), ..Oauth2Client::default() };
        let oauth = Credential::new("c", SignIn::Oauth2ClientCredentials(client));
        for (credential, values) in [
            (&basic, vec!["c3ZjOnBAc3MgdyVyZCsvfg=="]),
            // The vectors of the token request, encoded and raw; PHP escapes slashes.
            (
                &oauth,
                vec![
                    "c3ZjJTNBcmVwb3J0czpwJTQwc3MrdyUyNXJkJTJCJTJGJTdF",
                    "c3ZjOnJlcG9ydHM6cEBzcyB3JXJkKy9+",
                    r"p@ss w%rd+\/~",
                    "a-token",
                ],
            ),
        ] {
            let redactor = Redactor::of_credential(credential, "p@ss w%rd+/~", ["a-token"]);
            for value in values {
                let text = format!(r#"{{"you sent":"Basic {value}"}}"#);
                assert_eq!(redactor.text(&text), r#"{"you sent":"Basic [redacted]"}"#);
            }
        }
    }

    #[test]
    fn a_secret_within_another_leaves_no_rest() {
        let redactor = Redactor::new(["token-1", "token-12345"]);
        assert_eq!(redactor.text("token-12345 token-1"), "[redacted] [redacted]");
    }

    #[test]
    fn what_is_left_of_a_secret_that_was_cut_goes_too() {
        let redactor = Redactor::new(["a-token-of-some-length\u{e9}"]);
        for (text, redacted) in [
            ("keys a-token-of-some-l\u{2026}, b", "keys [redacted]\u{2026}, b"),
            ("a-token-of-s", "[redacted]"),
            ("a-token-of-s a-token-of-some-length\u{e9}", "[redacted] [redacted]"),
            ("a-token-of", "a-token-of"),
            ("another-token-of-some-length", "another-token-of-some-length"),
        ] {
            assert_eq!(redactor.text(text), redacted);
        }
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
