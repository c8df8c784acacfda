//! The handler parameter: how a header or URI value reaches a bind, or an OUT bind the answer.

use serde::{Deserialize, Serialize};

use super::{Audit, Id, InvalidDefinition, check_length, check_name};

/// An explicit binding of a handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Identity.
    pub id: Id,
    /// The name on the wire: a header or URI parameter, or a member of the answer.
    pub name: String,
    /// The name in the source; absent: not bound.
    pub bind_variable_name: Option<String>,
    /// Where it comes from or goes to.
    pub source: ParameterSource,
    /// What its text is converted to.
    pub kind: ParameterType,
    /// Its direction.
    pub access: ParameterAccess,
    /// Free text.
    pub comments: Option<String>,
    /// Who and when.
    pub audit: Audit,
}

impl Parameter {
    /// Checks the names. A parameter cannot read credentials: not Authorization, Cookie or `DPoP`
    /// headers, nor a URI parameter `access_token` (RFC 6750 section 2.3).
    pub fn check(name: &str, bind: Option<&str>, source: ParameterSource) -> Result<(), InvalidDefinition> {
        check_name("p_name", name, 255)?;
        if let Some(bind) = bind {
            check_length("p_bind_variable_name", bind, 255)?;
        }
        let lower = name.to_ascii_lowercase();
        let credential = match source {
            ParameterSource::Header => matches!(
                lower.as_str(),
                "authorization" | "cookie" | "set-cookie" | "dpop" | "proxy-authorization"
            ),
            ParameterSource::Uri => lower == "access_token",
            ParameterSource::Response => false,
        };
        if credential {
            return Err(InvalidDefinition::new(
                "p_name",
                format!("`{name}` carries credentials and cannot be bound"),
            ));
        }
        Ok(())
    }
}

/// Where a parameter's value comes from or goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ParameterSource {
    /// A header.
    #[default]
    Header,
    /// The path or the query string.
    Uri,
    /// A member of the answer.
    Response,
}

/// What a parameter's text is converted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ParameterType {
    /// Text, as it is.
    #[default]
    String,
    /// Whole number of 32 bits.
    Int,
    /// Floating-point number.
    Double,
    /// `true` or `false`.
    Boolean,
    /// Whole number of 64 bits.
    Long,
    /// RFC 3339 timestamp.
    Timestamp,
    /// A cursor of the answer.
    ResultSet,
}

/// A parameter's direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ParameterAccess {
    /// From the request.
    #[default]
    In,
    /// To the answer.
    Out,
    /// Both.
    InOut,
}

macro_rules! spellings {
    ($type:ident, $argument:literal, $($variant:ident = $text:literal),+) => {
        impl $type {
            /// Reads the stored spelling, in any letter case.
            pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
                match text.to_ascii_uppercase().as_str() {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(InvalidDefinition::new(
                        $argument,
                        format!("`{text}` is not one of {}", [$($text),+].join(", ")),
                    )),
                }
            }

            /// The stored spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}
spellings!(ParameterSource, "p_source_type", Header = "HEADER", Uri = "URI", Response = "RESPONSE");
spellings!(
    ParameterType,
    "p_param_type",
    String = "STRING",
    Int = "INT",
    Double = "DOUBLE",
    Boolean = "BOOLEAN",
    Long = "LONG",
    Timestamp = "TIMESTAMP",
    ResultSet = "RESULTSET"
);
spellings!(ParameterAccess, "p_access_method", In = "IN", Out = "OUT", InOut = "INOUT");
