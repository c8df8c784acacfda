//! A parameter of a source: what callers give, and how it reaches the server.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rows::ColumnType;
use super::wire::{check_parameter_name, check_settable_header, is_secret_name, looks_like_secret};
use super::{Checked, DefinitionError, Pointer, check_comments, check_name, check_text, words};
use crate::datum::Datum;
use crate::template::{check_json, references};

/// Names that the rows' own URL uses.
pub const RESERVED_NAMES: [&str; 6] = ["filter", "format", "limit", "offset", "q", "sort"];

/// A parameter of a source or of one of its operations.
///
/// A source's path and header parameters go with every operation; its query and body parameters with the fetching of
/// rows only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name for callers.
    pub name: String,
    /// Where it goes.
    pub location: ParameterLocation,
    /// Its name there: of a query parameter or a header, or of a body's member (a pointer, when it begins with `/`).
    /// Absent: `name`. Path parameters have none: they are `{name}` in the path.
    pub send: Option<String>,
    /// A text with `${name}`, where the value is put in as JSON.
    pub template: Option<String>,
    /// What values it takes.
    pub kind: ColumnType,
    /// Callers must give it.
    pub required: bool,
    /// Without a value it is left out; else it is sent empty.
    pub omit_when_null: bool,
    /// Taken when the caller gives none. A text, a number or a boolean.
    pub default: Option<Value>,
    /// Always sent; callers do not see the parameter. A text, a number or a boolean.
    pub value: Option<Value>,
    /// A filter on this column can be sent as this parameter instead of being applied afterwards.
    pub column: Option<String>,
    /// Which comparison the server makes then.
    pub comparison: Comparison,
    /// Free text.
    pub comments: Option<String>,
}

words! {
    /// Where a parameter goes.
    ParameterLocation {
        /// `{name}` in the path.
        Path = "path",
        /// The query string.
        Query = "query",
        /// A header.
        Header = "header",
        /// A member of the JSON body.
        Body = "body",
    }
}

words! {
    /// What a server does with a parameter that stands for a column.
    Comparison {
        /// Rows whose column equals it.
        Equal = "eq",
        /// Rows whose column is at least as great.
        AtLeast = "ge",
        /// Rows whose column is greater.
        Greater = "gt",
        /// Rows whose column is at most as great.
        AtMost = "le",
        /// Rows whose column is less.
        Less = "lt",
    }
}

impl Parameter {
    /// A text parameter with all other fields at their defaults.
    pub fn new(name: &str, location: ParameterLocation) -> Self {
        Self {
            name: name.into(),
            location,
            send: None,
            template: None,
            kind: ColumnType::Text,
            required: false,
            omit_when_null: false,
            default: None,
            value: None,
            column: None,
            comparison: Comparison::Equal,
            comments: None,
        }
    }

    /// Its name on the wire.
    pub fn wire_name(&self) -> &str {
        self.send.as_deref().unwrap_or(&self.name)
    }

    /// Whether callers cannot set it.
    pub fn is_static(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn check(&self) -> Checked {
        check_name("name", &self.name)?;
        if RESERVED_NAMES.contains(&self.name.as_str()) {
            let rule = "callers use this name for the rows themselves; choose another and set `send`";
            return Err(DefinitionError::new("name", rule));
        }
        self.check_wire_name()?;
        self.check_template()?;
        self.check_presence()?;
        for (key, value) in [("default", &self.default), ("value", &self.value)] {
            if let Some(value) = value {
                self.check_literal(key, value)?;
            }
        }
        if self.column.is_none() && self.comparison != Comparison::Equal {
            return Err(DefinitionError::new("comparison", "`comparison` needs a `column`"));
        }
        if self.column.is_some() && self.is_static() {
            return Err(DefinitionError::new("column", "a parameter with a fixed `value` filters nothing"));
        }
        check_comments(self.comments.as_deref())
    }

    fn check_wire_name(&self) -> Checked {
        match (self.location, &self.send) {
            (ParameterLocation::Path, Some(_)) => {
                Err(DefinitionError::new("send", "a path parameter is `{name}` in the path"))
            }
            (ParameterLocation::Path, None) => Ok(()),
            (ParameterLocation::Header, _) => check_settable_header("send", self.wire_name()),
            (ParameterLocation::Body, Some(pointer)) if pointer.starts_with('/') => {
                Pointer::parse("send", pointer).map(|_| ())
            }
            (ParameterLocation::Query | ParameterLocation::Body, _) => {
                check_parameter_name("send", self.wire_name())
            }
        }
    }

    fn check_template(&self) -> Checked {
        let Some(template) = &self.template else { return Ok(()) };
        check_text("template", template)?;
        if self.location == ParameterLocation::Path {
            return Err(DefinitionError::new("template", "a path parameter has no template"));
        }
        let names = references(template).map_err(|rule| DefinitionError::new("template", rule))?;
        if names.is_empty() || names.iter().any(|name| *name != self.name) {
            let rule = format!("the template must have `${{{}}}` and no other name", self.name);
            return Err(DefinitionError::new("template", rule));
        }
        check_json(template, &self.name, self.kind).map_err(|rule| DefinitionError::new("template", rule))
    }

    fn check_presence(&self) -> Checked {
        let refuse = |key: &str, rule: &str| Err(DefinitionError::new(key, rule));
        if self.is_static() {
            if self.default.is_some() {
                return refuse("default", "`value` is always sent, so there is no default");
            }
            if self.required || self.omit_when_null {
                return refuse(
                    "value",
                    "`value` is always sent: `required` and `omit_when_null` say nothing",
                );
            }
            if self.template.is_some() {
                return refuse("template", "write the text into `value`");
            }
        }
        if self.required && self.default.is_some() {
            return refuse("default", "a required parameter has no default");
        }
        if self.required && self.omit_when_null {
            return refuse("omit_when_null", "a required parameter is never null");
        }
        if self.location == ParameterLocation::Path && self.omit_when_null {
            return refuse("omit_when_null", "a path parameter cannot be left out");
        }
        Ok(())
    }

    /// A literal that goes to the server: no secret, and of the parameter's type.
    fn check_literal(&self, key: &str, literal: &Value) -> Checked {
        let text = literal.as_str().unwrap_or_default();
        if is_secret_name(self.wire_name()) || is_secret_name(&self.name) || looks_like_secret(text) {
            return Err(DefinitionError::new(key, "this looks like a secret; put it into a credential"));
        }
        let is_scalar = matches!(literal, Value::String(_) | Value::Number(_) | Value::Bool(_));
        // A text for a parameter of type json is a JSON text, as callers give it.
        let fits = match (self.kind, literal) {
            (ColumnType::Json, Value::String(text)) => Datum::from_text(self.kind, text).is_ok(),
            _ => is_scalar && Datum::from_literal(self.kind, literal).is_ok(),
        };
        if !fits {
            let rule = format!("a value of type {} is needed", self.kind.as_str());
            return Err(DefinitionError::new(key, rule));
        }
        if self.location == ParameterLocation::Header && text.chars().any(char::is_control) {
            return Err(DefinitionError::new(key, "a header has no control characters"));
        }
        Ok(())
    }
}
