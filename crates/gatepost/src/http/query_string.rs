//! The query string, decoded strictly.

use std::borrow::Cow;

use crate::error::{Code, Failure};

/// Parameters that a query string may have.
const QUERY_PAIRS_MAX: usize = 200;

/// Names and values, in order.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Decodes a query string: `+` is a space, `%XX` a byte, UTF-8 throughout.
pub(super) fn pairs(query: Option<&str>) -> Result<Pairs<'_>, Failure> {
    let Some(query) = query else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == QUERY_PAIRS_MAX {
            return Err(Failure::new(Code::BadParameter, format!("More than {QUERY_PAIRS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<Cow<'_, str>, Failure> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let bad = || Failure::new(Code::BadParameter, "The query string has a bad escape or is not UTF-8");
    let mut escapes = text.split('%').skip(1).map(str::as_bytes);
    if !escapes.all(|escape| escape.len() >= 2 && escape[..2].iter().all(u8::is_ascii_hexdigit)) {
        return Err(bad());
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().map_err(|_| bad())?;
    Ok(Cow::Owned(decoded.into_owned()))
}
