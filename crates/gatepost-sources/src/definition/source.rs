//! The REST source: what is fetched from where, how, and what rows it gives.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operation::{check_body, check_parameters, names_in};
use super::path::{check_path, path_parameters};
use super::{
    Audit, Checked, Credential, DefinitionError, Id, OnRule, Operations, Pagination, Parameter,
    ParameterLocation, Placement, RemoteServer, Rows, ServerKind, Sync, check_between, check_comments,
    check_count, check_name, credential, words,
};
use crate::address::join;

const RULES_MAX: usize = 20;
const HOUR_MS: u64 = 3_600_000;

/// A REST source of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestSource {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// Its name, unique among the schema's sources; `rest.NAME` in SQL, `sources/NAME/` in URLs.
    pub name: String,
    /// The remote server, by name.
    pub server: String,
    /// Appended to the server's base URL, without a leading slash. `{name}` is a path parameter.
    pub path: String,
    /// How rows are asked for.
    pub method: FetchMethod,
    /// The JSON body that asks for rows; `${name}` is a parameter. With method POST only.
    pub body: Option<Value>,
    /// Who asks; absent: nobody in particular.
    pub auth: Option<SourceAuth>,
    /// How long a request may take.
    pub timeout: Timeouts,
    /// How much one fetch may bring.
    pub limits: Limits,
    /// How long rows are kept.
    pub cache: Cache,
    /// How pages follow each other.
    pub pagination: Pagination,
    /// Which filters the server takes besides parameters.
    #[serde(default)]
    pub filters: FilterDialect,
    /// What callers can give.
    pub parameters: Vec<Parameter>,
    /// What the rows are.
    pub rows: Rows,
    /// What else can be done.
    pub operations: Operations,
    /// What to do on other answers, in this order.
    pub on: Vec<OnRule>,
    /// Copying into a table.
    pub sync: Option<Sync>,
    /// Free text.
    pub comments: Option<String>,
    /// Who and when.
    pub audit: Audit,
}

words! {
    /// The method that fetches rows.
    FetchMethod {
        /// Without a body.
        Get = "GET",
        /// With a body, for services that search by POST.
        Post = "POST",
    }
}

words! {
    /// The language of filters that a server understands.
    #[derive(Default)]
    FilterDialect {
        /// None: callers' filters are applied to the rows that came.
        #[default]
        None = "none",
        /// The query parameter `q` of ORDS, with filters and order as JSON.
        Ords = "ords",
    }
}

/// How a source signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAuth {
    /// The credential, by name.
    pub credential: String,
    /// The remote server with the token endpoint, by name; absent: the source's own server.
    pub server: Option<String>,
    /// Appended to that server's base URL; for OAuth credentials, which need it.
    pub token_path: Option<String>,
    /// The scopes of this source; empty: the credential's.
    pub scope: Vec<String>,
}

/// How long requests may take, each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect_ms: u64,
    /// Until the last byte of the answer.
    pub total_ms: u64,
}

/// How much one fetch may bring. Reaching a limit is said with the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Pages.
    pub max_pages: u32,
    /// Rows.
    pub max_rows: u64,
    /// Bytes of all bodies, decompressed.
    pub max_bytes: u64,
    /// Time for all pages together.
    pub max_time_ms: u64,
}

/// How long fetched rows are kept in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// Who shares them.
    pub scope: CacheScope,
    /// How long; 0 when off.
    pub ttl_ms: u64,
}

words! {
    /// Who shares cached rows.
    CacheScope {
        /// Nobody: nothing is kept.
        Off = "off",
        /// All callers.
        All = "all",
        /// The calls of one caller.
        User = "user",
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 5_000, total_ms: 30_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pages: 200, max_rows: 50_000, max_bytes: 32 << 20, max_time_ms: 60_000 }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { scope: CacheScope::Off, ttl_ms: 0 }
    }
}

impl RestSource {
    /// A source that fetches one page without parameters, not yet checked. The catalog gives `id` and `schema_id`.
    pub fn new(name: &str, server: &str, path: &str) -> Self {
        Self {
            id: 0,
            schema_id: 0,
            name: name.into(),
            server: server.into(),
            path: path.into(),
            method: FetchMethod::Get,
            body: None,
            auth: None,
            timeout: Timeouts::default(),
            limits: Limits::default(),
            cache: Cache::default(),
            pagination: Pagination::None,
            filters: FilterDialect::None,
            parameters: Vec::new(),
            rows: Rows::default(),
            operations: Operations::default(),
            on: Vec::new(),
            sync: None,
            comments: None,
            audit: Audit::default(),
        }
    }

    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Normalizes paths, scopes and rules, and checks all fields.
    pub fn checked(mut self) -> Checked<Self> {
        check_name("name", &self.name)?;
        check_name("server", &self.server)?;
        self.path = check_path("path", &self.path)?;
        if let Some(auth) = &mut self.auth {
            auth.check().map_err(|error| error.below("auth"))?;
        }
        self.check_amounts()?;
        self.pagination.check().map_err(|error| error.below("pagination"))?;
        check_parameters(&self.parameters)?;
        self.rows.check().map_err(|error| error.below("rows"))?;
        self.check_body_and_pages()?;
        self.check_operations()?;
        self.check_path_parameters()?;
        self.check_columns_of_parameters()?;
        check_count("on", self.on.len(), RULES_MAX)?;
        for (at, rule) in self.on.iter_mut().enumerate() {
            rule.check().map_err(|error| error.below(&format!("on[{at}]")))?;
        }
        if let Some(sync) = &self.sync {
            sync.check(&self.rows, &self.parameters).map_err(|error| error.below("sync"))?;
        }
        check_comments(self.comments.as_deref())?;
        Ok(self)
    }

    /// Checks that what the source names is there and fits: the API's server, the token endpoint's server (when
    /// [`SourceAuth::server`] names one) and the credential, each as found in the schema.
    pub fn check_references(
        &self,
        server: Option<&RemoteServer>,
        token_server: Option<&RemoteServer>,
        credential: Option<&Credential>,
    ) -> Checked {
        let missing = |key: &str, what: &str, name: &str| {
            Err(DefinitionError::new(key, format!("there is no {what} `{name}` in this schema")))
        };
        match server {
            None => return missing("server", "remote server", &self.server),
            Some(server) if server.kind == ServerKind::Authentication => {
                let rule = "this remote server is for authentication only; name one of kind `rest`";
                return Err(DefinitionError::new("server", rule));
            }
            Some(_) => {}
        }
        let Some(auth) = &self.auth else { return Ok(()) };
        let Some(credential) = credential else {
            return missing("auth.credential", "credential", &auth.credential);
        };
        if let (Some(name), None) = (&auth.server, token_server) {
            return missing("auth.server", "remote server", name);
        }
        match (credential.oauth2(), &auth.token_path) {
            (Some(_), None) => {
                let rule = "an OAuth credential needs the path of the token endpoint, such as `oauth/token`";
                Err(DefinitionError::new("auth.token_path", rule))
            }
            (None, Some(_)) => {
                let rule =
                    format!("a credential of type {} fetches no token", credential.sign_in.type_name());
                Err(DefinitionError::new("auth.token_path", rule))
            }
            _ => Ok(()),
        }
    }

    /// Which field changed where a secret may go, if one did. For a credential with an empty valid-for list its
    /// secret must then be given again; [`super::SecretReach`] tells for a whole schema, new sources included.
    pub fn redirects_secret(before: &Self, after: &Self) -> Option<&'static str> {
        let Some(new) = &after.auth else { return None };
        let Some(old) = &before.auth else { return Some("auth") };
        if before.server != after.server {
            return Some("server");
        }
        if old.credential != new.credential {
            return Some("auth.credential");
        }
        if old.server != new.server {
            return Some("auth.server");
        }
        (old.token_path != new.token_path).then_some("auth.token_path")
    }

    fn check_amounts(&self) -> Checked {
        let duration = |key, number, least, most, rule: &str| {
            check_between(key, number, least, most).map_err(|error| DefinitionError::new(error.key, rule))
        };
        let Limits { max_pages, max_rows, max_bytes, max_time_ms } = self.limits;
        let Timeouts { connect_ms, total_ms } = self.timeout;
        duration("timeout.connect", connect_ms, 100, 30_000, "a duration from 100ms to 30s is needed")?;
        duration("timeout.total", total_ms, 100, 10 * 60_000, "a duration from 100ms to 10m is needed")?;
        check_between("limits.max_pages", max_pages.into(), 1, 100_000)?;
        check_between("limits.max_rows", max_rows, 1, 10_000_000)?;
        duration("limits.max_bytes", max_bytes, 1_024, 1 << 30, "a size from 1KiB to 1GiB is needed")?;
        duration("limits.max_time", max_time_ms, 100, 6 * HOUR_MS, "a duration from 100ms to 6h is needed")?;
        match (self.cache.scope, self.cache.ttl_ms) {
            (CacheScope::Off, 0) => Ok(()),
            (CacheScope::Off, _) => Err(DefinitionError::new("cache.ttl", "the cache is off")),
            (_, ttl) => {
                duration("cache.ttl", ttl, 1_000, 24 * HOUR_MS, "a duration from 1s to 24h is needed")
            }
        }
    }

    fn check_body_and_pages(&self) -> Checked {
        let takes_body = self.method == FetchMethod::Post;
        let in_body = names_in(&self.parameters, ParameterLocation::Body);
        check_body(self.body.as_ref(), takes_body, &self.parameters, |name| in_body.contains(name))?;
        if self.rows.single && self.pagination != Pagination::None {
            return Err(DefinitionError::new("pagination.type", "a single row has no pages"));
        }
        for (placement, name) in self.pagination.sent_names() {
            if placement == Placement::Body && !takes_body {
                return Err(DefinitionError::new(
                    "pagination.in",
                    "without `method = \"POST\"` there is no body",
                ));
            }
            let clash = self.parameters.iter().position(|it| {
                it.wire_name().eq_ignore_ascii_case(name) && placement_of(it.location) == Some(placement)
            });
            if let Some(at) = clash {
                let rule = format!("`{name}` is sent by the paginator");
                return Err(DefinitionError::new(format!("param[{at}].send"), rule));
            }
        }
        Ok(())
    }

    fn check_operations(&mut self) -> Checked {
        let columns: BTreeSet<&str> =
            self.rows.columns.iter().filter(|it| it.kind().is_some()).map(|it| it.name.as_str()).collect();
        let in_path: Vec<Parameter> =
            self.parameters.iter().filter(|it| it.location == ParameterLocation::Path).cloned().collect();
        for (name, operation) in self.operations.iter_mut() {
            let checked = operation.check(name, &in_path, &columns);
            checked.map_err(|error| error.below(&format!("op.{name}")))?;
        }
        Ok(())
    }

    /// Each name in braces is a declared path parameter, and each of those is used.
    fn check_path_parameters(&self) -> Checked {
        let declared = names_in(&self.parameters, ParameterLocation::Path);
        let in_path = path_parameters(&self.path).unwrap_or_default();
        if let Some(name) = in_path.iter().find(|name| !declared.contains(*name)) {
            let rule = format!("`{{{name}}}` needs a parameter of this name with `in = \"path\"`");
            return Err(DefinitionError::new("path", rule));
        }
        let is_used = |name: &str| {
            let elsewhere =
                self.operations.iter().flat_map(|(_, it)| path_parameters(&it.path).unwrap_or_default());
            in_path.iter().copied().chain(elsewhere).any(|other| other == name)
        };
        for (at, parameter) in self.parameters.iter().enumerate() {
            if parameter.location == ParameterLocation::Path && !is_used(&parameter.name) {
                let rule = format!("no path has `{{{}}}`", parameter.name);
                return Err(DefinitionError::new(format!("param[{at}].in"), rule));
            }
        }
        Ok(())
    }

    fn check_columns_of_parameters(&self) -> Checked {
        for (at, parameter) in self.parameters.iter().enumerate() {
            let Some(name) = &parameter.column else { continue };
            if self.rows.column(name).and_then(super::Column::kind).is_none() {
                let rule = format!("`{name}` is not a column with `at`");
                return Err(DefinitionError::new(format!("param[{at}].column"), rule));
            }
        }
        Ok(())
    }
}

impl SourceAuth {
    /// The URL of the token endpoint, below the token server or, without one, below the API's server.
    pub fn token_url(&self, api: &RemoteServer, token_server: Option<&RemoteServer>) -> Option<String> {
        let server = token_server.unwrap_or(api);
        self.token_path.as_deref().map(|path| join(&server.base_url, path))
    }

    fn check(&mut self) -> Checked {
        check_name("credential", &self.credential)?;
        if let Some(server) = &self.server {
            check_name("server", server)?;
            if self.token_path.is_none() {
                return Err(DefinitionError::new(
                    "token_path",
                    "`server` needs the path of the token endpoint there",
                ));
            }
        }
        if let Some(path) = &mut self.token_path {
            *path = check_path("token_path", path)?;
            if path.is_empty() || path.contains(['{', '}']) {
                return Err(DefinitionError::new("token_path", "a path such as `oauth/token` is needed"));
            }
        }
        if !self.scope.is_empty() && self.token_path.is_none() {
            return Err(DefinitionError::new("scope", "without a token endpoint there is no scope"));
        }
        credential::check_scopes("scope", &mut self.scope)
    }
}

fn placement_of(location: ParameterLocation) -> Option<Placement> {
    match location {
        ParameterLocation::Path => None,
        ParameterLocation::Query => Some(Placement::Query),
        ParameterLocation::Header => Some(Placement::Header),
        ParameterLocation::Body => Some(Placement::Body),
    }
}
