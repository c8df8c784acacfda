//! From objects to the canonical text.

use std::fmt::{Display, Write as _};

use serde_json::Value;

use super::Document;
use crate::definition::amount::{write_duration, write_size};
use crate::definition::{
    CacheScope, ColumnOrigin, ColumnType, Comparison, Credential, FetchMethod, FilterDialect, Oauth2Client,
    Operation, Operations, Pagination, Parameter, Placement, Pointer, RemoteServer, RestSource, Rows,
    Schedule, SecretReference, SignIn, Sync,
};

pub(super) fn document(document: &Document) -> String {
    let mut writer = Writer::default();
    for it in &document.servers {
        writer.object("remote_server", &it.name);
        server(&mut writer, it);
    }
    for it in &document.credentials {
        writer.object("credential", &it.name);
        credential(&mut writer, it);
    }
    for it in &document.sources {
        writer.object("rest_source", &it.name);
        source(&mut writer, it);
    }
    writer.text
}

pub(super) fn lone_source(it: &RestSource) -> String {
    let mut writer = Writer::default();
    source(&mut writer, it);
    writer.text
}

fn server(w: &mut Writer, it: &RemoteServer) {
    w.key("kind", quoted(it.kind.as_str()));
    w.key("base_url", quoted(&it.base_url));
    w.text("tls_ca", it.tls_ca.as_deref());
    w.text("comments", it.comments.as_deref());
}

fn credential(w: &mut Writer, it: &Credential) {
    w.key("type", quoted(it.sign_in.type_name()));
    match &it.sign_in {
        SignIn::Basic { username } => w.key("username", quoted(username)),
        SignIn::Bearer => {}
        SignIn::Header { header } => w.key("header", quoted(header)),
        SignIn::Query { parameter } => w.key("parameter", quoted(parameter)),
        SignIn::Oauth2ClientCredentials(client) => oauth2(w, client),
    }
    match &it.secret {
        SecretReference::Vault => w.key("secret", quoted("vault")),
        SecretReference::Env(name) => w.key("secret", inline([("env", quoted(name))])),
        SecretReference::File(path) => w.key("secret", inline([("file", quoted(path))])),
    }
    w.texts("valid_for", &it.valid_for);
    w.text("comments", it.comments.as_deref());
}

fn oauth2(w: &mut Writer, it: &Oauth2Client) {
    w.key("client_id", quoted(&it.client_id));
    w.texts("scope", &it.scope);
    w.key("client_auth", quoted(it.client_auth.as_str()));
    if !it.token_params.is_empty() {
        w.key("token_params", inline(it.token_params.iter().map(|(name, value)| (name, quoted(value)))));
    }
    w.key("default_expires_in", quoted(&write_duration(it.default_expires_in_ms)));
    w.key("refresh_early", quoted(&write_duration(it.refresh_early_ms)));
}

fn source(w: &mut Writer, it: &RestSource) {
    w.key("server", quoted(&it.server));
    w.key("path", quoted(&it.path));
    if it.method != FetchMethod::Get {
        w.key("method", quoted(it.method.as_str()));
    }
    w.json("body", it.body.as_ref());
    if let Some(auth) = &it.auth {
        let scope = (!auth.scope.is_empty()).then(|| list(auth.scope.iter().map(|scope| quoted(scope))));
        w.key(
            "auth",
            inline_some([
                ("credential", Some(quoted(&auth.credential))),
                ("server", auth.server.as_deref().map(quoted)),
                ("token_path", auth.token_path.as_deref().map(quoted)),
                ("scope", scope),
            ]),
        );
    }
    let duration = |milliseconds| quoted(&write_duration(milliseconds));
    w.key(
        "timeout",
        inline([("connect", duration(it.timeout.connect_ms)), ("total", duration(it.timeout.total_ms))]),
    );
    w.key(
        "limits",
        inline([
            ("max_pages", it.limits.max_pages.to_string()),
            ("max_rows", it.limits.max_rows.to_string()),
            ("max_bytes", quoted(&write_size(it.limits.max_bytes))),
            ("max_time", duration(it.limits.max_time_ms)),
        ]),
    );
    if it.cache.scope != CacheScope::Off {
        w.key(
            "cache",
            inline([("scope", quoted(it.cache.scope.as_str())), ("ttl", duration(it.cache.ttl_ms))]),
        );
    }
    if it.filters != FilterDialect::None {
        w.key("filters", quoted(it.filters.as_str()));
    }
    w.text("comments", it.comments.as_deref());
    pagination(w, &it.pagination);
    parameters(w, "param", &it.parameters);
    rows(w, &it.rows);
    operations(w, &it.operations);
    for rule in &it.on {
        w.list_table("on");
        if !rule.statuses.is_empty() {
            w.key("status", list(rule.statuses.iter().map(u16::to_string)));
        }
        w.text("contains", rule.contains.as_deref());
        w.key("action", quoted(rule.action.as_str()));
    }
    if let Some(it) = &it.sync {
        sync(w, it);
    }
}

fn pagination(w: &mut Writer, it: &Pagination) {
    if *it == Pagination::None {
        return;
    }
    w.table("pagination");
    w.key("type", quoted(it.type_name()));
    match it {
        Pagination::None => {}
        Pagination::Ords(it) => w.number("page_size", it.page_size),
        Pagination::Offset(it) => {
            w.key("offset_param", quoted(&it.offset_param));
            w.key("limit_param", quoted(it.limit_param.as_deref().unwrap_or_default()));
            w.number("page_size", Some(it.page_size));
            w.number("start", Some(it.start));
            placement(w, it.placement);
            w.pointer("has_more", it.has_more.as_ref());
            w.pointer("total", it.total.as_ref());
            w.flag("short_page_ends", it.short_page_ends);
        }
        Pagination::Page(it) => {
            w.key("page_param", quoted(&it.page_param));
            w.text("size_param", it.size_param.as_deref());
            w.number("page_size", it.page_size);
            w.number("first", Some(it.first));
            placement(w, it.placement);
            w.pointer("has_more", it.has_more.as_ref());
            w.pointer("total", it.total.as_ref());
            w.pointer("total_pages", it.total_pages.as_ref());
            w.flag("short_page_ends", it.short_page_ends);
        }
        Pagination::Cursor(it) => {
            w.key("cursor_param", quoted(&it.cursor_param));
            w.pointer("next", it.next.as_ref());
            w.text("next_header", it.next_header.as_deref());
            w.text("size_param", it.size_param.as_deref());
            w.number("page_size", it.page_size);
            placement(w, it.placement);
        }
        Pagination::LinkHeader(it) => w.key("rel", quoted(&it.rel)),
        Pagination::NextUrl(it) => w.pointer("next", Some(&it.next)),
    }
}

fn placement(w: &mut Writer, it: Placement) {
    if it != Placement::Query {
        w.key("in", quoted(it.as_str()));
    }
}

fn parameters(w: &mut Writer, table: &str, all: &[Parameter]) {
    for it in all {
        w.list_table(table);
        w.key("name", quoted(&it.name));
        w.key("in", quoted(it.location.as_str()));
        w.text("send", it.send.as_deref());
        w.text("template", it.template.as_deref());
        if it.kind != ColumnType::Text {
            w.key("type", quoted(it.kind.as_str()));
        }
        w.flag("required", it.required);
        w.flag("omit_when_null", it.omit_when_null);
        w.json("default", it.default.as_ref());
        w.json("value", it.value.as_ref());
        w.text("column", it.column.as_deref());
        if it.comparison != Comparison::Equal {
            w.key("comparison", quoted(it.comparison.as_str()));
        }
        w.text("comments", it.comments.as_deref());
    }
}

fn rows(w: &mut Writer, it: &Rows) {
    if *it == Rows::default() {
        return;
    }
    w.table("rows");
    w.pointer("select", Some(&it.select));
    w.flag("single", it.single);
    w.flag("strict", it.strict);
    w.texts("primary_key", &it.primary_key);
    if !it.columns.is_empty() {
        let columns = it.columns.iter().map(|column| {
            let (at, kind, sql) = match &column.origin {
                ColumnOrigin::Member { at, kind } => {
                    (Some(quoted(at.as_str())), Some(quoted(kind.as_str())), None)
                }
                ColumnOrigin::Sql { expression, kind } => {
                    (None, kind.map(|kind| quoted(kind.as_str())), Some(quoted(expression)))
                }
            };
            inline_some([
                ("name", Some(quoted(&column.name))),
                ("at", at),
                ("type", kind),
                ("sql", sql),
                ("comments", column.comments.as_deref().map(quoted)),
            ])
        });
        let columns: Vec<_> = columns.collect();
        w.key("columns", format!("[\n  {},\n]", columns.join(",\n  ")));
    }
    w.text("query", it.query.as_deref());
}

fn operations(w: &mut Writer, all: &Operations) {
    for (name, it) in all.iter() {
        w.table(&format!("op.{name}"));
        operation(w, name, it);
    }
}

fn operation(w: &mut Writer, name: &str, it: &Operation) {
    w.key("method", quoted(it.method.as_str()));
    if !it.path.is_empty() {
        w.key("path", quoted(&it.path));
    }
    w.json("body", it.body.as_ref());
    w.pointer("select", it.select.as_ref());
    parameters(w, &format!("op.{name}.param"), &it.parameters);
}

fn sync(w: &mut Writer, it: &Sync) {
    w.table("sync");
    w.key("table", quoted(&it.table));
    w.key("mode", quoted(it.mode.as_str()));
    match &it.schedule {
        Some(Schedule::Every(every_ms)) => w.key("every", quoted(&write_duration(*every_ms))),
        Some(Schedule::Cron(cron)) => w.key("cron", quoted(cron)),
        None => {}
    }
    if let Some(cursor) = &it.cursor {
        w.key(
            "cursor",
            inline([
                ("column", quoted(&cursor.column)),
                ("param", quoted(&cursor.param)),
                ("overlap", quoted(&write_duration(cursor.overlap_ms))),
            ]),
        );
    }
    w.flag("delete_missing", it.delete_missing);
    w.flag("create_table", it.create_table);
}

/// The text so far, and the table that headers stand below.
#[derive(Default)]
struct Writer {
    text: String,
    below: String,
}

impl Writer {
    fn object(&mut self, kind: &str, name: &str) {
        self.below.clear();
        self.table(&format!("{kind}.{name}"));
        self.below = format!("{kind}.{name}.");
    }

    fn table(&mut self, name: &str) {
        self.header(&format!("[{}{name}]", self.below));
    }

    fn list_table(&mut self, name: &str) {
        self.header(&format!("[[{}{name}]]", self.below));
    }

    fn header(&mut self, header: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(header);
        self.text.push('\n');
    }

    fn key(&mut self, key: &str, value: impl Display) {
        writeln!(self.text, "{key} = {value}").expect("a String takes all text");
    }

    fn text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.key(key, quoted(text));
        }
    }

    fn texts(&mut self, key: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.key(key, list(texts.iter().map(|text| quoted(text))));
        }
    }

    fn flag(&mut self, key: &str, flag: bool) {
        if flag {
            self.key(key, flag);
        }
    }

    fn number(&mut self, key: &str, number: Option<impl Display>) {
        if let Some(number) = number {
            self.key(key, number);
        }
    }

    fn pointer(&mut self, key: &str, pointer: Option<&Pointer>) {
        self.text(key, pointer.map(Pointer::as_str));
    }

    fn json(&mut self, key: &str, value: Option<&Value>) {
        if let Some(value) = value {
            self.key(key, json(value));
        }
    }
}

/// A text in quotes, on one line: as it is in single quotes, where that saves escapes and can be done.
fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains(|c: char| c == '\'' || c.is_control()) {
        return format!("'{text}'");
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                write!(quoted, "\\u{:04X}", u32::from(c)).expect("a String takes all text");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn inline<K: AsRef<str>>(members: impl IntoIterator<Item = (K, String)>) -> String {
    inline_some(members.into_iter().map(|(key, value)| (key, Some(value))))
}

fn inline_some<K: AsRef<str>>(members: impl IntoIterator<Item = (K, Option<String>)>) -> String {
    let present = members.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let members: Vec<_> =
        present.map(|(key, value)| format!("{} = {value}", bare_key(key.as_ref()))).collect();
    if members.is_empty() { "{}".into() } else { format!("{{ {} }}", members.join(", ")) }
}

fn bare_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A JSON value as TOML. A body has no nulls ([`crate::definition::Operation::body`]); TOML knows none.
fn json(value: &Value) -> String {
    match value {
        Value::Null => quoted(""),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => list(items.iter().map(json)),
        Value::Object(members) => inline(members.iter().map(|(key, value)| (key, json(value)))),
    }
}
