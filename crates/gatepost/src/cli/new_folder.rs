//! The configuration of a new folder, and the logins that it names.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{catalog_url, data_url};
use crate::app::clock::random_bytes;
use crate::app::key_file::write_private;
use crate::config::CONFIG_FILE;

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
    let new = format!("{CONFIG_FILE}.new");
    catalog_url::section(folder, places.catalog, |catalog| {
        data_url::section(folder, places.schema, places.data, places.wanted, |data| {
            private_files(folder, [(&new, format!("{head}{data}{catalog}"))], || Ok(()))
        })
    })?;
    // Last, when the logins are there: a folder with this file is a whole one.
    let file = folder.join(CONFIG_FILE);
    fs::rename(folder.join(new), &file).with_context(|| file.display().to_string())
}

/// Writes files that only their owner can read; they stay if `keep` succeeds.
pub(super) fn private_files<T>(
    folder: &Path,
    files: impl IntoIterator<Item = (impl AsRef<Path>, String)>,
    keep: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut written = Vec::new();
    let new = !folder.exists();
    let write = || {
        fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
        for (name, content) in files {
            let file = folder.join(name);
            write_private(&file, content.as_bytes()).with_context(|| file.display().to_string())?;
            written.push(file);
        }
        keep()
    };
    let outcome = write();
    if outcome.is_err() {
        for file in written {
            // What failed is told; a file that stays opens nothing.
            let _ = fs::remove_file(file);
        }
        if new {
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
