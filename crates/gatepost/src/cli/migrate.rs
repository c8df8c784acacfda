//! `gatepost migrate`.

use clap::Args;

use super::Place;
use super::terminal::say;

/// Bring the catalog's tables to this version.
///
/// Other commands do it when they open the catalog; this one is for doing it at a chosen time, before a new
/// version is started. Make a copy of the folder first.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    place: Place,
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        say(format_args!("the catalog is at table version {}", app.store.table_version()?))?;
        Ok(())
    }
}
