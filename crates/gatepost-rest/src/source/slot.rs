//! Where a bind's value comes from, and where it goes.

use http::HeaderName;

use super::NotRunnable;
use crate::definition::{Parameter, ParameterAccess, ParameterSource, ParameterType};
use crate::render::json_key;

/// A bind of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name, lower case.
    pub name: String,
    /// The name of its value on the wire.
    pub wire_name: String,
    /// Where its value comes from.
    pub source: SlotSource,
    /// The type that a parameter declares.
    pub kind: Option<ParameterType>,
}

impl Slot {
    pub(super) fn named(name: &str) -> Self {
        let source = Implicit::parse(name).map_or(SlotSource::Request, SlotSource::Implicit);
        Self { name: name.into(), wire_name: name.into(), source, kind: None }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotSource {
    /// Path, query string or body, in this order.
    Request,
    /// A request header.
    Header(HeaderName),
    /// The server; never the request's own values.
    Implicit(Implicit),
    /// Nowhere: NULL until the source assigns it.
    Unset,
    /// The rows of a REST source, as JSON.
    Remote,
}

impl SlotSource {
    /// Whether its value is what the caller sent.
    pub fn is_callers(&self) -> bool {
        match self {
            Self::Request | Self::Header(_) => true,
            Self::Implicit(implicit) => implicit.is_body() || *implicit == Implicit::ContentType,
            Self::Unset | Self::Remote => false,
        }
    }
}

/// A bind that the server fills or takes (ORDS Developer's Guide, "Implicit Parameters").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implicit {
    /// `:body`: the bytes.
    Body,
    /// `:body_text`
    BodyText,
    /// `:body_json`: for a form, its fields as an object.
    BodyJson,
    /// `:content_type`
    ContentType,
    /// `:current_user`
    CurrentUser,
    /// `:fetch_offset`: rows to skip.
    FetchOffset,
    /// `:fetch_size`: rows wanted, one more than a page shows, so that `hasMore` is known.
    FetchSize,
    /// `:row_offset`: number of the first row, from 1.
    RowOffset,
    /// `:row_count`: number of the last row.
    RowCount,
    /// `:page_offset`: number of the page, from 0.
    PageOffset,
    /// `:page_size`
    PageSize,
    /// `:status_code`, OUT.
    StatusCode,
    /// `:forward_location`, OUT.
    ForwardLocation,
}

impl Implicit {
    /// Reads a bind name in any letter case.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "body" => Self::Body,
            "body_text" => Self::BodyText,
            "body_json" => Self::BodyJson,
            "content_type" => Self::ContentType,
            "current_user" => Self::CurrentUser,
            "fetch_offset" => Self::FetchOffset,
            "fetch_size" => Self::FetchSize,
            "row_offset" => Self::RowOffset,
            "row_count" => Self::RowCount,
            "page_offset" => Self::PageOffset,
            "page_size" => Self::PageSize,
            "status_code" => Self::StatusCode,
            "forward_location" => Self::ForwardLocation,
            _ => return None,
        })
    }

    /// Whether it is the body in some form.
    pub fn is_body(self) -> bool {
        matches!(self, Self::Body | Self::BodyText | Self::BodyJson)
    }

    /// Whether it is about the page asked for.
    pub fn is_page(self) -> bool {
        matches!(
            self,
            Self::FetchOffset
                | Self::FetchSize
                | Self::RowOffset
                | Self::RowCount
                | Self::PageOffset
                | Self::PageSize
        )
    }

    fn is_out(self) -> bool {
        matches!(self, Self::StatusCode | Self::ForwardLocation)
    }
}

/// A bind that leaves with the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Which bind.
    pub slot: usize,
    /// Where it goes.
    pub target: OutputTarget,
}

/// Where an output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputTarget {
    /// The status of the answer.
    Status,
    /// The location that answers instead, or `Location`.
    Location,
    /// A header.
    Header(HeaderName),
    /// A member of the JSON answer.
    Member {
        /// `"name":`, escaped.
        key: Box<[u8]>,
        /// How its value is written.
        kind: ParameterType,
    },
}

/// Applies the declared parameters to the binds and lists the outputs.
pub(super) fn resolve(slots: &mut [Slot], parameters: &[Parameter]) -> Result<Vec<Output>, NotRunnable> {
    let mut outputs = Vec::new();
    for parameter in parameters {
        let Some(bind) = parameter.bind_variable_name.as_deref() else { continue };
        let bind = bind.trim_start_matches(':').to_lowercase();
        let Some(slot) = slots.iter().position(|slot| slot.name == bind) else { continue };
        if parameter.kind == ParameterType::ResultSet {
            return Err(NotRunnable::parameter(&parameter.name, "RESULTSET parameters do not run here"));
        }
        if parameter.access != ParameterAccess::Out {
            apply_input(&mut slots[slot], parameter)?;
        } else if slots[slot].source == SlotSource::Request {
            slots[slot].source = SlotSource::Unset;
        }
        if parameter.access != ParameterAccess::In || parameter.source == ParameterSource::Response {
            outputs.push(Output { slot, target: target(parameter)? });
        }
    }
    for (slot, bind) in slots.iter().enumerate() {
        let target = match bind.source {
            SlotSource::Implicit(Implicit::StatusCode) => OutputTarget::Status,
            SlotSource::Implicit(Implicit::ForwardLocation) => OutputTarget::Location,
            _ => continue,
        };
        if !outputs.iter().any(|output| output.slot == slot && output.target == target) {
            outputs.push(Output { slot, target });
        }
    }
    Ok(outputs)
}

fn apply_input(slot: &mut Slot, parameter: &Parameter) -> Result<(), NotRunnable> {
    if let SlotSource::Implicit(implicit) = slot.source {
        let harmless = implicit.is_out()
            || (implicit == Implicit::ContentType && parameter.name.eq_ignore_ascii_case("content-type"));
        if harmless {
            return Ok(());
        }
        let message = format!("`:{}` is filled by the server and takes no value of the request", slot.name);
        return Err(NotRunnable::parameter(&parameter.name, message));
    }
    slot.kind = Some(parameter.kind);
    slot.wire_name.clone_from(&parameter.name);
    slot.source = match parameter.source {
        ParameterSource::Header => SlotSource::Header(header(parameter)?),
        ParameterSource::Uri => SlotSource::Request,
        ParameterSource::Response => SlotSource::Unset,
    };
    Ok(())
}

fn target(parameter: &Parameter) -> Result<OutputTarget, NotRunnable> {
    if parameter.source != ParameterSource::Header {
        let key = json_key(&parameter.name);
        return Ok(OutputTarget::Member { key, kind: parameter.kind });
    }
    let name = header(parameter)?;
    match name.as_str() {
        "x-ords-status-code" | "x-apex-status-code" => Ok(OutputTarget::Status),
        "x-ords-forward-location" | "x-apex-forward" => Ok(OutputTarget::Location),
        "connection"
        | "content-length"
        | "content-security-policy"
        | "date"
        | "set-cookie"
        | "transfer-encoding"
        | "upgrade"
        | "x-content-type-options" => {
            Err(NotRunnable::parameter(&parameter.name, "this header is the server's own"))
        }
        _ => Ok(OutputTarget::Header(name)),
    }
}

fn header(parameter: &Parameter) -> Result<HeaderName, NotRunnable> {
    let name = HeaderName::from_bytes(parameter.name.as_bytes())
        .map_err(|_| NotRunnable::parameter(&parameter.name, "this is not a header name"))?;
    let secret = matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie" | "dpop");
    if secret {
        return Err(NotRunnable::parameter(&parameter.name, "this header carries credentials"));
    }
    Ok(name)
}
