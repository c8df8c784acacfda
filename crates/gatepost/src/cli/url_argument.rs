//! A URL among the arguments. Everybody on the machine can read those, so one with a password can come from a file.

use std::io::Read as _;

/// No URL is longer.
const BYTES_MAX: u64 = 64 * 1024;

/// Takes `file:FILE` for the URL that the file holds, and all else as it is.
pub(super) fn read(argument: &str) -> Result<String, String> {
    let Some(name) = argument.strip_prefix("file:") else { return Ok(argument.to_owned()) };
    let mut text = String::new();
    std::fs::File::open(name)
        .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| format!("{name}: {error}"))?;
    Ok(text.trim().to_owned())
}
