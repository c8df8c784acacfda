//! `gatepost copy-catalog`.

use anyhow::Context as _;
use clap::Args;
use gatepost_store::catalog::{CatalogPlace, CatalogStore, Change, PlaceOptions};

use super::terminal::say;
use super::url_argument;
use crate::app::clock::{Clock, random_bytes};

/// Copy a catalog to another database: from SQLite to PostgreSQL, or back.
///
/// Everything is copied: definitions and clients with their ids, secrets, revocations, history. Every token issued so
/// far ends with the copy. The target must hold no catalog. Stop the servers first, or they go on with the old one;
/// then set `catalog.url`. The key file stays the same.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost copy-catalog sqlite:shop/catalog.db 'postgres://gatepost_catalog@db.example.com/app?passfile=passwords'")]
pub(super) struct CopyCatalog {
    /// The catalog: `sqlite:FILE` or `postgres://…`.
    #[arg(value_name = "FROM", value_parser = url_argument::read)]
    from: String,
    /// Where to: `sqlite:FILE` or `postgres://…`.
    #[arg(value_name = "TO", value_parser = url_argument::read)]
    to: String,
    /// The schema of the catalog's tables on PostgreSQL.
    #[arg(long, value_name = "NAME", default_value = PlaceOptions::SCHEMA)]
    catalog_schema: String,
}

impl CopyCatalog {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let folder = std::env::current_dir()?;
        let options = PlaceOptions { schema: &self.catalog_schema, ..PlaceOptions::in_folder(&folder) };
        let from = CatalogPlace::parse(&self.from, &options).context("FROM")?;
        let to = CatalogPlace::parse(&self.to, &options).context("TO")?;
        let source = CatalogStore::open(&from).with_context(|| from.to_string())?;
        let change = Change {
            author: super::sql::terminal_user(),
            source: "copy-catalog".into(),
            now_ms: Clock::System.now_ms(),
        };
        let copy = source
            .copy_to(&to, &change, &mut || u64::from_le_bytes(random_bytes()))
            .with_context(|| format!("copying {from} to {to}"))?;
        let catalog = copy.load()?;
        say(format_args!(
            "{to}: revision {}, {} schemas, {} modules, {} clients; every token issued so far has ended with it",
            catalog.revision,
            catalog.schemas.len(),
            catalog.modules.len(),
            catalog.clients.len()
        ))?;
        Ok(())
    }
}
