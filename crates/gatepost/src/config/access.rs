//! `[access]`, `[oauth]` and `[secrets]`: who may pass, and what they pass with.

use super::section::section;

/// What happens to a handler that no privilege and no public entry covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UnprotectedRoutes {
    /// It is closed.
    #[default]
    Refuse,
    /// It is open to everybody, as in ORDS.
    Public,
}

section! {
    /// The lock itself.
    Access {
        /// What happens to a handler that neither a privilege nor a public entry covers: "refuse", or "public" as
        /// in ORDS.
        unprotected: UnprotectedRoutes = UnprotectedRoutes::Refuse,
        /// How old this process's view of the catalog may get before everything that is not public answers 503, in
        /// seconds.
        max_stale_seconds: u32 = 10,
    }
}

section! {
    /// The token endpoint.
    Oauth {
        /// Lifetime of access tokens, in seconds; a client can have its own.
        access_token_seconds: u32 = 3_600,
        /// Allow lifetimes of more than a day; without it a client's own longer one counts as a day.
        allow_long_tokens: bool = false,
        /// Origins that may call the token endpoint from a browser.
        token_origins: Vec<String> = Vec::new(),
        /// Size of a request's body at the token endpoint, in bytes.
        body_bytes: usize = 64 * 1024,
        /// Failed client authentications a minute for one client from one address, before 429.
        failures_per_client_address: u32 = 10,
        /// Failed client authentications a minute from one address, before 429.
        failures_per_address: u32 = 60,
        /// Failed client authentications a minute from everywhere, before 429.
        failures_total: u32 = 6_000,
        /// Requests a minute of one client, tokens and calls together; 0 = no limit.
        requests_per_client: u32 = 0,
        /// Chosen secrets (argon2id) that are checked at a time.
        slow_checks: usize = 2,
        /// Chosen secrets that may wait to be checked; further ones get 503.
        slow_checks_waiting: usize = 32,
    }
}

impl Oauth {
    /// The longest lifetime that a token can get, in seconds.
    pub fn longest_token_seconds(&self) -> u32 {
        if self.allow_long_tokens { u32::MAX } else { 86_400 }
    }
}

section! {
    /// Secrets and keys.
    Secrets {
        /// How long a secret that `OAUTH.create_client` made can be read in `user_ords_clients`, in minutes; 0 = never.
        reveal_minutes: u32 = 15,
        /// The key file, relative to the folder.
        key_file: std::path::PathBuf = "keys.toml".into(),
    }
}
