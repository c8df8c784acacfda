//! The second half of the demo: schema intranet calls the API of schema hr at this server's own address.

use anyhow::{Context as _, bail};
use gatepost_store::catalog::Catalog;
use gatepost_store::data::SessionValue;

use super::demo::{self, Known};
use super::init;
use crate::app::App;

const SCHEMA: &str = "intranet";
const DEFINITIONS: &str = include_str!("../../../../examples/intranet/definitions.sql");
const CLIENT: &str = include_str!("../../../../examples/intranet/client.sql");
/// The sources, each with the names of its credential and its own.
const SOURCES: [(&str, &str, &str); 2] = [
    ("hr_reader", "hr_employees", include_str!("../../../../examples/intranet/source.sql")),
    (
        "hr_departments_reader",
        "hr_departments",
        include_str!("../../../../examples/intranet/departments.sql"),
    ),
];

/// The client of hr that the intranet signs in with.
const CLIENT_NAME: &str = "intranet";
/// The client of intranet that reads its sources.
const READER_NAME: &str = "intranet_app";

/// What `demo.json` tells of it.
pub(super) struct Sources {
    pub(super) rows_url: String,
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
}

/// Makes what is missing. The address of the API is this server's own: at another one the source is defined anew, with a
/// new secret, because the old one may not go there.
pub(super) fn make(app: &App, known_secret: Option<&String>) -> anyhow::Result<Sources> {
    if app.snapshot().catalog.schema_by_name(SCHEMA).is_none() {
        init::run_script(app, SCHEMA, DEFINITIONS, "demo")?;
    }
    if client_id(&app.snapshot().catalog, CLIENT_NAME).is_none() {
        init::run_script(app, demo::SCHEMA, CLIENT, "demo")?;
    }
    let base_url = app.issuer(demo::SCHEMA);
    if !is_current(&app.snapshot().catalog, &base_url)? {
        let id = client_id(&app.snapshot().catalog, CLIENT_NAME).context("client intranet is gone")?;
        let secret = new_secret(app)?;
        let scripts = SOURCES.map(|(_, _, script)| script).concat();
        let script = scripts
            .replace("BASE_URL", &base_url)
            .replace("CLIENT_ID", &id)
            .replace("CLIENT_SECRET", &secret);
        init::run_script(app, SCHEMA, &script, "demo")?;
    }
    let issuer = app.issuer(SCHEMA);
    let known = Known { schema: SCHEMA, client: READER_NAME, secret: known_secret };
    Ok(Sources {
        rows_url: format!("{issuer}/sources/hr_employees/"),
        token_url: format!("{issuer}/oauth/token"),
        client_secret: demo::known_or_new_secret(app, &known)?,
        client_id: client_id(&app.snapshot().catalog, READER_NAME).context("client intranet_app is gone")?,
    })
}

fn client_id(catalog: &Catalog, name: &str) -> Option<String> {
    catalog.clients.values().find(|client| client.name == name).map(|client| client.client_id.clone())
}

/// Whether the sources are there, point to this address and have their secrets.
fn is_current(catalog: &Catalog, base_url: &str) -> anyhow::Result<bool> {
    let schema = catalog.schema_by_name(SCHEMA).context("schema intranet is gone")?.id;
    let server = catalog.remote_servers_of(schema).find(|server| server.name == "hr_api");
    let is_there = |(credential, source, _): &(&str, &str, &str)| {
        let credential = catalog.credentials_of(schema).find(|known| known.name == *credential);
        let secret = credential.and_then(|credential| catalog.vault_secret_of(credential.id));
        secret.is_some() && catalog.rest_sources_of(schema).any(|known| known.name == *source)
    };
    Ok(server.is_some_and(|server| server.base_url == base_url) && SOURCES.iter().all(is_there))
}

fn new_secret(app: &App) -> anyhow::Result<String> {
    let call = format!(
        "begin dbms_output.put_line(ords_security.rotate_client_secret(p_name => '{CLIENT_NAME}', p_revoke_existing => true)); end;"
    );
    match demo::query(app, demo::SCHEMA, &call)?.first().map(Vec::as_slice) {
        Some([SessionValue::Text(secret)]) => Ok(secret.clone()),
        _ => bail!("client {CLIENT_NAME} got no new secret"),
    }
}
