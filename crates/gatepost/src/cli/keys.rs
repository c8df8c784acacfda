//! `gatepost keys`.

use clap::{Args, Subcommand, ValueEnum};

use super::terminal::say;
use super::{Place, start_logging};
use crate::app::clock::{fill_random, rfc3339};
use crate::app::{App, Open, clock::Clock};

/// List, rotate, share and remove keys.
///
/// A running server takes in changed keys by itself.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which keys there are and where; never the keys themselves.
    List,
    /// Make a new key of a kind. A sealing key signs a few seconds later, so that every process knows it by then.
    Rotate {
        /// Which kind.
        #[arg(value_enum, default_value = "sealing")]
        kind: Kind,
    },
    /// Keep the keys in the catalog, for all nodes, sealed under the newest wrapping key of the key file.
    Share,
    /// Remove sealing keys whose tokens have all expired, and wrapping keys that nothing is sealed under any more.
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
    /// Seals all of these where they are kept in the catalog; `share` begins to use it.
    Wrapping,
}

/// The longest time that a token can live when its client sets no longer one.
const TOKEN_LIFETIME_MS: i64 = 86_400_000;

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.place.load()?;
        start_logging(&config);
        let source = super::key_source(&config);
        let app = App::open(config, source, Clock::System, Open::Existing)?;
        // Told when it is saved, not before.
        let told = match self.action {
            Action::List => return list(&app),
            Action::Rotate { kind } => rotate(&app, kind)?,
            Action::Share => {
                let id = app.share_keys()?;
                format!("the keys are in the catalog, sealed under wrapping key {id}")
            }
            Action::Prune => {
                let (now_ms, lifetime_ms) = (app.clock.now_ms(), lifetime_ms(&app));
                let sealing = app.change_keys(|ring| Ok(ring.prune(now_ms, lifetime_ms)))?;
                match app.tidy_key_file()? {
                    0 => format!("{sealing} sealing keys removed"),
                    wrapping => format!("{sealing} sealing keys and {wrapping} wrapping keys removed"),
                }
            }
            Action::Remove { id } => {
                app.change_keys(|ring| Ok(ring.remove_sealing(id)?))?;
                format!("sealing key {id} is removed; its tokens open nothing any more")
            }
        };
        Ok(say(told)?)
    }
}

/// Makes a key, and says from when it counts.
fn rotate(app: &App, kind: Kind) -> anyhow::Result<String> {
    let now_ms = app.clock.now_ms();
    Ok(match kind {
        Kind::Sealing => {
            let active_from_ms = now_ms + app.publish_keys_ahead_ms();
            let id =
                app.change_keys(|ring| Ok(ring.rotate_sealing(&mut fill_random, now_ms, active_from_ms)?))?;
            format!("sealing key {id} signs from {}", rfc3339(active_from_ms))
        }
        Kind::Pepper => {
            let id = app.change_keys(|ring| Ok(ring.rotate_pepper(&mut fill_random, now_ms)?))?;
            format!("pepper {id} is used for new secrets")
        }
        Kind::Vault => {
            let id = app.change_keys(|ring| Ok(ring.rotate_vault(&mut fill_random, now_ms)?))?;
            format!("vault key {id} seals from now on")
        }
        Kind::Wrapping => {
            let source = app.key_source();
            let id = source.change(|local| Ok(local.add_wrapping_key(&mut fill_random, now_ms)?))?;
            format!(
                "wrapping key {id} is in {source}. Bring that file to every node, then run `gatepost keys share`"
            )
        }
    })
}

/// The longest lifetime of any token that may still be in use.
fn lifetime_ms(app: &App) -> i64 {
    let snapshot = app.snapshot();
    let clients = snapshot.catalog.clients.values().filter_map(|client| client.token_duration_seconds);
    let longest = clients.chain([app.config.oauth.access_token_seconds]).max().unwrap_or(0);
    (i64::from(longest) * 1_000).max(TOKEN_LIFETIME_MS)
}

fn list(app: &App) -> anyhow::Result<()> {
    let ring = app.ring();
    say(format_args!("{}, fingerprint {}", app.key_source(), ring.fingerprint()))?;
    let sealed = app.store.key_ring()?;
    match &sealed {
        Some(ring) => say(format_args!("the keys are in the catalog, change {}", ring.revision))?,
        None => say("the keys are in this file")?,
    }
    let wraps = |id| sealed.as_ref().is_some_and(|ring| ring.wrapping_key_id == id);
    for key in app.key_source().load()?.wrapping_keys() {
        let state = if wraps(key.id()) { "wraps" } else { "wraps nothing" };
        say(format_args!("wrapping key {}: made {}, {state}", key.id(), rfc3339(key.created_ms())))?;
    }
    let signing = ring.signing_key(app.clock.now_ms()).id();
    for key in ring.sealing_keys() {
        let state = if key.id() == signing { "signs" } else { "verifies" };
        say(format_args!("sealing key {}: made {}, {state}", key.id(), rfc3339(key.created_ms())))?;
    }
    say(format_args!("pepper {}: made {}", ring.pepper().id(), rfc3339(ring.pepper().created_ms())))?;
    say(format_args!(
        "vault key {}: made {}",
        ring.vault_key().id(),
        rfc3339(ring.vault_key().created_ms())
    ))?;
    Ok(())
}
