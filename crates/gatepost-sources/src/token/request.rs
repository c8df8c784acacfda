//! The token request: one method of client authentication, the parameters in the body, nothing in the query string.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::definition::{ClientAuth, Credential, Id, Oauth2Client, SourceAuth};

/// A request for the token endpoint, by POST. `Debug` shows no secret.
#[derive(Debug)]
pub struct TokenRequest {
    /// Content type, accept, and authorization where the method wants it (marked sensitive).
    pub headers: HeaderMap,
    /// The form-encoded body; has the secret with method `post`.
    pub body: SecretString,
}

/// What a token is remembered under. Two sources that would send the same request share a token; nothing of the secret
/// is in here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    token_url: String,
    credential_id: Id,
    generation: u64,
    client_id: String,
    client_auth: ClientAuth,
    scope: Vec<String>,
    token_params: BTreeMap<String, String>,
}

impl CacheKey {
    /// The key of a credential's token from this endpoint; none if it fetches no tokens. `token_url` is the exact URL.
    pub fn new(token_url: &str, credential: &Credential, auth: &SourceAuth) -> Option<Self> {
        let client = credential.oauth2()?;
        let mut scope = scope_of(client, auth).to_vec();
        scope.sort();
        scope.dedup();
        Some(Self {
            token_url: token_url.into(),
            credential_id: credential.id,
            generation: credential.generation,
            client_id: client.client_id.clone(),
            client_auth: client.client_auth,
            scope,
            token_params: client.token_params.clone(),
        })
    }

    /// The credential, for forgetting all that was fetched with it.
    pub fn credential_id(&self) -> Id {
        self.credential_id
    }
}

/// Writes the token request of a source.
pub fn token_request(client: &Oauth2Client, auth: &SourceAuth, secret: &SecretString) -> TokenRequest {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    let scope = scope_of(client, auth);
    if !scope.is_empty() {
        form.append_pair("scope", &scope.join(" "));
    }
    form.extend_pairs(&client.token_params);
    match client.client_auth {
        // The id is not repeated in the body: RFC 6749 section 2.3 allows one method a request.
        ClientAuth::Basic => {
            headers.insert(
                AUTHORIZATION,
                basic(&form_encode(&client.client_id), &form_encode(secret.expose_secret())),
            );
        }
        ClientAuth::BasicRaw => {
            headers.insert(AUTHORIZATION, basic(&client.client_id, secret.expose_secret()));
        }
        ClientAuth::Post => {
            form.append_pair("client_id", &client.client_id);
            form.append_pair("client_secret", secret.expose_secret());
        }
    }
    TokenRequest { headers, body: SecretString::from(form.finish()) }
}

/// The form encoding of one value: `A-Z a-z 0-9 * - . _` stay, a space is `+`, all other bytes are `%XX`.
pub fn form_encode(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// A Basic header's value, marked sensitive.
pub(crate) fn basic(id: &str, secret: &str) -> HeaderValue {
    let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let mut value = HeaderValue::from_str(&value).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

fn scope_of<'a>(client: &'a Oauth2Client, auth: &'a SourceAuth) -> &'a [String] {
    if auth.scope.is_empty() { &client.scope } else { &auth.scope }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::SignIn;

    fn client(id: &str, client_auth: ClientAuth) -> Oauth2Client {
        Oauth2Client { client_id: id.into(), client_auth, ..Oauth2Client::default() }
    }

    fn auth() -> SourceAuth {
        SourceAuth {
            credential: "c".into(),
            server: None,
            token_path: Some("oauth/token".into()),
            scope: Vec::new(),
        }
    }

    fn header(id: &str, secret: &str, client_auth: ClientAuth) -> String {
        let request = token_request(&client(id, client_auth), &auth(), &secret.into());
        request.headers[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    #[test]
    fn basic_headers_match_the_vectors() {
        for (id, secret, encoded, raw) in [
            (
                "LfXJilIBdzj5JPRn4xb5QQ..",
                "k3y-abc_DEF.123..",
                "Basic TGZYSmlsSUJkemo1SlBSbjR4YjVRUS4uOmszeS1hYmNfREVGLjEyMy4u",
                "Basic TGZYSmlsSUJkemo1SlBSbjR4YjVRUS4uOmszeS1hYmNfREVGLjEyMy4u",
            ),
            (
                "svc:reports",
                "p@ss w%rd+/~",
                "Basic c3ZjJTNBcmVwb3J0czpwJTQwc3MrdyUyNXJkJTJCJTJGJTdF",
                "Basic c3ZjOnJlcG9ydHM6cEBzcyB3JXJkKy9+",
            ),
            (
                "client \u{e9}",
                "s\u{e9}cret",
                "Basic Y2xpZW50KyVDMyVBOTpzJUMzJUE5Y3JldA==",
                "Basic Y2xpZW50IMOpOnPDqWNyZXQ=",
            ),
        ] {
            assert_eq!(header(id, secret, ClientAuth::Basic), encoded);
            assert_eq!(header(id, secret, ClientAuth::BasicRaw), raw);
        }
    }

    #[test]
    fn one_method_of_authentication_is_used() {
        let mut client = client("svc:reports", ClientAuth::Post);
        client.scope = vec!["a".into(), "b".into()];
        client.token_params.insert("audience".into(), "https://hr/".into());
        let secret = SecretString::from("p@ss w%rd+/~");
        let post = token_request(&client, &auth(), &secret);
        assert!(!post.headers.contains_key(AUTHORIZATION));
        assert_eq!(
            post.body.expose_secret(),
            "grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fhr%2F&client_id=svc%3Areports\
             &client_secret=p%40ss+w%25rd%2B%2F%7E"
        );
        client.client_auth = ClientAuth::Basic;
        let basic = token_request(&client, &auth(), &secret);
        assert!(!basic.body.expose_secret().contains("client_id"));
        assert!(basic.headers[AUTHORIZATION].is_sensitive());
        assert!(!format!("{basic:?}{post:?}").contains("p%40ss"), "Debug keeps quiet");
    }

    #[test]
    fn no_scope_sends_none_and_the_sources_own_wins() {
        let mut client = client("a", ClientAuth::Basic);
        let secret = SecretString::from("s");
        assert_eq!(
            token_request(&client, &auth(), &secret).body.expose_secret(),
            "grant_type=client_credentials"
        );
        client.scope = vec!["wide".into()];
        let auth = SourceAuth { scope: vec!["narrow".into()], ..auth() };
        let body = token_request(&client, &auth, &secret).body;
        assert_eq!(body.expose_secret(), "grant_type=client_credentials&scope=narrow");
    }

    #[test]
    fn tokens_are_shared_by_equal_requests_only() {
        let credential = |change: fn(&mut Credential)| {
            let mut client = client("id", ClientAuth::Basic);
            client.scope = vec!["a".into(), "b".into()];
            let mut credential = Credential::new("c", SignIn::Oauth2ClientCredentials(client));
            change(&mut credential);
            credential
        };
        let key =
            |credential: &Credential, auth: &SourceAuth| CacheKey::new("https://id/token", credential, auth);
        let base = key(&credential(|_| {}), &auth());
        assert!(base.is_some());
        assert_eq!(key(&Credential::new("c", SignIn::Bearer), &auth()), None);
        let other_source = SourceAuth { scope: vec!["b".into(), "a".into()], ..auth() };
        assert_eq!(key(&credential(|_| {}), &other_source), base, "order of scopes does not matter");
        assert_ne!(key(&credential(|c| c.generation = 1), &auth()), base, "an edit forgets tokens");
        assert_ne!(key(&credential(|c| c.id = 1), &auth()), base);
        assert_ne!(key(&credential(|_| {}), &SourceAuth { scope: vec!["a".into()], ..auth() }), base);
        assert_ne!(CacheKey::new("https://id/token/", &credential(|_| {}), &auth()), base);
        let change = |c: &mut Credential| {
            let SignIn::Oauth2ClientCredentials(client) = &mut c.sign_in else { return };
            client.token_params.insert("audience".into(), "x".into());
        };
        assert_ne!(key(&credential(change), &auth()), base);
    }
}
