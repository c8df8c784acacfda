//! The remote server: a base URL that sources and credentials name.

use serde::{Deserialize, Serialize};

use super::path::check_base_url;
use super::{Audit, Checked, DefinitionError, Id, check_comments, check_name, words};

/// Certificates of one server have at most this many bytes.
const TLS_CA_BYTES_MAX: usize = 64 * 1024;

/// A remote server of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteServer {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// Its name, unique among the schema's remote servers.
    pub name: String,
    /// What is called there.
    pub kind: ServerKind,
    /// Normalized by [`super::path::check_base_url`]: no trailing slash, host in ASCII and lower case.
    pub base_url: String,
    /// Certificates in PEM that are trusted for this server besides the system's; no private key.
    pub tls_ca: Option<String>,
    /// Free text.
    pub comments: Option<String>,
    /// Who and when.
    pub audit: Audit,
}

words! {
    /// What a remote server is for.
    ServerKind {
        /// An API. May serve tokens as well.
        Rest = "rest",
        /// Tokens only.
        Authentication = "authentication",
    }
}

impl RemoteServer {
    /// A server with this name and base URL, not yet checked. The catalog gives `id` and `schema_id`.
    pub fn new(name: &str, kind: ServerKind, base_url: &str) -> Self {
        Self {
            id: 0,
            schema_id: 0,
            name: name.into(),
            kind,
            base_url: base_url.into(),
            tls_ca: None,
            comments: None,
            audit: Audit::default(),
        }
    }

    /// Normalizes the base URL and checks all fields.
    pub fn checked(mut self) -> Checked<Self> {
        check_name("name", &self.name)?;
        self.base_url = check_base_url("base_url", &self.base_url)?;
        if let Some(pem) = &self.tls_ca {
            check_certificates(pem)?;
        }
        check_comments(self.comments.as_deref())?;
        Ok(self)
    }

    /// Which field changed where a secret may go, if one did. Secrets of all credentials that serve this server must
    /// then be given again.
    pub fn redirects_secret(before: &Self, after: &Self) -> Option<&'static str> {
        if before.base_url != after.base_url {
            return Some("base_url");
        }
        // Whoever chooses the trusted certificates can stand in for the server.
        (before.tls_ca != after.tls_ca && after.tls_ca.is_some()).then_some("tls_ca")
    }
}

fn check_certificates(pem: &str) -> Checked {
    let refuse = |rule: String| Err(DefinitionError::new("tls_ca", rule));
    if pem.len() > TLS_CA_BYTES_MAX {
        return refuse(format!("at most {TLS_CA_BYTES_MAX} bytes are allowed"));
    }
    if pem.contains("PRIVATE KEY") {
        return refuse("a private key does not belong here".into());
    }
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    let count = pem.matches(begin).count();
    if count == 0 || count != pem.matches("-----BEGIN ").count() || count != pem.matches(end).count() {
        return refuse("certificates in PEM form are needed (-----BEGIN CERTIFICATE-----)".into());
    }
    Ok(())
}
