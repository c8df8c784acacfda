//! The TOML form: `[remote_server.NAME]`, `[credential.NAME]`, `[rest_source.NAME]`.
//!
//! [`Document::parse`] reads a whole file. [`RestSource::from_toml`] reads one source, with or without its header, and
//! [`RestSource::to_toml`] writes the canonical text: fixed order, one spelling for each value, no defaults but those of
//! time-outs and limits. Reading what was written gives the same object.

mod nearest;
mod read;
mod table;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Checked, Credential, DefinitionError, RemoteServer, RestSource};
use table::Table;

/// A text with definitions has at most this many bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// What a file defines, each kind sorted by name. Ids, schema and audit are the catalog's to fill in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The remote servers.
    pub servers: Vec<RemoteServer>,
    /// The credentials.
    pub credentials: Vec<Credential>,
    /// The sources.
    pub sources: Vec<RestSource>,
}

impl Document {
    /// Reads and checks a file. The first broken rule is reported, with its line.
    pub fn parse(text: &str) -> Checked<Self> {
        let (table, lines) = open(text)?;
        read::document(&Table::new(&table, String::new())).map_err(|error| lines.locate(error))
    }

    /// The canonical text of all objects.
    pub fn to_toml(&self) -> String {
        write::document(self)
    }
}

/// Reads and checks a file; see [`Document::parse`].
pub fn parse_document(text: &str) -> Checked<Document> {
    Document::parse(text)
}

impl RestSource {
    /// Reads and checks a source. The text has its keys at the top, or all of them below `[rest_source.NAME]` with this
    /// name and nothing else.
    pub fn from_toml(name: &str, text: &str) -> Checked<Self> {
        let (table, lines) = open(text)?;
        read::lone_source(name, &Table::new(&table, String::new())).map_err(|error| lines.locate(error))
    }

    /// The canonical text, without the name.
    pub fn to_toml(&self) -> String {
        write::lone_source(self)
    }
}

fn open(text: &str) -> Checked<(DeTable<'_>, Lines)> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let rule = format!("the text has more than {DOCUMENT_BYTES_MAX} bytes");
        return Err(DefinitionError::new("", rule));
    }
    match DeTable::parse(text) {
        Ok(table) => {
            let table = table.into_inner();
            let lines = Lines::of(text, &table);
            Ok((table, lines))
        }
        Err(error) => {
            // Its message alone: the text around the place could be a secret.
            let line = error.span().map(|span| line_of(text, span.start));
            Err(DefinitionError { line, key: String::new(), rule: format!("not TOML: {}", error.message()) })
        }
    }
}

/// The line of each key of a text.
struct Lines(BTreeMap<String, usize>);

impl Lines {
    fn of(text: &str, table: &DeTable<'_>) -> Self {
        let mut lines = Self(BTreeMap::new());
        lines.add_table(text, "", table);
        lines
    }

    fn add_table(&mut self, text: &str, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path =
                if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
            self.0.insert(path.clone(), line_of(text, key.span().start));
            self.add_value(text, &path, value);
        }
    }

    fn add_value(&mut self, text: &str, path: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(text, path, table),
            DeValue::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let path = format!("{path}[{at}]");
                    self.0.insert(path.clone(), line_of(text, item.span().start));
                    self.add_value(text, &path, item);
                }
            }
            _ => {}
        }
    }

    /// Gives the error the line of its key, or of the nearest table around it that has one.
    fn locate(&self, mut error: DefinitionError) -> DefinitionError {
        let mut path = error.key.as_str();
        while error.line.is_none() && !path.is_empty() {
            error.line = self.0.get(path).copied();
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
        }
        error
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
