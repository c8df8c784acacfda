//! The request that is being written. Tokens and secrets are no part of it.

use gatepost_rest::definition::Method;
use gatepost_rest::path::RequestPath;
use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::console::fields::Fields;
use crate::console::signed_in::{Act, InSchema};

/// Headers that a request may have here.
const HEADERS_MAX: usize = 50;

/// Bytes of a body.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Headers that belong to the connection, to the choice of the caller, or to proxies whose word counts.
const OWN_HEADERS: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "dpop",
    "forwarded",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallAs {
    /// Nobody.
    Nobody,
    /// A client, by a token of the server's making.
    Client(String),
    /// Whoever a token is of.
    Token,
    /// A client, by its id and its secret.
    Secret(String),
}

impl CallAs {
    /// The value in forms.
    pub(super) fn value(&self) -> String {
        match self {
            Self::Nobody => "nobody".into(),
            Self::Client(name) => format!("client:{name}"),
            Self::Token => "token".into(),
            Self::Secret(_) => "secret".into(),
        }
    }

    /// For people.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Nobody => "Without a token".into(),
            Self::Client(name) => format!("As {name}"),
            Self::Token => "With the token".into(),
            Self::Secret(id) => format!("As client {id}"),
        }
    }
}

/// What is sent, without what proves who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) call_as: CallAs,
    /// `Name: value`, one a line.
    pub(super) headers: String,
    pub(super) body: String,
    /// Values of parameters: where they stand (`q`, `h`, `p`), name, value.
    pub(super) parameters: Vec<(char, String, String)>,
}

/// What proves who sends it: a token or a client's secret. Neither kept nor shown again.
pub(super) struct Proof(pub(super) Option<SecretString>);

impl Proof {
    pub(super) fn read(fields: &Fields) -> Self {
        Self(fields.get("proof").map(SecretString::from))
    }
}

/// Where a request goes: below the schema's alias, at this server.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: String,
    /// Path and query, as they are sent.
    pub(super) path_and_query: String,
}

impl Draft {
    pub(super) fn read(page: &InSchema, fields: &Fields) -> Self {
        let call_as = match fields.get("as") {
            Some("token") => CallAs::Token,
            Some("secret") => CallAs::Secret(fields.text("client_id").to_owned()),
            Some(other) => {
                other.strip_prefix("client:").map_or(CallAs::Nobody, |name| CallAs::Client(name.to_owned()))
            }
            None => usual_caller(page),
        };
        let parameters = fields.iter().filter_map(|(field, value)| {
            let (place, name) = field.split_once('.')?;
            let place = place.chars().next().filter(|c| place.len() == 1 && "qhp".contains(*c))?;
            Some((place, name.to_owned(), value.to_owned()))
        });
        Self {
            method: fields.get("method").unwrap_or("GET").to_ascii_uppercase(),
            url: fields.get("url").map_or_else(|| first_url(page), |url| absolute(page, url)),
            call_as,
            headers: fields.raw("headers").unwrap_or_default().to_owned(),
            body: fields.raw("body").unwrap_or_default().to_owned(),
            parameters: parameters.collect(),
        }
    }

    /// The request that gets a token.
    pub(super) fn token_request(page: &InSchema) -> Self {
        Self {
            method: "POST".into(),
            url: format!("{}/oauth/token", page.console.app().issuer(&page.schema.alias)),
            call_as: CallAs::Secret(String::new()),
            headers: "Content-Type: application/x-www-form-urlencoded".into(),
            body: "grant_type=client_credentials".into(),
            parameters: Vec::new(),
        }
    }

    /// The URL with the values of parameters in it, or why no request can go there.
    pub(super) fn target(&self, page: &InSchema) -> Result<Target, String> {
        let base = format!("{}/", page.console.app().issuer(&page.schema.alias));
        let mut text = self.url.clone();
        for (_, name, value) in self.parameters.iter().filter(|(place, ..)| *place == 'p') {
            let value = crate::console::ui::encode(value);
            text = text.replace(&format!("{{{name}}}"), &value);
        }
        if !text.starts_with(&base) {
            return Err(format!("Requests go to this schema only: the URL begins with {base}"));
        }
        if text.contains(['{', '}']) {
            return Err("Give a value for each parameter of the path.".into());
        }
        let mut url = Url::parse(&text).map_err(|error| format!("This is no URL: {error}."))?;
        // What the parser makes of dot segments must not lead elsewhere.
        if !url.as_str().starts_with(&base) || url.username() != "" || url.password().is_some() {
            return Err(format!("Requests go to this schema only: the URL begins with {base}"));
        }
        url.set_fragment(None);
        let filled: Vec<_> = self.parameters.iter().filter(|(place, ..)| *place == 'q').collect();
        if !filled.is_empty() {
            let kept: Vec<(String, String)> = url
                .query_pairs()
                .into_owned()
                .filter(|(name, _)| !filled.iter().any(|(_, other, _)| other == name))
                .collect();
            let given = filled.iter().filter(|(_, _, value)| !value.is_empty());
            let pairs: Vec<(String, String)> =
                kept.into_iter().chain(given.map(|(_, name, value)| (name.clone(), value.clone()))).collect();
            if pairs.is_empty() {
                url.set_query(None);
            } else {
                url.query_pairs_mut().clear().extend_pairs(pairs);
            }
        }
        let path_and_query = url[url::Position::BeforePath..].to_owned();
        Ok(Target { url: url.to_string(), path_and_query })
    }

    /// Whether it can be sent by this person, with these proofs.
    pub(super) fn check(&self, page: &InSchema, proof: &Proof) -> Result<(), String> {
        if !Method::ALL.iter().any(|method| method.as_str() == self.method) && self.method != "HEAD" {
            return Err("The method is GET, HEAD, POST, PUT, PATCH or DELETE.".into());
        }
        if self.body.len() > BODY_BYTES_MAX {
            return Err(format!("The body has more than {BODY_BYTES_MAX} bytes."));
        }
        self.header_pairs()?;
        match &self.call_as {
            CallAs::Client(_) if !page.can(Act::Administer) => {
                Err("Only an administrator calls as a client without its secret.".into())
            }
            CallAs::Token if proof.0.is_none() => Err("Paste an access token.".into()),
            CallAs::Token => {
                let text = proof.0.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
                HeaderValue::from_str(text).map(|_| ()).map_err(|_| "This is no token.".into())
            }
            CallAs::Secret(id) if id.is_empty() || proof.0.is_none() => {
                Err("Give the client's id and its secret.".into())
            }
            CallAs::Nobody | CallAs::Client(_) | CallAs::Secret(_) => Ok(()),
        }
    }

    /// The headers that were written, and those of parameters.
    pub(super) fn header_pairs(&self) -> Result<Vec<(String, String)>, String> {
        let lines = self.headers.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut pairs: Vec<(String, String)> = lines
            .map(|line| {
                let pair =
                    line.split_once(':').map(|(name, value)| (name.trim().into(), value.trim().into()));
                pair.ok_or_else(|| format!("`{line}` is no header: write `Name: value`."))
            })
            .collect::<Result<_, String>>()?;
        let given = self.parameters.iter().filter(|(place, _, value)| *place == 'h' && !value.is_empty());
        pairs.extend(given.map(|(_, name, value)| (name.clone(), value.clone())));
        if pairs.len() > HEADERS_MAX {
            return Err(format!("The request has more than {HEADERS_MAX} headers."));
        }
        for (name, value) in &pairs {
            let parsed = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no header name."))?;
            if OWN_HEADERS.contains(&parsed.as_str()) || parsed.as_str().starts_with("x-forwarded-") {
                return Err(format!("`{name}` cannot be set here."));
            }
            HeaderValue::try_from(value).map_err(|_| format!("The value of `{name}` cannot be sent."))?;
        }
        Ok(pairs)
    }

    /// The body, of requests that have one.
    pub(super) fn sent_body(&self) -> Option<&str> {
        let has = matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") || !self.body.is_empty();
        (has && !matches!(self.method.as_str(), "GET" | "HEAD")).then_some(self.body.as_str())
    }

    /// The value of a query parameter in the URL.
    pub(super) fn query_value(&self, name: &str) -> String {
        let query = self.url.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(other, _)| other == name).map_or_else(String::new, |(_, value)| value.into_owned())
    }

    /// The path from the alias on, and the method, as the router takes them.
    pub(super) fn place(&self, page: &InSchema) -> Option<(RequestPath, Method)> {
        let base = page.console.app().issuer(&page.schema.alias);
        let path = self.url.strip_prefix(&base)?.split(['?', '#']).next()?;
        let path = path.replace('{', "%7B").replace('}', "%7D");
        let method = if self.method == "HEAD" { "GET" } else { &self.method };
        let parsed = RequestPath::parse(&format!("/{}{path}", page.schema.alias)).ok()?;
        Some((parsed, Method::parse(method).ok()?))
    }
}

/// The first client for those who may call as one, else nobody.
fn usual_caller(page: &InSchema) -> CallAs {
    let clients = page.snapshot.catalog.clients_of(page.schema.id).filter(|client| client.enabled);
    let first = clients.map(|client| client.name.as_str()).min();
    match first.filter(|_| page.can(Act::Administer)) {
        Some(name) => CallAs::Client(name.to_owned()),
        None => CallAs::Nobody,
    }
}

fn first_url(page: &InSchema) -> String {
    let base = page.console.app().issuer(&page.schema.alias);
    let Some(schema) = page.snapshot.schema(&page.schema.alias) else { return format!("{base}/") };
    let wanted = crate::describe::matrix::Wanted { filter: "GET ", open_only: false, skip: 0, take: 1 };
    let (rows, _) = crate::describe::matrix::matrix(schema, &[], wanted);
    format!("{base}{}", rows.first().map_or("/", |row| row.path.as_str()))
}

/// A URL, or a path below the context or the alias, as a URL.
fn absolute(page: &InSchema, url: &str) -> String {
    let app = page.console.app();
    if url.contains("://") {
        return url.to_owned();
    }
    let within = format!("{}/{}/", app.config.server.context, page.schema.alias);
    if url.starts_with(&within) {
        return format!("{}{url}", app.base_url);
    }
    format!("{}/{}", app.issuer(&page.schema.alias), url.trim_start_matches('/'))
}
