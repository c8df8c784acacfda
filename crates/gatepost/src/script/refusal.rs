//! Why a package call did not do what it was asked.

use gatepost_plsql::{Diagnostic, Position, Raised};
use gatepost_rest::definition::InvalidDefinition;

/// Error numbers of the packages. Those with a documented counterpart in ORDS have its number.
pub(super) mod code {
    /// A value breaks a rule.
    pub(in crate::script) const INVALID_VALUE: i32 = -20_001;
    /// The object does not exist.
    pub(in crate::script) const NOT_FOUND: i32 = -20_002;
    /// The object exists already.
    pub(in crate::script) const ALREADY_EXISTS: i32 = -20_003;
    /// The step would open or widen a door in passing.
    pub(in crate::script) const WOULD_OPEN: i32 = -20_004;
    /// What ORDS has and Gatepost does not have yet.
    pub(in crate::script) const NOT_AVAILABLE: i32 = -20_005;
    /// Schema management is reserved to administrators (ORDS).
    pub(in crate::script) const ADMINISTRATORS_ONLY: i32 = -20_031;
    /// The URL mapping is used already (ORDS).
    pub(in crate::script) const MAPPING_TAKEN: i32 = -20_049;
}

/// A refused call.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The number that an exception handler sees; absent: no handler may catch it, because the call itself is
    /// written wrongly (what Oracle refuses at compile time).
    pub(super) code: Option<i32>,
    /// What is wrong.
    pub(super) message: String,
    /// The name that was probably meant.
    pub(super) suggestion: Option<String>,
    /// The argument at fault by place.
    pub(super) position: Option<Position>,
    /// The argument at fault by name.
    pub(super) argument: Option<&'static str>,
}

impl Refusal {
    /// A call that is written wrongly.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into(), suggestion: None, position: None, argument: None }
    }

    /// A call that failed with an exception.
    pub(super) fn raised(code: i32, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::wrong(message) }
    }

    /// A value that breaks a rule.
    pub(super) fn invalid(argument: &'static str, rule: impl std::fmt::Display) -> Self {
        Self { argument: Some(argument), ..Self::raised(code::INVALID_VALUE, format!("{argument}: {rule}")) }
    }

    /// Something that does not exist, with the nearest name that does.
    pub(super) fn not_found<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let nearest = gatepost_plsql::nearest(name, known);
        Self::raised(code::NOT_FOUND, format!("{what} `{name}` does not exist")).suggest(nearest)
    }

    /// Something that exists already.
    pub(super) fn exists(what: &str, name: &str) -> Self {
        Self::raised(code::ALREADY_EXISTS, format!("{what} `{name}` exists already"))
    }

    /// Something that ORDS has and Gatepost does not have yet.
    pub(super) fn not_available(what: &str) -> Self {
        Self::raised(code::NOT_AVAILABLE, format!("{what}: not available yet"))
    }

    /// Names what was probably meant.
    pub(super) fn suggest(mut self, name: Option<impl AsRef<str>>) -> Self {
        self.suggestion = name.map(|name| name.as_ref().to_owned());
        self
    }

    /// Says what to do instead.
    pub(super) fn help(mut self, help: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(help);
        self
    }

    /// Says which argument it is about.
    pub(super) fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// Says which parameter it is about.
    pub(super) fn at_argument(mut self, name: &'static str) -> Self {
        self.argument = Some(name);
        self
    }

    /// The exception that the block sees.
    pub(super) fn into_raised(self) -> Raised {
        let code = self.code.unwrap_or(Raised::MISTAKE);
        Raised { code, message: self.message, suggestion: self.suggestion, position: self.position }
    }

    /// The problem, where no block is running that could see it.
    pub(super) fn into_diagnostic(self, position: Position) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.message, self.position.unwrap_or(position));
        match self.suggestion {
            Some(suggestion) => diagnostic.with_suggestion(suggestion),
            None => diagnostic,
        }
    }
}

impl From<InvalidDefinition> for Refusal {
    fn from(broken: InvalidDefinition) -> Self {
        Self::invalid(broken.argument, broken.rule)
    }
}
