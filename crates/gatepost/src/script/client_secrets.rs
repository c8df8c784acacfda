//! Client secrets as the packages make, set and revoke them (design decision 10).

use std::collections::BTreeMap;

use gatepost_oauth::{
    Client, ClientSecret, SealedSecret, SecretError, SecretVerifier, Verification, new_client_secret,
    seal_reveal,
};
use gatepost_plsql::Value;
use secrecy::{ExposeSecret as _, SecretString};

use super::refusal::{Refusal, code};
use super::scope::Scope;

/// What a script wants a secret to be (`ORDS_TYPES.t_client_secret`).
#[derive(Debug, Default)]
pub(super) struct SecretWish {
    /// A value of the author's own; absent: the server makes one.
    pub(super) chosen: Option<SecretString>,
    /// The slot for it; absent: a free one, or the older.
    pub(super) slot: Option<u8>,
    /// Whether it stays readable for a while.
    pub(super) stored: bool,
}

/// A secret that exists and is not yet anybody's.
pub(super) struct MadeSecret {
    /// The value, to be handed out once.
    pub(super) text: SecretString,
    verifier: SecretVerifier,
    reveal: Option<SealedSecret>,
    slot: Option<u8>,
}

impl SecretWish {
    /// A secret of the server's making that stays readable for a while, as package OAUTH makes them.
    pub(super) fn readable() -> Self {
        Self { stored: true, ..Self::default() }
    }

    /// Reads a record of type `t_client_secret`. Absent when the record says to skip the secret.
    pub(super) fn read(record: &BTreeMap<String, Value>) -> Result<Option<Self>, Refusal> {
        if record.get("kind").and_then(Value::to_text).as_deref() == Some("skip") {
            return Ok(None);
        }
        let slot = match record.get("slot").and_then(Value::to_text).as_deref() {
            None | Some("") => None,
            Some("1") => Some(1),
            Some("2") => Some(2),
            Some(other) => {
                return Err(Refusal::invalid("p_client_secret", format!("slot {other} is not 1 or 2")));
            }
        };
        let chosen = record.get("secret").and_then(Value::to_text).filter(|secret| !secret.is_empty());
        let stored = record.get("stored") == Some(&Value::Boolean(true));
        Ok(Some(Self { chosen: chosen.map(SecretString::from), slot, stored }))
    }
}

/// Makes a secret as wished.
pub(super) fn make(scope: &Scope<'_>, wish: SecretWish) -> Result<MadeSecret, Refusal> {
    let ring = scope.host.key_ring();
    let (text, verifier) = if let Some(chosen) = wish.chosen {
        let verifier = SecretVerifier::argon2(&chosen, scope.random()).map_err(refuse)?;
        (chosen, verifier)
    } else {
        let made = new_client_secret(scope.random());
        let verifier = SecretVerifier::hmac(&made, ring.pepper());
        (made, verifier)
    };
    let minutes = scope.host.reveal_minutes();
    let reveal = if wish.stored && minutes > 0 {
        let until_ms = scope.working.now_ms + i64::from(minutes) * 60_000;
        let author = &scope.working.author;
        Some(seal_reveal(&text, ring.vault_key(), scope.random(), until_ms, author).map_err(refuse)?)
    } else {
        None
    };
    Ok(MadeSecret { text, verifier, reveal, slot: wish.slot })
}

fn refuse(error: SecretError) -> Refusal {
    Refusal::raised(code::INVALID_VALUE, error.to_string()).at_argument("p_client_secret")
}

/// Gives the secret to a client: into its slot, a free one, or the one of the older secret.
pub(super) fn set(client: &mut Client, made: &MadeSecret, now_ms: i64) -> u8 {
    let (verifier, reveal) = (made.verifier.clone(), made.reveal.clone());
    let Some(slot) = made.slot else {
        return client.set_secret_in_free_or_oldest_slot(verifier, now_ms, reveal);
    };
    client.revoke_slot(slot);
    client.secrets.push(ClientSecret { slot, verifier, issued_on_ms: now_ms, reveal });
    client.secrets.sort_by_key(|secret| secret.slot);
    slot
}

/// Which secrets a revocation means.
#[derive(Debug)]
pub(super) enum Filter {
    /// The older one.
    Oldest,
    /// This slot; 3 = both.
    Slot(u8),
    /// The one with this value.
    Value(SecretString),
    /// Those that can still be read.
    Stored,
}

impl Filter {
    /// Reads a record of type `t_client_secret` as a filter.
    pub(super) fn read(record: Option<&BTreeMap<String, Value>>) -> Result<Self, Refusal> {
        let Some(record) = record else { return Ok(Self::Oldest) };
        let field = |name: &str| record.get(name).and_then(Value::to_text).filter(|text| !text.is_empty());
        if let Some(value) = field("secret") {
            return Ok(Self::Value(SecretString::from(value)));
        }
        if let Some(slot) = field("slot") {
            let number = slot.parse().ok().filter(|slot| (1..=3).contains(slot));
            let rule = || Refusal::invalid("p_filter", format!("slot {slot} is not 1, 2 or 3 (both)"));
            return number.map(Self::Slot).ok_or_else(rule);
        }
        let stored = record.get("stored") == Some(&Value::Boolean(true));
        Ok(if stored { Self::Stored } else { Self::Oldest })
    }
}

/// Revokes the secrets that the filter means; returns their slots.
pub(super) fn revoke(scope: &Scope<'_>, client: &mut Client, filter: &Filter) -> Vec<u8> {
    let slots: Vec<u8> = match filter {
        Filter::Oldest => {
            let oldest = client.secrets.iter().min_by_key(|secret| (secret.issued_on_ms, secret.slot));
            oldest.map(|secret| secret.slot).into_iter().collect()
        }
        Filter::Slot(3) => vec![1, 2],
        Filter::Slot(slot) => vec![*slot],
        Filter::Value(value) => client
            .secrets
            .iter()
            .filter(|secret| matches(scope, client, secret, value))
            .map(|s| s.slot)
            .collect(),
        Filter::Stored => {
            client.secrets.iter().filter(|secret| secret.reveal.is_some()).map(|s| s.slot).collect()
        }
    };
    slots.into_iter().filter(|slot| client.revoke_slot(*slot)).collect()
}

fn matches(scope: &Scope<'_>, client: &Client, secret: &ClientSecret, value: &SecretString) -> bool {
    let ring = scope.host.key_ring();
    let alone = Client { secrets: vec![secret.clone()], ..client.clone() };
    match alone.verify_secret(value, &ring, &|_| false) {
        Verification::Match => true,
        Verification::Mismatch => false,
        Verification::NeedsSlowHash => alone.verify_slowly(value, &ring).is_some(),
    }
}

/// The slots that went, as the package says it: 3 = both, NULL = none.
pub(super) fn slots_value(slots: &[u8]) -> Value {
    match slots {
        [] => Value::Null,
        [slot] => Value::from(i64::from(*slot)),
        _ => Value::from(3),
    }
}

/// A record of type `t_client_key`.
pub(super) fn key_value(client: &Client) -> Value {
    Value::Record(BTreeMap::from([
        ("id".into(), Value::from(client.id as i64)),
        ("name".into(), Value::text(&client.name)),
        ("client_id".into(), Value::text(&client.client_id)),
    ]))
}

/// A record of type `t_client_credentials`.
pub(super) fn credentials_value(client: &Client, made: Option<(&MadeSecret, u8, i64)>) -> Value {
    let secret = made.map_or(Value::Null, |(made, slot, now_ms)| {
        Value::Record(BTreeMap::from([
            ("secret".into(), Value::text(made.text.expose_secret())),
            ("slot".into(), Value::from(i64::from(slot))),
            ("stored".into(), Value::Boolean(made.reveal.is_some())),
            ("issued_on".into(), Value::text(super::timestamp(now_ms))),
        ]))
    });
    Value::Record(BTreeMap::from([
        ("client_key".into(), key_value(client)),
        ("client_secret".into(), secret),
    ]))
}
