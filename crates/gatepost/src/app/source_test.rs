//! Trying a REST source step by step, for its author: where it fails, why, and what to do about it.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost_sources::definition::{RemoteServer, RestSource};
use gatepost_sources::error::{Code, SourceError, Stage};
use gatepost_sources::filter::Wanted;
use gatepost_sources::paging::Window;
use gatepost_sources::token::Warning;
use reqwest::Url;

use super::App;
use super::sources::RowsWanted;
use crate::outbound::{Fetch, ReadySource, Token};

/// Rows that a test asks for.
const ROWS: u64 = 5;

/// Names that no column takes, at most, that are told.
const UNKNOWN_MAX: usize = 20;

/// A step of a test.
#[derive(Debug)]
pub struct TestStep {
    /// Its number, from 0.
    pub number: u8,
    /// Its name: `definition`, `dns`, `connect`, `token`, `call`, `rows`, `sql`.
    pub label: &'static str,
    /// What was found, or why it failed.
    pub outcome: Result<String, SourceError>,
    /// More, a line each.
    pub lines: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Who is told of each step when it is over.
type Told<'t> = &'t mut (dyn FnMut(TestStep) + Send);

/// A test under way. A step that fails has been told of; nothing follows it.
struct Test<'a> {
    app: &'a App,
    told: Told<'a>,
    begun: Instant,
}

/// A step failed.
struct Failed;

impl App {
    /// Calls a source step by step. Says whether all steps passed.
    pub async fn test_source(
        &self,
        source: &Arc<RestSource>,
        parameters: &[(String, String)],
        told: Told<'_>,
    ) -> bool {
        let mut test = Test { app: self, told, begun: Instant::now() };
        test.source(source, parameters).await.is_ok()
    }

    /// Looks whether a server can be reached. Nothing is sent.
    pub async fn test_server(&self, server: &RemoteServer, told: Told<'_>) -> bool {
        let mut test = Test { app: self, told, begun: Instant::now() };
        let within = Duration::from_secs(5);
        let url = server.base_url.parse().map_err(|_| SourceError::new(Code::DefinitionBroken));
        let Ok(url) = test.need(1, "dns", url) else { return false };
        test.connect(&url, server.tls_ca.as_deref(), within).await.is_ok()
    }
}

impl Test<'_> {
    async fn source(
        &mut self,
        source: &Arc<RestSource>,
        parameters: &[(String, String)],
    ) -> Result<(), Failed> {
        let ready = self.app.ready_source(source, 0);
        let ready = self.need(0, "definition", ready)?;
        let name = ready.sign_in.as_ref().map_or("nobody", |sign_in| sign_in.credential.name.as_str());
        let base_url = &ready.base_url;
        self.passed(0, "definition", format_args!("{base_url} as {name}, parameters and secret are there"));
        self.reach(&ready).await?;
        self.token(&ready).await?;
        self.call(ready, parameters).await
    }

    /// Where the API is, whether it may be called, and whether a connection can be made.
    async fn reach(&mut self, ready: &ReadySource) -> Result<(), Failed> {
        let url = gatepost_sources::address::join(&ready.server.base_url, &ready.source.path);
        let url = url.parse().map_err(|_| SourceError::new(Code::DefinitionBroken));
        let url: Url = self.need(1, "dns", url)?;
        let outbound = &self.app.outbound;
        let judged =
            ready.sign_in.as_ref().map_or(Ok(()), |sign_in| outbound.judge(&url, &sign_in.valid_for));
        self.need(1, "dns", judged)?;
        let within = Duration::from_millis(ready.source.timeout.connect_ms);
        self.connect(&url, ready.server.tls_ca.as_deref(), within).await
    }

    async fn connect(&mut self, url: &Url, tls_ca: Option<&str>, within: Duration) -> Result<(), Failed> {
        let found = self.app.outbound.resolve(url, within).await;
        let found = self.need(1, "dns", found)?;
        let addresses: Vec<_> = found.addresses().iter().map(ToString::to_string).collect();
        let ms = found.elapsed().as_millis();
        self.passed(1, "dns", format_args!("{} in {ms} ms; {url} may be called", addresses.join(", ")));
        let connected = self.app.outbound.connect(&found, tls_ca, within).await;
        let ms = self.need(2, "connect", connected)?.as_millis();
        let how = if url.scheme() == "https" { "with TLS" } else { "plain HTTP" };
        self.passed(2, "connect", format_args!("{how} in {ms} ms"));
        Ok(())
    }

    async fn token(&mut self, ready: &ReadySource) -> Result<(), Failed> {
        let Some(endpoint) = ready.sign_in.as_ref().and_then(|sign_in| sign_in.endpoint.as_ref()) else {
            self.passed(3, "token", "none is needed");
            return Ok(());
        };
        let begun = Instant::now();
        let token = self.app.outbound.token(endpoint).await;
        let token = self.need(3, "token", token)?;
        let from = format!("from {} in {} ms", endpoint.url, begun.elapsed().as_millis());
        let facts: Vec<String> = std::iter::once(from).chain(token_facts(&token)).collect();
        self.passed(3, "token", facts.join("; "));
        Ok(())
    }

    async fn call(&mut self, ready: ReadySource, parameters: &[(String, String)]) -> Result<(), Failed> {
        let window = Window { offset: 0, limit: Some(ROWS) };
        let again = ready.source.rows.has_sql().then(|| ready.clone());
        let fetch = self.app.fetch(ready, parameters, window);
        let mut fetch = self.need(4, "call", fetch)?;
        let begun = Instant::now();
        let page = match fetch.next_page().await {
            Ok(page) => page.unwrap_or_default(),
            Err(error) => {
                let rows = matches!(error.code.stage(), Stage::Profile | Stage::Pagination | Stage::Query);
                if rows {
                    self.passed(4, "call", called(&fetch));
                }
                let (number, label) = if rows { (5, "rows") } else { (4, "call") };
                return self.need(number, label, Err(error));
            }
        };
        self.passed(4, "call", called(&fetch));
        let columns: Vec<String> = fetch.columns().map(|(name, _)| name.to_owned()).collect();
        let ms = begun.elapsed().saturating_sub(fetch.facts().last_answer).as_millis();
        let report = fetch.report();
        let mismatches = report
            .mismatches
            .iter()
            .map(|(column, count)| format!("{count} values do not fit column {column} and became NULL"));
        let unknown = report.unknown.iter().take(UNKNOWN_MAX);
        let unknown = unknown.map(|(name, _)| format!("no column takes `{name}`"));
        let mut lines: Vec<String> = mismatches.chain(unknown).collect();
        if let Some(row) = page.first() {
            let shown = columns.iter().zip(row);
            let shown: Vec<_> =
                shown.map(|(name, datum)| format!("{name} = {}", datum.plain().unwrap_or("NULL"))).collect();
            lines.push(format!("first row: {}", shown.join(", ")));
        }
        let facts = format!("{} read in {ms} ms, columns {}", page.len(), columns.join(", "));
        self.tell(5, "rows", Ok(facts), lines);
        match again {
            Some(ready) => self.sql(ready, parameters, window).await,
            None => Ok(()),
        }
    }

    /// What the definition makes of the rows.
    async fn sql(
        &mut self,
        ready: ReadySource,
        parameters: &[(String, String)],
        window: Window,
    ) -> Result<(), Failed> {
        let rows = Wanted { window, ..Wanted::default() };
        let wanted =
            RowsWanted { parameters: parameters.to_vec(), rows, fresh: true, ..RowsWanted::default() };
        let rows = self.app.source_rows(ready, &wanted).await;
        let rows = self.need(6, "sql", rows)?;
        let columns: Vec<_> = rows.columns.iter().map(|(name, _)| name.as_str()).collect();
        self.passed(6, "sql", format_args!("{} rows, columns {}", rows.rows.len(), columns.join(", ")));
        Ok(())
    }

    /// What a step needs; where it is not there, the step failed.
    fn need<T>(
        &mut self,
        number: u8,
        label: &'static str,
        result: Result<T, SourceError>,
    ) -> Result<T, Failed> {
        result.map_err(|error| {
            self.tell(number, label, Err(error), Vec::new());
            Failed
        })
    }

    fn passed(&mut self, number: u8, label: &'static str, facts: impl Display) {
        self.tell(number, label, Ok(facts.to_string()), Vec::new());
    }

    fn tell(
        &mut self,
        number: u8,
        label: &'static str,
        outcome: Result<String, SourceError>,
        lines: Vec<String>,
    ) {
        let elapsed = self.begun.elapsed();
        self.begun = Instant::now();
        (self.told)(TestStep { number, label, outcome, lines, elapsed });
    }
}

fn called(fetch: &Fetch) -> String {
    let facts = fetch.facts();
    format!(
        "status {}, {} ms, {} bytes, requests: {}",
        facts.status.unwrap_or_default(),
        facts.last_answer.as_millis(),
        facts.bytes,
        facts.requests
    )
}

/// What a token's answer said, without the token.
pub fn token_facts(token: &Token) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(scope) = &token.grant.scope {
        facts.push(format!("scope {}", scope.join(" ")));
    }
    facts.extend(token.grant.warnings.iter().map(warning));
    facts
}

fn warning(warning: &Warning) -> String {
    match warning {
        Warning::TokenTypeAbsent => "warning: the answer has no token_type".into(),
        Warning::ExpiresInUnusable => {
            "warning: expires_in makes no sense; each request fetches a token".into()
        }
        Warning::ScopeNarrowed(lost) => format!("warning: not granted: {}", lost.join(" ")),
    }
}
