//! The files that hold the URLs of Gatepost's logins, and the sections of `gatepost.toml` that name them.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use gatepost_store::catalog::{CatalogPlace, PlaceOptions, PostgresPlace, for_login};
use gatepost_store::provision::{DataLogins, Login};

/// The file of the catalog's login.
pub(super) const CATALOG_FILE: &str = "catalog.url";

/// Keys of a schema's section, and what the names of their files end with: the reader's, the writer's and the owner's.
const DATA_FILES: [(&str, &str); 3] =
    [("data", ".url"), ("data_write", "-write.url"), ("data_owner", "-owner.url")];

/// A file and its text.
pub(super) type NamedText = (String, String);

/// The file of a schema's reader, or of its only login.
pub(super) fn reader_file(schema: &str) -> String {
    data_file(schema, DATA_FILES[0].1)
}

/// The catalog's file.
pub(super) fn of_catalog(login: &Login, url: &str) -> NamedText {
    (CATALOG_FILE.to_owned(), text(login, url))
}

/// The files of a schema's logins, for the database of this URL.
pub(super) fn of_data(logins: &DataLogins, url: &str) -> [NamedText; 3] {
    let [read, write, owner] = DATA_FILES.map(|(_, end)| data_file(&logins.schema, end));
    [(read, text(&logins.read, url)), (write, text(&logins.write, url)), (owner, text(&logins.owner, url))]
}

/// The section for data whose logins are in files of this folder, or of the configuration's.
pub(super) fn data_section(schema: &str, folder: Option<&Path>) -> String {
    let files = DATA_FILES.map(|(key, end)| (key, in_folder(folder, &data_file(schema, end))));
    section_of_schema(schema, &files)
}

/// The section for a schema's data.
pub(super) fn section_of_schema(schema: &str, urls: &[(&str, String)]) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = if schema.chars().all(bare) { schema.to_owned() } else { format!("\"{schema}\"") };
    let lines = urls.iter().map(|(key, url)| format!("{key} = {}\n", quoted(url)));
    format!("\n[schemas.{name}]\n{}", lines.collect::<String>())
}

/// The section for the catalog whose login is in a file of this folder, or of the configuration's.
pub(super) fn catalog_section(schema: &str, folder: Option<&Path>) -> String {
    section_of_catalog(schema, &in_folder(folder, CATALOG_FILE))
}

/// The section for the catalog.
pub(super) fn section_of_catalog(schema: &str, url: &str) -> String {
    let schema = match schema {
        PlaceOptions::SCHEMA => String::new(),
        other => format!("schema = {}\n", quoted(other)),
    };
    format!("\n[catalog]\nurl = {}\n{schema}", quoted(url))
}

/// The catalog's login of the folder's file, which must be one for this database.
pub(super) fn known_catalog(folder: &Path, database: &PostgresPlace) -> anyhow::Result<Option<Login>> {
    known(folder, CATALOG_FILE, database)
}

/// The logins of a schema of the folder's files: all of them or none.
pub(super) fn known_data(
    folder: &Path,
    schema: &str,
    database: &PostgresPlace,
) -> anyhow::Result<Option<DataLogins>> {
    let mut logins = Vec::new();
    for (_, end) in DATA_FILES {
        logins.extend(known(folder, &data_file(schema, end), database)?);
    }
    match <[Login; 3]>::try_from(logins) {
        Ok([read, write, owner]) => Ok(Some(DataLogins { schema: schema.to_owned(), owner, read, write })),
        Err(found) if found.is_empty() => Ok(None),
        Err(_) => bail!(
            "{} holds some of the files {}, but not all: put the others back or delete them",
            folder.display(),
            DATA_FILES.map(|(_, end)| data_file(schema, end)).join(", ")
        ),
    }
}

fn known(folder: &Path, name: &str, database: &PostgresPlace) -> anyhow::Result<Option<Login>> {
    let file = folder.join(name);
    let url = match std::fs::read_to_string(&file) {
        Ok(url) => url,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    let place = CatalogPlace::parse(url.trim(), &PlaceOptions::in_folder(folder))
        .with_context(|| file.display().to_string())?;
    let login = match &place {
        CatalogPlace::Postgres(place) if place.database() == database.database() => {
            place.user().zip(place.password())
        }
        other => bail!("{} is for {other}, not for {}", file.display(), database.database()),
    };
    ensure!(login.is_some(), "{} holds no URL with a password", file.display());
    Ok(login.map(|(name, password)| Login { name: name.to_owned(), password }))
}

fn data_file(schema: &str, end: &str) -> String {
    format!("data-{schema}{end}")
}

fn text(login: &Login, url: &str) -> String {
    for_login(url, &login.name, Some(&login.password)) + "\n"
}

fn in_folder(folder: Option<&Path>, name: &str) -> String {
    match folder {
        Some(folder) => format!("file:{}", folder.join(name).display()),
        None => format!("file:{name}"),
    }
}

fn quoted(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}
