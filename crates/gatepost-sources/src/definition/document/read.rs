//! From tables to objects. Shapes and words are read here; rules are checked by the objects themselves.

use toml::de::DeValue;

use super::Document;
use super::table::Table;
use crate::definition::{
    Action, Cache, CacheScope, Checked, ClientAuth, Column, ColumnOrigin, ColumnType, Comparison, Credential,
    CursorPaging, DefinitionError, FetchMethod, FilterDialect, Limits, LinkHeaderPaging, NextUrlPaging,
    Oauth2Client, OffsetPaging, OnRule, Operation, OperationMethod, Operations, OrdsPaging, PagePaging,
    Pagination, Parameter, ParameterLocation, Placement, Pointer, RemoteServer, RestSource, Rows, Schedule,
    SecretReference, ServerKind, SignIn, SourceAuth, Sync, SyncCursor, SyncMode, Timeouts,
};

const SECRET_RULE: &str = "a secret is not written into a definition: leave it out, or name { env = \"NAME\" } or { file = \"PATH\" }";

pub(super) fn document(root: &Table<'_>) -> Checked<Document> {
    let servers = objects(root, "remote_server", server)?;
    let credentials = objects(root, "credential", credential)?;
    let sources = objects(root, "rest_source", source)?;
    root.finish()?;
    Ok(Document { servers, credentials, sources })
}

pub(super) fn lone_source(name: &str, root: &Table<'_>) -> Checked<RestSource> {
    if !root.has("rest_source") {
        return source(name, root);
    }
    let sources = root.table("rest_source")?;
    root.finish()?;
    let named = sources.map_or_else(|| Ok(Vec::new()), |sources| sources.named_tables())?;
    match named.as_slice() {
        [(other, table)] if *other == name => source(name, table),
        _ => {
            Err(DefinitionError::new("rest_source", format!("the one table [rest_source.{name}] is needed")))
        }
    }
}

/// All objects of one kind, each checked.
fn objects<T>(
    root: &Table<'_>,
    kind: &'static str,
    read: impl Fn(&str, &Table<'_>) -> Checked<T>,
) -> Checked<Vec<T>> {
    let Some(tables) = root.table(kind)? else { return Ok(Vec::new()) };
    tables.named_tables()?.iter().map(|(name, table)| read(name, table)).collect()
}

/// Puts the path of a table before the key of an error that an object reports about itself.
fn checked<T>(table: &Table<'_>, outcome: Checked<T>) -> Checked<T> {
    outcome.map_err(|error| if table.path().is_empty() { error } else { error.below(table.path()) })
}

fn server(name: &str, table: &Table<'_>) -> Checked<RemoteServer> {
    let kind = table.word("kind", ServerKind::ALL, ServerKind::as_str)?.unwrap_or(ServerKind::Rest);
    let server = RemoteServer {
        tls_ca: table.text("tls_ca")?,
        comments: table.text("comments")?,
        ..RemoteServer::new(name, kind, &table.needed_text("base_url")?)
    };
    table.finish()?;
    checked(table, server.checked())
}

fn credential(name: &str, table: &Table<'_>) -> Checked<Credential> {
    let types: Vec<usize> = (0..SignIn::TYPES.len()).collect();
    let kind = table.word("type", &types, |at| SignIn::TYPES[at])?.ok_or_else(|| table.missing("type"))?;
    let sign_in = match SignIn::TYPES[kind] {
        "basic" => SignIn::Basic { username: table.needed_text("username")? },
        "bearer" => SignIn::Bearer,
        "header" => SignIn::Header { header: table.needed_text("header")? },
        "query" => SignIn::Query { parameter: table.needed_text("parameter")? },
        _ => SignIn::Oauth2ClientCredentials(oauth2(table)?),
    };
    let mut secret = secret(table, "secret")?;
    if matches!(sign_in, SignIn::Oauth2ClientCredentials(_)) && secret.is_none() {
        secret = self::secret(table, "client_secret")?;
    }
    let credential = Credential {
        secret: secret.unwrap_or_default(),
        valid_for: table.texts("valid_for")?,
        comments: table.text("comments")?,
        ..Credential::new(name, sign_in)
    };
    table.finish()?;
    checked(table, credential.checked())
}

fn oauth2(table: &Table<'_>) -> Checked<Oauth2Client> {
    let defaults = Oauth2Client::default();
    Ok(Oauth2Client {
        client_id: table.needed_text("client_id")?,
        scope: table.texts("scope")?,
        client_auth: table
            .word("client_auth", ClientAuth::ALL, ClientAuth::as_str)?
            .unwrap_or(defaults.client_auth),
        token_params: table.texts_by_name("token_params")?.into_iter().collect(),
        default_expires_in_ms: table
            .duration("default_expires_in")?
            .unwrap_or(defaults.default_expires_in_ms),
        refresh_early_ms: table.duration("refresh_early")?.unwrap_or(defaults.refresh_early_ms),
    })
}

/// `"vault"`, `{ env = … }` or `{ file = … }`. The error does not repeat what was written.
fn secret(table: &Table<'_>, key: &'static str) -> Checked<Option<SecretReference>> {
    match table.value(key) {
        None => Ok(None),
        Some(DeValue::String(word)) if word == "vault" => Ok(Some(SecretReference::Vault)),
        Some(DeValue::Table(_)) => {
            let reference = table.table(key)?.ok_or_else(|| table.missing(key))?;
            let (env, file) = (reference.text("env")?, reference.text("file")?);
            reference.finish()?;
            match (env, file) {
                (Some(name), None) => Ok(Some(SecretReference::Env(name))),
                (None, Some(path)) => Ok(Some(SecretReference::File(path))),
                _ => Err(table.error(key, SECRET_RULE)),
            }
        }
        Some(_) => Err(table.error(key, SECRET_RULE)),
    }
}

fn source(name: &str, table: &Table<'_>) -> Checked<RestSource> {
    let source = RestSource {
        method: table.word("method", FetchMethod::ALL, FetchMethod::as_str)?.unwrap_or(FetchMethod::Get),
        body: table.json("body")?,
        auth: table.table("auth")?.map(|table| auth(&table)).transpose()?,
        timeout: table.table("timeout")?.map_or_else(|| Ok(Timeouts::default()), |table| timeouts(&table))?,
        limits: table.table("limits")?.map_or_else(|| Ok(Limits::default()), |table| limits(&table))?,
        cache: table.table("cache")?.map_or_else(|| Ok(Cache::default()), |table| cache(&table))?,
        pagination: table
            .table("pagination")?
            .map_or_else(|| Ok(Pagination::None), |table| pagination(&table))?,
        filters: table
            .word("filters", FilterDialect::ALL, FilterDialect::as_str)?
            .unwrap_or(FilterDialect::None),
        parameters: each(&table.tables("param")?, parameter)?,
        rows: table.table("rows")?.map_or_else(|| Ok(Rows::default()), |table| rows(&table))?,
        operations: table
            .table("op")?
            .map_or_else(|| Ok(Operations::default()), |table| operations(&table))?,
        on: each(&table.tables("on")?, rule)?,
        sync: table.table("sync")?.map(|table| sync(&table)).transpose()?,
        comments: table.text("comments")?,
        ..RestSource::new(name, &table.needed_text("server")?, &table.text("path")?.unwrap_or_default())
    };
    table.finish()?;
    checked(table, source.checked())
}

fn each<T>(tables: &[Table<'_>], read: impl Fn(&Table<'_>) -> Checked<T>) -> Checked<Vec<T>> {
    tables.iter().map(read).collect()
}

fn auth(table: &Table<'_>) -> Checked<SourceAuth> {
    let auth = SourceAuth {
        credential: table.needed_text("credential")?,
        server: table.text("server")?,
        token_path: table.text("token_path")?,
        scope: table.texts("scope")?,
    };
    table.finish()?;
    Ok(auth)
}

fn timeouts(table: &Table<'_>) -> Checked<Timeouts> {
    let defaults = Timeouts::default();
    let timeouts = Timeouts {
        connect_ms: table.duration("connect")?.unwrap_or(defaults.connect_ms),
        total_ms: table.duration("total")?.unwrap_or(defaults.total_ms),
    };
    table.finish()?;
    Ok(timeouts)
}

fn limits(table: &Table<'_>) -> Checked<Limits> {
    let defaults = Limits::default();
    let limits = Limits {
        max_pages: table.whole("max_pages")?.unwrap_or(defaults.max_pages),
        max_rows: table.whole("max_rows")?.unwrap_or(defaults.max_rows),
        max_bytes: table.size("max_bytes")?.unwrap_or(defaults.max_bytes),
        max_time_ms: table.duration("max_time")?.unwrap_or(defaults.max_time_ms),
    };
    table.finish()?;
    Ok(limits)
}

fn cache(table: &Table<'_>) -> Checked<Cache> {
    let scope = table.word("scope", CacheScope::ALL, CacheScope::as_str)?;
    let ttl = table.duration("ttl")?;
    table.finish()?;
    let scope = scope.ok_or_else(|| table.missing("scope"))?;
    match (scope, ttl) {
        (CacheScope::Off, ttl) => Ok(Cache { scope, ttl_ms: ttl.unwrap_or_default() }),
        (_, Some(ttl_ms)) => Ok(Cache { scope, ttl_ms }),
        (_, None) => Err(table.missing("ttl")),
    }
}

fn pagination(table: &Table<'_>) -> Checked<Pagination> {
    let types: Vec<usize> = (0..Pagination::TYPES.len()).collect();
    let kind =
        table.word("type", &types, |at| Pagination::TYPES[at])?.ok_or_else(|| table.missing("type"))?;
    let pagination = match Pagination::TYPES[kind] {
        "ords" => Pagination::Ords(OrdsPaging { page_size: table.whole("page_size")? }),
        "offset" => Pagination::Offset(offset(table)?),
        "page" => Pagination::Page(page(table)?),
        "cursor" => Pagination::Cursor(CursorPaging {
            cursor_param: table.needed_text("cursor_param")?,
            next: table.pointer("next")?,
            next_header: table.text("next_header")?,
            size_param: table.text("size_param")?,
            page_size: table.whole("page_size")?,
            placement: placement(table)?,
        }),
        "link_header" => Pagination::LinkHeader(LinkHeaderPaging {
            rel: table.text("rel")?.unwrap_or_else(|| "next".into()),
        }),
        "next_url" => {
            let stop = || table.error("next", "no stop condition: name the member with the next URL");
            Pagination::NextUrl(NextUrlPaging { next: table.pointer("next")?.ok_or_else(stop)? })
        }
        _ => Pagination::None,
    };
    table.finish()?;
    Ok(pagination)
}

fn offset(table: &Table<'_>) -> Checked<OffsetPaging> {
    let limit_param = table.text("limit_param")?.unwrap_or_else(|| "limit".into());
    Ok(OffsetPaging {
        offset_param: table.text("offset_param")?.unwrap_or_else(|| "offset".into()),
        // An empty text: no size is sent.
        limit_param: Some(limit_param).filter(|name| !name.is_empty()),
        page_size: table.whole("page_size")?.ok_or_else(|| table.missing("page_size"))?,
        start: table.whole("start")?.unwrap_or_default(),
        placement: placement(table)?,
        has_more: table.pointer("has_more")?,
        total: table.pointer("total")?,
        short_page_ends: table.flag("short_page_ends")?,
    })
}

fn page(table: &Table<'_>) -> Checked<PagePaging> {
    Ok(PagePaging {
        page_param: table.text("page_param")?.unwrap_or_else(|| "page".into()),
        size_param: table.text("size_param")?,
        page_size: table.whole("page_size")?,
        first: table.whole("first")?.unwrap_or(1),
        placement: placement(table)?,
        has_more: table.pointer("has_more")?,
        total: table.pointer("total")?,
        total_pages: table.pointer("total_pages")?,
        short_page_ends: table.flag("short_page_ends")?,
    })
}

fn placement(table: &Table<'_>) -> Checked<Placement> {
    Ok(table.word("in", Placement::ALL, Placement::as_str)?.unwrap_or(Placement::Query))
}

fn parameter(table: &Table<'_>) -> Checked<Parameter> {
    let location = table.word("in", ParameterLocation::ALL, ParameterLocation::as_str)?;
    let comparison = table.word("comparison", Comparison::ALL, Comparison::as_str)?;
    let parameter = Parameter {
        send: table.text("send")?,
        template: table.text("template")?,
        kind: column_type(table)?,
        required: table.flag("required")?,
        omit_when_null: table.flag("omit_when_null")?,
        default: table.json("default")?,
        value: table.json("value")?,
        column: table.text("column")?,
        comparison: comparison.unwrap_or(Comparison::Equal),
        comments: table.text("comments")?,
        ..Parameter::new(&table.needed_text("name")?, location.unwrap_or(ParameterLocation::Query))
    };
    table.finish()?;
    Ok(parameter)
}

fn column_type(table: &Table<'_>) -> Checked<ColumnType> {
    Ok(table.word("type", ColumnType::ALL, ColumnType::as_str)?.unwrap_or(ColumnType::Text))
}

fn rows(table: &Table<'_>) -> Checked<Rows> {
    let rows = Rows {
        select: table.pointer("select")?.unwrap_or_default(),
        single: table.flag("single")?,
        strict: table.flag("strict")?,
        primary_key: table.texts("primary_key")?,
        columns: each(&table.tables("columns")?, column)?,
        query: table.text("query")?,
    };
    table.finish()?;
    Ok(rows)
}

fn column(table: &Table<'_>) -> Checked<Column> {
    let name = table.needed_text("name")?;
    let origin = if let Some(expression) = table.text("sql")? {
        let kind = table.word("type", ColumnType::ALL, ColumnType::as_str)?;
        ColumnOrigin::Sql { expression, kind }
    } else {
        let at = table.pointer("at")?.unwrap_or_else(|| Pointer::of(&[name.as_str()]));
        ColumnOrigin::Member { at, kind: column_type(table)? }
    };
    let column = Column { name, origin, comments: table.text("comments")? };
    table.finish()?;
    Ok(column)
}

fn operations(table: &Table<'_>) -> Checked<Operations> {
    let [fetch_one, insert, update, delete] = Operations::NAMES;
    let read = |name, method| table.table(name)?.map(|table| operation(&table, method)).transpose();
    let operations = Operations {
        fetch_one: read(fetch_one, OperationMethod::Get)?,
        insert: read(insert, OperationMethod::Post)?,
        update: read(update, OperationMethod::Put)?,
        delete: read(delete, OperationMethod::Delete)?,
    };
    table.finish()?;
    Ok(operations)
}

fn operation(table: &Table<'_>, usual: OperationMethod) -> Checked<Operation> {
    let operation = Operation {
        method: table.word("method", OperationMethod::ALL, OperationMethod::as_str)?.unwrap_or(usual),
        path: table.text("path")?.unwrap_or_default(),
        parameters: each(&table.tables("param")?, parameter)?,
        body: table.json("body")?,
        select: table.pointer("select")?,
    };
    table.finish()?;
    Ok(operation)
}

fn rule(table: &Table<'_>) -> Checked<OnRule> {
    let action = table.word("action", Action::ALL, Action::as_str)?.ok_or_else(|| table.missing("action"))?;
    let rule = OnRule { statuses: table.wholes("status")?, contains: table.text("contains")?, action };
    table.finish()?;
    Ok(rule)
}

fn sync(table: &Table<'_>) -> Checked<Sync> {
    let schedule = match (table.duration("every")?, table.text("cron")?) {
        (Some(_), Some(_)) => return Err(table.error("cron", "`every` is given already")),
        (Some(every_ms), None) => Some(Schedule::Every(every_ms)),
        (None, cron) => cron.map(Schedule::Cron),
    };
    let mode = table.word("mode", SyncMode::ALL, SyncMode::as_str)?.ok_or_else(|| table.missing("mode"))?;
    let sync = Sync {
        table: table.needed_text("table")?,
        mode,
        schedule,
        cursor: table.table("cursor")?.map(|table| cursor(&table)).transpose()?,
        delete_missing: table.flag("delete_missing")?,
        create_table: table.flag("create_table")?,
    };
    table.finish()?;
    Ok(sync)
}

fn cursor(table: &Table<'_>) -> Checked<SyncCursor> {
    let cursor = SyncCursor {
        column: table.needed_text("column")?,
        param: table.needed_text("param")?,
        overlap_ms: table.duration("overlap")?.unwrap_or_default(),
    };
    table.finish()?;
    Ok(cursor)
}
