//! REST sources as this process can call them: names resolved, secrets opened, rows filtered, sorted and cut.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatepost_sources::address::{ValidFor, join};
use gatepost_sources::datum::Datum;
use gatepost_sources::definition::{
    ColumnType, Credential, Id, Parameter, RemoteServer, RestSource, SecretReference, SourceAuth,
};
use gatepost_sources::error::{Code, SourceError};
use gatepost_sources::filter::{Wanted, share};
use gatepost_sources::paging::Window;
use gatepost_sources::template::Values;
use gatepost_store::catalog::Catalog;
use secrecy::SecretString;

use super::App;
use super::clock::Clock;
use super::source_cache::{Fetched, Key};
use crate::outbound::{Fetch, FetchFacts, ReadyCredential, ReadySource, TokenEndpoint};

/// A file with a secret has at most this many bytes.
const SECRET_FILE_BYTES_MAX: u64 = 16 * 1024;

/// What a caller wants of a source.
#[derive(Clone, Debug, Default)]
pub struct RowsWanted {
    /// Parameters by name, as text.
    pub parameters: Vec<(String, String)>,
    /// Filters, order and window.
    pub rows: Wanted,
    /// Who asks, where the source keeps rows for each caller.
    pub caller: Option<String>,
    /// Rows that are kept do not do.
    pub fresh: bool,
}

/// Rows of a source.
#[derive(Debug)]
pub struct SourceRows {
    /// Names and types of the columns.
    pub columns: Vec<(String, ColumnType)>,
    /// The rows.
    pub rows: Vec<Vec<Datum>>,
    /// Whether there are more after them.
    pub has_more: bool,
    /// Values that did not fit their columns and became NULL.
    pub mismatches: u64,
    /// How they were had.
    pub facts: FetchFacts,
    /// How old they are, if they were kept.
    pub age: Duration,
}

impl App {
    /// The source of this name in a schema, as the catalog has it now.
    pub fn rest_source(&self, schema: Id, name: &str) -> Option<Arc<RestSource>> {
        let snapshot = self.snapshot();
        snapshot.catalog.rest_sources_of(schema).find(|source| source.name == name).cloned()
    }

    /// A source with everything that it names. `hops` counts the installations that the request came through.
    pub fn ready_source(&self, source: &Arc<RestSource>, hops: u8) -> Result<ReadySource, SourceError> {
        let snapshot = self.snapshot();
        let catalog = &snapshot.catalog;
        let server = find_server(catalog, source.schema_id, &source.server)?;
        let base_url = server.base_url.parse().map_err(|_| broken("the base URL"))?;
        let sign_in =
            source.auth.as_ref().map(|auth| self.ready_credential(catalog, source, &server, auth, hops));
        Ok(ReadySource { source: Arc::clone(source), sign_in: sign_in.transpose()?, server, base_url, hops })
    }

    fn ready_credential(
        &self,
        catalog: &Catalog,
        source: &RestSource,
        server: &Arc<RemoteServer>,
        auth: &SourceAuth,
        hops: u8,
    ) -> Result<ReadyCredential, SourceError> {
        let schema = source.schema_id;
        let credential = catalog.credentials_of(schema).find(|known| known.name == auth.credential);
        let credential = credential.ok_or_else(|| broken(&format!("credential {}", auth.credential)))?;
        let token_server = match &auth.server {
            Some(name) => find_server(catalog, schema, name)?,
            None => Arc::clone(server),
        };
        let token_url = auth.token_path.as_ref().map(|path| join(&token_server.base_url, path));
        let (secret, bound) = self.secret_of(catalog, credential)?;
        // What the operator keeps goes where the operator says, whatever the definition says.
        let valid_for =
            bound.unwrap_or_else(|| ValidFor::of(credential, &server.base_url, token_url.as_deref()));
        let endpoint = match token_url {
            None => None,
            Some(url) => Some(TokenEndpoint {
                server: token_server.id,
                url: url.parse().map_err(|_| broken("the token path"))?,
                tls_ca: token_server.tls_ca.clone(),
                credential: Arc::clone(credential),
                auth: auth.clone(),
                secret: secret.clone(),
                valid_for: valid_for.clone(),
                hops,
            }),
        };
        Ok(ReadyCredential { credential: Arc::clone(credential), secret, endpoint, valid_for })
    }

    /// The secret of a credential, from where it is kept. Other places than the vault are the operator's to name, with
    /// the URLs that the secret may be sent to.
    fn secret_of(
        &self,
        catalog: &Catalog,
        credential: &Credential,
    ) -> Result<(SecretString, Option<ValidFor>), SourceError> {
        let missing = |detail: String| SourceError::new(Code::SecretMissing).with_detail(detail);
        let listed = |urls: Option<&Vec<String>>, key: &str, name: &str| {
            let urls = urls.ok_or_else(|| missing(format!("{key} does not list {name}")))?;
            Ok::<_, SourceError>(ValidFor::of_urls(urls.iter().map(String::as_str)))
        };
        let egress = &self.config.egress;
        match &credential.secret {
            SecretReference::Vault => {
                let secret = catalog.vault_secret_of(credential.id).ok_or_else(|| {
                    missing(format!("credential {}: GATEPOST.SET_CREDENTIAL_SECRET sets it", credential.name))
                })?;
                let secret = secret.open(&self.ring());
                Ok((secret.ok_or_else(|| missing("its vault key is not in the key file".into()))?, None))
            }
            SecretReference::Env(name) => {
                let urls = listed(egress.secret_env.get(name), "egress.secret_env", name)?;
                let value = self.config.secret_values.get(name).cloned();
                Ok((value.ok_or_else(|| missing(format!("variable {name} is not set")))?, Some(urls)))
            }
            SecretReference::File(path) => {
                let urls = listed(egress.secret_files.get(path), "egress.secret_files", path)?;
                let secret = read_secret(&self.config.path(Path::new(path)));
                Ok((secret.ok_or_else(|| missing(format!("file {path} cannot be read")))?, Some(urls)))
            }
        }
    }

    /// Begins to fetch a source without filters.
    pub fn fetch(
        &self,
        ready: ReadySource,
        parameters: &[(String, String)],
        window: Window,
    ) -> Result<Fetch, SourceError> {
        let values = read_values(&ready.source, parameters)?;
        Fetch::new(&self.outbound, ready, &values, &[], window, system_ms)
    }

    /// The rows that a caller wants: what the server can do is asked of it, the rest is done here.
    pub async fn source_rows(
        &self,
        ready: ReadySource,
        wanted: &RowsWanted,
    ) -> Result<SourceRows, SourceError> {
        let mut values = read_values(&ready.source, &wanted.parameters)?;
        // One row more than wanted tells whether there are more.
        let limit = wanted.rows.window.limit;
        let window = Window { limit: limit.map(|limit| limit.saturating_add(1)), ..wanted.rows.window };
        let shared = share(&ready.source, &values, &Wanted { window, ..wanted.rows.clone() });
        for (name, value) in shared.parameters {
            values.set(&name, value);
        }
        let key = Key::of(&ready, &values, &shared.query, shared.window, wanted.caller.as_deref());
        let fetch = self.fetch_all(ready, &values, &shared.query, shared.window);
        let (fetched, age) = match key {
            None => (fetch.await?, Duration::ZERO),
            Some(key) => {
                let key = self.source_cache.current(key);
                let kept = self.source_cache.rows(key, wanted.fresh, fetch).await?;
                let age = kept.age();
                (Arc::try_unwrap(kept).map_or_else(|kept| kept.fetched.clone(), |kept| kept.fetched), age)
            }
        };
        let Fetched { columns, mut rows, mismatches, facts } = fetched;
        finish_here(&columns, &mut rows, &shared.remaining);
        let has_more = limit.is_some_and(|limit| rows.len() as u64 > limit);
        rows.truncate(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
        let has_more = has_more || facts.truncated.is_some();
        Ok(SourceRows { columns, rows, has_more, mismatches, facts, age })
    }

    async fn fetch_all(
        &self,
        ready: ReadySource,
        values: &Values,
        query: &[(String, String)],
        window: Window,
    ) -> Result<Fetched, SourceError> {
        let source = Arc::clone(&ready.source);
        let mut fetch = Fetch::new(&self.outbound, ready, values, query, window, system_ms)?;
        let rows = fetch.all().await?;
        let columns = fetch.columns().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let mismatches = fetch.report().mismatches.values().sum();
        let fetched = Fetched { columns, rows, mismatches, facts: fetch.facts().clone() };
        if source.rows.has_sql() { self.with_sql(&source, fetched).await } else { Ok(fetched) }
    }
}

/// Filters, sorts and cuts what came, as far as the server did not.
fn finish_here(columns: &[(String, ColumnType)], rows: &mut Vec<Vec<Datum>>, remaining: &Wanted) {
    let place = |name: &str| columns.iter().position(|(column, _)| column == name);
    for filter in &remaining.filters {
        // A column that is not there keeps nothing.
        let column = place(&filter.column);
        rows.retain(|row| column.is_some_and(|column| filter.keeps(&row[column])));
    }
    if !remaining.sort.is_empty() {
        rows.sort_by(|one, other| {
            let orders = remaining.sort.iter().filter_map(|sort| {
                let column = place(&sort.column)?;
                Some(sort.compare(&one[column], &other[column]))
            });
            orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
    }
    let offset = usize::try_from(remaining.window.offset).unwrap_or(usize::MAX).min(rows.len());
    rows.drain(..offset);
    if let Some(limit) = remaining.window.limit {
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
}

/// The text of a file without the line break at its end.
fn read_secret(file: &Path) -> Option<SecretString> {
    if std::fs::metadata(file).ok()?.len() > SECRET_FILE_BYTES_MAX {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    (!text.is_empty()).then(|| text.into())
}

pub(super) fn system_ms() -> i64 {
    Clock::System.now_ms()
}

pub(super) fn read_values(source: &RestSource, given: &[(String, String)]) -> Result<Values, SourceError> {
    let parameters: Vec<&Parameter> = source.parameters.iter().collect();
    Values::read(&parameters, given.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

fn find_server(catalog: &Catalog, schema: Id, name: &str) -> Result<Arc<RemoteServer>, SourceError> {
    let found = catalog.remote_servers_of(schema).find(|server| server.name == name);
    found.cloned().ok_or_else(|| broken(&format!("remote server {name}")))
}

fn broken(what: &str) -> SourceError {
    SourceError::new(Code::DefinitionBroken).with_detail(format!("{what} is not there or cannot be read"))
}
