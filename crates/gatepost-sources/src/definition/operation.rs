//! What a source can do besides fetching its rows: one row by its key, insert, update, delete.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::parameter::Parameter;
use super::path::{check_path, path_parameters};
use super::{Checked, DefinitionError, ParameterLocation, Pointer, check_count, words};
use crate::template::references_of_body;

/// A source or an operation has at most this many parameters.
pub(super) const PARAMETERS_MAX: usize = 50;

/// The operations that a source declares. Each has at most one method and path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    /// One row by its primary key.
    pub fetch_one: Option<Operation>,
    /// A new row.
    pub insert: Option<Operation>,
    /// A changed row.
    pub update: Option<Operation>,
    /// A row less.
    pub delete: Option<Operation>,
}

/// One operation: what is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The method.
    pub method: OperationMethod,
    /// Appended to the source's path; `{name}` is a path parameter or a column.
    pub path: String,
    /// Parameters of its own, besides the source's.
    pub parameters: Vec<Parameter>,
    /// The JSON body; `${name}` is a column or a parameter. A text that is nothing but `${name}` keeps its type.
    pub body: Option<Value>,
    /// Where the row stands in the answer; absent: the body is the row.
    pub select: Option<Pointer>,
}

words! {
    /// The method of an operation.
    OperationMethod {
        /// Reads.
        Get = "GET",
        /// Makes.
        Post = "POST",
        /// Replaces.
        Put = "PUT",
        /// Changes.
        Patch = "PATCH",
        /// Removes.
        Delete = "DELETE",
    }
}

impl Operation {
    /// An operation without parameters and body.
    pub fn new(method: OperationMethod, path: &str) -> Self {
        Self { method, path: path.into(), parameters: Vec::new(), body: None, select: None }
    }
}

impl Operations {
    /// The names of the four, as keys of the TOML form.
    pub const NAMES: [&'static str; 4] = ["fetch_one", "insert", "update", "delete"];

    /// The operation of this name, if it is declared.
    pub fn find(&self, name: &str) -> Option<&Operation> {
        self.iter().find(|(other, _)| *other == name).map(|(_, operation)| operation)
    }

    /// The declared ones with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        let all = [&self.fetch_one, &self.insert, &self.update, &self.delete];
        Self::NAMES.into_iter().zip(all).filter_map(|(name, operation)| Some((name, operation.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Operation)> {
        let all = [&mut self.fetch_one, &mut self.insert, &mut self.update, &mut self.delete];
        Self::NAMES.into_iter().zip(all).filter_map(|(name, operation)| Some((name, operation.as_mut()?)))
    }
}

impl Operation {
    /// Normalizes the path and checks all fields against the names that the source has.
    pub(super) fn check(
        &mut self,
        name: &str,
        source_path: &[Parameter],
        columns: &BTreeSet<&str>,
    ) -> Checked {
        let methods: &[OperationMethod] = match name {
            "fetch_one" => &[OperationMethod::Get, OperationMethod::Post],
            "insert" => &[OperationMethod::Post, OperationMethod::Put],
            "update" => &[OperationMethod::Put, OperationMethod::Patch, OperationMethod::Post],
            _ => &[OperationMethod::Delete, OperationMethod::Post],
        };
        if !methods.contains(&self.method) {
            let words: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
            return Err(DefinitionError::new("method", format!("{name} is one of {}", words.join(", "))));
        }
        if !self.path.is_empty() {
            self.path = check_path("path", &self.path)?;
        }
        check_parameters(&self.parameters)?;
        let own_path = names_in(&self.parameters, ParameterLocation::Path);
        let known = |name: &str| {
            columns.contains(name) || own_path.contains(name) || source_path.iter().any(|it| it.name == name)
        };
        for name in path_parameters(&self.path).unwrap_or_default() {
            if !known(name) {
                let rule = format!("`{{{name}}}` is neither a path parameter nor a column");
                return Err(DefinitionError::new("path", rule));
            }
        }
        let parameter_names: BTreeSet<_> = self.parameters.iter().map(|it| it.name.as_str()).collect();
        let takes_body = !matches!(self.method, OperationMethod::Get | OperationMethod::Delete);
        check_body(self.body.as_ref(), takes_body, &self.parameters, |name| {
            columns.contains(name) || parameter_names.contains(name)
        })
    }
}

/// Checks each parameter, and that names and wire names are unique.
pub(super) fn check_parameters(parameters: &[Parameter]) -> Checked {
    check_count("param", parameters.len(), PARAMETERS_MAX)?;
    let (mut names, mut wire_names) = (BTreeSet::new(), BTreeSet::new());
    for (at, parameter) in parameters.iter().enumerate() {
        let table = format!("param[{at}]");
        parameter.check().map_err(|error| error.below(&table))?;
        if !names.insert(parameter.name.as_str()) {
            return Err(DefinitionError::new(format!("{table}.name"), "another parameter has this name"));
        }
        let is_header = parameter.location == ParameterLocation::Header;
        let wire_name = parameter.wire_name();
        let wire_name = if is_header { wire_name.to_ascii_lowercase() } else { wire_name.to_owned() };
        if !wire_names.insert((parameter.location, wire_name)) {
            return Err(DefinitionError::new(
                format!("{table}.send"),
                "another parameter is sent by this name",
            ));
        }
    }
    Ok(())
}

/// Checks a body template: only where the method has a body, and only names that are known.
pub(super) fn check_body(
    body: Option<&Value>,
    takes_body: bool,
    parameters: &[Parameter],
    is_known: impl Fn(&str) -> bool,
) -> Checked {
    let in_body = parameters.iter().position(|it| it.location == ParameterLocation::Body);
    if !takes_body {
        if body.is_some() {
            return Err(DefinitionError::new("body", "this method has no body"));
        }
        if let Some(at) = in_body {
            return Err(DefinitionError::new(format!("param[{at}].in"), "this method has no body"));
        }
    }
    let Some(body) = body else { return Ok(()) };
    if in_body.is_some() && !body.is_object() {
        return Err(DefinitionError::new("body", "parameters can be put into an object only"));
    }
    if has_null(body) {
        return Err(DefinitionError::new("body", "leave a member out instead of writing null"));
    }
    let names = references_of_body(body).map_err(|rule| DefinitionError::new("body", rule))?;
    match names.into_iter().find(|name| !is_known(name)) {
        Some(name) => {
            Err(DefinitionError::new("body", format!("`${{{name}}}` is neither a column nor a parameter")))
        }
        None => Ok(()),
    }
}

/// The TOML form has no way to write it.
fn has_null(body: &Value) -> bool {
    match body {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The names of the parameters in one location.
pub(super) fn names_in(parameters: &[Parameter], location: ParameterLocation) -> BTreeSet<&str> {
    parameters.iter().filter(|it| it.location == location).map(|it| it.name.as_str()).collect()
}
