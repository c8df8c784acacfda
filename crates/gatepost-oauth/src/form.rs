//! Reading `application/x-www-form-urlencoded` bodies (RFC 6749 section 3.2 and appendix B), strictly: a server that
//! guesses what a doubled or broken parameter means gives away what the next server in line understood differently.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::error::OauthError;

/// A body with more parameters is refused (TOK-24).
pub const PARAMETERS_MAX: usize = 100;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The only parameter that may come more than once (RFC 8707 section 2).
const REPEATABLE: &str = "resource";

/// The parameters of a body, decoded. Borrows from it where nothing had to be decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Form<'b> {
    parameters: Vec<(Cow<'b, str>, Cow<'b, str>)>,
}

impl<'b> Form<'b> {
    /// Checks the content type and reads the body (TOK-02 to TOK-05). Every name may come once, known or not, but
    /// for `resource`.
    pub fn parse(headers: &HeaderMap, body: &'b [u8]) -> Result<Self, OauthError> {
        check_content_type(headers)?;
        let mut parameters = Vec::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == PARAMETERS_MAX {
                return Err(OauthError::invalid_request("The body has too many parameters."));
            }
            parameters.push(decode_pair(pair)?);
        }
        let form = Self { parameters };
        if form.has_repeated_name() {
            return Err(OauthError::invalid_request("A parameter is given more than once."));
        }
        Ok(form)
    }

    /// The value of a parameter. One without a value counts as absent (TOK-04).
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut named = self.parameters.iter().filter(|(other, value)| other == name && !value.is_empty());
        named.next().map(|(_, value)| value.as_ref())
    }

    /// All values of a parameter that may come more than once.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.parameters.iter().filter(move |(other, value)| other == name && !value.is_empty());
        named.map(|(_, value)| value.as_ref())
    }

    fn has_repeated_name(&self) -> bool {
        let names = self.parameters.iter().map(|(name, _)| name).filter(|name| *name != REPEATABLE);
        names.enumerate().any(|(place, name)| {
            let before = self.parameters.iter().map(|(other, _)| other).filter(|other| *other != REPEATABLE);
            before.take(place).any(|other| other == name)
        })
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.parameters.iter().map(|(name, _)| (name, "[redacted]"));
        f.debug_map().entries(names).finish()
    }
}

/// Why text is not form-encoded UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadEncoding;

/// Decodes one name or value: `+` is a space, `%XX` a byte, all together UTF-8.
pub(crate) fn decode(encoded: &[u8]) -> Result<Cow<'_, str>, BadEncoding> {
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return std::str::from_utf8(encoded).map(Cow::Borrowed).map_err(|_| BadEncoding);
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, tail) = rest.split_first_chunk::<2>().ok_or(BadEncoding)?;
                rest = tail;
                byte_of(*digits).ok_or(BadEncoding)?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| BadEncoding)
}

/// The byte that two hexadecimal digits stand for.
pub(crate) fn byte_of(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

fn decode_pair(pair: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), OauthError> {
    let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let value = pair.get(end + 1..).unwrap_or_default();
    match (decode(&pair[..end]), decode(value)) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(OauthError::invalid_request("The body is not form-encoded UTF-8.")),
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), OauthError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_form = match (types.next(), types.next()) {
        (Some(only), None) => only.to_str().is_ok_and(|text| {
            let media_type = text.split(';').next().unwrap_or_default();
            media_type.trim_matches([' ', '\t']).eq_ignore_ascii_case(MEDIA_TYPE)
        }),
        _ => false,
    };
    if !is_form {
        return Err(OauthError::invalid_request("Content-Type must be application/x-www-form-urlencoded."));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::error::OauthErrorCode;

    fn headers(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))])
    }

    /// A body as a form, with the right content type.
    pub(crate) fn form(body: &str) -> Form<'_> {
        parse(body.as_bytes()).unwrap()
    }

    fn parse(body: &[u8]) -> Result<Form<'_>, OauthError> {
        Form::parse(&headers(MEDIA_TYPE), body)
    }

    fn refused(body: &[u8]) {
        let code = parse(body).unwrap_err().code();
        assert_eq!(code, OauthErrorCode::InvalidRequest, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn tok_02_other_content_type_is_invalid_request() {
        for other in [
            "application/json",
            "text/plain",
            "",
            "application/x-www-form-urlencoded2",
            "multipart/form-data",
        ] {
            assert!(Form::parse(&headers(other), b"a=b").is_err(), "{other}");
        }
        assert!(Form::parse(&HeaderMap::new(), b"a=b").is_err());
        let mut twice = headers(MEDIA_TYPE);
        twice.append(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        assert!(Form::parse(&twice, b"a=b").is_err());
    }

    #[test]
    fn tok_02_content_type_takes_any_case_and_parameters() {
        for good in ["Application/X-WWW-Form-Urlencoded", "application/x-www-form-urlencoded ; charset=UTF-8"]
        {
            assert!(Form::parse(&headers(good), b"a=b").is_ok(), "{good}");
        }
    }

    #[test]
    fn tok_02_bad_escape_or_bad_utf_8_is_invalid_request() {
        let bodies: [&[u8]; 9] =
            [b"a=%", b"a=%4", b"a=%zz", b"a=%-1", b"a=%+1", b"%=a", b"a=%ff", b"a=\xFF", b"a=%C3"];
        bodies.into_iter().for_each(refused);
    }

    #[test]
    fn tok_04_parameter_without_value_is_absent() {
        let form = form("grant_type=&scope&x=1&");
        assert_eq!(form.value("grant_type"), None);
        assert_eq!(form.value("scope"), None);
        assert_eq!(form.value("x"), Some("1"));
    }

    #[test]
    fn tok_05_duplicate_parameter_is_invalid_request() {
        let bodies: [&[u8]; 6] =
            [b"scope=a&scope=a", b"scope=&scope=b", b"scope=a&s%63ope=b", b"a&x=1&a", b"x=1&x=2", b"=1&=2"];
        bodies.into_iter().for_each(refused);
        refused(b"resource=a&scope=b&resource=c&scope=d");
    }

    #[test]
    fn tok_05_resource_may_repeat() {
        let form = form("resource=a&x=y&resource=&resource=b");
        assert_eq!(form.values("resource").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn tok_24_more_than_100_parameters_are_invalid_request() {
        let body = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert!(parse(body(100).as_bytes()).is_ok());
        refused(body(101).as_bytes());
    }

    #[test]
    fn names_and_values_are_decoded_once() {
        let form = form("a%20b=c+d%2B%25%C3%A9&e=f=g");
        assert_eq!(form.value("a b"), Some("c d+%é"));
        assert_eq!(form.value("e"), Some("f=g"));
    }

    #[test]
    fn adt_03_debug_shows_no_value() {
        let printed = format!("{:?}", form("client_secret=hush&token=hush"));
        assert!(printed.contains("client_secret") && !printed.contains("hush"), "{printed}");
    }

    proptest! {
        #[test]
        fn any_text_survives_encoding(text in ".*") {
            let encoded: Vec<String> = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let body = format!("a={}", encoded.concat());
            let form = parse(body.as_bytes()).unwrap();
            prop_assert_eq!(form.value("a").unwrap_or_default(), text);
        }

        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
