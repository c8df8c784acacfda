//! What can go wrong between a source and its rows: a closed list of codes, each with its stage, a text for callers and
//! what an administrator can do.
//!
//! No text here has a secret, and none of what a server said reaches callers. What it said goes into
//! [`SourceError::detail`] through [`quote`], for administrators; [`Redactor`] takes known secrets out of it.

mod redact;

pub use redact::{Redactor, quote};

/// Where on the way from the definition to the rows something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The values that the caller gave.
    Parameters,
    /// What the operator, the credential and the definition allow.
    Policy,
    /// Name resolution and connection.
    Net,
    /// The encrypted connection.
    Tls,
    /// The token endpoint.
    Token,
    /// The API itself.
    Api,
    /// From one page to the next.
    Pagination,
    /// From a body to rows.
    Profile,
    /// SQL over the rows.
    Query,
}

impl Stage {
    /// Its word in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Policy => "policy",
            Self::Net => "net",
            Self::Tls => "tls",
            Self::Token => "token",
            Self::Api => "api",
            Self::Pagination => "pagination",
            Self::Profile => "profile",
            Self::Query => "query",
        }
    }
}

macro_rules! codes {
    ($($(#[$meta:meta])* $code:ident = $word:literal, $stage:ident, $text:literal, $hint:literal;)+) => {
        /// What went wrong. Codes are stable; scripts may rely on their words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$meta])* $code,)+
            /// The token endpoint answered with this status and no error that has a code of its own.
            TokenHttp(u16),
            /// The API answered with this status.
            ApiHttp(u16),
        }

        impl Code {
            /// All codes but those that carry a status.
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];

            /// Where it belongs.
            pub fn stage(self) -> Stage {
                match self {
                    $(Self::$code => Stage::$stage,)+
                    Self::TokenHttp(_) => Stage::Token,
                    Self::ApiHttp(_) => Stage::Api,
                }
            }

            /// The sentence that any caller may see.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)+
                    Self::TokenHttp(_) => "The token endpoint refused the request.",
                    Self::ApiHttp(_) => "The API answered with an error.",
                }
            }

            /// What an administrator or the author of the source can do.
            pub fn hint(self) -> &'static str {
                match self {
                    $(Self::$code => $hint,)+
                    Self::TokenHttp(_) => "Try the token path in the definition; look at the status and at what the server said.",
                    Self::ApiHttp(_) => "Look at the status and at what the server said; an `on` rule can treat it otherwise.",
                }
            }
        }

        impl std::fmt::Display for Code {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$code => f.write_str($word),)+
                    Self::TokenHttp(status) => write!(f, "token_http_{status:03}"),
                    Self::ApiHttp(status) => write!(f, "api_http_{status:03}"),
                }
            }
        }
    };
}

codes! {
    /// A parameter that must be given is not.
    ParameterMissing = "parameter_missing", Parameters,
        "A parameter is missing.",
        "The parameter is declared with `required`; give it, or give it a default.";
    /// A parameter that is not declared, or a value that is not of its type.
    ParameterInvalid = "parameter_invalid", Parameters,
        "A parameter has a value that cannot be used.",
        "Compare the value with the parameter's type; a path parameter cannot be empty, `.` or `..`.";
    /// The egress policy forbids the host, the address, the port or plain HTTP.
    EgressDenied = "egress_denied", Policy,
        "The server's address is not allowed.",
        "The operator's file decides: section egress, with allow_cidr, allow_loopback, allow_plain_http, allow_ports.";
    /// The credential is not valid for the URL.
    CredentialUrlNotAllowed = "credential_url_not_allowed", Policy,
        "The credential may not be used for this address.",
        "Add the URL to the credential's valid_for; its secret must then be given again.";
    /// The credential has no secret.
    SecretMissing = "secret_missing", Policy,
        "The credential has no secret.",
        "Set the secret: it was never given, or an edit that changed where it goes has removed it.";
    /// Too many programs have passed the request on.
    HopLimit = "hop_limit", Policy,
        "The request went in a circle.",
        "The source calls an installation that calls this one again.";
    /// The source names a server or a credential that is not there.
    DefinitionBroken = "definition_broken", Policy,
        "The source is not completely defined.",
        "Define the remote server or the credential that it names.";
    /// The host has no address.
    DnsFailed = "dns_failed", Net,
        "The server's name could not be resolved.",
        "Check the host in the remote server's base URL and this machine's resolver.";
    /// No connection.
    ConnectFailed = "connect_failed", Net,
        "The server could not be reached.",
        "Check host and port, and firewalls on the way.";
    /// No connection in time.
    ConnectTimeout = "connect_timeout", Net,
        "The server did not answer in time.",
        "Check firewalls on the way, or raise timeout.connect.";
    /// The certificate's issuer is not trusted.
    TlsUntrusted = "tls_untrusted", Tls,
        "The server's certificate is not trusted.",
        "Add the issuer's certificate to the remote server as tls_ca.";
    /// The certificate is for another name.
    TlsNameMismatch = "tls_name_mismatch", Tls,
        "The server's certificate is for another name.",
        "Use a name that the certificate has in the base URL.";
    /// The certificate is not valid yet or any more.
    TlsExpired = "tls_expired", Tls,
        "The server's certificate has expired.",
        "The server's operator must renew it; check this machine's clock, too.";
    /// Any other failure of the handshake.
    TlsFailed = "tls_failed", Tls,
        "No encrypted connection could be made.",
        "Check that the port speaks TLS, and which versions.";
    /// The client id or the secret is wrong.
    TokenInvalidClient = "token_invalid_client", Token,
        "The token endpoint does not know the client.",
        "Set client id and secret again; try client_auth `basic_raw` or `post` for servers that want it so.";
    /// The scope is unknown or not allowed.
    TokenInvalidScope = "token_invalid_scope", Token,
        "The token endpoint refused the scope.",
        "Ask for scopes that the client has there.";
    /// The endpoint has no client credentials grant.
    TokenUnsupportedGrant = "token_unsupported_grant", Token,
        "The token endpoint does not offer this way of signing in.",
        "The server must allow the client credentials grant.";
    /// The client may not use the grant.
    TokenUnauthorizedClient = "token_unauthorized_client", Token,
        "The client may not get a token this way.",
        "The server must allow the client credentials grant for this client.";
    /// The answer is no JSON object, or has no usable token.
    TokenNotJson = "token_not_json", Token,
        "The token endpoint gave no token.",
        "Check the token path: the answer must be a JSON object with access_token.";
    /// The endpoint answered with a redirect.
    TokenRedirected = "token_redirected", Token,
        "The token endpoint pointed elsewhere.",
        "Secrets do not follow redirects; name the endpoint's own URL.";
    /// The token is not a bearer token.
    TokenTypeUnsupported = "token_type_unsupported", Token,
        "The token endpoint gave a token of another type.",
        "Only bearer tokens are used.";
    /// The endpoint's answer is too large.
    TokenTooLarge = "token_too_large", Token,
        "The token endpoint's answer is too large.",
        "Check the token path.";
    /// The endpoint did not answer in time.
    TokenTimeout = "token_timeout", Token,
        "The token endpoint did not answer in time.",
        "Check the token server.";
    /// The API does not accept the credential.
    ApiUnauthorized = "api_unauthorized", Api,
        "The API did not accept the credential.",
        "Compare audience, scope, role or privilege, and the schema that issued the token.";
    /// The API accepts the credential and forbids this.
    ApiForbidden = "api_forbidden", Api,
        "The API forbids this.",
        "The credential needs another scope, role or privilege there.";
    /// There is no such path.
    ApiNotFound = "api_not_found", Api,
        "The API has nothing at this address.",
        "Check path and parameters; an `on` rule can treat 404 as no rows.";
    /// Too many requests.
    ApiRateLimited = "api_rate_limited", Api,
        "The API asks for fewer requests.",
        "Cache rows for longer, or synchronize them.";
    /// The API answered with a redirect that is not followed.
    ApiRedirected = "api_redirected", Api,
        "The API pointed elsewhere.",
        "Redirects are followed within the origin only; name the final URL.";
    /// No complete answer in time.
    ApiTimeout = "api_timeout", Api,
        "The API did not answer in time.",
        "Ask for smaller pages, or raise timeout.total.";
    /// The connection ended within the answer.
    ApiAborted = "api_aborted", Api,
        "The API's answer was cut off.",
        "Try again; the server or something on the way closed the connection.";
    /// An answer is larger than the source's limit.
    ApiTooLarge = "api_too_large", Api,
        "The API's answer is too large.",
        "Ask for smaller pages, or raise limits.max_bytes.";
    /// The body is no JSON.
    ApiNotJson = "api_not_json", Api,
        "The API's answer is not JSON.",
        "Check the path; a page for people answers some wrong addresses.";
    /// The same page, cursor or URL came twice.
    PageLoop = "page_loop", Pagination,
        "The API's pages go in a circle.",
        "Check the paginator: the server may ignore its parameters.";
    /// The next page is on another server.
    PageCrossOrigin = "page_cross_origin", Pagination,
        "The API's next page is on another server.",
        "Next pages must stay within the remote server and the credential's valid_for.";
    /// The next page's place in the answer makes no sense.
    PageInvalid = "page_invalid", Pagination,
        "The API's next page cannot be read.",
        "Check the paginator's pointers against an answer.";
    /// A limit was reached before the last page. Goes with rows; no failure of its own.
    RowsTruncated = "rows_truncated", Pagination,
        "Not all rows were fetched.",
        "Filter, or raise the source's limits.";
    /// The answer has nothing at `rows.select`.
    SelectNotFound = "select_not_found", Profile,
        "The API's answer has no rows where they are expected.",
        "Check rows.select; the keys at that level are listed.";
    /// What is at `rows.select` is no list.
    SelectNotArray = "select_not_array", Profile,
        "The API's answer has something else where rows are expected.",
        "Check rows.select, or set rows.single.";
    /// A value does not fit its column, and the source is strict.
    ColumnType = "column_type", Profile,
        "A value of the API does not fit its column.",
        "Change the column's type, or unset rows.strict.";
    /// The SQL over the rows failed.
    QueryFailed = "query_failed", Query,
        "The source's query failed.",
        "Check rows.query against the columns.";
}

/// A failure with what is known about it. `Display` gives what any caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// What went wrong.
    pub code: Code,
    /// The host that was asked, without user, path and query.
    pub host: Option<String>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What was found, for administrators: passed through a [`Redactor`] and then [`quote`] where it is not our own text.
    pub detail: Option<String>,
    /// The id of the request that failed, as the server or we gave it.
    pub request_id: Option<String>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: Option<u64>,
}

impl SourceError {
    /// A failure of which only the code is known.
    pub fn new(code: Code) -> Self {
        Self { code, host: None, status: None, detail: None, request_id: None, elapsed_ms: None }
    }

    /// Adds what was found. The text must not have a secret.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds the host.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }
}

impl From<Code> for SourceError {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.code.text())
    }
}

impl std::error::Error for SourceError {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_begin_with_a_word_of_their_stage() {
        let words: BTreeSet<String> = Code::ALL.iter().map(Code::to_string).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            let word = code.to_string();
            let fits = match code.stage() {
                Stage::Tls => word.starts_with("tls_"),
                Stage::Token => word.starts_with("token_"),
                Stage::Api => word.starts_with("api_"),
                Stage::Parameters => word.starts_with("parameter_"),
                _ => !["tls_", "token_", "api_", "parameter_"].iter().any(|start| word.starts_with(start)),
            };
            assert!(fits, "{word}");
            assert!(code.text().ends_with('.') && code.hint().ends_with('.'), "{word}");
        }
        assert_eq!(Code::ApiHttp(500).to_string(), "api_http_500");
        assert_eq!(Code::TokenHttp(401).to_string(), "token_http_401");
    }

    #[test]
    fn callers_see_neither_detail_nor_host() {
        let error =
            SourceError::new(Code::ApiForbidden).with_status(403).with_host("hr").with_detail("inner");
        assert_eq!(error.to_string(), "api_forbidden: The API forbids this.");
    }
}
