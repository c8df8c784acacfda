//! The OAuth client as the catalog keeps it (RFC 6749 section 2; ORDS Developer's Guide, package OAUTH).

use serde::{Deserialize, Serialize};

/// Identity of a catalog object; never used twice.
pub type Id = u64;

/// A client of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// Its name, unique in the schema.
    pub name: String,
    /// What it presents at the token endpoint; unique in the schema.
    pub client_id: String,
    /// The grant it may use.
    pub grant_type: GrantType,
    /// Who is responsible for it.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its users get help, an email address.
    pub support_email: Option<String>,
    /// Where its users get help, a URL.
    pub support_uri: Option<String>,
    /// Where an authorization code goes.
    pub redirect_uri: Option<String>,
    /// Origins of browser clients.
    pub origins_allowed: Vec<String>,
    /// Privileges that it lists, by id, sorted.
    pub privileges: Vec<Id>,
    /// Roles that it was granted, by id, sorted.
    pub roles: Vec<Id>,
    /// Lifetime of access tokens in seconds; absent: the server's.
    pub token_duration_seconds: Option<u32>,
    /// Lifetime of refresh tokens in seconds; absent: the server's.
    pub refresh_duration_seconds: Option<u32>,
    /// Lifetime of authorization codes in seconds; absent: the server's.
    pub code_duration_seconds: Option<u32>,
    /// A disabled client gets no token, and its tokens open nothing.
    pub enabled: bool,
    /// A random value that every token of the client carries; replacing it revokes them all.
    pub generation: u64,
    /// At most two, each in a slot of its own.
    pub secrets: Vec<ClientSecret>,
    /// Who made it.
    pub created_by: String,
    /// When it was made (milliseconds since 1970).
    pub created_on_ms: i64,
    /// Who changed it last.
    pub updated_by: String,
    /// When it was last changed.
    pub updated_on_ms: i64,
}

/// A grant type that a client may be registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 4.2; can be registered, as old scripts do, and never used.
    Implicit,
}

/// One of a client's two secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    /// 1 or 2.
    pub slot: u8,
    /// What a presented secret is compared with.
    pub verifier: SecretVerifier,
    /// When it was set (milliseconds since 1970).
    pub issued_on_ms: i64,
    /// A copy that can still be read for a while.
    pub reveal: Option<SealedSecret>,
}

/// How a presented secret is checked. Neither form gives the secret back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SecretVerifier {
    /// HMAC-SHA-256 under a pepper: for secrets of 256 random bits, which nobody can guess.
    Hmac {
        /// Which pepper of the key file.
        pepper_id: u32,
        /// 32 bytes, base64url without padding.
        digest: String,
    },
    /// An argon2id hash in PHC form: for secrets that people chose.
    Argon2 {
        /// The PHC string.
        phc: String,
    },
}

/// A secret under the vault key, readable until a time by administrators and its maker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Nonce and ciphertext, base64url without padding.
    pub sealed: String,
    /// Which vault key of the key file.
    pub key_id: u32,
    /// Not shown from this time on (milliseconds since 1970).
    pub until_ms: i64,
    /// Who may read it besides administrators.
    pub made_by: String,
}

impl GrantType {
    /// The value of `p_grant_type` and of `grant_type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::Implicit => "implicit",
        }
    }

    /// Reads a value of `p_grant_type`, in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ClientCredentials, Self::AuthorizationCode, Self::Implicit]
            .into_iter()
            .find(|grant| grant.as_str().eq_ignore_ascii_case(text))
    }

    /// The value of column `AUTH_FLOW` in `user_ords_clients`.
    pub fn auth_flow(self) -> &'static str {
        match self {
            Self::ClientCredentials => "CLIENT_CRED",
            Self::AuthorizationCode => "AUTH_CODE",
            Self::Implicit => "IMPLICIT",
        }
    }
}

/// How many secrets a client can have at a time, so that one can be replaced without a gap.
pub const SECRET_SLOTS: u8 = 2;

impl Client {
    /// Sets a secret in a free slot, or in the one whose secret is the older. Returns the slot.
    pub fn set_secret_in_free_or_oldest_slot(
        &mut self,
        verifier: SecretVerifier,
        issued_on_ms: i64,
        reveal: Option<SealedSecret>,
    ) -> u8 {
        let taken = |slot: &u8| self.secrets.iter().any(|secret| secret.slot == *slot);
        let free = (1..=SECRET_SLOTS).find(|slot| !taken(slot));
        let oldest = self.secrets.iter().min_by_key(|secret| (secret.issued_on_ms, secret.slot));
        let slot = free.or(oldest.map(|secret| secret.slot)).unwrap_or(1);
        self.secrets.retain(|secret| secret.slot != slot);
        self.secrets.push(ClientSecret { slot, verifier, issued_on_ms, reveal });
        self.secrets.sort_by_key(|secret| secret.slot);
        slot
    }

    /// Removes the secret in a slot. Returns whether there was one.
    pub fn revoke_slot(&mut self, slot: u8) -> bool {
        let before = self.secrets.len();
        self.secrets.retain(|secret| secret.slot != slot);
        self.secrets.len() < before
    }

    /// Revokes all access tokens of the client: each carries the generation that it was issued under.
    pub fn new_generation(&mut self, random: u64) {
        self.generation = if random == self.generation { random.wrapping_add(1) } else { random };
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A client for client credentials with one secret that nothing matches.
    pub(crate) fn client() -> Client {
        Client {
            id: 10_300,
            schema_id: 10_001,
            name: "Payroll".into(),
            client_id: "x3wJ8kQ2vLm0aPz9RtYb7A".into(),
            grant_type: GrantType::ClientCredentials,
            owner: None,
            description: None,
            support_email: None,
            support_uri: None,
            redirect_uri: None,
            origins_allowed: Vec::new(),
            privileges: Vec::new(),
            roles: Vec::new(),
            token_duration_seconds: None,
            refresh_duration_seconds: None,
            code_duration_seconds: None,
            enabled: true,
            generation: 99,
            secrets: vec![secret(1, 1_000)],
            created_by: "HR".into(),
            created_on_ms: 0,
            updated_by: "HR".into(),
            updated_on_ms: 0,
        }
    }

    fn secret(slot: u8, issued_on_ms: i64) -> ClientSecret {
        ClientSecret { slot, verifier: verifier("kept"), issued_on_ms, reveal: None }
    }

    fn verifier(digest: &str) -> SecretVerifier {
        SecretVerifier::Hmac { pepper_id: 1, digest: digest.into() }
    }

    fn slots(client: &Client) -> Vec<(u8, i64)> {
        client.secrets.iter().map(|secret| (secret.slot, secret.issued_on_ms)).collect()
    }

    #[test]
    fn reg_01_second_secret_takes_the_free_slot_and_the_third_the_older() {
        let mut client = client();
        assert_eq!(client.set_secret_in_free_or_oldest_slot(verifier("b"), 2_000, None), 2);
        assert_eq!(slots(&client), [(1, 1_000), (2, 2_000)]);
        assert_eq!(client.set_secret_in_free_or_oldest_slot(verifier("c"), 3_000, None), 1);
        assert_eq!(client.set_secret_in_free_or_oldest_slot(verifier("d"), 4_000, None), 2);
        assert_eq!(slots(&client), [(1, 3_000), (2, 4_000)]);
        assert_eq!(client.secrets[1].verifier, verifier("d"));
    }

    #[test]
    fn revoked_slot_is_free_again() {
        let mut client = client();
        assert!(client.revoke_slot(1));
        assert!(!client.revoke_slot(1));
        assert!(!client.revoke_slot(2));
        assert_eq!(client.set_secret_in_free_or_oldest_slot(verifier("b"), 2_000, None), 1);
    }

    #[test]
    fn new_generation_is_never_the_old_one() {
        let mut client = client();
        client.new_generation(99);
        assert_eq!(client.generation, 100);
        client.new_generation(7);
        assert_eq!(client.generation, 7);
    }

    #[test]
    fn grant_type_is_read_in_any_letter_case() {
        assert_eq!(GrantType::parse("Client_Credentials"), Some(GrantType::ClientCredentials));
        assert_eq!(GrantType::parse("password"), None);
    }
}
