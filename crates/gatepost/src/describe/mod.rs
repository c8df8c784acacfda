//! What a schema's services are, for those who call them: one model of its operations, and the documents made of it, for
//! commands, callers and the console alike.
//!
//! Names and types come from the prepared statements, locks from the rules that requests are judged by. No data and no
//! secret is in any of it.

mod build;
mod json_schema;
pub mod matrix;
pub mod metadata;
mod openapi;
mod operation;
mod postman;
pub mod snippets;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost_rest::access::Principal;
use gatepost_rest::definition::{Id, Method, Module};
use gatepost_store::data::ValueType;

use build::Builder;
pub use json_schema::sample;
pub use openapi::openapi;
pub use postman::postman;

use crate::app::App;
use crate::app::published::{PublishedSchema, PublishedTemplate};

/// How long the database may be asked about the handlers of one document. What it said until then is kept, so that a
/// later try goes on from there.
const PATIENCE: Duration = Duration::from_secs(20);

/// A media type of OpenAPI documents, as ORDS names it.
pub const OPENAPI_MEDIA_TYPE: &str = "application/openapi+json";

/// The services of a schema.
#[derive(Clone, Debug)]
pub struct Services {
    /// The schema's name.
    pub schema: String,
    /// The URL that all paths begin with, without a final slash.
    pub base_url: String,
    /// Where clients get tokens.
    pub token_url: String,
    /// The day of the last change, as a version.
    pub version: String,
    /// The published modules with something to show.
    pub modules: Vec<DescribedModule>,
    /// The privileges that open something of it.
    pub scopes: Vec<DescribedScope>,
}

impl Services {
    /// Says another scheme, host and port than those that URLs begin with now.
    pub fn move_to(&mut self, now: &str, other: &str) {
        for url in [&mut self.base_url, &mut self.token_url] {
            if let Some(path) = url.strip_prefix(now) {
                *url = format!("{other}{path}");
            }
        }
    }
}

/// A privilege as a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DescribedScope {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub description: String,
}

/// A module.
#[derive(Clone, Debug)]
pub struct DescribedModule {
    /// Its name.
    pub name: String,
    /// Starts and ends with a slash.
    pub base_path: String,
    /// What its owner says of it.
    pub comments: Option<String>,
    /// What can be called, in the order of definition.
    pub operations: Vec<Operation>,
}

/// A handler at one shape of path.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Unique in the schema, and the same for as long as module, template and method are.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The path below the alias as a URI template, with a leading slash.
    pub path: String,
    /// The template's pattern, as it is defined.
    pub pattern: String,
    /// What its owner says of it, in a line.
    pub summary: Option<String>,
    /// Who may call it.
    pub door: Door,
    /// What its URL and headers take.
    pub parameters: Vec<OperationParameter>,
    /// What its body takes.
    pub body: Option<OperationBody>,
    /// What it answers when all is well.
    pub answer: Answer,
}

/// What lets a caller in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// Nothing: everybody may call.
    Public,
    /// Any one of these privileges, by name.
    Privileges(Vec<String>),
    /// Nobody may call.
    Closed,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query string.
    Query,
    /// In a header.
    Header,
}

/// A parameter of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationParameter {
    /// Its name on the wire.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What it takes.
    pub kind: ValueType,
    /// What is said of it.
    pub comments: Option<String>,
    /// Whether it is a number from 0: a page, an offset, a limit.
    pub counts: bool,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationBody {
    /// The content types that are taken; empty: any.
    pub media_types: Vec<String>,
    /// The members that bind; none: the body is taken whole.
    pub members: Vec<Member>,
}

/// A member of a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What its values are; any of them may be null.
    pub kind: ValueType,
    /// The type as the database calls it; empty when it does not say.
    pub type_name: String,
}

/// What an operation answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A page of rows; each may have links.
    Collection(Vec<Member>, RowLinks),
    /// A page of rows in the older form.
    Legacy(Vec<Member>, RowLinks),
    /// One row as an object.
    Row(Vec<Member>, RowLinks),
    /// CSV.
    Csv,
    /// Whatever the row holds.
    Media,
    /// How many rows were changed, or those that a statement returns.
    Change(Vec<Member>),
    /// What a block sets.
    Block {
        /// Members of the object; none: no body.
        members: Vec<Member>,
        /// Whether it sets the status.
        sets_status: bool,
        /// Whether another resource may answer instead.
        forwards: bool,
    },
    /// Nothing but an error, for now: the source cannot run.
    NotRunnable {
        /// Whether it waits for a REST source.
        waits: bool,
    },
}

/// The links of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowLinks {
    /// None.
    None,
    /// `links`, an array.
    Array,
    /// A member `{"$ref": …}` for each relation.
    References,
    /// The member `uri`.
    Feed,
}

/// Whose eyes see a document.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// Everything that is published.
    Everything,
    /// What this caller may call.
    By {
        /// Who.
        principal: &'a Principal<'a>,
        /// The one module that the token is good for, if it is for one.
        audience: Option<Id>,
    },
}

/// Why there is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSlow;

impl std::fmt::Display for TooSlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database did not describe all handlers in time; what it said is kept, so try again")
    }
}

impl std::error::Error for TooSlow {}

/// Describes the services of a schema, or of one module. Blocks.
pub fn describe(
    app: &App,
    schema: &PublishedSchema,
    module: Option<&Module>,
    seen: Seen<'_>,
) -> Result<Services, TooSlow> {
    let data = schema.data.clone().or_else(|| app.data(&schema.schema.name).ok());
    let builder = Builder { schema, seen, data, until: Instant::now() + PATIENCE };
    builder.services(&published(schema, module))
}

/// What a handler takes, at the fullest shape of its template's path. Blocks.
pub fn operation_of(
    app: &App,
    schema: &PublishedSchema,
    template: &PublishedTemplate,
    method: Method,
) -> Option<Operation> {
    let data = schema.data.clone().or_else(|| app.data(&schema.schema.name).ok());
    let builder = Builder { schema, seen: Seen::Everything, data, until: Instant::now() + PATIENCE };
    builder.operation_of(template, method).ok().flatten()
}

/// The services without types: no database is asked.
pub fn outline(schema: &PublishedSchema, module: Option<&Module>, seen: Seen<'_>) -> Services {
    let builder = Builder { schema, seen, data: None, until: Instant::now() };
    builder.services(&published(schema, module)).unwrap_or_else(|TooSlow| builder.nothing())
}

/// Whether there is anything to show.
pub fn shows_something(schema: &PublishedSchema, seen: Seen<'_>) -> bool {
    let builder = Builder { schema, seen, data: None, until: Instant::now() };
    published(schema, None).into_iter().any(|module| builder.shows_something(module))
}

fn published<'s>(schema: &'s PublishedSchema, module: Option<&Module>) -> Vec<&'s Arc<Module>> {
    let published = schema.modules().iter().filter(|published| published.published);
    published.filter(|published| module.is_none_or(|module| module.id == published.id)).collect()
}

/// The module of this base path, without its slashes, or else of this name.
pub fn find_module<'s>(schema: &'s PublishedSchema, wanted: &str) -> Option<&'s Arc<Module>> {
    let published = || schema.modules().iter().filter(|module| module.published);
    published()
        .find(|module| module.base_path.trim_matches('/') == wanted.trim_matches('/'))
        .or_else(|| published().find(|module| module.name == wanted))
}
