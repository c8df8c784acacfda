//! Which part of an answer is rows, and what columns they have (the data profile of APEX).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Checked, DefinitionError, Pointer, check_count, check_name, check_text, words};

/// A source has at most this many columns.
pub const COLUMNS_MAX: usize = 300;

/// Where rows stand in an answer and how they are typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Where the array of rows is; the root: the body is the array.
    pub select: Pointer,
    /// It is one object, the only row.
    pub single: bool,
    /// A value that does not fit its column fails the fetch; else it becomes NULL and is counted.
    pub strict: bool,
    /// The columns that name a row, in order.
    pub primary_key: Vec<String>,
    /// The columns. None: each row is one column `row` of type json.
    pub columns: Vec<Column>,
    /// SQL over the table `rows`, which has these columns; its result is what callers see.
    pub query: Option<String>,
}

/// A column of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unique in the source.
    pub name: String,
    /// Where its values come from.
    pub origin: ColumnOrigin,
    /// Free text.
    pub comments: Option<String>,
}

/// Where a column's values come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnOrigin {
    /// A member of the row.
    Member {
        /// Where it is, from the row; the root is the whole row.
        at: Pointer,
        /// What it is.
        kind: ColumnType,
    },
    /// A SQL expression over the columns that are members.
    Sql {
        /// The expression.
        expression: String,
        /// What it gives; absent: whatever each value is.
        kind: Option<ColumnType>,
    },
}

words! {
    /// The type of a column or a parameter.
    ColumnType {
        /// Text. Numbers and booleans keep their spelling.
        Text = "text",
        /// A whole number of any length.
        Integer = "integer",
        /// A number with its exact decimal digits.
        Decimal = "decimal",
        /// True or false.
        Boolean = "boolean",
        /// A day.
        Date = "date",
        /// A day and a time without zone.
        Timestamp = "timestamp",
        /// A moment.
        Timestamptz = "timestamptz",
        /// A JSON value as it is.
        Json = "json",
    }
}

impl Column {
    /// A column that is a member of the row.
    pub fn member(name: &str, at: Pointer, kind: ColumnType) -> Self {
        Self { name: name.into(), origin: ColumnOrigin::Member { at, kind }, comments: None }
    }

    /// Its type, unless it is computed.
    pub fn kind(&self) -> Option<ColumnType> {
        match self.origin {
            ColumnOrigin::Member { kind, .. } => Some(kind),
            ColumnOrigin::Sql { .. } => None,
        }
    }

    /// The expression that computes it.
    pub fn expression(&self) -> Option<&str> {
        match &self.origin {
            ColumnOrigin::Member { .. } => None,
            ColumnOrigin::Sql { expression, .. } => Some(expression),
        }
    }
}

impl Rows {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether SQL makes something of the rows that came.
    pub fn has_sql(&self) -> bool {
        self.query.is_some() || self.columns.iter().any(|column| column.expression().is_some())
    }

    pub(super) fn check(&self) -> Checked {
        check_count("columns", self.columns.len(), COLUMNS_MAX)?;
        let mut names = BTreeSet::new();
        for (at, column) in self.columns.iter().enumerate() {
            let table = format!("columns[{at}]");
            column.check().map_err(|error| error.below(&table))?;
            if !names.insert(column.name.as_str()) {
                return Err(DefinitionError::new(format!("{table}.name"), "another column has this name"));
            }
        }
        if !self.columns.is_empty() && self.columns.iter().all(|column| column.kind().is_none()) {
            return Err(DefinitionError::new(
                "columns",
                "at least one column must come from the answer (`at`)",
            ));
        }
        let mut keys = BTreeSet::new();
        for name in &self.primary_key {
            let is_member = self.column(name).is_some_and(|column| column.kind().is_some());
            if !is_member {
                let rule = format!("`{name}` is not a column with `at`");
                return Err(DefinitionError::new("primary_key", rule));
            }
            if !keys.insert(name) {
                return Err(DefinitionError::new("primary_key", format!("`{name}` stands twice")));
            }
        }
        self.query.as_deref().map_or(Ok(()), |query| check_text("query", query))
    }
}

impl Column {
    fn check(&self) -> Checked {
        check_name("name", &self.name)?;
        if let Some(expression) = self.expression() {
            check_text("sql", expression)?;
        }
        self.comments.as_deref().map_or(Ok(()), |text| check_text("comments", text))
    }
}
