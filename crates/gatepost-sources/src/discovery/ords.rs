//! From the metadata catalog of ORDS: `metadata-catalog/` lists services, `metadata-catalog/NAME/` describes one.

use serde_json::Value;

use super::name::Names;
use super::{DOCUMENT_BYTES_MAX, Discovered};
use crate::definition::{Column, ColumnType, OrdsPaging, Pagination, Pointer, Rows};
use crate::error::{Code, SourceError, quote};

/// A service in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Its name.
    pub name: String,
    /// The URL of its rows, as the server gave it; not judged.
    pub rows_url: Option<String>,
    /// The URL of its description, as the server gave it; not judged.
    pub metadata_url: Option<String>,
}

/// Reads the list of services.
pub fn from_ords_catalog(body: &[u8]) -> Result<Vec<CatalogEntry>, SourceError> {
    let document = parse(body)?;
    let Some(items) = document.get("items").and_then(Value::as_array) else {
        return Err(SourceError::new(Code::SelectNotFound).with_detail("a catalog has `items`"));
    };
    let entry = |item: &Value| {
        let link = |rel: &str| {
            let links = item.get("links")?.as_array()?;
            let link = links.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some(rel))?;
            link.get("href")?.as_str().map(str::to_owned)
        };
        let name = item.get("name")?.as_str()?.to_owned();
        Some(CatalogEntry { name, rows_url: link("describes"), metadata_url: link("canonical") })
    };
    Ok(items.iter().filter_map(entry).collect())
}

/// Reads the description of one service: columns, their types, the primary key.
pub fn from_ords_metadata(body: &[u8]) -> Result<Discovered, SourceError> {
    let document = parse(body)?;
    let Some(members) = document.get("members").and_then(Value::as_array) else {
        return Err(SourceError::new(Code::SelectNotFound).with_detail("a description has `members`"));
    };
    let mut rows = Rows { select: Pointer::of(&["items"]), ..Rows::default() };
    let (mut names, mut notes) = (Names::default(), Vec::new());
    for member in members.iter().take(crate::definition::rows::COLUMNS_MAX) {
        let text = |key: &str| member.get(key).and_then(Value::as_str);
        let Some(wire_name) = text("name") else { continue };
        let sql_type = text("type").unwrap_or_default();
        if sql_type.eq_ignore_ascii_case("BLOB") || sql_type.eq_ignore_ascii_case("BFILE") {
            notes.push(format!("`{}` is binary and left out.", quote(wire_name, 60)));
            continue;
        }
        let name = names.claim(&[wire_name.to_owned()]);
        rows.columns.push(Column::member(&name, Pointer::of(&[wire_name]), column_type(sql_type)));
    }
    let keys = document.get("primaryKey").or_else(|| document.get("primarykey")).and_then(Value::as_array);
    for key in keys.into_iter().flatten().filter_map(Value::as_str) {
        let at = Pointer::of(&[key]);
        let column = rows.columns.iter().find(|column| {
            matches!(&column.origin, crate::definition::ColumnOrigin::Member { at: other, .. } if *other == at)
        });
        if let Some(column) = column {
            rows.primary_key.push(column.name.clone());
        }
    }
    Ok(Discovered { rows, pagination: Pagination::Ords(OrdsPaging { page_size: None }), notes })
}

/// The type of a column of Oracle's. A DATE has a time of day and comes with a zone.
fn column_type(sql_type: &str) -> ColumnType {
    let upper = sql_type.to_ascii_uppercase();
    let word = upper.split(['(', ' ']).next().unwrap_or_default();
    match word {
        "NUMBER" | "FLOAT" | "BINARY_FLOAT" | "BINARY_DOUBLE" | "DECIMAL" | "NUMERIC" => ColumnType::Decimal,
        "INTEGER" | "INT" | "SMALLINT" => ColumnType::Integer,
        "DATE" | "TIMESTAMP" => ColumnType::Timestamptz,
        "BOOLEAN" => ColumnType::Boolean,
        "JSON" | "SDO_GEOMETRY" => ColumnType::Json,
        _ => ColumnType::Text,
    }
}

fn parse(body: &[u8]) -> Result<Value, SourceError> {
    if body.len() > DOCUMENT_BYTES_MAX {
        return Err(SourceError::new(Code::ApiTooLarge));
    }
    serde_json::from_slice(body).map_err(|_| SourceError::new(Code::ApiNotJson))
}
