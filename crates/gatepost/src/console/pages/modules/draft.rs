//! A handler as its form holds it.

use gatepost_rest::definition::{
    Audit, Handler, Method, Parameter, ParameterAccess, ParameterSource, ParameterType, SourceType,
};

use super::Chosen;
use crate::console::Refused;
use crate::console::fields::Fields;

/// Rows of the table of parameters.
pub(super) const PARAMETERS_MAX: usize = 50;

/// One line of the table of parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) bind: String,
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) access: String,
}

/// What the form holds.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) method: String,
    pub(super) source_type: String,
    pub(super) items_per_page: String,
    pub(super) mimes: String,
    pub(super) comments: String,
    pub(super) source: String,
    pub(super) lines: Vec<Line>,
}

impl Draft {
    pub(super) fn of(handler: &Handler) -> Self {
        let lines = handler.parameters.iter().map(|parameter| Line {
            name: parameter.name.clone(),
            bind: parameter.bind_variable_name.clone().unwrap_or_default(),
            source: parameter.source.as_str().to_owned(),
            kind: parameter.kind.as_str().to_owned(),
            access: parameter.access.as_str().to_owned(),
        });
        Self {
            method: handler.method.as_str().to_owned(),
            source_type: handler.source_type.as_str().to_owned(),
            items_per_page: handler.items_per_page.map(|items| items.to_string()).unwrap_or_default(),
            mimes: handler.mimes_allowed.join(", "),
            comments: handler.comments.clone().unwrap_or_default(),
            source: handler.source.clone(),
            lines: lines.collect(),
        }
    }

    /// A handler that is about to be written, with the first method that the template lacks.
    pub(super) fn new(chosen: Chosen<'_>) -> Self {
        let has =
            |method: &Method| chosen.template.is_some_and(|template| template.handler(*method).is_some());
        let method = Method::ALL.into_iter().find(|method| !has(method)).unwrap_or(Method::Get);
        let source_type = if method == Method::Get { SourceType::CollectionFeed } else { SourceType::PlSql };
        Self {
            method: method.as_str().to_owned(),
            source_type: source_type.as_str().to_owned(),
            items_per_page: String::new(),
            mimes: String::new(),
            comments: String::new(),
            source: String::new(),
            lines: Vec::new(),
        }
    }

    pub(super) fn read(fields: &Fields) -> Self {
        let columns = ["p_name", "p_bind", "p_from", "p_type", "p_access"].map(|column| all(fields, column));
        let [names, binds, sources, kinds, accesses] = &columns;
        let cell = |column: &[String], at: usize| column.get(at).cloned().unwrap_or_default();
        let lines = names.iter().take(PARAMETERS_MAX).enumerate().filter(|(_, name)| !name.is_empty());
        let lines = lines.map(|(at, name)| Line {
            name: name.clone(),
            bind: cell(binds, at),
            source: cell(sources, at),
            kind: cell(kinds, at),
            access: cell(accesses, at),
        });
        Self {
            lines: lines.collect(),
            method: fields.text("new_method").to_owned(),
            source_type: fields.text("source_type").to_owned(),
            items_per_page: fields.text("items_per_page").to_owned(),
            mimes: fields.text("mimes").to_owned(),
            comments: fields.text("comments").to_owned(),
            source: fields.raw("source").unwrap_or_default().trim_end().to_owned(),
        }
    }

    /// The handler that the form describes.
    pub(super) fn handler(&self) -> Result<Handler, Refused> {
        let invalid =
            |broken: gatepost_rest::definition::InvalidDefinition| Refused::Invalid(broken.to_string());
        let items = match self.items_per_page.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| Refused::Invalid("Rows per page is a number.".into()))?),
        };
        let mimes = self.mimes.split(',').map(str::trim).filter(|mime| !mime.is_empty());
        let parameters = self.lines.iter().map(Line::parameter).collect::<Result<Vec<_>, _>>();
        Ok(Handler {
            id: 0,
            method: Method::parse(&self.method).map_err(invalid)?,
            source_type: SourceType::parse(&self.source_type).map_err(invalid)?,
            source: self.source.clone(),
            items_per_page: items,
            mimes_allowed: mimes.map(str::to_owned).collect(),
            comments: Some(self.comments.clone()).filter(|text| !text.is_empty()),
            parameters: parameters.map_err(invalid)?,
            audit: Audit::default(),
        })
    }
}

impl Line {
    fn parameter(&self) -> Result<Parameter, gatepost_rest::definition::InvalidDefinition> {
        Ok(Parameter {
            id: 0,
            name: self.name.clone(),
            bind_variable_name: Some(self.bind.clone()).filter(|bind| !bind.is_empty()),
            source: ParameterSource::parse(&self.source)?,
            kind: ParameterType::parse(&self.kind)?,
            access: ParameterAccess::parse(&self.access)?,
            comments: None,
            audit: Audit::default(),
        })
    }
}

/// Every value of a column, empty ones too: they keep the lines together.
fn all(fields: &Fields, name: &str) -> Vec<String> {
    fields.iter().filter(|(field, _)| *field == name).map(|(_, value)| value.trim().to_owned()).collect()
}
