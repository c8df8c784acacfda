//! Clients: what they cannot use, secrets that are old, and tokens that live long.

use gatepost_oauth::{Client, ClientSecret};
use gatepost_rest::access::ClientAccess;

use super::{Bounds, Finding, Scope, Severity, literal};
use crate::app::clock::rfc3339;
use crate::app::published::PublishedSchema;
use crate::app::snapshot::Snapshot;
use crate::config::Config;

const DAY_MS: i64 = 86_400_000;
/// Tokens that live longer are worth a look.
const TOKEN_SECONDS_MAX: u32 = 86_400;

pub(super) fn look(
    scope: Scope<'_>,
    snapshot: &Snapshot,
    schema: &PublishedSchema,
    config: &Config,
    bounds: Bounds,
) -> Vec<Finding> {
    let mut found = Vec::new();
    // A disabled client gets no token, and its tokens open nothing.
    for client in snapshot.catalog.clients_of(scope.id).filter(|client| client.enabled) {
        let Some(known) = snapshot.principals.find(client.id) else { continue };
        found.extend(opens_nothing(scope, client, schema, &known.access));
        found.extend(secrets(scope, client, bounds));
        found.extend(long_tokens(scope, client, config));
        found.extend(any_origin(scope, "client", &client.name, &client.origins_allowed));
    }
    for module in schema.modules() {
        found.extend(any_origin(scope, "module", &module.name, &module.origins_allowed));
    }
    found
}

fn opens_nothing(
    scope: Scope<'_>,
    client: &Client,
    schema: &PublishedSchema,
    access: &ClientAccess,
) -> Option<Finding> {
    schema.rules.openable(access).is_empty().then(|| Finding {
        why: "it gets tokens and they open nothing: it holds no role of a privilege and lists none without roles"
            .to_owned(),
        fix: format!(
            "OAUTH.GRANT_CLIENT_ROLE({0}, '…'), or OAUTH.DELETE_CLIENT({0})",
            literal(&client.name)
        ),
        ..scope.finding(Severity::Notice, "client-opens-nothing", format!("client {}", client.name))
    })
}

fn secrets(scope: Scope<'_>, client: &Client, bounds: Bounds) -> Vec<Finding> {
    let mut found = Vec::new();
    let object = || format!("client {}", client.name);
    let set_on =
        |secret: &ClientSecret| format!("slot {}, set {}", secret.slot, rfc3339(secret.issued_on_ms));
    let age_days = |secret: &ClientSecret| (bounds.now_ms - secret.issued_on_ms) / DAY_MS;
    let old = |secret: &&ClientSecret| age_days(secret) >= i64::from(bounds.secret_days);
    let rotate = format!("OAUTH.ROTATE_CLIENT_SECRET(p_name => {})", literal(&client.name));
    if let Some(oldest) = client.secrets.iter().filter(old).max_by_key(|secret| age_days(secret)) {
        found.push(Finding {
            why: format!("its secret is {} days old", age_days(oldest)),
            evidence: client.secrets.iter().filter(old).map(set_on).collect(),
            fix: rotate.clone(),
            ..scope.finding(Severity::Warning, "secret-old", object())
        });
    }
    if client.secrets.len() > 1 {
        found.push(Finding {
            why: "two secrets are good: the older one is left from a rotation".to_owned(),
            evidence: client.secrets.iter().map(set_on).collect(),
            fix: format!("ORDS_SECURITY.REVOKE_CLIENT_SECRET(p_name => {})", literal(&client.name)),
            ..scope.finding(Severity::Notice, "secret-two", object())
        });
    }
    let readable = client.secrets.iter().filter_map(|secret| secret.reveal.as_ref());
    let until_ms = readable.map(|copy| copy.until_ms).filter(|until_ms| *until_ms > bounds.now_ms).max();
    if let Some(until_ms) = until_ms {
        found.push(Finding {
            why: "administrators and who made it can still read its secret in USER_ORDS_CLIENTS".to_owned(),
            evidence: vec![format!("until {}", rfc3339(until_ms))],
            fix: "nothing to do: the copy is deleted then; secrets.reveal_minutes = 0 keeps none".to_owned(),
            ..scope.finding(Severity::Notice, "secret-readable", object())
        });
    }
    found
}

fn long_tokens(scope: Scope<'_>, client: &Client, config: &Config) -> Option<Finding> {
    let seconds = client.token_duration_seconds.unwrap_or(config.oauth.access_token_seconds);
    let seconds = seconds.min(config.oauth.longest_token_seconds());
    (seconds > TOKEN_SECONDS_MAX).then(|| Finding {
        why: format!("its tokens live {} hours: who finds one has that long", seconds / 3_600),
        fix: "a shorter p_token_duration; oauth.allow_long_tokens = false limits all to a day".to_owned(),
        ..scope.finding(Severity::Warning, "token-long", format!("client {}", client.name))
    })
}

fn any_origin(scope: Scope<'_>, kind: &str, name: &str, origins: &[String]) -> Option<Finding> {
    origins.iter().any(|origin| origin == "*").then(|| Finding {
        why: "scripts of any web page may call it from a browser".to_owned(),
        fix: "name the origins that do, such as https://app.example.com".to_owned(),
        ..scope.finding(Severity::Warning, "origin-any", format!("{kind} {name}"))
    })
}
