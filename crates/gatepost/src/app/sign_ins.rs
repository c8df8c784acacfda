//! Signing in to the console: who is it, is it still, and since when was the password not asked for.
//!
//! A cookie holds 256 random bits; the catalog keeps their SHA-256 and what the user's generation was. A sign-in counts
//! while it has not expired, the user is enabled and the generation is the same. Reads and writes here block.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_oauth::secret::verify::verify_unknown_client_slowly;
use gatepost_oauth::user::PASSWORD_BYTES_MAX;
use gatepost_oauth::{User, UserKind};
use gatepost_store::catalog::{DatabaseError, SignIn};
use gatepost_store::logs::AuditRecord;
use secrecy::{ExposeSecret as _, SecretString};

use super::App;
use super::clock::random_bytes;

/// How long a sign-in lasts: a working day.
const LASTS_MS: i64 = 12 * 3_600_000;

/// How long it lasts for who wants to stay signed in: 30 days.
const KEPT_LASTS_MS: i64 = 30 * 24 * 3_600_000;

/// How long the password counts as just given.
const CONFIRMED_MS: i64 = 10 * 60_000;

/// How exact the time of the last use is.
const SEEN_MS: i64 = 60_000;

/// Characters that are kept of what a browser calls itself.
const USER_AGENT_LENGTH_MAX: usize = 200;

/// Characters of a cookie's token: 256 bits.
const TOKEN_LENGTH: usize = 43;

/// Somebody who wants to sign in.
#[derive(Debug)]
pub struct Attempt {
    /// The name as it was typed.
    pub name: String,
    /// The password as it was typed.
    pub password: SecretString,
    /// From where.
    pub address: IpAddr,
    /// With which browser.
    pub user_agent: String,
    /// Whether to stay signed in.
    pub keep: bool,
}

/// A sign-in that was made.
#[derive(Debug)]
pub struct NewSignIn {
    /// For the cookie; kept nowhere else.
    pub token: SecretString,
    /// In how many seconds it ends.
    pub lasts_seconds: i64,
    /// When it ends (milliseconds since 1970).
    pub expires_on_ms: i64,
    /// Who signed in.
    pub user: Arc<User>,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    /// Nobody has this name and this password. Does not say which of the two, nor that a user is disabled.
    #[error("name or password is wrong")]
    Wrong,
    /// Too many failures.
    #[error("there were too many failed attempts; try again in {0} seconds")]
    Throttled(u32),
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked; try again")]
    Busy,
    /// The catalog could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl App {
    /// Checks name and password and makes a sign-in. Unknown names and disabled users cost what wrong passwords cost.
    pub async fn sign_in(self: &Arc<Self>, attempt: Attempt) -> Result<NewSignIn, SignInRefused> {
        let name = attempt.name.trim().to_lowercase();
        let user = self.check_user(&name, &attempt.password, attempt.address, "sign-in refused").await?;
        let app = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || app.make_sign_in(&user, &attempt)).await;
        made.map_err(|_| SignInRefused::Busy)?
    }

    /// Asks for the password once more, for what is dangerous. Counts for ten minutes.
    pub async fn confirm_password(
        self: &Arc<Self>,
        user: &Arc<User>,
        sign_in: &SignIn,
        password: &SecretString,
        address: IpAddr,
    ) -> Result<(), SignInRefused> {
        self.check_user(&user.name, password, address, "password confirmation refused").await?;
        let (app, id) = (Arc::clone(self), sign_in.id.clone());
        let confirmed =
            tokio::task::spawn_blocking(move || app.store.confirm_sign_in(&id, app.clock.now_ms())).await;
        confirmed.map_err(|_| SignInRefused::Busy)?.map_err(SignInRefused::Database)
    }

    /// Whether the password was given so short a time ago that something dangerous may be done.
    pub fn is_confirmed(&self, sign_in: &SignIn) -> bool {
        let ago_ms = self.clock.now_ms() - sign_in.confirmed_on_ms;
        (0..CONFIRMED_MS).contains(&ago_ms)
    }

    /// The sign-in of a cookie's token with its user, while it counts. Blocks for a row read, and once a minute for a
    /// write.
    pub fn find_sign_in(&self, token: &SecretString) -> Result<Option<(Arc<User>, SignIn)>, DatabaseError> {
        let Some(id) = sign_in_id(token.expose_secret()) else { return Ok(None) };
        let Some(mut sign_in) = self.store.find_sign_in(&id)? else { return Ok(None) };
        let now_ms = self.clock.now_ms();
        let snapshot = self.snapshot();
        let user = snapshot.catalog.users.get(&sign_in.user_id);
        let Some(user) = user.filter(|user| counts(&sign_in, user, now_ms)) else { return Ok(None) };
        if now_ms - sign_in.seen_on_ms >= SEEN_MS {
            self.store.touch_sign_in(&id, now_ms)?;
            sign_in.seen_on_ms = now_ms;
        }
        Ok(Some((Arc::clone(user), sign_in)))
    }

    /// The sign-ins of a user that count, the one that was used last first.
    pub fn list_sign_ins(&self, user: &User) -> Result<Vec<SignIn>, DatabaseError> {
        let now_ms = self.clock.now_ms();
        let mut sign_ins = self.store.list_sign_ins(user.id)?;
        sign_ins.retain(|sign_in| counts(sign_in, user, now_ms));
        Ok(sign_ins)
    }

    /// Ends a sign-in of a user: that of the browser that asks, or another one.
    pub fn end_sign_in(&self, user: &User, id: &str) -> Result<(), DatabaseError> {
        self.store.end_sign_in(user.id, id)?;
        self.audit_person("sign-out", "ok", None, Some(user));
        Ok(())
    }

    /// Ends all sign-ins of a user.
    pub fn end_sign_ins(&self, user: &User) -> Result<(), DatabaseError> {
        self.store.end_sign_ins(user.id)?;
        self.audit_person("sign-out", "ok", None, Some(user));
        Ok(())
    }

    /// The user of this name and password.
    async fn check_user(
        self: &Arc<Self>,
        name: &str,
        password: &SecretString,
        address: IpAddr,
        event: &'static str,
    ) -> Result<Arc<User>, SignInRefused> {
        // Of the name, not of the user: what is refused does not tell whether there is one.
        let bucket = Some(bucket_of(name));
        if let Err(seconds) = self.people_throttle.check(bucket, address, Instant::now()) {
            self.audit_person(event, "throttled", Some(address), None);
            return Err(SignInRefused::Throttled(seconds));
        }
        // What another process made a moment ago counts at once.
        let app = Arc::clone(self);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || app.refresh()).await {
            return Err(error.into());
        }
        let known = self.snapshot().catalog.user_by_name(name).cloned();
        let (checked, presented) = (known.clone(), password.clone());
        let worth_it = presented.expose_secret().len() <= PASSWORD_BYTES_MAX;
        let check = move || {
            if let Some(user) = checked.filter(|_| worth_it) {
                return user.password_matches(&presented);
            }
            verify_unknown_client_slowly(&"".into());
            false
        };
        let matches = self.slow_checks.run(check).await.map_err(|_| SignInRefused::Busy)?;
        let reason = match &known {
            Some(user) if matches && user.enabled => return Ok(Arc::clone(user)),
            Some(_) if matches => "user disabled",
            Some(_) => "wrong password",
            None => "unknown user",
        };
        self.people_throttle.note_failure(bucket, address, Instant::now());
        // A name that nobody has is not kept: it may be a password in the wrong field.
        self.audit_person(event, reason, Some(address), known.as_deref());
        Err(SignInRefused::Wrong)
    }

    fn make_sign_in(&self, user: &Arc<User>, attempt: &Attempt) -> Result<NewSignIn, SignInRefused> {
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(random_bytes::<32>()));
        let now_ms = self.clock.now_ms();
        let lasts_ms = if attempt.keep { KEPT_LASTS_MS } else { LASTS_MS };
        let sign_in = SignIn {
            id: digest_of(token.expose_secret()),
            user_id: user.id,
            generation: user.generation,
            made_on_ms: now_ms,
            seen_on_ms: now_ms,
            expires_on_ms: now_ms + lasts_ms,
            confirmed_on_ms: now_ms,
            address: attempt.address.to_canonical().to_string(),
            user_agent: clean(&attempt.user_agent),
        };
        self.store.add_sign_in(&sign_in)?;
        self.audit_person("sign-in", "ok", Some(attempt.address), Some(user));
        let (lasts_seconds, expires_on_ms) = (lasts_ms / 1_000, sign_in.expires_on_ms);
        Ok(NewSignIn { token, lasts_seconds, expires_on_ms, user: Arc::clone(user) })
    }

    fn audit_person(
        &self,
        event: &'static str,
        reason: &'static str,
        address: Option<IpAddr>,
        user: Option<&User>,
    ) {
        let kind = |kind: UserKind| kind.as_str();
        self.logs.note_audit(AuditRecord {
            at_ms: self.clock.now_ms(),
            address,
            event,
            outcome: if reason == "ok" { "success" } else { "failure" },
            reason,
            detail: user.map(|user| format!("user {}, {}", user.name, kind(user.kind))),
            ..AuditRecord::default()
        });
    }
}

fn counts(sign_in: &SignIn, user: &User, now_ms: i64) -> bool {
    user.enabled && user.generation == sign_in.generation && sign_in.expires_on_ms > now_ms
}

/// What is kept of a token; nothing for a text that can be none.
fn sign_in_id(token: &str) -> Option<String> {
    let possible = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (token.len() == TOKEN_LENGTH && token.bytes().all(possible)).then(|| digest_of(token))
}

fn digest_of(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// The number of a name in the throttle's table: of this process, so that nobody can choose names that share one.
fn bucket_of(name: &str) -> u64 {
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    HASHER.hash_one(name)
}

/// A browser's name for itself without control characters, cut.
fn clean(user_agent: &str) -> String {
    user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_LENGTH_MAX).collect()
}
