//! The people who sign in to the console (design decision 26): what the catalog keeps of them, and their passwords.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::client::Id;

/// A password has at least this many characters.
pub const PASSWORD_LENGTH_MIN: usize = 12;

/// No password has more bytes; longer ones are refused before any work is done.
pub const PASSWORD_BYTES_MAX: usize = 512;

/// The longest name, in characters.
pub const USER_NAME_LENGTH_MAX: usize = 64;

/// A person who may sign in to the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Identity.
    pub id: Id,
    /// What the person types to sign in; lower case, unique.
    pub name: String,
    /// What the person may do.
    pub kind: UserKind,
    /// The schemas that a developer or viewer works in, by id, sorted. The other kinds see all.
    pub schemas: Vec<Id>,
    /// The argon2id hash of the password in PHC form.
    pub password: String,
    /// When the password was set (milliseconds since 1970).
    pub password_set_on_ms: i64,
    /// A disabled user cannot sign in, and has no sign-in that counts.
    pub enabled: bool,
    /// A random value that every sign-in of the user carries; replacing it ends them all.
    pub generation: u64,
    /// Who made the user.
    pub created_by: String,
    /// When (milliseconds since 1970).
    pub created_on_ms: i64,
    /// Who changed the user last.
    pub updated_by: String,
    /// When (milliseconds since 1970).
    pub updated_on_ms: i64,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    /// Everything.
    Administrator,
    /// Definitions and SQL of the assigned schemas.
    Developer,
    /// Definitions and source reports of the assigned schemas, to read.
    Viewer,
    /// Definitions, logs, audit and explanations, to read.
    Auditor,
}

/// Why a name or a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// Not 1 to [`USER_NAME_LENGTH_MAX`] of the allowed characters.
    #[error(
        "a user's name has 1 to {USER_NAME_LENGTH_MAX} characters: a-z, 0-9, '.', '_', '-' and '@', the first a letter or a digit"
    )]
    Name,
    /// Fewer than [`PASSWORD_LENGTH_MIN`] characters.
    #[error("a password has at least {PASSWORD_LENGTH_MIN} characters")]
    PasswordTooShort,
    /// More than [`PASSWORD_BYTES_MAX`] bytes.
    #[error("a password has at most {PASSWORD_BYTES_MAX} bytes")]
    PasswordTooLong,
    /// It is the name.
    #[error("a password is not the user's name")]
    PasswordIsName,
    /// The slow hash failed, which means that memory ran out.
    #[error("the password could not be hashed")]
    Hash,
}

impl UserKind {
    /// All kinds, the most powerful first.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Developer, Self::Viewer, Self::Auditor];

    /// The stored and shown name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
        }
    }

    /// Reads a kind's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it sees the assigned schemas only.
    pub fn has_assigned_schemas(self) -> bool {
        matches!(self, Self::Developer | Self::Viewer)
    }
}

impl User {
    /// Whether the user may see anything of this schema.
    pub fn sees_schema(&self, schema_id: Id) -> bool {
        !self.kind.has_assigned_schemas() || self.schemas.contains(&schema_id)
    }

    /// Whether this is the password. Slow by intent, as [`hash_password`]. Does not look at [`Self::enabled`].
    pub fn password_matches(&self, presented: &SecretString) -> bool {
        let presented = presented.expose_secret().as_bytes();
        presented.len() <= PASSWORD_BYTES_MAX
            && Argon2::default().verify_password(presented, self.password.as_str()).is_ok()
    }

    /// Ends all sign-ins of the user: each carries the generation that it was made under.
    pub fn new_generation(&mut self, random: u64) {
        self.generation = if random == self.generation { random.wrapping_add(1) } else { random };
    }
}

/// Checks the name of a new user.
pub fn check_user_name(name: &str) -> Result<(), UserError> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'@');
    let starts_well = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if starts_well && name.len() <= USER_NAME_LENGTH_MAX && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(UserError::Name)
    }
}

/// Checks a password that somebody chose for this user.
pub fn check_password(name: &str, password: &SecretString) -> Result<(), UserError> {
    let password = password.expose_secret();
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(UserError::PasswordTooLong);
    }
    if password.trim().eq_ignore_ascii_case(name) {
        return Err(UserError::PasswordIsName);
    }
    if password.chars().count() < PASSWORD_LENGTH_MIN {
        return Err(UserError::PasswordTooShort);
    }
    Ok(())
}

/// The hash to keep of a password: argon2id with 19 MiB, 2 passes, 1 lane. Slow by intent: run it where slow work
/// may run. `salt` is random.
pub fn hash_password(password: &SecretString, salt: [u8; 16]) -> Result<String, UserError> {
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map_err(|_| UserError::Hash)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(password: &str) -> User {
        User {
            id: 10_900,
            name: "ada".into(),
            kind: UserKind::Developer,
            schemas: vec![10_001],
            password: hash_password(&password.into(), [7; 16]).unwrap(),
            password_set_on_ms: 0,
            enabled: true,
            generation: 5,
            created_by: "setup".into(),
            created_on_ms: 0,
            updated_by: "setup".into(),
            updated_on_ms: 0,
        }
    }

    #[test]
    fn another_password_an_endless_one_and_a_broken_hash_match_nothing() {
        let user = user("correct horse battery");
        for wrong in ["", "correct horse batterz", "Correct horse battery", "correct horse battery "] {
            assert!(!user.password_matches(&wrong.into()), "{wrong}");
        }
        assert!(!user.password_matches(&"x".repeat(PASSWORD_BYTES_MAX + 1).into()));
        let broken = User { password: "$argon2id$nothing".into(), ..user.clone() };
        assert!(!broken.password_matches(&"correct horse battery".into()));
        assert!(user.password_matches(&"correct horse battery".into()));
        assert!(user.password.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", user.password);
    }

    #[test]
    fn short_passwords_endless_ones_and_the_name_are_refused() {
        let check = |name, password: &str| check_password(name, &password.into());
        assert_eq!(check("ada", "elevenchars"), Err(UserError::PasswordTooShort));
        assert_eq!(check("ada", &"x".repeat(513)), Err(UserError::PasswordTooLong));
        assert_eq!(check("ada.lovelace", "Ada.Lovelace"), Err(UserError::PasswordIsName));
        assert_eq!(check("ada.lovelace", "ada.lovelace "), Err(UserError::PasswordIsName));
        assert_eq!(check("ada", "twelve chars"), Ok(()));
        assert_eq!(check("ada", "ünïcødé tööö"), Ok(()), "characters count, not bytes");
    }

    #[test]
    fn names_are_lower_case_and_of_few_characters() {
        for name in ["", "Ada", "ada lovelace", "-ada", "@ada", "ada/..", "adä", &"a".repeat(65)] {
            assert_eq!(check_user_name(name), Err(UserError::Name), "{name}");
        }
        for name in ["a", "ada", "ada.lovelace-2_x@example.org", &"a".repeat(64)] {
            assert_eq!(check_user_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn developers_and_viewers_see_what_they_are_assigned() {
        for kind in UserKind::ALL {
            let user = User { kind, ..user("correct horse battery") };
            assert!(user.sees_schema(10_001), "{kind:?}");
            assert_eq!(user.sees_schema(10_002), !kind.has_assigned_schemas(), "{kind:?}");
            assert_eq!(UserKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(UserKind::parse("Administrator"), None);
    }

    #[test]
    fn a_new_generation_is_never_the_old_one() {
        let mut user = user("correct horse battery");
        user.new_generation(5);
        assert_eq!(user.generation, 6);
    }
}
