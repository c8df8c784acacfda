//! `gatepost keys`.

use clap::{Args, Subcommand, ValueEnum};

use super::terminal::{Unwritten, say};
use super::{Place, start_logging};
use crate::app::clock::{fill_random, rfc3339};
use crate::app::{App, Open, clock::Clock};

/// List, rotate and remove keys.
///
/// A running server takes in a changed key file by itself.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which keys there are; never the keys themselves.
    List,
    /// Make a new key of a kind. A sealing key signs a few seconds later, so that every process knows it by then.
    Rotate {
        /// Which kind.
        #[arg(value_enum, default_value = "sealing")]
        kind: Kind,
    },
    /// Remove sealing keys whose tokens have all expired.
    Prune,
    /// Remove a sealing key at once: every token that it sealed stops working.
    Remove {
        /// The key's number.
        id: u32,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Seals access tokens.
    Sealing,
    /// Is mixed into the digests of client secrets; older digests keep their pepper.
    Pepper,
    /// Seals secrets that can be read again.
    Vault,
}

/// How long before a new sealing key signs.
const PUBLISHED_BEFORE_MS: i64 = 3_000;

/// The longest time that a token can live when its client sets no longer one.
const TOKEN_LIFETIME_MS: i64 = 86_400_000;

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.place.load()?;
        start_logging(&config);
        let source = super::key_source(&config);
        let app = App::open(config, source, Clock::System, Open::Existing)?;
        let now_ms = app.clock.now_ms();
        let keys = app.key_source();
        // Told when it is saved, not before.
        let told = match self.action {
            Action::List => return Ok(list(&app)?),
            Action::Rotate { kind: Kind::Sealing } => {
                let active_from_ms = now_ms + PUBLISHED_BEFORE_MS;
                let id =
                    keys.change(|ring| Ok(ring.rotate_sealing(&mut fill_random, now_ms, active_from_ms)?))?;
                format!("sealing key {id} signs from {}", rfc3339(active_from_ms))
            }
            Action::Rotate { kind: Kind::Pepper } => {
                let id = keys.change(|ring| Ok(ring.rotate_pepper(&mut fill_random, now_ms)?))?;
                format!("pepper {id} is used for new secrets")
            }
            Action::Rotate { kind: Kind::Vault } => {
                let id = keys.change(|ring| Ok(ring.rotate_vault(&mut fill_random, now_ms)?))?;
                format!("vault key {id} seals from now on")
            }
            Action::Prune => {
                let lifetime_ms = lifetime_ms(&app);
                format!("{} sealing keys removed", keys.change(|ring| Ok(ring.prune(now_ms, lifetime_ms)))?)
            }
            Action::Remove { id } => {
                keys.change(|ring| Ok(ring.remove_sealing(id)?))?;
                format!("sealing key {id} is removed; its tokens open nothing any more")
            }
        };
        Ok(say(told)?)
    }
}

/// The longest lifetime of any token that may still be in use.
fn lifetime_ms(app: &App) -> i64 {
    let snapshot = app.snapshot();
    let clients = snapshot.catalog.clients.values().filter_map(|client| client.token_duration_seconds);
    let longest = clients.chain([app.config.oauth.access_token_seconds]).max().unwrap_or(0);
    (i64::from(longest) * 1_000).max(TOKEN_LIFETIME_MS)
}

fn list(app: &App) -> Result<(), Unwritten> {
    let ring = app.ring();
    say(format_args!("{}, fingerprint {}", app.key_source(), ring.fingerprint()))?;
    let signing = ring.signing_key(app.clock.now_ms()).id();
    for key in ring.sealing_keys() {
        let state = if key.id() == signing { "signs" } else { "verifies" };
        say(format_args!("sealing key {}: made {}, {state}", key.id(), rfc3339(key.created_ms())))?;
    }
    say(format_args!("pepper {}: made {}", ring.pepper().id(), rfc3339(ring.pepper().created_ms())))?;
    say(format_args!("vault key {}: made {}", ring.vault_key().id(), rfc3339(ring.vault_key().created_ms())))
}
