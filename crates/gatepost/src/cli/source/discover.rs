//! `gatepost source discover`: a definition to read, change and paste, from what an API shows.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use gatepost_sources::address::{ValidFor, follow, join, same_origin};
use gatepost_sources::definition::wire::is_secret_name;
use gatepost_sources::definition::{
    Document, Parameter, ParameterLocation, RemoteServer, RestSource, ServerKind, SourceAuth,
};
use gatepost_sources::discovery::{
    CatalogEntry, DOCUMENT_BYTES_MAX, Discovered, OpenApi, from_ords_catalog, from_ords_metadata, from_sample,
};
use gatepost_sources::error::quote;
use gatepost_sources::paging::Window;
use reqwest::Url;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::super::Place;
use super::super::terminal::{say, tell};
use super::{explained, find, parse_parameter};
use crate::app::App;
use crate::outbound::{Answer, ReadySource};
use crate::script::write_document;

/// So many services or paths are listed.
const LISTED_MAX: usize = 100;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepost source discover hr_employees --schema intranet --data gatepost-demo
  gatepost source discover https://api.example.com/v1/items --schema intranet --credential api_key
  gatepost source discover https://api.example.com/openapi.json --schema intranet --path /items
  gatepost source discover https://hr.example.com/ords/hr/metadata-catalog/ --schema intranet --path employees

The block goes to standard output, what to look at to standard error. Nothing is defined.")]
pub(super) struct Discover {
    #[command(flatten)]
    place: Place,
    /// The schema that the source is to belong to.
    #[arg(long, value_name = "NAME")]
    schema: String,
    /// A source that is defined, or the URL of rows, of an ORDS metadata catalog, of an OpenAPI 3 document in JSON.
    #[arg(value_name = "URL|SOURCE")]
    target: String,
    /// How the source is to be called; without it, as the last part of the path.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Which path of an OpenAPI document, or which service of a catalog.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The credential to sign in with.
    #[arg(long, value_name = "NAME")]
    credential: Option<String>,
    /// Where that credential gets its token, below the remote server or --token-server.
    #[arg(long, value_name = "PATH", requires = "credential")]
    token_path: Option<String>,
    /// The remote server of the token endpoint.
    #[arg(long, value_name = "NAME", requires = "token_path")]
    token_server: Option<String>,
    /// A parameter of the source; may be given several times.
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = parse_parameter)]
    parameters: Vec<(String, String)>,
}

/// What is proposed.
struct Proposal {
    /// A remote server that the schema does not have yet.
    server: Option<RemoteServer>,
    source: RestSource,
    notes: Vec<String>,
}

impl Discover {
    pub(super) fn run(self, runtime: &Runtime) -> anyhow::Result<()> {
        let proposal = if self.target.starts_with("http://") || self.target.starts_with("https://") {
            let url = self.url()?;
            let app = self.place.open()?;
            runtime.block_on(self.by_url(&app, &url))?
        } else {
            let (app, source) = find(&self.place, &self.schema, &self.target)?;
            runtime.block_on(self.by_source(&app, &source))?
        };
        for note in &proposal.notes {
            tell(format_args!("note: {note}"));
        }
        let document = Document {
            servers: proposal.server.into_iter().collect(),
            sources: vec![proposal.source],
            ..Document::default()
        };
        Ok(say(write_document(&document).trim_end())?)
    }

    /// A source that is there, asked as it is defined.
    async fn by_source(&self, app: &App, source: &Arc<RestSource>) -> anyhow::Result<Proposal> {
        let ready = app.ready_source(source, 0).map_err(|error| explained(&error))?;
        let answer = self.ask(app, ready).await?;
        let found = from_sample(&answer.body, &answer.headers, &answer.url);
        let found = found.map_err(|error| explained(&error))?;
        let (mut proposed, notes) = (source.as_ref().clone(), found.notes.clone());
        found.apply(&mut proposed);
        if let Some(name) = &self.name {
            proposed.name.clone_from(name);
        }
        Ok(Proposal { server: None, source: checked(proposed)?, notes })
    }

    /// The URL, which must hold no secret: it would stand in the definition.
    fn url(&self) -> anyhow::Result<Url> {
        let url = Url::parse(&self.target).with_context(|| "this is no URL".to_owned())?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            bail!("a URL without user, password and fragment is needed; a secret belongs into a credential");
        }
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| is_secret_name(name)) {
            bail!("`{name}` looks like a secret: make a credential of type query, and give --credential");
        }
        Ok(url)
    }

    async fn by_url(&self, app: &App, url: &Url) -> anyhow::Result<Proposal> {
        let asked = Asked::new(self, app, url)?;
        let answer = self.ask(app, asked.ready(app, asked.source.clone())?).await?;
        let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let member = |name: &str| document.as_ref().and_then(|document| document.get(name));
        if member("openapi").is_some() {
            return self.by_open_api(&asked, &answer);
        }
        if member("members").is_some_and(Value::is_array) {
            let rows =
                document.as_ref().and_then(described).map(|link| link_from(&answer, &link)).transpose()?;
            return self.by_metadata(&asked, &answer, rows);
        }
        let services = from_ords_catalog(&answer.body).unwrap_or_default();
        if !services.is_empty()
            && services.iter().all(|it| it.rows_url.is_some() && it.metadata_url.is_some())
        {
            return self.by_catalog(app, &asked, &answer, &services).await;
        }
        let found = from_sample(&answer.body, &answer.headers, &answer.url);
        let found = found.map_err(|error| explained(&error))?;
        self.propose(asked, found)
    }

    /// The first answer.
    async fn ask(&self, app: &App, mut ready: ReadySource) -> anyhow::Result<Answer> {
        let mut source = (*ready.source).clone();
        source.limits.max_bytes = source.limits.max_bytes.min(DOCUMENT_BYTES_MAX as u64);
        ready.source = Arc::new(source);
        let window = Window { offset: 0, limit: None };
        let mut fetch = app.fetch(ready, &self.parameters, window).map_err(|error| explained(&error))?;
        let answer = fetch.sample().await.map_err(|error| explained(&error))?;
        answer.ok_or_else(|| anyhow!("the answer counts as no rows: there is nothing to look at"))
    }

    fn by_open_api(&self, asked: &Asked, answer: &Answer) -> anyhow::Result<Proposal> {
        let document = OpenApi::parse(&answer.body).map_err(|error| explained(&error))?;
        let paths = document.paths();
        let path = match (&self.path, paths.as_slice()) {
            (Some(path), _) => path.clone(),
            (None, [only]) => only.path.clone(),
            (None, []) => bail!("the document has no path that gives rows"),
            (None, several) => {
                let lines = several.iter().take(LISTED_MAX).map(|it| match &it.summary {
                    Some(summary) => format!("  {}  {summary}", it.path),
                    None => format!("  {}", it.path),
                });
                bail!("choose one with --path:\n{}", lines.collect::<Vec<_>>().join("\n"))
            }
        };
        let name = self.name.clone().unwrap_or_else(|| name_of(&path, "rows"));
        // Servers of the document count if they are where the document is; others people define themselves.
        let named = document.servers().into_iter().filter_map(|url| Url::parse(&url).ok());
        let own = named.into_iter().find(|other| same_origin(other, &answer.url));
        let own = own.map_or_else(|| answer.url.join("/").map_err(anyhow::Error::from), Ok)?;
        let server =
            if asked.is_new { new_server(&asked.server.name, own.as_str())? } else { asked.server.clone() };
        let (source, notes) =
            document.source(&name, &server.name, &path).map_err(|error| explained(&error))?;
        let (base, full) = (base_path(&server)?, join(own.path(), &source.path));
        let Some(path) = full.strip_prefix(base.as_str()) else {
            bail!("{} is not below {}", quote(&full, 200), server.base_url);
        };
        let path = path.trim_start_matches('/').to_owned();
        let source = checked(RestSource { auth: asked.source.auth.clone(), path, ..source })?;
        Ok(Proposal { server: asked.is_new.then_some(server), source, notes })
    }

    /// Asks for the description of the service that was chosen.
    async fn by_catalog(
        &self,
        app: &App,
        asked: &Asked,
        answer: &Answer,
        services: &[CatalogEntry],
    ) -> anyhow::Result<Proposal> {
        let chosen = match (&self.path, services) {
            (Some(name), _) => services.iter().find(|service| service.name == *name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let Some(service) = chosen else {
            let names =
                services.iter().take(LISTED_MAX).map(|service| format!("  {}", quote(&service.name, 80)));
            bail!("choose a service with --path:\n{}", names.collect::<Vec<_>>().join("\n"));
        };
        let (Some(metadata), Some(rows)) = (&service.metadata_url, &service.rows_url) else {
            bail!("the catalog does not say where this service is");
        };
        let (metadata, rows) = (link_from(answer, metadata)?, link_from(answer, rows)?);
        let description = asked.at(&metadata)?;
        let answer = self.ask(app, description.ready(app, description.source.clone())?).await?;
        self.by_metadata(&description, &answer, Some(rows))
    }

    fn by_metadata(&self, asked: &Asked, answer: &Answer, rows: Option<Url>) -> anyhow::Result<Proposal> {
        let found = from_ords_metadata(&answer.body).map_err(|error| explained(&error))?;
        let Some(rows) = rows else { bail!("the description does not say where the rows are") };
        let asked = asked.at(&rows)?;
        self.propose(asked, found)
    }

    fn propose(&self, asked: Asked, found: Discovered) -> anyhow::Result<Proposal> {
        let (mut source, notes) = (asked.source, found.notes.clone());
        found.apply(&mut source);
        source.name = self.name.clone().unwrap_or_else(|| name_of(&source.path, "rows"));
        let sent: Vec<String> =
            source.pagination.sent_names().into_iter().map(|(_, name)| name.to_ascii_lowercase()).collect();
        source.parameters.retain(|it| !sent.contains(&it.wire_name().to_ascii_lowercase()));
        Ok(Proposal { server: asked.is_new.then_some(asked.server), source: checked(source)?, notes })
    }
}

/// What is asked: a remote server, and below it a path.
#[derive(Clone)]
struct Asked {
    server: RemoteServer,
    /// Whether the schema does not have that server.
    is_new: bool,
    source: RestSource,
}

impl Asked {
    fn new(discover: &Discover, app: &App, url: &Url) -> anyhow::Result<Self> {
        let snapshot = Arc::clone(&app.snapshot());
        let catalog = &snapshot.catalog;
        let schema = catalog.schema_by_name(&discover.schema.to_ascii_lowercase());
        let schema = schema.with_context(|| format!("there is no schema `{}`", discover.schema))?;
        let below = |server: &&RemoteServer| {
            server.kind == ServerKind::Rest && ValidFor::of_urls([server.base_url.as_str()]).covers(url)
        };
        let known = catalog.remote_servers_of(schema.id).map(AsRef::as_ref).filter(below);
        let known = known.max_by_key(|server| server.base_url.len()).cloned();
        let is_new = known.is_none();
        let server = match known {
            Some(server) => server,
            None if discover.credential.is_some() => bail!(
                "no remote server of schema {} has this URL below it: define one first, so that the credential may go there",
                schema.name
            ),
            None => new_server(&name_of(url.host_str().unwrap_or_default(), "api"), origin(url).as_str())?,
        };
        let auth = discover.credential.as_ref().map(|credential| SourceAuth {
            credential: credential.clone(),
            server: discover.token_server.clone(),
            token_path: discover.token_path.clone(),
            scope: Vec::new(),
        });
        let source =
            RestSource { auth, schema_id: schema.id, ..RestSource::new("discovered", &server.name, "") };
        Self { server, is_new, source }.at(url)
    }

    /// The same at another URL of the server.
    fn at(&self, url: &Url) -> anyhow::Result<Self> {
        if !ValidFor::of_urls([self.server.base_url.as_str()]).covers(url) {
            bail!("{} is not below {}", quote(url.path(), 200), self.server.base_url);
        }
        let base = base_path(&self.server)?;
        let path = url.path().strip_prefix(base.as_str()).unwrap_or(url.path());
        let parameters = url.query_pairs().enumerate().map(|(number, (wire_name, value))| Parameter {
            send: Some(wire_name.clone().into_owned()),
            value: Some(Value::from(value.into_owned())),
            ..Parameter::new(&parameter_name(&wire_name, number), ParameterLocation::Query)
        });
        let source = RestSource {
            path: path.trim_start_matches('/').to_owned(),
            parameters: parameters.collect(),
            ..self.source.clone()
        };
        Ok(Self { source: checked(source)?, ..self.clone() })
    }

    fn ready(&self, app: &App, source: RestSource) -> anyhow::Result<ReadySource> {
        let source = Arc::new(source);
        if !self.is_new {
            return app.ready_source(&source, 0).map_err(|error| explained(&error));
        }
        let base_url = self.server.base_url.parse().with_context(|| "the base URL".to_owned())?;
        Ok(ReadySource { source, server: Arc::new(self.server.clone()), base_url, sign_in: None, hops: 0 })
    }
}

fn checked(source: RestSource) -> anyhow::Result<RestSource> {
    source.checked().map_err(|broken| anyhow!("no source can be made of it: {broken}"))
}

fn new_server(name: &str, base_url: &str) -> anyhow::Result<RemoteServer> {
    let server = RemoteServer::new(name, ServerKind::Rest, base_url).checked();
    server.map_err(|broken| anyhow!("no remote server can be made of it: {broken}"))
}

/// The path of a remote server, without a final slash.
fn base_path(server: &RemoteServer) -> anyhow::Result<String> {
    let base = Url::parse(&server.base_url).with_context(|| "the base URL".to_owned())?;
    Ok(base.path().trim_end_matches('/').to_owned())
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// A link of an answer, within its origin.
fn link_from(answer: &Answer, link: &str) -> anyhow::Result<Url> {
    follow(&answer.url, link).map_err(|error| explained(&error))
}

/// The link to the rows in a description of ORDS.
fn described(document: &Value) -> Option<String> {
    let links = document.get("links")?.as_array()?;
    let link = links.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some("describes"))?;
    link.get("href")?.as_str().map(str::to_owned)
}

/// A name from the last part of a path that has letters.
fn name_of(path: &str, otherwise: &str) -> String {
    let mut parts = path.split('/').filter(|part| !part.contains(['{', '}']));
    let last = parts.rfind(|part| part.contains(|c: char| c.is_ascii_alphabetic()));
    let lower = last.unwrap_or(otherwise).to_ascii_lowercase();
    let name: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_matches(|c: char| c == '_' || c.is_ascii_digit());
    name.chars().take(40).collect()
}

/// A name for a fixed parameter. Some names are for the rows themselves.
fn parameter_name(wire_name: &str, number: usize) -> String {
    let name = name_of(wire_name, "");
    if name.is_empty() { format!("fixed_{number}") } else { format!("fixed_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_the_last_part_that_says_something() {
        for (path, name) in [
            ("hr/employees/", "employees"),
            ("/pets/{petId}", "pets"),
            ("v2/Order-Lines/7", "order_lines"),
            ("api.example.com", "api_example_com"),
            ("127.0.0.1", "rows"),
            ("", "rows"),
        ] {
            assert_eq!(name_of(path, "rows"), name, "{path}");
        }
    }
}
