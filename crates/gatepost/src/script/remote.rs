//! `rest.NAME` in statements of scripts: their rows are fetched before a transaction is begun.

use gatepost_rest::definition::Schema;
use gatepost_rest::source::{self, Expanded, RemoteRows};
use gatepost_rest::sql::{Dialect, Kind, Refusal, lex, remote_uses};
use gatepost_store::catalog::Catalog;
use gatepost_store::data::SessionValue;

use super::driver::Driver;
use crate::app::remote_rows::tables;

/// What may read a REST source: a statement that runs at once and leaves nothing that would read it later.
const READERS: [&str; 9] =
    ["select", "with", "values", "insert", "update", "delete", "merge", "replace", "explain"];

/// A statement whose REST sources became binds.
pub(super) struct WithRows {
    /// What runs.
    pub(super) text: String,
    /// The rows, as JSON.
    pub(super) binds: Vec<(String, SessionValue)>,
    expanded: Option<Expanded>,
}

impl WithRows {
    /// Where a byte of the text was in the text as written.
    pub(super) fn original_offset(&self, offset: usize) -> usize {
        self.expanded.as_ref().map_or(offset, |expanded| expanded.original_offset(offset))
    }
}

impl Driver<'_> {
    /// Fetches the rows of the REST sources that a statement names.
    pub(super) fn expand(
        &mut self,
        schema: &Schema,
        catalog: &Catalog,
        text: &str,
    ) -> Result<WithRows, Refusal> {
        let as_written = || WithRows { text: text.to_owned(), binds: Vec::new(), expanded: None };
        let dialect = self.host.dialect(schema);
        // What is wrong with the text is the session's to say.
        let Ok(tokens) = lex(text, dialect) else { return Ok(as_written()) };
        let Some(used) = remote_uses(text, &tokens)?.into_iter().next() else { return Ok(as_written()) };
        let refuse = |message: &str| Err(Refusal::at(used.start, &text[used.start..used.end], message));
        let first = tokens.iter().find(|token| !token.is_symbol(text, "("));
        if !first.is_some_and(|token| READERS.iter().any(|word| token.is_word(text, word))) {
            return refuse("a REST source is read by queries and changes that run at once");
        }
        if self.in_transaction() {
            return refuse(
                "a dry run that has changed data keeps its transaction open, and none is held while a REST \
                           source is read; run this statement by itself",
            );
        }
        let sources: Vec<_> = catalog.rest_sources_of(schema.id).cloned().collect();
        let is_taken = |name: &str| {
            tokens
                .iter()
                .any(|token| token.kind == Kind::Bind && token.text(text)[1..].eq_ignore_ascii_case(name))
        };
        let expanded = source::expand(text, &tokens, dialect, &tables(&sources), is_taken);
        let Some(expanded) = expanded.map_err(|error| error.refusal)? else { return Ok(as_written()) };
        let fetch = |remote: &RemoteRows| {
            let source = sources.iter().find(|source| source.name == remote.name);
            let rows = source.map(|source| self.host.remote_rows(schema, source, remote));
            let rows = rows.unwrap_or_else(|| Err("it is gone".into()));
            let failed =
                |message: String| Refusal::at(used.start, &format!("rest.{}", remote.name), &message);
            rows.map(|json| (remote.bind.clone(), SessionValue::Text(json))).map_err(failed)
        };
        let binds = expanded.remotes.iter().map(fetch).collect::<Result<Vec<_>, _>>()?;
        Ok(WithRows { text: expanded.text.clone(), binds, expanded: Some(expanded) })
    }
}

/// Refuses REST sources in the SQL of a block, whose transaction is open while it runs.
pub(super) fn refuse_within_block(text: &str, dialect: Dialect) -> Result<(), String> {
    let Ok(tokens) = lex(text, dialect) else { return Ok(()) };
    match remote_uses(text, &tokens).map_err(|refusal| refusal.to_string())?.first() {
        None => Ok(()),
        Some(used) => Err(format!(
            "{}: a block holds a transaction, and none is held while a REST source is read; make it a statement of \
             its own",
            &text[used.start..used.end]
        )),
    }
}
