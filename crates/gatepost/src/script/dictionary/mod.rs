//! The `user_ords_*` and `user_gatepost_*` views, read from a catalog, the running block's own one included (design decision 22). What a
//! view shows is decided here; how a database comes to read it is the store's business.

mod security;
mod services;
mod sources;

use std::sync::{Arc, LazyLock};

use gatepost_oauth::KeyRing;
use gatepost_rest::definition::{Audit, Schema};
use gatepost_store::catalog::Catalog;
use gatepost_store::data::{DictionarySource, DictionaryView};
use gatepost_store::logs::SyncRun;
use serde_json::{Value, json};

/// The dictionary of one schema, as one person may see it.
pub struct Dictionary {
    /// What is described. Cloning a catalog shares its objects.
    pub catalog: Catalog,
    /// Whose definitions are shown; absent: the views are empty.
    pub schema: Option<Arc<Schema>>,
    /// Who looks.
    pub viewer: Viewer,
    /// Opens the secrets that can still be read.
    pub key_ring: Arc<KeyRing>,
    /// The newest synchronizations of the schema that this node ran.
    pub runs: Vec<SyncRun>,
    /// When (milliseconds since 1970).
    pub now_ms: i64,
}

/// Who looks at the dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Their name.
    pub name: String,
    /// Whether they may read every secret that can still be read.
    pub administrator: bool,
}

/// A view: its columns, and its rows for a schema.
struct View {
    name: &'static str,
    columns: &'static [&'static str],
    rows: fn(&Dictionary, &Schema) -> Vec<Vec<Value>>,
}

const VIEWS: [View; 28] = [
    services::SCHEMAS,
    services::MODULES,
    services::TEMPLATES,
    services::HANDLERS,
    services::PARAMETERS,
    services::SERVICES,
    security::ROLES,
    security::PRIVILEGES,
    security::PRIVILEGE_ROLES,
    security::PRIVILEGE_MODULES,
    security::PRIVILEGE_MAPPINGS,
    security::PUBLIC,
    security::CLIENTS,
    security::CLIENT_ROLES,
    security::CLIENT_PRIVILEGES,
    sources::REMOTE_SERVERS,
    sources::CREDENTIALS,
    sources::REST_SOURCES,
    sources::SOURCE_COLUMNS,
    sources::SYNC_RUNS,
    empty("user_ords_enabled_objects", &ENABLED_OBJECTS),
    empty("user_ords_approvals", &APPROVALS),
    empty("user_ords_pending_approvals", &APPROVALS),
    empty("user_ords_jwt_profile", &JWT_PROFILE),
    empty("user_ords_properties", &["key", "value"]),
    empty("user_ords_objects", &["id", "schema_id", "object_name", "object_type"]),
    empty("user_ords_obj_members", &["id", "object_id", "member_name", "member_type"]),
    View { name: "ords_version", columns: &["version"], rows: version },
];

const ENABLED_OBJECTS: [&str; 11] = [
    "id",
    "schema_id",
    "parsing_schema",
    "parsing_object",
    "object_alias",
    "type",
    "status",
    "auto_rest_auth",
    "ops_allowed",
    "type_path",
    "pre_hook",
];
const APPROVALS: [&str; 6] = ["id", "client_id", "client_name", "user_name", "status", "created_on"];
const JWT_PROFILE: [&str; 7] =
    ["issuer", "audience", "jwk_url", "description", "allowed_skew", "allowed_age", "role_claim_name"];

/// A view over what does not exist yet.
const fn empty(name: &'static str, columns: &'static [&'static str]) -> View {
    View { name, columns, rows: |_, _| Vec::new() }
}

fn version(_: &Dictionary, _: &Schema) -> Vec<Vec<Value>> {
    vec![vec![json!(format!("Gatepost {}", env!("CARGO_PKG_VERSION")))]]
}

impl DictionarySource for Dictionary {
    fn views(&self) -> &[DictionaryView] {
        static LISTED: LazyLock<Vec<DictionaryView>> = LazyLock::new(|| {
            let listed = |view: &View| DictionaryView { name: view.name, columns: view.columns };
            VIEWS.iter().map(listed).collect()
        });
        &LISTED
    }

    fn rows_json(&self, view: &str) -> String {
        let rows = match (&self.schema, VIEWS.iter().find(|known| known.name.eq_ignore_ascii_case(view))) {
            (Some(schema), Some(view)) => (view.rows)(self, schema),
            _ => Vec::new(),
        };
        Value::from(rows.into_iter().map(Value::from).collect::<Vec<_>>()).to_string()
    }
}

/// The four columns that end most views.
fn audit_columns(audit: &Audit) -> [Value; 4] {
    [
        json!(audit.created_by),
        json!(super::timestamp(audit.created_on_ms)),
        json!(audit.updated_by),
        json!(super::timestamp(audit.updated_on_ms)),
    ]
}

/// A row: its own columns and those of the audit record.
fn audited(columns: Vec<Value>, audit: &Audit) -> Vec<Value> {
    let mut row = columns;
    row.extend(audit_columns(audit));
    row
}

/// The list of texts that one column shows; none: NULL.
fn list(texts: &[String]) -> Value {
    if texts.is_empty() { Value::Null } else { json!(texts.join(",")) }
}
