//! The configuration of a new folder, and the logins that it names.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_store::catalog::{CatalogPlace, PostgresPlace};
use gatepost_store::data::DataLocation;
use gatepost_store::provision::Administrator;

use super::{catalog_url, data_url, load_config};
use crate::app::clock::random_bytes;
use crate::app::key_file::write_private;
use crate::config::CONFIG_FILE;

/// The configuration before everything that it names is made.
const NEW_FILE: &str = "gatepost.toml.new";

/// Where a new folder's installation keeps what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    pub(super) schema: &'a str,
    pub(super) data: Option<&'a str>,
    pub(super) wanted: data_url::Wanted,
    pub(super) catalog: Option<&'a str>,
}

/// Writes the configuration, which begins with `head`, and makes logins and schemas where the URLs may. All of it is
/// made or nothing.
pub(super) fn make(folder: &Path, head: &str, places: Places<'_>) -> anyhow::Result<()> {
    let new = folder.join(NEW_FILE);
    // One that was interrupted after all was made is finished: its logins are known to these files only.
    if !(new.exists() && can_be_used(folder, &new)) {
        catalog_url::section(folder, places.catalog, |catalog| {
            data_url::section(folder, places, |data| {
                private_files(folder, [(NEW_FILE, format!("{head}{data}{catalog}"))], || Ok(()))
            })
        })?;
    }
    // Last, when the logins are there: a folder with this file is a whole one.
    let file = folder.join(CONFIG_FILE);
    fs::rename(new, &file).with_context(|| file.display().to_string())
}

/// Whether the databases of this configuration let us in.
fn can_be_used(folder: &Path, file: &Path) -> bool {
    let opens = |place: &PostgresPlace| {
        Administrator::connect(place).and_then(|login| login.may_make_logins()).is_ok()
    };
    let look = || -> anyhow::Result<bool> {
        let config = load_config(folder, Some(file))?;
        if let CatalogPlace::Postgres(place) = config.catalog_place()?
            && !opens(&place)
        {
            return Ok(false);
        }
        for schema in config.schemas.keys() {
            if let DataLocation::Postgres(postgres) = config.data_location(schema)?
                && !opens(&data_url::postgres_place(&postgres.owner_url, folder)?)
            {
                return Ok(false);
            }
        }
        Ok(true)
    };
    look().unwrap_or(false)
}

/// Writes files that only their owner can read; they stay if `keep` succeeds.
pub(super) fn private_files<T>(
    folder: &Path,
    files: impl IntoIterator<Item = (impl AsRef<Path>, String)>,
    keep: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut written = Vec::new();
    let new_folder = !folder.exists();
    let write = || {
        fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
        for (name, content) in files {
            let file = folder.join(name);
            let new = !file.exists();
            // In one step: half a configuration can be one of another place.
            let mut part = file.clone().into_os_string();
            part.push(".part");
            write_private(Path::new(&part), content.as_bytes())
                .and_then(|()| fs::rename(&part, &file))
                .with_context(|| file.display().to_string())?;
            written.extend(new.then_some(file));
        }
        keep()
    };
    let outcome = write();
    if outcome.is_err() {
        for file in written {
            // What failed is told; a file that stays opens nothing.
            let _ = fs::remove_file(file);
        }
        if new_folder {
            let _ = fs::remove_dir(folder);
        }
    }
    outcome
}

/// A password that nobody has to type.
pub(super) fn new_password() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<24>())
}

/// The URL with its files named from the root: a command's folder is not the configuration's.
pub(super) fn with_absolute_files(url: &str, folder: &Path) -> String {
    let Some((base, query)) = url.split_once('?') else { return url.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key @ ("sslrootcert" | "passfile"), file)) if file != "system" => {
            format!("{key}={}", folder.join(file).display())
        }
        _ => pair.to_owned(),
    });
    format!("{base}?{}", pairs.collect::<Vec<_>>().join("&"))
}
