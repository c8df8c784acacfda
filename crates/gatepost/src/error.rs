//! The one door for failures: each has a stable code, a status, a public text and a private cause.
//!
//! The caller gets code, text and a reference number; the cause is logged here once under that number. SQL text,
//! driver messages and secrets are causes, never texts. The list is `docs/reference/errors.md`.

use http::{HeaderName, HeaderValue, StatusCode, header};

/// What went wrong, by stage: `GP1xx` request, `GP2xx` definition, `GP3xx` access, `GP4xx` database, `GP5xx`
/// REST sources, `GP9xx` ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The path is refused as it is spelled.
    BadPath,
    /// The request is for another host.
    WrongHost,
    /// A header is missing, repeated or malformed.
    BadHeader,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body cannot be read.
    BadBody,
    /// The body has a content type that the handler does not take.
    UnsupportedMediaType,
    /// A parameter has a value that it cannot have.
    BadParameter,
    /// The method is none that this server knows.
    UnknownMethod,
    /// The caller sends too much.
    TooManyRequests,
    /// A precondition does not hold.
    PreconditionFailed,
    /// The header block is larger than allowed.
    HeadersTooLarge,
    /// Nothing is published here.
    NotFound,
    /// The template has no handler for the method.
    MethodNotAllowed,
    /// The handler is defined and cannot run here.
    NotRunnable,
    /// The schema's data cannot be reached.
    DataUnavailable,
    /// The handler is defined and not yet compiled: a table or column is missing.
    NotCompiled,
    /// No credentials.
    Unauthorized,
    /// The token is not accepted.
    InvalidToken,
    /// The credentials are presented in a way that is refused.
    BadCredentials,
    /// The caller may not do this.
    Forbidden,
    /// The origin may not call from a browser.
    OriginRefused,
    /// This process has not heard of the catalog for too long to decide.
    Stale,
    /// The handler's SQL failed.
    StatementFailed,
    /// The data refuses the change.
    Conflict,
    /// The data refuses a value.
    ValueRefused,
    /// The statement took too long.
    StatementTimeout,
    /// The database is busy.
    Busy,
    /// The answer is larger than allowed.
    AnswerTooLarge,
    /// The database's disk is full or its file damaged.
    DatabaseBroken,
    /// No row.
    NoRow,
    /// The API behind a REST source cannot be asked, or its answer cannot be used.
    SourceFailed,
    /// The API behind a REST source did not answer in time.
    SourceTimeout,
    /// A fault of ours.
    Internal,
}

/// Status 555: the handler's own SQL failed, as newer ORDS answers.
pub const USER_DEFINED_RESOURCE_ERROR: u16 = 555;

impl Code {
    /// All of them, in the order of the reference page.
    pub const ALL: [Self; 34] = [
        Self::BadPath,
        Self::WrongHost,
        Self::BadHeader,
        Self::BodyTooLarge,
        Self::BodyTimeout,
        Self::BadBody,
        Self::UnsupportedMediaType,
        Self::BadParameter,
        Self::UnknownMethod,
        Self::TooManyRequests,
        Self::PreconditionFailed,
        Self::HeadersTooLarge,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotRunnable,
        Self::DataUnavailable,
        Self::NotCompiled,
        Self::Unauthorized,
        Self::InvalidToken,
        Self::BadCredentials,
        Self::Forbidden,
        Self::OriginRefused,
        Self::Stale,
        Self::StatementFailed,
        Self::Conflict,
        Self::ValueRefused,
        Self::StatementTimeout,
        Self::Busy,
        Self::AnswerTooLarge,
        Self::DatabaseBroken,
        Self::NoRow,
        Self::SourceFailed,
        Self::SourceTimeout,
        Self::Internal,
    ];

    /// The stable code, the status, and the name that ORDS has for it.
    pub fn facts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::BadPath => ("GP101", 400, "BadRequest"),
            Self::WrongHost => ("GP102", 421, "MisdirectedRequest"),
            Self::BadHeader => ("GP103", 400, "BadRequest"),
            Self::BodyTooLarge => ("GP104", 413, "ContentTooLarge"),
            Self::BodyTimeout => ("GP105", 408, "RequestTimeout"),
            Self::BadBody => ("GP106", 400, "BadRequest"),
            Self::UnsupportedMediaType => ("GP107", 415, "UnsupportedMediaType"),
            Self::BadParameter => ("GP108", 400, "BadRequest"),
            Self::UnknownMethod => ("GP109", 501, "NotImplemented"),
            Self::TooManyRequests => ("GP110", 429, "TooManyRequests"),
            Self::PreconditionFailed => ("GP111", 412, "PreconditionFailed"),
            Self::HeadersTooLarge => ("GP112", 431, "RequestHeaderFieldsTooLarge"),
            Self::NotFound => ("GP201", 404, "NotFound"),
            Self::MethodNotAllowed => ("GP202", 405, "MethodNotAllowed"),
            Self::NotRunnable => ("GP203", 501, "NotImplemented"),
            Self::DataUnavailable => ("GP204", 503, "ServiceUnavailable"),
            Self::NotCompiled => ("GP205", 503, "ServiceUnavailable"),
            Self::Unauthorized => ("GP301", 401, "Unauthorized"),
            Self::InvalidToken => ("GP302", 401, "Unauthorized"),
            Self::BadCredentials => ("GP303", 400, "BadRequest"),
            Self::Forbidden => ("GP304", 403, "Forbidden"),
            Self::OriginRefused => ("GP305", 403, "Forbidden"),
            Self::Stale => ("GP306", 503, "ServiceUnavailable"),
            Self::StatementFailed => ("GP401", USER_DEFINED_RESOURCE_ERROR, "UserDefinedResourceError"),
            Self::Conflict => ("GP402", 409, "Conflict"),
            Self::ValueRefused => ("GP403", 400, "BadRequest"),
            Self::StatementTimeout => ("GP404", 504, "GatewayTimeout"),
            Self::Busy => ("GP405", 503, "ServiceUnavailable"),
            Self::AnswerTooLarge => ("GP406", 500, "InternalServerError"),
            Self::DatabaseBroken => ("GP407", 503, "ServiceUnavailable"),
            Self::NoRow => ("GP408", 404, "NotFound"),
            Self::SourceFailed => ("GP501", 502, "BadGateway"),
            Self::SourceTimeout => ("GP502", 504, "GatewayTimeout"),
            Self::Internal => ("GP901", 500, "InternalServerError"),
        }
    }

    /// The status on the wire.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.facts().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The title that people read.
    pub fn title(self) -> &'static str {
        match self.facts().1 {
            USER_DEFINED_RESOURCE_ERROR => "User Defined Resource Error",
            _ => self.status().canonical_reason().unwrap_or("Error"),
        }
    }
}

/// A failure on its way out.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub code: Code,
    /// For the caller.
    pub detail: String,
    /// For the owner: logged, never sent.
    pub cause: Option<String>,
    /// What the status asks for: `WWW-Authenticate` with a 401 or 403, `Allow` with a 405.
    pub header: Option<Box<(HeaderName, HeaderValue)>>,
    /// `Retry-After` in seconds.
    pub retry_after_seconds: Option<u32>,
}

impl Failure {
    /// A failure with a text for the caller.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), cause: None, header: None, retry_after_seconds: None }
    }

    /// Adds what only the owner may read.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds a challenge.
    #[must_use]
    pub fn challenge(mut self, challenge: HeaderValue) -> Self {
        self.header = Some(Box::new((header::WWW_AUTHENTICATE, challenge)));
        self
    }

    /// Says which methods there are.
    #[must_use]
    pub fn allow(mut self, methods: &str) -> Self {
        self.header = HeaderValue::from_str(methods).ok().map(|methods| Box::new((header::ALLOW, methods)));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Logs the failure, once: faults of ours and of the handler's SQL as errors, the rest at debug.
    pub fn log(&self, request_id: &str, route: Option<&str>) {
        let (code, status, _) = self.code.facts();
        let cause = harmless(self.cause.as_deref().unwrap_or(&self.detail));
        let route = route.unwrap_or("-");
        if status >= 500 {
            tracing::error!(code, status, request_id, route, "{cause}");
        } else {
            tracing::debug!(code, status, request_id, route, "{cause}");
        }
    }
}

/// A cause on one line of the log: cut, control characters escaped, and quoted parts left out, because a driver
/// quotes values of the request (ADT-03, ADT-04).
fn harmless(cause: &str) -> String {
    let mut shown = String::new();
    let mut quoted = false;
    for c in cause.chars().take(CAUSE_CHARACTERS_MAX) {
        match c {
            '\'' => {
                shown.push_str(if quoted { "…'" } else { "'" });
                quoted = !quoted;
            }
            _ if quoted => {}
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// How much of a cause is logged.
const CAUSE_CHARACTERS_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_forges_no_line_and_tells_no_value() {
        assert_eq!(harmless("bad JSON path: '$.a\nINFO forged'\r\nx"), "bad JSON path: '…'\\r\\nx");
        assert_eq!(harmless("no such table: nowhere"), "no such table: nowhere");
    }

    #[test]
    fn codes_are_unique_and_the_reference_page_lists_each_with_its_status() {
        let page = include_str!("../../../docs/reference/errors.md");
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            let (name, status, ords) = code.facts();
            assert!(seen.insert(name), "{name} is used twice");
            let row = page.lines().find(|line| line.starts_with(&format!("| {name} "))).expect(name);
            assert!(row.contains(&format!("| {status} ")) && row.contains(ords), "{name}: {row}");
        }
        let listed = page.lines().filter(|line| line.starts_with("| GP")).count();
        assert_eq!(listed, Code::ALL.len(), "the page lists a code that does not exist");
    }
}
