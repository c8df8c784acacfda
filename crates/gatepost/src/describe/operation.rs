//! What a handler takes and answers, from its compiled source and what the database says of its statements.

use gatepost_rest::definition::{
    Handler, Method, ParameterAccess, ParameterSource, ParameterType, SourceType,
};
use gatepost_rest::pattern::UriTemplate;
use gatepost_rest::render::ColumnKind;
use gatepost_rest::source::{CompiledSource, Implicit, OutputTarget, Paging, Slot, SlotSource, Step};
use gatepost_store::data::{DescribedType, Description, ValueType};

use super::{Answer, Member, OperationBody, OperationParameter, Place, RowLinks};

/// Body types of handlers that name none: those whose members bind.
const MEMBERS_TYPES: [&str; 2] = ["application/json", "application/x-www-form-urlencoded"];

/// A handler that can run.
pub(super) struct Prepared<'a> {
    pub(super) handler: &'a Handler,
    pub(super) source: &'a CompiledSource,
    pub(super) description: &'a Description,
    pub(super) uri: &'a UriTemplate,
}

/// The parameters of a path, when nothing more is known of them.
pub(super) fn path_parameters(uri: &UriTemplate) -> Vec<OperationParameter> {
    uri.names.iter().map(|name| path_parameter(uri, name, ValueType::Any, None)).collect()
}

fn path_parameter(
    uri: &UriTemplate,
    name: &str,
    kind: ValueType,
    comments: Option<String>,
) -> OperationParameter {
    let takes_slashes = uri.rest.as_deref() == Some(name);
    let rest = takes_slashes.then(|| "The rest of the path, slashes included.".to_owned());
    OperationParameter {
        name: name.to_owned(),
        place: Place::Path,
        kind,
        comments: comments.or(rest),
        counts: false,
    }
}

impl Prepared<'_> {
    pub(super) fn parameters(&self) -> Vec<OperationParameter> {
        let mut parameters = Vec::new();
        for name in &self.uri.names {
            let slot = self.requested().find(|(_, slot)| slot.wire_name.eq_ignore_ascii_case(name));
            let kind = slot.map_or(ValueType::Any, |(number, slot)| self.kind(number, slot));
            parameters.push(path_parameter(self.uri, name, kind, self.comments(name)));
        }
        let in_query = self.requested().filter(|(_, slot)| !self.is_in_path(slot) && !self.is_in_body(slot));
        parameters.extend(in_query.map(|(number, slot)| self.parameter(number, slot, Place::Query)));
        let headers = self.source.slots.iter().enumerate();
        let headers = headers.filter(|(_, slot)| matches!(slot.source, SlotSource::Header(_)));
        parameters.extend(headers.map(|(number, slot)| self.parameter(number, slot, Place::Header)));
        let pages: &[(&str, &str)] = match self.source.paging {
            Paging::None => &[],
            Paging::Offset => &[("offset", "Rows to skip."), ("limit", "Rows wanted.")],
            Paging::Page => &[("page", "Number of the page, from 0.")],
        };
        for (name, comments) in pages {
            if !parameters.iter().any(|known| known.name.eq_ignore_ascii_case(name)) {
                parameters.push(OperationParameter {
                    name: (*name).to_owned(),
                    place: Place::Query,
                    kind: ValueType::Integer,
                    comments: Some((*comments).to_owned()),
                    counts: true,
                });
            }
        }
        parameters
    }

    pub(super) fn body(&self) -> Option<OperationBody> {
        if self.handler.method == Method::Get {
            return None;
        }
        let members: Vec<Member> = self
            .requested()
            .filter(|(_, slot)| self.is_in_body(slot) && !self.is_in_path(slot))
            .map(|(number, slot)| Member {
                name: slot.wire_name.clone(),
                kind: self.kind(number, slot),
                type_name: String::new(),
            })
            .collect();
        let mut media_types = self.handler.mimes_allowed.clone();
        if members.is_empty() && !self.source.reads_body() {
            return None;
        }
        if media_types.is_empty() && !members.is_empty() {
            media_types = MEMBERS_TYPES.map(str::to_owned).into();
        }
        if media_types.is_empty() {
            let reads =
                |wanted| self.source.slots.iter().any(|slot| slot.source == SlotSource::Implicit(wanted));
            if reads(Implicit::BodyJson) {
                media_types.push("application/json".to_owned());
            } else if reads(Implicit::BodyText) && !reads(Implicit::Body) {
                media_types.push("text/plain".to_owned());
            }
        }
        Some(OperationBody { media_types, members })
    }

    pub(super) fn answer(&self) -> Answer {
        let links = self.description.columns.has_links();
        let references = if links { RowLinks::References } else { RowLinks::None };
        match self.source.source_type {
            SourceType::CollectionFeed => {
                Answer::Collection(self.columns(), if links { RowLinks::Array } else { RowLinks::None })
            }
            SourceType::CollectionItem => Answer::Row(self.columns(), RowLinks::Array),
            SourceType::QueryOneRow => Answer::Row(self.columns(), references),
            SourceType::Query => Answer::Legacy(self.columns(), references),
            SourceType::Feed => Answer::Legacy(self.columns(), RowLinks::Feed),
            SourceType::CsvQuery => Answer::Csv,
            SourceType::Media => Answer::Media,
            SourceType::PlSql if self.source.block || !self.source.outputs.is_empty() => self.block(),
            SourceType::PlSql => Answer::Change(self.columns()),
        }
    }

    fn block(&self) -> Answer {
        let targets = || self.source.outputs.iter().map(|output| &output.target);
        let members = targets().filter_map(|target| match target {
            OutputTarget::Member { key, kind } => Some(Member {
                name: serde_json::from_slice(key.strip_suffix(b":")?).ok()?,
                kind: of_parameter(*kind),
                type_name: String::new(),
            }),
            _ => None,
        });
        Answer::Block {
            members: members.collect(),
            sets_status: targets().any(|target| *target == OutputTarget::Status),
            forwards: targets().any(|target| *target == OutputTarget::Location),
        }
    }

    /// Binds that take their values from path, query string or body.
    fn requested(&self) -> impl Iterator<Item = (usize, &Slot)> {
        let slots = self.source.slots.iter().enumerate();
        slots.filter(|(number, slot)| slot.source == SlotSource::Request && self.takes(*number))
    }

    /// Whether a value that a caller sends for a slot is ever seen: not when the source sets it first.
    fn takes(&self, slot: usize) -> bool {
        let mut used = self.source.steps.iter().filter_map(|step| match step {
            Step::Query(query) => query.slots.contains(&slot).then_some(true),
            Step::Change { statement, into } => {
                let read = statement.slots.contains(&slot);
                (read || into.contains(&slot)).then_some(read)
            }
            Step::Assign { expression, slot: set } => {
                let read = expression.slots.contains(&slot);
                (read || *set == slot).then_some(read)
            }
            Step::Set { slot: set, .. } => (*set == slot).then_some(false),
        });
        // What no step uses is for the entity tag or a REST source.
        used.next().unwrap_or(true)
    }

    fn is_in_path(&self, slot: &Slot) -> bool {
        self.uri.names.iter().any(|name| name.eq_ignore_ascii_case(&slot.wire_name))
    }

    /// Whether a value is best sent in the body: it would be read in the query string, too.
    fn is_in_body(&self, slot: &Slot) -> bool {
        let has_body = matches!(self.handler.method, Method::Post | Method::Put | Method::Patch);
        let mut parameters = self.handler.parameters.iter();
        let of_uri = parameters.any(|parameter| {
            parameter.source == ParameterSource::Uri && parameter.name.eq_ignore_ascii_case(&slot.wire_name)
        });
        let types = &self.handler.mimes_allowed;
        let has_members = types.is_empty() || types.iter().any(|media_type| binds_members(media_type));
        has_body && has_members && !of_uri && self.source.binds_members()
    }

    fn parameter(&self, number: usize, slot: &Slot, place: Place) -> OperationParameter {
        OperationParameter {
            name: slot.wire_name.clone(),
            place,
            kind: self.kind(number, slot),
            comments: self.comments(&slot.wire_name),
            counts: false,
        }
    }

    fn kind(&self, number: usize, slot: &Slot) -> ValueType {
        if let Some(declared) = slot.kind {
            return of_parameter(declared);
        }
        let mut binds = self.description.binds.iter().filter(|(bind, _)| *bind == number);
        let first = binds.next().map(|(_, kind)| kind.clone()).unwrap_or_default();
        // Statements that take it for different things promise nothing together.
        if binds.all(|(_, kind)| *kind == first) { first } else { ValueType::Any }
    }

    fn comments(&self, name: &str) -> Option<String> {
        let mut parameters = self.handler.parameters.iter();
        let input = parameters.find(|parameter| {
            parameter.access != ParameterAccess::Out && parameter.name.eq_ignore_ascii_case(name)
        });
        input.and_then(|parameter| parameter.comments.clone()).filter(|text| !text.trim().is_empty())
    }

    fn columns(&self) -> Vec<Member> {
        let unknown = DescribedType::default();
        let columns = self.description.columns.members.iter();
        columns
            .map(|column| {
                let described = self.description.types.get(column.number).unwrap_or(&unknown);
                let json = column.kind == ColumnKind::Json;
                Member {
                    name: column.name.clone(),
                    kind: if json { ValueType::Any } else { described.value.clone() },
                    type_name: described.name.clone(),
                }
            })
            .collect()
    }
}

/// Whether the members of a body of this type bind.
pub(super) fn binds_members(media_type: &str) -> bool {
    let bare = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    MEMBERS_TYPES.contains(&bare.as_str()) || (bare.starts_with("application/") && bare.ends_with("+json"))
}

fn of_parameter(kind: ParameterType) -> ValueType {
    match kind {
        ParameterType::String => ValueType::Text,
        ParameterType::Int | ParameterType::Long => ValueType::Integer,
        ParameterType::Double => ValueType::Number,
        ParameterType::Boolean => ValueType::Boolean,
        ParameterType::Timestamp => ValueType::Timestamp,
        ParameterType::ResultSet => ValueType::Any,
    }
}
