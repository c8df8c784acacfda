//! Taking the bearer token from a request (RFC 6750 section 2): from the Authorization header and nowhere else.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::form::byte_of;

/// Why a request is `invalid_request` (BEA-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.description())]
pub enum BearerError {
    /// Nobody picks one of two (TOK-10).
    TwoHeaders,
    /// URLs end up in logs and histories, so tokens do not belong there (BEA-02).
    TokenInQuery,
    /// The scheme is Bearer and what follows is not one token.
    Malformed,
}

impl BearerError {
    /// The description for the challenge.
    pub fn description(self) -> &'static str {
        match self {
            Self::TwoHeaders => "There is more than one Authorization header.",
            Self::TokenInQuery => {
                "A token in the query is not accepted; send it in the Authorization header."
            }
            Self::Malformed => "The Authorization header is malformed.",
        }
    }
}

/// The token of a request; none if there is no Authorization header or its scheme is not Bearer (BEA-01 to BEA-04).
/// `query` is the query as it was sent, undecoded.
pub fn bearer_token<'h>(headers: &'h HeaderMap, query: Option<&str>) -> Result<Option<&'h str>, BearerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = values.next();
    if values.next().is_some() {
        return Err(BearerError::TwoHeaders);
    }
    if query.is_some_and(|query| query.split('&').any(names_access_token)) {
        return Err(BearerError::TokenInQuery);
    }
    match header {
        Some(header) => read(header.as_bytes()),
        None => Ok(None),
    }
}

/// The scheme in any letter case, one or more spaces, one token68 (RFC 9110 section 11.2), nothing after it.
fn read(header: &[u8]) -> Result<Option<&str>, BearerError> {
    let end = header.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(header.len());
    let (scheme, rest) = header.split_at(end);
    let is_other = rest.first().is_some_and(|byte| is_scheme_character(*byte));
    if is_other || !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    let token = std::str::from_utf8(rest).map_err(|_| BearerError::Malformed)?.trim_start_matches(' ');
    if token.len() == rest.len() || !is_token68(token) {
        return Err(BearerError::Malformed);
    }
    Ok(Some(token))
}

fn is_scheme_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// Whether the name of a pair decodes to `access_token`, in any letter case.
fn names_access_token(pair: &str) -> bool {
    let mut rest = pair.split('=').next().unwrap_or_default().as_bytes();
    for expected in b"access_token" {
        let byte = match rest {
            [b'%', high, low, tail @ ..] => {
                rest = tail;
                byte_of([*high, *low])
            }
            [byte, tail @ ..] => {
                rest = tail;
                Some(*byte)
            }
            [] => None,
        };
        if !byte.is_some_and(|byte| byte.eq_ignore_ascii_case(expected)) {
            return false;
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    fn token(header: &[u8]) -> Result<Option<String>, BearerError> {
        bearer_token(&headers(&[header]), None).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn bea_04_two_authorization_headers_are_refused() {
        let two = headers(&[b"Bearer a", b"Bearer a"]);
        assert_eq!(bearer_token(&two, None), Err(BearerError::TwoHeaders));
        let mixed = headers(&[b"Basic a", b"Bearer a"]);
        assert_eq!(bearer_token(&mixed, None), Err(BearerError::TwoHeaders));
    }

    #[test]
    fn bea_02_token_in_the_query_is_refused_in_any_spelling() {
        let spellings = [
            "access_token=x",
            "access_token",
            "access_token=",
            "a=b&access_token=x",
            "%61ccess_token=x",
            "access%5Ftoken=x",
            "access%5ftoken=x",
            "Access_Token=x",
            "%61%63%63%65%73%73%5f%74%6f%6b%65%6e=x",
            "%41ccess_token=x",
        ];
        for query in spellings {
            for values in [&[][..], &[b"Bearer a".as_slice()]] {
                let headers = headers(values);
                let answer = bearer_token(&headers, Some(query));
                assert_eq!(answer, Err(BearerError::TokenInQuery), "{query}");
            }
        }
    }

    #[test]
    fn bea_02_other_names_are_left_alone() {
        for query in
            ["", "access_tokens=x", "my_access_token=x", "x=access_token", "access_toke%6", "%", "%2561"]
        {
            assert_eq!(bearer_token(&headers(&[b"Bearer a"]), Some(query)), Ok(Some("a")), "{query}");
        }
    }

    #[test]
    fn bea_04_malformed_header_is_refused() {
        let bad: [&[u8]; 14] = [
            b"Bearer",
            b"Bearer ",
            b"bearer =",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer a, Basic b",
            b"Bearer \"a\"",
            b"Bearer a=b",
            b"Bearer\ta",
            b"Bearer \ta",
            b"Bearer a\t",
            b"Bearer:a",
            b"Bearer \xC3\xA4",
            b"Bearer \xFF",
        ];
        for header in bad {
            assert_eq!(token(header), Err(BearerError::Malformed), "{}", String::from_utf8_lossy(header));
        }
    }

    #[test]
    fn bea_03_no_header_or_another_scheme_is_no_credentials() {
        assert_eq!(bearer_token(&HeaderMap::new(), Some("a=b")), Ok(None));
        let others: [&[u8]; 7] =
            [b"", b"Basic YTpi", b"DPoP x", b"Bearer2 x", b"Bearer-x y", b"Bear er", b"\xFF"];
        for header in others {
            assert_eq!(token(header), Ok(None), "{}", String::from_utf8_lossy(header));
        }
    }

    #[test]
    fn bea_01_token_is_taken_from_the_header() {
        assert_eq!(token(b"Bearer gp_at_AZaz09-._~+/=="), Ok(Some("gp_at_AZaz09-._~+/==".into())));
        assert_eq!(token(b"bEARER   x"), Ok(Some("x".into())));
    }

    proptest! {
        #[test]
        fn no_query_or_header_panics(
            header in proptest::collection::vec(32_u8..=255, 0..40)
                .prop_filter("DEL is no header", |bytes| !bytes.contains(&127)),
            query in "[a_%0-9=&]{0,40}",
        ) {
            let _ = bearer_token(&headers(&[&header]), Some(&query));
        }
    }
}
