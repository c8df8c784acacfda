//! The values of a call: what the caller gave, typed, with defaults and fixed values.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::datum::Datum;
use crate::definition::{ColumnType, Operation, Parameter, ParameterLocation, RestSource};
use crate::error::{Code, SourceError, quote};

/// Values by the names of parameters and columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Datum>);

impl Values {
    /// Reads texts that a caller gave. Unknown names, names given twice, fixed parameters and texts that are not of the
    /// parameter's type are refused; so is a required parameter that is not given. An empty text is NULL for all types
    /// but text.
    pub fn read<'a>(
        parameters: &[&Parameter],
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SourceError> {
        let mut values = Self::default();
        for (name, text) in given {
            let parameter = parameters.iter().find(|it| it.name == name && !it.is_static());
            let Some(parameter) = parameter else {
                return Err(invalid(format!("there is no parameter `{}`", quote(name, 60))));
            };
            let datum = match (text, parameter.kind) {
                ("", ColumnType::Text) => Datum::Text(String::new()),
                ("", _) => Datum::Null,
                (text, kind) => Datum::from_text(kind, text).map_err(|_| {
                    invalid(format!("parameter `{name}` is not of type {}", parameter.kind.as_str()))
                })?,
            };
            if values.0.insert(name.to_owned(), datum).is_some() {
                return Err(invalid(format!("parameter `{name}` is given twice")));
            }
        }
        for parameter in parameters {
            values.complete(parameter)?;
        }
        Ok(values)
    }

    /// Sets a value, such as a cursor's or one that a filter was turned into.
    pub fn set(&mut self, name: &str, datum: Datum) {
        self.0.insert(name.to_owned(), datum);
    }

    /// Adds the values of a row by the names of its columns. Parameters of the same name win.
    pub fn add_row(&mut self, row: impl IntoIterator<Item = (String, Datum)>) {
        for (name, datum) in row {
            self.0.entry(name).or_insert(datum);
        }
    }

    /// The value of a name; NULL if there is none.
    pub fn find(&self, name: &str) -> &Datum {
        self.0.get(name).unwrap_or(&Datum::Null)
    }

    /// Whether there is such a value, NULL included.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All values, in the order of their names; part of a cache key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.0.iter().map(|(name, datum)| (name.as_str(), datum))
    }

    /// Fills in the fixed value or the default.
    fn complete(&mut self, parameter: &Parameter) -> Result<(), SourceError> {
        if self.0.get(&parameter.name).is_some_and(|datum| !datum.is_null()) {
            return Ok(());
        }
        let literal = parameter.value.as_ref().or(parameter.default.as_ref());
        let datum = match literal {
            Some(literal) => literal_of(parameter, literal)?,
            None if parameter.required => {
                let detail = format!("parameter `{}`", parameter.name);
                return Err(SourceError::new(Code::ParameterMissing).with_detail(detail));
            }
            None => Datum::Null,
        };
        self.0.insert(parameter.name.clone(), datum);
        Ok(())
    }
}

/// The parameters of an operation: its own, and the source's that go into paths and headers.
pub fn operation_parameters<'a>(source: &'a RestSource, operation: &'a Operation) -> Vec<&'a Parameter> {
    let own = operation.parameters.iter();
    let shared = source.parameters.iter().filter(|it| {
        matches!(it.location, ParameterLocation::Path | ParameterLocation::Header)
            && !operation.parameters.iter().any(|own| own.name == it.name)
    });
    own.chain(shared).collect()
}

fn literal_of(parameter: &Parameter, literal: &Value) -> Result<Datum, SourceError> {
    let datum = match (parameter.kind, literal) {
        (ColumnType::Json, Value::String(text)) => Datum::from_text(parameter.kind, text),
        _ => Datum::from_literal(parameter.kind, literal),
    };
    datum.map_err(|_| {
        let detail = format!("the value of parameter `{}` is not of its type", parameter.name);
        SourceError::new(Code::DefinitionBroken).with_detail(detail)
    })
}

fn invalid(detail: String) -> SourceError {
    SourceError::new(Code::ParameterInvalid).with_detail(detail)
}
