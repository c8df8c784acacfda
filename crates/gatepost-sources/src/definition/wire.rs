//! Names on the wire: headers and query parameters that a definition may or may not set.

use super::{Checked, DefinitionError};

/// Headers that belong to the client, the connection or the credential.
const FORBIDDEN_HEADERS: [&str; 25] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "gatepost-hop",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// Names whose values are secrets wherever they are seen; a source may not hold them as literals.
const SECRET_NAMES: [&str; 19] = [
    "access_token",
    "accesstoken",
    "api_key",
    "apikey",
    "auth_token",
    "client_secret",
    "credential",
    "key",
    "password",
    "passwd",
    "private_token",
    "pwd",
    "refresh_token",
    "secret",
    "sig",
    "signature",
    "subscription_key",
    "token",
    "x_api_key",
];

/// Checks that a text is a header's name (RFC 9110 section 5.1).
pub fn check_header_name(key: &str, name: &str) -> Checked {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(is_part) {
        return Err(DefinitionError::new(key, "a header name has letters, digits and - only"));
    }
    Ok(())
}

/// Checks that a definition may set this header.
pub fn check_settable_header(key: &str, name: &str) -> Checked {
    check_header_name(key, name)?;
    if FORBIDDEN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        let rule = format!("header `{name}` is not for definitions: the client or a credential sets it");
        return Err(DefinitionError::new(key, rule));
    }
    Ok(())
}

/// Checks the header that a credential puts its secret into. `Authorization` is one that it may use.
pub fn check_secret_header(key: &str, name: &str) -> Checked {
    if name.eq_ignore_ascii_case("authorization") { Ok(()) } else { check_settable_header(key, name) }
}

/// Checks the name of a query or body parameter.
pub fn check_parameter_name(key: &str, name: &str) -> Checked {
    if name.is_empty() || name.len() > 128 || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(DefinitionError::new(key, "a parameter name has 1 to 128 characters without spaces"));
    }
    Ok(())
}

/// Whether a parameter or header of this name carries a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain = name.to_ascii_lowercase().replace(['-', '.'], "_");
    let tails = ["_api_key", "_apikey", "_token", "_secret", "_password", "_subscription_key", "_auth_key"];
    SECRET_NAMES.contains(&plain.as_str())
        || FORBIDDEN_SECRET_HEADERS.contains(&plain.as_str())
        || tails.iter().any(|tail| plain.ends_with(tail))
}

const FORBIDDEN_SECRET_HEADERS: [&str; 3] = ["authorization", "proxy_authorization", "cookie"];

/// Whether a literal looks like a secret of some kind, whatever its name is.
pub fn looks_like_secret(text: &str) -> bool {
    let lower = text.trim_start().to_ascii_lowercase();
    let starts = [
        "bearer ",
        "basic ",
        "gp_cs_",
        "gp_at_",
        "gp_rt_",
        "ghp_",
        "github_pat_",
        "xoxb-",
        "sk-",
        "eyj",
        "-----begin",
    ];
    starts.iter().any(|start| lower.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_and_the_credential_cannot_be_set() {
        for name in [
            "Host",
            "AUTHORIZATION",
            "Cookie",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "Gatepost-Hop",
        ] {
            assert!(check_settable_header("send", name).is_err(), "{name}");
        }
        for name in ["", "a b", "a:b", "a\r\nb", "\u{e9}"] {
            assert!(check_settable_header("send", name).is_err(), "{name}");
        }
        assert!(check_settable_header("send", "X-Tenant").is_ok());
        assert!(check_secret_header("header", "Authorization").is_ok());
        assert!(check_secret_header("header", "Cookie").is_err());
    }

    #[test]
    fn names_and_texts_of_secrets_are_known() {
        for name in [
            "Authorization",
            "X-API-Key",
            "api_key",
            "ApiKey",
            "access-token",
            "Ocp-Apim-Subscription-Key",
            "gh_token",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["dept", "q", "page_token_size", "keyword", "X-Tenant"] {
            assert!(!is_secret_name(name), "{name}");
        }
        for text in ["Bearer abc", "basic YTpi", "gp_cs_x", "eyJhbGciOi", "-----BEGIN PRIVATE KEY-----"] {
            assert!(looks_like_secret(text), "{text}");
        }
        assert!(!looks_like_secret("application/json"));
    }
}
