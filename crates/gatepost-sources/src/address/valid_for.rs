//! What a credential may be sent to. Both sides are parsed; nothing compares texts.
//!
//! Scheme, host (ASCII, lower case) and effective port must be equal; the path must begin with all segments of the
//! entry. The parser has taken out dot segments before. A URL with a user or with an escaped slash or backslash in
//! the part that is compared is never covered: the server behind it could read it otherwise.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::definition::Credential;

/// The URLs that a credential may be sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidFor(Vec<Url>);

impl ValidFor {
    /// The list of a credential. If it is empty: the API's base URL and the token endpoint of the source that is being
    /// used, each as a whole.
    pub fn of(credential: &Credential, base_url: &str, token_url: Option<&str>) -> Self {
        if credential.valid_for.is_empty() {
            return Self::of_urls([base_url].into_iter().chain(token_url));
        }
        Self::of_urls(credential.valid_for.iter().map(String::as_str))
    }

    /// These URLs. What is no URL with a host covers nothing.
    pub fn of_urls<'u>(urls: impl IntoIterator<Item = &'u str>) -> Self {
        Self(urls.into_iter().filter_map(|url| Url::parse(url).ok()).filter(Url::has_host).collect())
    }

    /// Whether the credential may be sent to `url`.
    pub fn covers(&self, url: &Url) -> bool {
        self.0.iter().any(|entry| covers(entry, url))
    }

    /// The entries, for messages.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Url::as_str)
    }
}

fn covers(entry: &Url, url: &Url) -> bool {
    if !url.username().is_empty() || url.password().is_some() || !super::same_origin(entry, url) {
        return false;
    }
    let path = url.path().strip_prefix('/').unwrap_or_default();
    if path.split('/').any(hides_steps) {
        return false;
    }
    let wanted = entry.path().split('/').filter(|segment| !segment.is_empty());
    let mut segments = path.split('/');
    wanted.into_iter().all(|wanted| segments.next().is_some_and(|segment| same_segment(wanted, segment)))
}

/// Compares what two segments mean. One that hides a separator means nothing sure.
fn same_segment(wanted: &str, segment: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(segment).collect();
    !decoded.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0)) && percent_decode_str(wanted).eq(decoded)
}

/// Whether a server that decodes a segment before it takes steps would leave the place.
pub(super) fn hides_steps(segment: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(segment).collect();
    decoded.contains(&0)
        || decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|part| matches!(part, b"." | b".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::SignIn;

    fn covers(entry: &str, url: &str) -> bool {
        ValidFor::of_urls([entry]).covers(&Url::parse(url).unwrap())
    }

    #[test]
    fn strangers_with_similar_names_are_not_covered() {
        let entry = "https://hr.example.com/ords/hr";
        for url in [
            "https://hr.example.com.evil.example/ords/hr/x",
            "https://hr.example.com@evil.example/ords/hr/x",
            "https://user@hr.example.com/ords/hr/x",
            "https://:pw@hr.example.com/ords/hr/x",
            "https://hr.example.co/ords/hr/x",
            "https://xhr.example.com/ords/hr/x",
            "https://hr.example.com./ords/hr/x",
            "http://hr.example.com/ords/hr/x",
            "https://hr.example.com:8443/ords/hr/x",
            "https://hr.example.com/ords/hrx",
            "https://hr.example.com/ords",
            "https://hr.example.com/",
            "https://hr.example.com/x/ords/hr/",
            "https://hr.example.com//ords/hr/",
            "https://hr.example.com/ords/hr/../pay",
            "https://hr.example.com/ords/hr/%2e%2e/pay",
            "https://hr.example.com/ords%2fhr/x",
            "https://hr.example.com/ords%5chr/x",
            "https://hr.example.com/ords\\..\\hr/x",
            "https://hr.example.com/ords/hr/..%2f..%2fpay",
            "https://hr.example.com/ords/hr/%2e%2e%5cpay",
            "https://hr.example.com/ords/HR/x",
            "https://hr.example.com/ords/hr%00/x",
        ] {
            assert!(!covers(entry, url), "{url}");
        }
    }

    #[test]
    fn spellings_of_the_same_place_are_covered() {
        let entry = "https://hr.example.com/ords/hr";
        for url in [
            "https://hr.example.com/ords/hr",
            "https://hr.example.com/ords/hr/",
            "https://HR.Example.COM/ords/hr/x/y?q=https://evil.example#f",
            "https://hr.example.com:443/ords/hr/x",
            "https://hr.example.com/a/../ords/hr/x",
            "https://hr.example.com/ords/%68r/x",
            "https://hr.example.com/ords/hr/1%2F2",
        ] {
            assert!(covers(entry, url), "{url}");
        }
        assert!(covers("https://b\u{fc}cher.example", "https://xn--bcher-kva.example/x"));
        assert!(covers("https://XN--BCHER-KVA.example/", "https://B\u{dc}CHER.example/x"));
        assert!(!covers("https://b\u{fc}cher.example", "https://bucher.example/x"));
        assert!(covers("http://127.0.0.1:8080", "http://0x7f.1:8080/x"));
        assert!(covers("https://h", "https://h"));
    }

    #[test]
    fn no_list_means_the_servers_of_the_source_and_no_others() {
        let mut credential = Credential::new("c", SignIn::Bearer);
        let valid_for = ValidFor::of(&credential, "https://api/x", Some("https://id/oauth/token"));
        assert_eq!(valid_for.urls().collect::<Vec<_>>(), ["https://api/x", "https://id/oauth/token"]);
        credential.valid_for = vec!["https://api/y".into()];
        let valid_for = ValidFor::of(&credential, "https://api/x", Some("https://id/oauth/token"));
        assert_eq!(valid_for.urls().collect::<Vec<_>>(), ["https://api/y"]);
        assert!(!ValidFor::default().covers(&Url::parse("https://api/").unwrap()));
        assert!(!ValidFor::of_urls(["data:x", "/x"]).covers(&Url::parse("https://api/").unwrap()));
    }
}
