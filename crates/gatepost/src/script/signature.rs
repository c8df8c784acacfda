//! How a call is written: the parameters of a package call with their defaults, and the one binder that brings
//! positional and named arguments into that order (Oracle Database PL/SQL Language Reference, "Subprogram Parameters").

use std::collections::BTreeMap;

use gatepost_plsql::{Argument, Value, nearest};

use super::refusal::{Refusal, code};
use super::scope::Scope;

/// A call that definition scripts may make.
pub(super) struct Signature {
    /// The call, upper case.
    pub(super) name: &'static str,
    /// The parameter lists that it accepts. The first that fits the arguments counts.
    pub(super) forms: &'static [&'static [Parameter]],
    /// What it does.
    pub(super) run: Run,
    /// Whether its result is what it is called for.
    pub(super) result: CallResult,
}

/// The function behind a call.
pub(super) type Run = fn(&mut Scope<'_>, &Bound) -> Result<Value, Refusal>;

/// What a call gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallResult {
    /// Nothing.
    Procedure,
    /// A value; the call can also be made for its effect alone.
    Either,
    /// A value that would be lost if nobody took it.
    Function,
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    /// Its name, lower case.
    pub(super) name: &'static str,
    /// The name that other releases use.
    pub(super) older_name: Option<&'static str>,
    kind: Kind,
    default: Default,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Boolean,
    Texts,
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Default {
    Required,
    Null,
    Text(&'static str),
    Number(u32),
    Boolean(bool),
    Empty,
    /// The value of a constant that only the call itself can make.
    Constant(&'static str),
}

/// A procedure.
pub(super) const fn procedure(
    name: &'static str,
    forms: &'static [&'static [Parameter]],
    run: Run,
) -> Signature {
    Signature { name, forms, run, result: CallResult::Procedure }
}

const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, older_name: None, kind, default: Default::Required }
}

/// A text, required.
pub(super) const fn text(name: &'static str) -> Parameter {
    parameter(name, Kind::Text)
}

/// A whole number, required.
pub(super) const fn number(name: &'static str) -> Parameter {
    parameter(name, Kind::Number)
}

/// A boolean, required.
pub(super) const fn boolean(name: &'static str) -> Parameter {
    parameter(name, Kind::Boolean)
}

/// An array of texts (`OWA.VC_ARR`), required.
pub(super) const fn texts(name: &'static str) -> Parameter {
    parameter(name, Kind::Texts)
}

/// A record of package `ORDS_TYPES`, required.
pub(super) const fn record(name: &'static str) -> Parameter {
    parameter(name, Kind::Record)
}

impl Parameter {
    /// Makes it optional with this text.
    pub(super) const fn or_text(mut self, default: &'static str) -> Self {
        self.default = Default::Text(default);
        self
    }

    /// Makes it optional with this number.
    pub(super) const fn or_number(mut self, default: u32) -> Self {
        self.default = Default::Number(default);
        self
    }

    /// Makes it optional with this boolean.
    pub(super) const fn or(mut self, default: bool) -> Self {
        self.default = Default::Boolean(default);
        self
    }

    /// Makes it optional with NULL.
    pub(super) const fn or_null(mut self) -> Self {
        self.default = Default::Null;
        self
    }

    /// Makes it optional with an empty array.
    pub(super) const fn or_empty(mut self) -> Self {
        self.default = Default::Empty;
        self
    }

    /// Makes it optional with a constant of this name.
    pub(super) const fn or_constant(mut self, name: &'static str) -> Self {
        self.default = Default::Constant(name);
        self
    }

    /// Accepts another release's name too.
    pub(super) const fn formerly(mut self, name: &'static str) -> Self {
        self.older_name = Some(name);
        self
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self.older_name.is_some_and(|older| older.eq_ignore_ascii_case(name))
    }

    fn default_value(&self) -> Option<Value> {
        match self.default {
            Default::Required => None,
            Default::Null | Default::Constant(_) => Some(Value::Null),
            Default::Text(text) => Some(Value::text(text)),
            Default::Number(number) => Some(Value::from(i64::from(number))),
            Default::Boolean(value) => Some(Value::Boolean(value)),
            Default::Empty => Some(Value::Array(BTreeMap::new())),
        }
    }

    /// The parameter as help shows it: `p_status VARCHAR2 => 'PUBLISHED'`.
    fn describe(&self) -> String {
        let kind = match self.kind {
            Kind::Text => "VARCHAR2",
            Kind::Number => "NUMBER",
            Kind::Boolean => "BOOLEAN",
            Kind::Texts => "OWA.VC_ARR",
            Kind::Record => "ORDS_TYPES record",
        };
        let default = match self.default {
            Default::Required => return format!("{} {kind}", self.name),
            Default::Null => "NULL".into(),
            Default::Text(text) => format!("'{text}'"),
            Default::Number(number) => number.to_string(),
            Default::Boolean(value) => value.to_string().to_uppercase(),
            Default::Empty => "empty".into(),
            Default::Constant(name) => name.into(),
        };
        format!("{} {kind} => {default}", self.name)
    }
}

impl Signature {
    /// Each form as help and autocompletion show it.
    pub(super) fn describe(&self) -> Vec<String> {
        let form = |form: &&[Parameter]| form.iter().map(Parameter::describe).collect::<Vec<_>>().join(", ");
        self.forms.iter().map(form).collect()
    }

    /// Checks that one of the forms has a parameter of this name.
    pub(super) fn check_parameter(&self, name: &str, schema_first: bool) -> Result<(), Refusal> {
        let known = || self.forms.iter().flat_map(|form| form.iter());
        if known().any(|parameter| parameter.is_named(name)) || schema_first && name == "p_schema" {
            return Ok(());
        }
        Err(unknown_parameter(name, known()))
    }

    /// Brings arguments into order. `schema_first` puts a required `p_schema` in front, as the ADMIN packages do.
    pub(super) fn bind(&self, arguments: &[Argument], schema_first: bool) -> Result<Bound, Refusal> {
        // A complaint about the form of which most could be bound is about the form that was meant.
        let mut complaint: Option<(Refusal, usize)> = None;
        for form in self.forms {
            let mut parameters = form.to_vec();
            if schema_first {
                match parameters.iter_mut().find(|parameter| parameter.name == "p_schema") {
                    Some(parameter) => parameter.default = Default::Required,
                    None => parameters.insert(0, text("p_schema")),
                }
            }
            match bind(&parameters, arguments) {
                Ok(bound) => return Ok(bound),
                Err((_, count)) if complaint.as_ref().is_some_and(|(_, most)| *most >= count) => {}
                Err(closer) => complaint = Some(closer),
            }
        }
        Err(complaint.map_or_else(|| Refusal::wrong("this call takes no arguments"), |(refusal, _)| refusal))
    }
}

/// Binds one form; on failure says how many arguments were bound before.
fn bind(parameters: &[Parameter], arguments: &[Argument]) -> Result<Bound, (Refusal, usize)> {
    let mut given: Vec<Option<Value>> = vec![None; parameters.len()];
    for (bound, argument) in arguments.iter().enumerate() {
        let place = place_of(parameters, argument, bound).map_err(|refusal| (refusal, bound))?;
        let parameter = &parameters[place];
        if given[place].is_some() {
            let message = format!("{} is given twice", parameter.name);
            return Err((Refusal::wrong(message).at(argument.position), bound));
        }
        let value = convert(parameter, &argument.value)
            .map_err(|message| (Refusal::wrong(message).at(argument.position), bound))?;
        given[place] = Some(value);
    }
    let mut values = Vec::with_capacity(parameters.len());
    for (parameter, given) in parameters.iter().zip(given) {
        let was_given = given.is_some();
        let Some(value) = given.or_else(|| parameter.default_value()) else {
            let message = format!("argument {} is missing", parameter.name);
            return Err((Refusal::wrong(message), arguments.len()));
        };
        values.push(BoundArgument { name: parameter.name, value, was_given });
    }
    Ok(Bound(values))
}

fn place_of(parameters: &[Parameter], argument: &Argument, index: usize) -> Result<usize, Refusal> {
    let Some(name) = &argument.name else {
        return if index < parameters.len() {
            Ok(index)
        } else {
            let message = format!("too many arguments, at most {} are taken", parameters.len());
            Err(Refusal::wrong(message).at(argument.position))
        };
    };
    let place = parameters.iter().position(|parameter| parameter.is_named(name));
    place.ok_or_else(|| unknown_parameter(name, parameters.iter()).at(argument.position))
}

fn unknown_parameter<'a>(name: &str, known: impl Iterator<Item = &'a Parameter>) -> Refusal {
    let name = name.to_ascii_lowercase();
    let suggestion = nearest(&name, known.map(|parameter| parameter.name));
    Refusal::wrong(format!("there is no parameter {name}")).suggest(suggestion)
}

/// Converts a value to the parameter's type as PL/SQL does implicitly.
fn convert(parameter: &Parameter, value: &Value) -> Result<Value, String> {
    let name = parameter.name;
    match (parameter.kind, value) {
        (Kind::Texts, Value::Null) => Ok(Value::Array(BTreeMap::new())),
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Text, Value::Text(text)) if text.is_empty() => Ok(Value::Null),
        (Kind::Text, Value::Number(_)) => Ok(Value::text(value.to_text().unwrap_or_default())),
        (Kind::Number, Value::Text(text)) if text.trim().parse::<f64>().is_ok() => {
            Ok(Value::Number(text.trim().into()))
        }
        (Kind::Text, Value::Text(_))
        | (Kind::Number, Value::Number(_))
        | (Kind::Boolean, Value::Boolean(_))
        | (Kind::Texts, Value::Array(_))
        | (Kind::Record, Value::Record(_)) => Ok(value.clone()),
        (Kind::Text, other) => Err(format!("{name} must be a text, not {}", other.kind())),
        (Kind::Number, other) => Err(format!("{name} must be a number, not {}", other.kind())),
        (Kind::Boolean, other) => Err(format!("{name} must be TRUE or FALSE, not {}", other.kind())),
        (Kind::Texts, other) => Err(format!("{name} must be an array (OWA.VC_ARR), not {}", other.kind())),
        (Kind::Record, other) => {
            Err(format!("{name} must be a value of package ORDS_TYPES, not {}", other.kind()))
        }
    }
}

/// The arguments of one call, in the order of its parameters, defaults filled in.
#[derive(Debug)]
pub(super) struct Bound(Vec<BoundArgument>);

#[derive(Debug)]
struct BoundArgument {
    name: &'static str,
    value: Value,
    was_given: bool,
}

impl Bound {
    fn find(&self, name: &str) -> Option<&BoundArgument> {
        self.0.iter().find(|argument| argument.name == name)
    }

    /// Whether the form has this parameter and the script wrote it.
    pub(super) fn was_given(&self, name: &str) -> bool {
        self.find(name).is_some_and(|argument| argument.was_given)
    }

    /// A text; absent when it is NULL.
    pub(super) fn text(&self, name: &'static str) -> Option<&str> {
        match self.find(name).map(|argument| &argument.value) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A text that may not be NULL.
    pub(super) fn required_text(&self, name: &'static str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::invalid(name, "a value is needed, it is NULL"))
    }

    /// A whole number; absent when it is NULL.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Refusal> {
        let Some(Value::Number(digits)) = self.find(name).map(|argument| &argument.value) else {
            return Ok(None);
        };
        let whole = digits.strip_suffix(".0").unwrap_or(digits);
        let parsed = whole.parse::<i64>();
        parsed.map(Some).map_err(|_| Refusal::invalid(name, format!("{digits} is not a whole number")))
    }

    /// A count: a whole number from 0 on that fits 32 bits.
    pub(super) fn count(&self, name: &'static str) -> Result<Option<u32>, Refusal> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        let count = u32::try_from(number);
        count.map(Some).map_err(|_| Refusal::invalid(name, format!("{number} is not a possible count")))
    }

    /// A boolean; NULL is FALSE.
    pub(super) fn is_true(&self, name: &'static str) -> bool {
        self.boolean(name) == Some(true)
    }

    /// A boolean; absent when it is NULL.
    pub(super) fn boolean(&self, name: &'static str) -> Option<bool> {
        match self.find(name).map(|argument| &argument.value) {
            Some(Value::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// The elements of an array in the order of their subscripts, NULL ones left out, each once.
    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<String>, Refusal> {
        let Some(Value::Array(elements)) = self.find(name).map(|argument| &argument.value) else {
            return Ok(Vec::new());
        };
        let mut texts = Vec::with_capacity(elements.len());
        for (subscript, element) in elements {
            let text = match element {
                Value::Null => continue,
                Value::Text(text) | Value::Number(text) => text.clone(),
                other => {
                    let rule = format!("element {subscript} must be a text, not {}", other.kind());
                    return Err(Refusal::invalid(name, rule));
                }
            };
            if !text.is_empty() && !texts.contains(&text) {
                texts.push(text);
            }
        }
        Ok(texts)
    }

    /// A record; absent when it is NULL.
    pub(super) fn record(&self, name: &'static str) -> Option<&BTreeMap<String, Value>> {
        match self.find(name).map(|argument| &argument.value) {
            Some(Value::Record(fields)) => Some(fields),
            _ => None,
        }
    }
}

/// Checks a free text against the length that ORDS allows.
pub(super) fn free_text(bound: &Bound, name: &'static str, most: usize) -> Result<Option<String>, Refusal> {
    let Some(text) = bound.text(name) else { return Ok(None) };
    let length = text.chars().count();
    if length > most {
        let rule = format!("{length} characters, at most {most} are allowed");
        return Err(Refusal::raised(code::INVALID_VALUE, format!("{name}: {rule}")));
    }
    Ok(Some(text.to_owned()))
}
