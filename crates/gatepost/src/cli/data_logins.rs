//! The logins that run handlers and scripts on PostgreSQL: what they may do that they should not.

use gatepost_store::catalog::PostgresPlace;
use gatepost_store::data::{DataLocation, PostgresOptions};
use gatepost_store::provision::{DataLogin, Finding, Purpose, Weight, check_login, find_power};

use super::data_url::postgres_place;
use crate::app::App;
use crate::config::Config;

const REPLICA: &str = "replica_urls";

/// A configured login of a schema.
struct Configured {
    /// Its key in the schema's section.
    key: &'static str,
    place: PostgresPlace,
    purpose: Purpose,
}

/// A finding with the login that it is about.
pub(super) struct Found {
    pub(super) place: String,
    pub(super) finding: Finding,
}

/// Refuses to serve schemas whose logins could reach more than their data. A database that is away is no reason not to
/// serve: each connection is asked again before it runs anything.
pub(super) fn refuse_power(app: &App) -> anyhow::Result<()> {
    for schema in app.snapshot().schemas().map(|schema| schema.schema.name.as_str()) {
        let Ok(DataLocation::Postgres(postgres)) = app.config.data_location(schema) else { continue };
        for login in logins(&app.config, &postgres)? {
            match find_power(&login.place, postgres.catalog.as_ref()) {
                Ok(None) => {}
                Ok(Some(power)) => anyhow::bail!(
                    "schema {schema}, {}: {power}. Handlers would run with it; `gatepost check-config` says how to end \
                     that, `gatepost init-db` makes logins that may not",
                    login.key
                ),
                Err(error) => {
                    tracing::warn!(schema, %error, "the logins of the data are not checked yet");
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Everything that is wrong with the logins of a schema.
pub(super) fn check(config: &Config, schema: &str) -> anyhow::Result<Vec<Found>> {
    let DataLocation::Postgres(postgres) = config.data_location(schema)? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    let logins = logins(config, &postgres)?;
    if logins.first().is_some_and(|reader| reader.purpose != Purpose::Read) {
        all.push(Found {
            place: format!("schema {schema}, data"),
            finding: Finding {
                weight: Weight::Warning,
                words: "one login reads and writes: nothing but the transaction keeps a GET from writing; \
                        `gatepost init-db` makes a login that only reads"
                    .to_owned(),
                fix: None,
            },
        });
    }
    for login in logins {
        let question = DataLogin {
            place: &login.place,
            schema: &postgres.schema,
            purpose: login.purpose,
            catalog: postgres.catalog.as_ref(),
            row_level_security: postgres.row_level_security,
        };
        let place =
            format!("schema {schema}, {}, login {}", login.key, login.place.user().unwrap_or_default());
        match check_login(&question) {
            Ok(findings) => {
                all.extend(findings.into_iter().map(|finding| Found { place: place.clone(), finding }));
            }
            Err(error) => {
                // A replica that is away is passed over.
                let weight = if login.key == REPLICA { Weight::Warning } else { Weight::Problem };
                let finding = Finding { weight, words: error.to_string(), fix: None };
                all.push(Found { place, finding });
            }
        }
    }
    Ok(all)
}

/// The logins of a schema, each once and with what it is for.
fn logins(config: &Config, postgres: &PostgresOptions) -> anyhow::Result<Vec<Configured>> {
    let place = |url: &str| postgres_place(url, &config.folder);
    let (reader, writer, owner) =
        (place(&postgres.reader_url)?, place(&postgres.writer_url)?, place(&postgres.owner_url)?);
    let (one, owns) = (reader.is_same_login(&writer), writer.is_same_login(&owner));
    let changes = if owns { Purpose::Own } else { Purpose::Write };
    let purpose = if one { changes } else { Purpose::Read };
    let mut logins = Vec::new();
    for url in &postgres.replica_urls {
        let replica = place(url)?;
        // The server's roles are the primary's; only another login is news.
        if replica.user() != reader.user() {
            logins.push(Configured { key: REPLICA, place: replica, purpose: Purpose::Read });
        }
    }
    logins.insert(0, Configured { key: "data", place: reader, purpose });
    if !one {
        logins.push(Configured { key: "data_write", place: writer, purpose: changes });
    }
    if !owns {
        logins.push(Configured { key: "data_owner", place: owner, purpose: Purpose::Own });
    }
    Ok(logins)
}
