//! `gatepost check-config`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use gatepost_store::catalog::CatalogPlace;
use gatepost_store::data::{DataStore, ReplicaReport};
use gatepost_store::provision::Weight;

use super::data_logins::Found;
use super::terminal::{print, say};
use super::{Place, data_logins, key_source};
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
        if app.keys_are_shared() {
            say("keys: in the catalog, for all nodes")?;
        } else if app.config.catalog_is_shared() {
            say(
                "  hint: the keys are in that file, which every node needs; `gatepost keys share` moves them",
            )?;
        }
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
        for file in open_files(&app.config) {
            say(format_args!("warning: {0} can be read by others; run: chmod 600 {0}", file.display()))?;
        }
        check_data_logins(&app)?;
        for schema in snapshot.schemas() {
            let name = &schema.schema.name;
            let data = app.data(name)?;
            data.probe().with_context(|| format!("data of schema {name}"))?;
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

/// Says what is wrong with the logins of schemas whose data is in PostgreSQL, configured or enabled.
fn check_data_logins(app: &App) -> anyhow::Result<()> {
    let snapshot = app.snapshot();
    let enabled = snapshot.schemas().map(|schema| schema.schema.name.clone());
    let schemas: BTreeSet<String> = enabled.chain(app.config.schemas.keys().cloned()).collect();
    let mut problems = Vec::new();
    for schema in schemas {
        for Found { place, finding } in data_logins::check(&app.config, &schema)? {
            let fix = finding.fix.map_or(String::new(), |fix| format!("\n  {fix};"));
            let text = format!("{place}: {}{fix}", finding.words);
            match finding.weight {
                Weight::Problem => problems.push(text),
                Weight::Warning => say(format_args!("warning: {text}"))?,
            }
        }
    }
    ensure!(problems.is_empty(), "logins of data may do what they should not:\n{}", problems.join("\n"));
    Ok(())
}

/// Files with URLs that others than their owner can read.
#[cfg(unix)]
fn open_files(config: &Config) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let data = config.schemas.values().flat_map(|storage| {
        [&storage.data, &storage.data_write, &storage.data_owner]
            .into_iter()
            .flatten()
            .chain(&storage.replica_urls)
    });
    let urls = data.chain([&config.catalog.url]);
    let files = urls.filter_map(|url| url.strip_prefix("file:")).map(|file| config.folder.join(file));
    let open =
        |file: &PathBuf| std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
    files.filter(open).collect()
}

#[cfg(not(unix))]
fn open_files(_: &Config) -> Vec<PathBuf> {
    Vec::new()
}
