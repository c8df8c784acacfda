//! Putting a credential on a request to an API.

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::definition::{Credential, SignIn};
use crate::error::{Code, SourceError};
use crate::token;

/// What a request carries. `Debug` shows no secret: header values are marked sensitive.
#[derive(Debug)]
pub enum Signature {
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A query parameter. It shows in the logs of servers on the way.
    Query(String, SecretString),
}

/// Makes the header or parameter of a credential. `secret` is the access token for OAuth credentials, else the secret
/// itself. A secret that cannot stand in a header is an error that does not repeat it.
pub fn sign(credential: &Credential, secret: &SecretString) -> Result<Signature, SourceError> {
    let secret_text = secret.expose_secret();
    if secret_text.is_empty() {
        return Err(SourceError::new(Code::SecretMissing).with_detail("the secret is empty"));
    }
    match &credential.sign_in {
        SignIn::Basic { username } => {
            Ok(Signature::Header(AUTHORIZATION, token::basic(username, secret_text)))
        }
        SignIn::Bearer | SignIn::Oauth2ClientCredentials(_) => {
            Ok(Signature::Header(AUTHORIZATION, header_value(&format!("Bearer {secret_text}"))?))
        }
        SignIn::Header { header } => {
            let name = HeaderName::try_from(header.as_str()).map_err(|_| {
                SourceError::new(Code::DefinitionBroken).with_detail("the credential's header")
            })?;
            Ok(Signature::Header(name, header_value(secret_text)?))
        }
        SignIn::Query { parameter } => Ok(Signature::Query(parameter.clone(), secret.clone())),
    }
}

fn header_value(text: &str) -> Result<HeaderValue, SourceError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        SourceError::new(Code::SecretMissing).with_detail("the secret has characters that no header can have")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sign_in: SignIn, secret: &str) -> Result<(String, String), Code> {
        match sign(&Credential::new("c", sign_in), &secret.into()) {
            Ok(Signature::Header(name, value)) => {
                assert!(value.is_sensitive());
                Ok((name.to_string(), value.to_str().unwrap().to_owned()))
            }
            Ok(Signature::Query(..)) => panic!("a header is expected"),
            Err(error) => {
                assert!(!format!("{error:?}").contains("hunter2"));
                Err(error.code)
            }
        }
    }

    #[test]
    fn secrets_that_break_a_header_are_refused_and_not_repeated() {
        for secret in ["", "hunter2\r\nX: y", "hunter2\n", "hunter2\0"] {
            assert_eq!(header(SignIn::Bearer, secret), Err(Code::SecretMissing), "{secret:?}");
            let named = SignIn::Header { header: "X-Key".into() };
            assert_eq!(header(named, secret), Err(Code::SecretMissing), "{secret:?}");
        }
    }

    #[test]
    fn each_type_signs_in_its_place() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        let basic = SignIn::Basic { username: "svc reports".into() };
        assert_eq!(header(basic, "p@ss:w/"), pair("authorization", "Basic c3ZjIHJlcG9ydHM6cEBzczp3Lw=="));
        assert_eq!(header(SignIn::Bearer, "abc"), pair("authorization", "Bearer abc"));
        assert_eq!(
            header(SignIn::Header { header: "X-Key".into() }, "Token abc"),
            pair("x-key", "Token abc")
        );
        let query = Credential::new("c", SignIn::Query { parameter: "api_key".into() });
        let signature = sign(&query, &"hunter2".into()).unwrap();
        assert!(!format!("{signature:?}").contains("hunter2"));
        let Signature::Query(name, value) = signature else { panic!("a parameter is expected") };
        assert_eq!((name.as_str(), value.expose_secret()), ("api_key", "hunter2"));
    }
}
