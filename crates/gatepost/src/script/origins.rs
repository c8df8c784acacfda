//! Lists of origins that browsers may call from (RFC 6454; Fetch Standard, "CORS protocol").

use super::refusal::Refusal;

/// Reads a comma-separated list. Empty text: none.
pub(super) fn parse(text: &str) -> Result<Vec<String>, Refusal> {
    let mut origins = Vec::new();
    for origin in text.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
        check(origin)?;
        let origin = origin.to_ascii_lowercase();
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    Ok(origins)
}

fn check(origin: &str) -> Result<(), Refusal> {
    if origin == "*" {
        return Ok(());
    }
    let lower = origin.to_ascii_lowercase();
    let authority = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    match authority {
        Some(authority) if !authority.is_empty() && authority.chars().all(plain) => Ok(()),
        _ => {
            let rule = format!("`{origin}` is not an origin: scheme, host and port, as https://app.example");
            Err(Refusal::invalid("p_origins_allowed", rule))
        }
    }
}
