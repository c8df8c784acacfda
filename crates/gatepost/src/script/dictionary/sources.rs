//! Views over remote servers, credentials and REST sources. No view holds a secret: whether one is set, and its
//! fingerprint, is all that can be seen.

use gatepost_oauth::VaultSecret;
use gatepost_sources::definition::{
    Audit, Column, ColumnOrigin, ColumnType, Credential, RemoteServer, RestSource, SecretReference, SignIn,
};
use serde_json::{Value, json};

use super::{View, list};
use crate::script::timestamp;

pub(super) const REMOTE_SERVERS: View = View {
    name: "user_gatepost_remote_servers",
    columns: &[
        "id",
        "name",
        "kind",
        "base_url",
        "comments",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        let row = |server: &RemoteServer| {
            let columns = vec![
                json!(server.id),
                json!(server.name),
                json!(server.kind.as_str()),
                json!(server.base_url),
                json!(server.comments),
            ];
            audited(columns, &server.audit)
        };
        dictionary.catalog.remote_servers_of(schema.id).map(|server| row(server)).collect()
    },
};

pub(super) const CREDENTIALS: View = View {
    name: "user_gatepost_credentials",
    columns: &[
        "id",
        "name",
        "type",
        "identity",
        "scope",
        "valid_for",
        "secret_place",
        "secret_set",
        "secret_fingerprint",
        "secret_set_on",
        "comments",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        let row = |credential: &Credential| {
            let secret = dictionary.catalog.vault_secret_of(credential.id);
            credential_row(credential, secret.map(AsRef::as_ref))
        };
        dictionary.catalog.credentials_of(schema.id).map(|credential| row(credential)).collect()
    },
};

fn credential_row(credential: &Credential, secret: Option<&VaultSecret>) -> Vec<Value> {
    let (identity, scope): (Option<&str>, &[String]) = match &credential.sign_in {
        SignIn::Basic { username } => (Some(username), &[]),
        SignIn::Bearer => (None, &[]),
        SignIn::Header { header: name } | SignIn::Query { parameter: name } => (Some(name), &[]),
        SignIn::Oauth2ClientCredentials(client) => (Some(&client.client_id), &client.scope),
    };
    let place = match &credential.secret {
        SecretReference::Vault => "vault".to_owned(),
        SecretReference::Env(name) => format!("env {name}"),
        SecretReference::File(path) => format!("file {path}"),
    };
    // Of what the operator keeps elsewhere nothing is known here.
    let set = (credential.secret == SecretReference::Vault).then_some(secret.is_some());
    let columns = vec![
        json!(credential.id),
        json!(credential.name),
        json!(credential.sign_in.type_name()),
        json!(identity),
        list(scope),
        list(&credential.valid_for),
        json!(place),
        json!(set.map(|set| if set { "YES" } else { "NO" })),
        json!(secret.map(|secret| &secret.fingerprint)),
        json!(secret.map(|secret| timestamp(secret.set_on_ms))),
        json!(credential.comments),
    ];
    audited(columns, &credential.audit)
}

pub(super) const REST_SOURCES: View = View {
    name: "user_gatepost_rest_sources",
    columns: &[
        "id",
        "name",
        "remote_server",
        "path",
        "credential",
        "pagination",
        "sync_table",
        "definition",
        "comments",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        let row = |source: &RestSource| {
            let columns = vec![
                json!(source.id),
                json!(source.name),
                json!(source.server),
                json!(source.path),
                json!(source.auth.as_ref().map(|auth| &auth.credential)),
                json!(source.pagination.type_name()),
                json!(source.sync.as_ref().map(|sync| &sync.table)),
                json!(source.to_toml()),
                json!(source.comments),
            ];
            audited(columns, &source.audit)
        };
        dictionary.catalog.rest_sources_of(schema.id).map(|source| row(source)).collect()
    },
};

pub(super) const SOURCE_COLUMNS: View = View {
    name: "user_gatepost_source_columns",
    columns: &[
        "source_id",
        "source_name",
        "position",
        "name",
        "type",
        "selector",
        "expression",
        "primary_key",
    ],
    rows: |dictionary, schema| {
        let rows = |source: &RestSource| {
            let columns = source.rows.columns.iter().enumerate();
            columns.map(|(at, column)| column_row(source, at, column)).collect::<Vec<_>>()
        };
        dictionary.catalog.rest_sources_of(schema.id).flat_map(|source| rows(source)).collect()
    },
};

pub(super) const SYNC_RUNS: View = View {
    name: "user_gatepost_sync_runs",
    columns: &[
        "source_name",
        "sync_table",
        "begun_on",
        "duration_ms",
        "started_by",
        "outcome",
        "code",
        "message",
        "resumed_at",
        "rows_fetched",
        "rows_inserted",
        "rows_updated",
        "rows_deleted",
        "values_mismatched",
        "requests",
        "bytes",
    ],
    rows: |dictionary, schema| {
        let own = dictionary.runs.iter().filter(|run| run.schema == schema.name);
        own.map(|run| {
            let counts = &run.counts;
            vec![
                json!(run.source),
                json!(run.table),
                json!(timestamp(run.begun_ms)),
                json!(run.duration_ms),
                json!(run.trigger),
                json!(run.outcome),
                json!(run.code),
                json!(run.message),
                json!(run.resumed_at),
                json!(counts.fetched),
                json!(counts.inserted),
                json!(counts.updated),
                json!(counts.deleted),
                json!(counts.mismatches),
                json!(counts.requests),
                json!(counts.bytes),
            ]
        })
        .collect()
    },
};

fn column_row(source: &RestSource, at: usize, column: &Column) -> Vec<Value> {
    let (kind, selector, expression) = match &column.origin {
        ColumnOrigin::Member { at, kind } => (Some(kind.as_str()), Some(at.as_str()), None),
        ColumnOrigin::Sql { expression, kind } => (kind.map(ColumnType::as_str), None, Some(expression)),
    };
    let is_key = source.rows.primary_key.contains(&column.name);
    vec![
        json!(source.id),
        json!(source.name),
        json!(at + 1),
        json!(column.name),
        json!(kind),
        json!(selector),
        json!(expression),
        json!(if is_key { "YES" } else { "NO" }),
    ]
}

/// A row: its own columns and those of the audit record.
fn audited(columns: Vec<Value>, audit: &Audit) -> Vec<Value> {
    let mut row = columns;
    row.extend([
        json!(audit.created_by),
        json!(timestamp(audit.created_on_ms)),
        json!(audit.updated_by),
        json!(timestamp(audit.updated_on_ms)),
    ]);
    row
}
