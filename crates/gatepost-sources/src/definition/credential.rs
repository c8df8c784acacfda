//! The credential: how to sign in at other people's APIs. The secret itself is not here; [`SecretReference`] says
//! where it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::path::check_base_url;
use super::wire::{check_parameter_name, check_secret_header, is_secret_name};
use super::{
    Audit, Checked, DefinitionError, Id, check_between, check_comments, check_count, check_name, check_text,
    words,
};

const VALID_FOR_MAX: usize = 50;
const SCOPES_MAX: usize = 100;
const TOKEN_PARAMS_MAX: usize = 20;
const IDENTITY_LENGTH_MAX: usize = 512;
const HOUR_MS: u64 = 3_600_000;

/// A credential of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// Its name, unique among the schema's credentials.
    pub name: String,
    /// How it signs in, with all but the secret.
    pub sign_in: SignIn,
    /// Where the secret is.
    pub secret: SecretReference,
    /// The URLs that it may be sent to, normalized: an origin and whole path segments. Empty: the remote servers of
    /// the sources that use it.
    pub valid_for: Vec<String>,
    /// A random value that is replaced on every edit, of the secret too. Cached tokens carry it, so that none outlives
    /// an edit.
    pub generation: u64,
    /// Free text.
    pub comments: Option<String>,
    /// Who and when.
    pub audit: Audit,
}

/// How a credential signs in (`type` in the TOML form).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignIn {
    /// `Authorization: Basic`, user name and secret (RFC 7617).
    Basic {
        /// The user name.
        username: String,
    },
    /// `Authorization: Bearer` and the secret.
    Bearer,
    /// A header whose whole value is the secret.
    Header {
        /// The header's name.
        header: String,
    },
    /// A query parameter whose value is the secret.
    Query {
        /// The parameter's name.
        parameter: String,
    },
    /// A token by the client credentials grant, then `Authorization: Bearer` (RFC 6749 section 4.4).
    Oauth2ClientCredentials(Oauth2Client),
}

/// What is presented at a token endpoint besides the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oauth2Client {
    /// The client id.
    pub client_id: String,
    /// The scopes to ask for, each a scope token; empty: none is sent.
    pub scope: Vec<String>,
    /// How the client authenticates at the token endpoint.
    pub client_auth: ClientAuth,
    /// More parameters of the token request, such as `audience` or `resource`.
    pub token_params: BTreeMap<String, String>,
    /// Lifetime of a token whose answer names none.
    pub default_expires_in_ms: u64,
    /// How long before its end a token is replaced.
    pub refresh_early_ms: u64,
}

words! {
    /// How a client authenticates at the token endpoint (RFC 6749 section 2.3.1).
    ClientAuth {
        /// Basic, id and secret form-encoded before they are joined, as the RFC says.
        Basic = "basic",
        /// Basic as most tools do it, without the encoding, for servers that do not decode.
        BasicRaw = "basic_raw",
        /// `client_id` and `client_secret` in the body.
        Post = "post",
    }
}

/// Where a secret is. A literal is not among the choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretReference {
    /// Sealed in the catalog, in a document of its own.
    #[default]
    Vault,
    /// In an environment variable that the operator lists.
    Env(String),
    /// In a file that the operator lists.
    File(String),
}

impl Default for Oauth2Client {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            scope: Vec::new(),
            client_auth: ClientAuth::Basic,
            token_params: BTreeMap::new(),
            default_expires_in_ms: 5 * 60_000,
            refresh_early_ms: 30_000,
        }
    }
}

impl SignIn {
    /// The words of `type`.
    pub const TYPES: [&'static str; 5] = ["basic", "bearer", "header", "query", "oauth2_client_credentials"];

    /// The word of `type`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Basic { .. } => Self::TYPES[0],
            Self::Bearer => Self::TYPES[1],
            Self::Header { .. } => Self::TYPES[2],
            Self::Query { .. } => Self::TYPES[3],
            Self::Oauth2ClientCredentials(_) => Self::TYPES[4],
        }
    }
}

impl Credential {
    /// A credential with this name, not yet checked. The catalog gives `id` and `schema_id`.
    pub fn new(name: &str, sign_in: SignIn) -> Self {
        Self {
            id: 0,
            schema_id: 0,
            name: name.into(),
            sign_in,
            secret: SecretReference::Vault,
            valid_for: Vec::new(),
            generation: 0,
            comments: None,
            audit: Audit::default(),
        }
    }

    /// The OAuth part, if it is of that type.
    pub fn oauth2(&self) -> Option<&Oauth2Client> {
        match &self.sign_in {
            SignIn::Oauth2ClientCredentials(client) => Some(client),
            _ => None,
        }
    }

    /// Normalizes the valid-for list and the scopes, and checks all fields.
    pub fn checked(mut self) -> Checked<Self> {
        check_name("name", &self.name)?;
        match &mut self.sign_in {
            SignIn::Basic { username } => check_username(username)?,
            SignIn::Bearer => {}
            SignIn::Header { header } => check_secret_header("header", header)?,
            SignIn::Query { parameter } => check_parameter_name("parameter", parameter)?,
            SignIn::Oauth2ClientCredentials(client) => client.check()?,
        }
        self.secret.check()?;
        check_count("valid_for", self.valid_for.len(), VALID_FOR_MAX)?;
        for url in &mut self.valid_for {
            *url = check_base_url("valid_for", url)?;
        }
        self.valid_for.sort();
        self.valid_for.dedup();
        check_comments(self.comments.as_deref())?;
        Ok(self)
    }

    /// Forgets all tokens that were fetched with this credential: each is cached under the generation of its time.
    pub fn new_generation(&mut self, random: u64) {
        self.generation = if random == self.generation { random.wrapping_add(1) } else { random };
    }

    /// Which field changed where the secret may go or in which form, if one did. The secret must then be given again.
    /// Removing some of several valid-for entries sends it nowhere new; removing the last one does.
    pub fn redirects_secret(before: &Self, after: &Self) -> Option<&'static str> {
        if before.secret != after.secret {
            return Some("secret");
        }
        let added = after.valid_for.iter().any(|url| !before.valid_for.contains(url));
        if added || (after.valid_for.is_empty() && !before.valid_for.is_empty()) {
            return Some("valid_for");
        }
        match (&before.sign_in, &after.sign_in) {
            (SignIn::Header { header: old }, SignIn::Header { header: new }) => {
                (!old.eq_ignore_ascii_case(new)).then_some("header")
            }
            (SignIn::Query { parameter: old }, SignIn::Query { parameter: new }) => {
                (old != new).then_some("parameter")
            }
            (SignIn::Oauth2ClientCredentials(old), SignIn::Oauth2ClientCredentials(new)) => {
                (old.client_auth != new.client_auth).then_some("client_auth")
            }
            (old, new) => (old.type_name() != new.type_name()).then_some("type"),
        }
    }
}

impl SecretReference {
    fn check(&self) -> Checked {
        match self {
            Self::Vault => Ok(()),
            Self::Env(name) => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
                if name.is_empty() || name.len() > 255 || digit_first || !name.chars().all(is_part) {
                    return Err(DefinitionError::new(
                        "secret.env",
                        "the name of an environment variable is needed",
                    ));
                }
                Ok(())
            }
            Self::File(path) => check_text("secret.file", path),
        }
    }
}

impl Oauth2Client {
    fn check(&mut self) -> Checked {
        check_identity("client_id", &self.client_id)?;
        check_scopes("scope", &mut self.scope)?;
        check_count("token_params", self.token_params.len(), TOKEN_PARAMS_MAX)?;
        for (name, value) in &self.token_params {
            let key = format!("token_params.{name}");
            check_parameter_name(&key, name)?;
            if matches!(name.as_str(), "grant_type" | "scope" | "client_id") {
                return Err(DefinitionError::new(key, "this parameter has a key of its own"));
            }
            if is_secret_name(name) || name.contains("assertion") {
                return Err(DefinitionError::new(key, "a secret cannot be written into a definition"));
            }
            check_text(&key, value)?;
        }
        check_between("default_expires_in", self.default_expires_in_ms, 10_000, 24 * HOUR_MS)?;
        check_between("refresh_early", self.refresh_early_ms, 0, HOUR_MS)
    }
}

/// Checks, sorts and deduplicates scopes (RFC 6749 section 3.3).
pub(super) fn check_scopes(key: &str, scopes: &mut Vec<String>) -> Checked {
    check_count(key, scopes.len(), SCOPES_MAX)?;
    for scope in scopes.iter() {
        if scope.is_empty() || !scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            return Err(DefinitionError::new(
                key,
                "a scope is printable ASCII without spaces, quotes and backslashes",
            ));
        }
    }
    scopes.sort();
    scopes.dedup();
    Ok(())
}

fn check_identity(key: &str, text: &str) -> Checked {
    if text.is_empty() || text.len() > IDENTITY_LENGTH_MAX || text.chars().any(char::is_control) {
        let rule = format!("1 to {IDENTITY_LENGTH_MAX} bytes without control characters are needed");
        return Err(DefinitionError::new(key, rule));
    }
    Ok(())
}

fn check_username(username: &str) -> Checked {
    check_identity("username", username)?;
    if username.contains(':') {
        return Err(DefinitionError::new("username", "a colon would end the user name (RFC 7617)"));
    }
    Ok(())
}
