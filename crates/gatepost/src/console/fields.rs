//! Forms and queries as lists of named values.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::{Method, header};

use super::refused::Refused;
use super::{Console, cookie};

/// A form with more fields is refused.
const FIELDS_MAX: usize = 2_000;

/// The hidden field that says that a form is ours.
pub(super) const CSRF_FIELD: &str = "csrf";

/// The fields of a form (POST) or of the query (GET), in order, decoded.
///
/// A form sent by somebody signed in must carry the token that belongs to the cookie; that it comes from one of our
/// pages was checked before, by its `Origin`.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a field, without white space around it; absent when it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The first value as it was sent: for passwords and sources.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// A field that a form of ours always has.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All values of a field: ticked boxes.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(field, value)| field == name && !value.is_empty())
            .map(|(_, v)| v.as_str())
    }

    /// Whether a box is ticked.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Every field.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, Refused> {
        let fields: Vec<(String, String)> =
            url::form_urlencoded::parse(text).into_owned().take(FIELDS_MAX + 1).collect();
        if fields.len() > FIELDS_MAX {
            return Err(Refused::Invalid(format!("The form has more than {FIELDS_MAX} fields.")));
        }
        // A browser ends lines of a text area with CR LF; sources have LF.
        let plain = |text: String| text.replace("\r\n", "\n");
        Ok(Self(fields.into_iter().map(|(name, value)| (name, plain(value))).collect()))
    }
}

impl FromRequest<Console> for Fields {
    type Rejection = Refused;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Refused> {
        if request.method() != Method::POST {
            return Self::parse(request.uri().query().unwrap_or_default().as_bytes());
        }
        let form = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
        });
        if !form {
            return Err(Refused::Invalid("A form is expected.".into()));
        }
        let token = cookie::sign_in(request.headers(), console.is_secure()).map(str::to_owned);
        let body = Bytes::from_request(request, console).await.map_err(|_| Refused::TooLarge)?;
        let fields = Self::parse(&body)?;
        if let Some(token) = token {
            let sent = fields.raw(CSRF_FIELD).unwrap_or_default();
            if !cookie::is_csrf_token(&token, sent) {
                return Err(Refused::ForeignForm);
            }
        }
        Ok(fields)
    }
}
