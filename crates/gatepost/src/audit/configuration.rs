//! What the operator's file allows.

use std::collections::BTreeMap;

use gatepost_store::data::DataLocation;

use super::{Finding, Severity, finding};
use crate::app::snapshot::Snapshot;
use crate::config::{Config, UnprotectedRoutes};

pub(super) fn look(config: &Config, snapshot: &Snapshot) -> Vec<Finding> {
    let mut found = Vec::new();
    if config.access.unprotected == UnprotectedRoutes::Public {
        found.push(Finding {
            why: "what neither a privilege nor a public entry covers is open to everybody, today's handlers and \
                  tomorrow's"
                .to_owned(),
            fix: "access.unprotected = \"refuse\"".to_owned(),
            ..finding(Severity::Warning, "unprotected-public", "access.unprotected".to_owned())
        });
    }
    if config.oauth.token_origins.iter().any(|origin| origin == "*") {
        found.push(Finding {
            why: "scripts of any web page may ask for tokens from a browser".to_owned(),
            fix: "name the origins that do, such as https://app.example.com".to_owned(),
            ..finding(Severity::Warning, "origin-any", "oauth.token_origins".to_owned())
        });
    }
    if !config.server.listen.ip().is_loopback() && config.tls.certificate_file.is_none() {
        found.push(Finding {
            why: "secrets and tokens cross the network in the clear, unless only a proxy that ends TLS gets here"
                .to_owned(),
            evidence: vec![format!("listens on {}", config.server.listen)],
            fix: "tls.certificate_file and tls.private_key_file, or server.listen on loopback behind the proxy"
                .to_owned(),
            ..finding(Severity::Warning, "plain-http", "server.plain_http".to_owned())
        });
    }
    found.extend(shared_data(config, snapshot));
    found
}

/// Places of data that several schemas share: what one publishes is the other's.
fn shared_data(config: &Config, snapshot: &Snapshot) -> impl Iterator<Item = Finding> {
    let mut by_place: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for schema in snapshot.catalog.schemas.values() {
        // A schema whose place cannot be read is served by nobody.
        if let Ok(location) = config.data_location(&schema.name) {
            by_place.entry(place_of(&location)).or_default().push(schema.name.clone());
        }
    }
    by_place.into_iter().filter(|(_, schemas)| schemas.len() > 1).map(|(place, schemas)| Finding {
        why: format!("schemas {} share their data: each publishes the other's tables", schemas.join(", ")),
        evidence: vec![place],
        fix: format!("schemas.{}.data: a place of its own", schemas[0]),
        ..finding(Severity::Warning, "data-shared", format!("schemas {}", schemas.join(", ")))
    })
}

/// The same text for the same place, without anything secret in it.
pub(super) fn place_of(location: &DataLocation) -> String {
    match location {
        DataLocation::Sqlite(file) => file.display().to_string(),
        DataLocation::Postgres(postgres) => {
            let place = postgres.owner_url.rsplit_once('@').map_or("", |(_, place)| place);
            let place = place.split('?').next().unwrap_or_default();
            format!("{place}, schema {}", postgres.schema)
        }
    }
}
