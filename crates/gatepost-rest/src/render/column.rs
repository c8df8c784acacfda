//! The columns of a result, described once for a statement.

use super::value::json_key;
use super::zone::Zone;

/// The columns of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Columns that are members of the row's object, in order.
    pub members: Vec<Column>,
    /// Columns named `"$.id"`, which make the row's `self` link.
    pub ids: Vec<usize>,
    /// Columns named `"$rel"`: number and relation.
    pub links: Vec<(usize, String)>,
    /// How many columns the statement has.
    pub count: usize,
    /// The zone of timestamps that carry none.
    pub zone: Zone,
}

/// A column that is a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its number in the statement, from 0.
    pub number: usize,
    /// Its name in the answer.
    pub name: String,
    /// `"name":`, escaped.
    pub key: Box<[u8]>,
    /// How its values are written.
    pub kind: ColumnKind,
}

/// How a column's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// As they are.
    Plain,
    /// Dates; those without a time stay so.
    Date,
    /// Timestamps, RFC 3339.
    Timestamp,
    /// 0 and 1 are `false` and `true`.
    Boolean,
    /// Text that is JSON already; text that is not stays text.
    Json,
}

impl ColumnKind {
    /// Reads the type that a SQLite column was declared with.
    pub fn declared(declared: &str) -> Self {
        let upper = declared.trim().to_ascii_uppercase();
        match upper.split(['(', ' ']).next().unwrap_or_default() {
            "DATE" => Self::Date,
            "DATETIME" | "TIMESTAMP" | "TIMESTAMPTZ" => Self::Timestamp,
            "BOOLEAN" | "BOOL" => Self::Boolean,
            "JSON" | "JSONB" => Self::Json,
            _ => Self::Plain,
        }
    }
}

impl Columns {
    /// Describes columns given as name and declared type. Names are lower case unless they were quoted in the
    /// source; `quoted` lists the names that were.
    pub fn describe<'a>(
        columns: impl Iterator<Item = (&'a str, Option<&'a str>)>,
        quoted: &[String],
        zone: &Zone,
    ) -> Self {
        let mut described = Self { zone: zone.clone(), ..Self::default() };
        for (number, (name, declared)) in columns.enumerate() {
            described.count += 1;
            if name == "$.id" {
                described.ids.push(number);
            } else if let Some(relation) = name.strip_prefix('$').filter(|rest| !rest.is_empty()) {
                described.links.push((number, relation.to_owned()));
            } else {
                described.members.push(member(number, name, declared, quoted));
            }
        }
        described
    }

    /// Whether rows have links of their own.
    pub fn has_links(&self) -> bool {
        !self.ids.is_empty() || !self.links.is_empty()
    }
}

fn member(number: usize, name: &str, declared: Option<&str>, quoted: &[String]) -> Column {
    let kept = quoted.iter().any(|known| known == name);
    let (name, kind) = match name.strip_prefix("{}") {
        Some(rest) if !rest.is_empty() => (rest, ColumnKind::Json),
        _ => (name, declared.map_or(ColumnKind::Plain, ColumnKind::declared)),
    };
    let name = if kept { name.to_owned() } else { name.to_lowercase() };
    Column { number, key: json_key(&name), name, kind }
}
