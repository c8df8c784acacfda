//! How a client shows who it is: `client_secret_basic` and `client_secret_post` (RFC 6749 section 2.3.1). This reads
//! what was presented; [`Client::verify_secret`](crate::Client::verify_secret) judges it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::SecretString;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::OauthError;
use crate::form::{self, Form};

/// No client id is longer.
pub const CLIENT_ID_LENGTH_MAX: usize = 512;

/// The ways of client authentication, as the metadata names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationMethod {
    /// The Authorization header.
    Basic,
    /// Parameters of the body.
    Post,
}

/// What a client presented, not yet verified.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The client id. May be a secret in the wrong field: log it only if such a client exists (ADT-04).
    pub client_id: String,
    /// The secret.
    pub secret: SecretString,
    /// Where they came from.
    pub method: AuthenticationMethod,
}

impl AuthenticationMethod {
    /// The name in RFC 8414 metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

/// Reads the client id and secret from header or body (TOK-06 to TOK-13). Two ways at once are `invalid_request`;
/// nothing, and anything that cannot be read, is `invalid_client`.
pub fn presented(headers: &HeaderMap, form: &Form<'_>) -> Result<Presented, OauthError> {
    let mut authorization = headers.get_all(AUTHORIZATION).iter();
    let header = authorization.next();
    if authorization.next().is_some() {
        return Err(OauthError::invalid_request("There is more than one Authorization header."));
    }
    let ways_in_body = ["client_secret", "client_assertion"].iter().filter(|name| form.value(name).is_some());
    if usize::from(header.is_some()) + ways_in_body.count() > 1 {
        return Err(OauthError::invalid_request("The client uses more than one way of authentication."));
    }
    match header {
        Some(header) => from_header(header, form),
        None => from_body(form),
    }
}

fn from_header(header: &HeaderValue, form: &Form<'_>) -> Result<Presented, OauthError> {
    let presented = read_basic(header).ok_or_else(OauthError::invalid_client)?;
    match form.value("client_id") {
        Some(other) if other != presented.client_id => {
            Err(OauthError::invalid_request("The header and client_id name different clients."))
        }
        _ => Ok(presented),
    }
}

fn from_body(form: &Form<'_>) -> Result<Presented, OauthError> {
    let client_id = form.value("client_id");
    let parts = client_id.zip(form.value("client_secret"));
    let (client_id, secret) = parts.ok_or_else(OauthError::invalid_client)?;
    is_client_id(client_id).then_some(()).ok_or_else(OauthError::invalid_client)?;
    Ok(Presented {
        client_id: client_id.to_owned(),
        secret: SecretString::from(secret),
        method: AuthenticationMethod::Post,
    })
}

/// RFC 7617 section 2, then RFC 6749 section 2.3.1: base64, the first colon, and each side form-decoded.
fn read_basic(header: &HeaderValue) -> Option<Presented> {
    let (scheme, credentials) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Basic").then_some(())?;
    let decoded = Zeroizing::new(STANDARD.decode(credentials.trim_start_matches(' ')).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let client_id = form::decode(&decoded[..colon]).ok()?.into_owned();
    let mut secret = form::decode(&decoded[colon + 1..]).ok()?.into_owned();
    let is_good = is_client_id(&client_id) && !secret.is_empty() && !secret.contains(char::is_control);
    let presented = is_good.then(|| Presented {
        client_id,
        secret: SecretString::from(secret.as_str()),
        method: AuthenticationMethod::Basic,
    });
    secret.zeroize();
    presented
}

fn is_client_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= CLIENT_ID_LENGTH_MAX && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::error::OauthErrorCode;
    use crate::form::tests::form;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    fn basic(plain: &str) -> String {
        format!("Basic {}", STANDARD.encode(plain))
    }

    fn refused(authorization: &[&str], body: &str) -> OauthErrorCode {
        presented(&headers(authorization), &form(body)).unwrap_err().code()
    }

    fn accepted(authorization: &[&str], body: &str) -> (String, String, AuthenticationMethod) {
        let presented = presented(&headers(authorization), &form(body)).unwrap();
        (presented.client_id, presented.secret.expose_secret().to_owned(), presented.method)
    }

    #[test]
    fn tok_09_two_ways_are_invalid_request() {
        let two = [
            (basic("a:b"), "client_id=a&client_secret=b"),
            (basic("a:b"), "client_secret=b"),
            (basic("a:b"), "client_assertion=x"),
            (basic("a:b"), "client_id=other"),
            ("Basic broken".to_owned(), "client_secret=b"),
            ("Bearer x".to_owned(), "client_id=a&client_secret=b"),
        ];
        for (header, body) in two {
            assert_eq!(refused(&[&header], body), OauthErrorCode::InvalidRequest, "{header} {body}");
        }
        let assertion = "client_id=a&client_secret=b&client_assertion=x";
        assert_eq!(refused(&[], assertion), OauthErrorCode::InvalidRequest);
    }

    #[test]
    fn tok_10_two_authorization_headers_are_invalid_request() {
        let same = basic("a:b");
        assert_eq!(refused(&[&same, &same], ""), OauthErrorCode::InvalidRequest);
        assert_eq!(refused(&[&same, "Bearer x"], ""), OauthErrorCode::InvalidRequest);
    }

    #[test]
    fn tok_11_missing_authentication_is_invalid_client() {
        for body in ["", "client_id=a", "client_secret=b", "client_id=a&client_secret=", "client_assertion=x"]
        {
            assert_eq!(refused(&[], body), OauthErrorCode::InvalidClient, "{body}");
        }
        assert_eq!(refused(&["Bearer x"], ""), OauthErrorCode::InvalidClient);
        assert_eq!(refused(&["Digest x"], "client_id=a"), OauthErrorCode::InvalidClient);
    }

    #[test]
    fn tok_13_malformed_basic_is_invalid_client() {
        let plain = ["", "no colon", ":", "a:", ":b", "a%:b", "a:%zz", "a%00:b", "a:b%0d", "a\r:b", "a:%ff"];
        let long = "x".repeat(CLIENT_ID_LENGTH_MAX + 1);
        let encoded = plain.iter().map(|plain| basic(plain)).chain([basic(&format!("{long}:b"))]);
        let raw =
            ["Basic", "Basic ", "Basic a:b", "Basic YTpi=", "Basic YTpiYw", "Basic YTpi YTpi", "Basic -_-_"];
        for header in encoded.chain(raw.map(str::to_owned)) {
            assert_eq!(refused(&[&header], ""), OauthErrorCode::InvalidClient, "{header}");
        }
        let not_ascii =
            HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(b"Basic \xFF").unwrap())]);
        assert!(presented(&not_ascii, &form("")).is_err());
        assert_eq!(refused(&[], "client_id=a%0A&client_secret=b"), OauthErrorCode::InvalidClient);
    }

    #[test]
    fn tok_06_basic_is_split_at_the_first_colon_and_form_decoded() {
        let read = |header: &str| accepted(&[header], "");
        assert_eq!(read(&basic("a:b:c")), ("a".into(), "b:c".into(), AuthenticationMethod::Basic));
        assert_eq!(read(&basic("a%3Ab:c+d%2B")), ("a:b".into(), "c d+".into(), AuthenticationMethod::Basic));
        let spelled = basic("a:b").replace("Basic ", "bASIC   ");
        assert_eq!(read(&spelled), ("a".into(), "b".into(), AuthenticationMethod::Basic));
    }

    #[test]
    fn tok_07_secret_in_the_body_works() {
        let read = accepted(&[], "client_id=a&client_secret=b%20c");
        assert_eq!(read, ("a".into(), "b c".into(), AuthenticationMethod::Post));
    }

    #[test]
    fn tok_09_basic_with_the_same_client_id_in_the_body_works() {
        let read = accepted(&[&basic("a:b")], "client_id=a&client_secret=");
        assert_eq!(read, ("a".into(), "b".into(), AuthenticationMethod::Basic));
    }

    #[test]
    fn adt_03_debug_shows_no_secret() {
        let presented = presented(&headers(&[&basic("a:hush-hush")]), &form("")).unwrap();
        assert!(!format!("{presented:?}").contains("hush"));
    }

    proptest! {
        #[test]
        fn tok_08_our_ids_and_secrets_need_no_encoding(id in any::<[u8; 16]>(), secret in any::<[u8; 32]>()) {
            let (id, secret) = (crate::new_client_id(id), crate::new_client_secret(secret));
            let header = basic(&format!("{id}:{}", secret.expose_secret()));
            let read = accepted(&[&header], "");
            prop_assert_eq!(read, (id, secret.expose_secret().to_owned(), AuthenticationMethod::Basic));
        }

        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(32_u8..127, 0..60)) {
            let header = HeaderValue::from_bytes(&bytes).unwrap();
            let _ = presented(&HeaderMap::from_iter([(AUTHORIZATION, header)]), &form(""));
        }
    }
}
