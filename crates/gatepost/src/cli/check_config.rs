//! `gatepost check-config`.

use anyhow::Context as _;
use clap::Args;

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
        for schema in snapshot.schemas() {
            app.data(&schema.schema.name)?;
            say(format_args!("schema {}: data opens, served at {}", schema.schema.name, schema.issuer))?;
            for conflict in &schema.conflicts {
                say(format_args!("  warning: {conflict}"))?;
            }
        }
        Ok(())
    }
}
