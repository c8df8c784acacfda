//! Resource indicators (RFC 8707): what a token is for. A schema is one resource, and so is each of its modules:
//! the schema's identifier, a slash, and the module's base path.

use crate::client::Id;
use crate::error::{OauthError, OauthErrorCode};

/// The audience of a token for the schema's default resource.
pub const DEFAULT_AUDIENCE: u64 = 0;

/// Finds the audience for the values of `resource` (RES-01): [`DEFAULT_AUDIENCE`] for none and for the default
/// resource itself, else the id of the module that `module_by_base_path` knows (without slashes at its ends).
/// Malformed, unknown, or more than one resource: `invalid_target`.
///
/// One final slash more or less makes no difference; everything else counts as it is written.
pub fn audience(
    requested: &[String],
    default_resource: &str,
    module_by_base_path: &dyn Fn(&str) -> Option<Id>,
) -> Result<u64, OauthError> {
    let mut found = None;
    for resource in requested {
        let one = find(resource, default_resource, module_by_base_path).ok_or_else(|| {
            let description = "resource is not one that this server issues tokens for.";
            OauthError::new(OauthErrorCode::InvalidTarget, description)
        })?;
        if found.is_some_and(|other| other != one) {
            let description = "A token is for one resource; ask for one token each.";
            return Err(OauthError::new(OauthErrorCode::InvalidTarget, description));
        }
        found = Some(one);
    }
    Ok(found.unwrap_or(DEFAULT_AUDIENCE))
}

/// Whether a text is an absolute URI without a fragment (RFC 3986 section 4.3): a scheme, a colon, and at least one
/// of the characters that URIs are made of.
pub fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let good_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let of_uris = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&byte);
    good_scheme && !rest.is_empty() && rest.bytes().all(of_uris)
}

fn find(
    resource: &str,
    default_resource: &str,
    module_by_base_path: &dyn Fn(&str) -> Option<Id>,
) -> Option<u64> {
    is_absolute_uri(resource).then_some(())?;
    let resource = resource.strip_suffix('/').unwrap_or(resource);
    let default_resource = default_resource.strip_suffix('/').unwrap_or(default_resource);
    match resource.strip_prefix(default_resource)? {
        "" => Some(DEFAULT_AUDIENCE),
        below => module_by_base_path(below.strip_prefix('/').filter(|base_path| !base_path.is_empty())?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = "https://api.example/ords/hr";

    fn audience_of(requested: &[&str]) -> Result<u64, OauthErrorCode> {
        let requested: Vec<String> = requested.iter().map(ToString::to_string).collect();
        let modules = |base_path: &str| match base_path {
            "emp" => Some(10_100),
            "v1/dept" => Some(10_200),
            _ => None,
        };
        audience(&requested, DEFAULT, &modules).map_err(|error| error.code())
    }

    #[test]
    fn res_01_malformed_or_unknown_resource_is_invalid_target() {
        let bad = [
            "",
            "emp",
            "/ords/hr",
            "https:",
            ":x",
            "1a:x",
            "https://api.example/ords/hr#x",
            "https://api.example/ords/hr/#",
            "https://api.example/ords/hr/ emp",
            "https://api.example/ords/hr/\u{e9}",
            "https://api.example/ords/h",
            "https://api.example/ords/hr2",
            "https://api.example/ords/hr//",
            "https://api.example/ords/hr//emp",
            "https://api.example/ords/hr/emp//",
            "https://api.example/ords/hr?x",
            "https://api.example/ords/hr/EMP",
            "https://api.example/ords/hr/other",
            "http://api.example/ords/hr",
            "https://evil.example/ords/hr",
            "https://api.example/ords/sales/emp",
        ];
        for resource in bad {
            assert_eq!(audience_of(&[resource]), Err(OauthErrorCode::InvalidTarget), "{resource}");
            assert_eq!(audience_of(&[DEFAULT, resource]), Err(OauthErrorCode::InvalidTarget), "{resource}");
        }
    }

    #[test]
    fn res_01_two_different_resources_are_invalid_target() {
        let emp = "https://api.example/ords/hr/emp";
        assert_eq!(audience_of(&[DEFAULT, emp]), Err(OauthErrorCode::InvalidTarget));
        assert_eq!(audience_of(&[emp, emp, "https://api.example/ords/hr/emp/"]), Ok(10_100));
    }

    #[test]
    fn res_01_absent_resource_is_the_default() {
        assert_eq!(audience_of(&[]), Ok(DEFAULT_AUDIENCE));
        assert_eq!(audience_of(&[DEFAULT]), Ok(DEFAULT_AUDIENCE));
        assert_eq!(audience_of(&["https://api.example/ords/hr/"]), Ok(DEFAULT_AUDIENCE));
        assert_eq!(audience_of(&["https://api.example/ords/hr/v1/dept/"]), Ok(10_200));
    }

    #[test]
    fn uri_with_any_scheme_is_absolute() {
        assert!(is_absolute_uri("urn:example:payroll"));
        assert!(is_absolute_uri("https://[::1]:8080/a?b=c%20d"));
    }
}
