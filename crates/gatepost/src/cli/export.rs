//! `gatepost export`.

use anyhow::bail;
use clap::Args;

use super::Place;
use super::terminal::print;
use crate::script;

/// Print a schema's definitions as a script.
///
/// The script loads into an empty server with `gatepost sql` and makes the same catalog; client ids are kept,
/// secrets are not in it.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    place: Place,
    /// The schema.
    #[arg(long, value_name = "NAME")]
    schema: String,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let catalog = &app.snapshot().catalog;
        let Some(schema) = catalog.schema_by_name(&self.schema.to_ascii_lowercase()) else {
            let known: Vec<_> = catalog.schemas.values().map(|schema| schema.name.as_str()).collect();
            bail!("there is no schema `{}`; there are: {}", self.schema, known.join(", "));
        };
        let text = script::export(catalog, schema);
        Ok(print(text)?)
    }
}
