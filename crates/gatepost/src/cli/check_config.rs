//! `gatepost check-config`.

use anyhow::{Context as _, ensure};
use clap::Args;
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, is_postgres};
use gatepost_store::data::{DataStore, ReplicaReport};
use gatepost_store::provision::data_login_problems;

use super::terminal::{print, say};
use super::{Place, key_source};
use crate::app::clock::Clock;
use crate::app::{App, Open};
use crate::config::Config;

/// Read configuration, keys, catalog and data, and say what is wrong and where.
#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    #[command(flatten)]
    place: Place,
    /// Print the reference page of all keys instead.
    #[arg(long)]
    reference: bool,
}

impl CheckConfig {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.reference {
            print(Config::reference())?;
            return Ok(());
        }
        let config = self.place.load()?;
        config.check_serving().context("serving")?;
        say(format_args!("configuration: good; callers use {}", config.public_url()))?;
        let keys = key_source(&config);
        let app = App::open(config, keys, Clock::System, Open::Existing)?;
        say(format_args!("{}: good, fingerprint {}", app.key_source(), app.ring().fingerprint()))?;
        let place = app.config.catalog_place()?;
        if matches!(place, CatalogPlace::Postgres(_)) {
            say(format_args!("catalog: in {place}"))?;
        }
        let snapshot = app.snapshot();
        let catalog = &snapshot.catalog;
        say(format_args!(
            "catalog: revision {}, {} schemas, {} modules, {} privileges, {} clients",
            catalog.revision,
            catalog.schemas.len(),
            catalog.modules.len(),
            catalog.privileges.len(),
            catalog.clients.len()
        ))?;
        let problems = check_data_logins(&app.config, &place)?;
        ensure!(problems.is_empty(), "{}", problems.join("; "));
        for schema in snapshot.schemas() {
            let data = app.data(&schema.schema.name)?;
            say(format_args!("schema {}: data opens, served at {}", schema.schema.name, schema.issuer))?;
            say_replicas(&data)?;
            for conflict in &schema.conflicts {
                say(format_args!("  warning: {conflict}"))?;
            }
        }
        for problem in app.problems() {
            say(format_args!("not ready: {problem}"))?;
        }
        Ok(())
    }
}

/// Says of each read replica whether it can be used.
fn say_replicas(data: &DataStore) -> anyhow::Result<()> {
    for ReplicaReport { name, behind } in data.replicas()? {
        match behind {
            Ok(behind) => {
                say(format_args!("  replica {name}: in recovery, at most {} ms behind", behind.as_millis()))?;
            }
            Err(cause) => say(format_args!("  warning: replica {name} cannot be used: {cause}"))?,
        }
    }
    Ok(())
}

/// What is wrong with the logins of schemas whose data is in PostgreSQL.
fn check_data_logins(config: &Config, catalog: &CatalogPlace) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for (name, storage) in &config.schemas {
        let Some(url) = storage.data.as_deref().filter(|url| is_postgres(url)) else { continue };
        let CatalogPlace::Postgres(data) =
            CatalogPlace::parse(url, &PlaceOptions::in_folder(&config.folder))?
        else {
            continue;
        };
        let found = data_login_problems(&data, catalog).with_context(|| format!("data of schema {name}"))?;
        let login = data.user().unwrap_or_default();
        problems.extend(found.iter().map(|problem| format!("schema {name}, login {login}: {problem}")));
    }
    Ok(problems)
}
