//! What commands print. A reader that went away, or a full disk behind a redirection, is a failure and no panic.

use std::fmt::{self, Display};
use std::io::{self, Write as _};

/// Standard output could not be written.
#[derive(Debug)]
pub(super) struct Unwritten(io::Error);

impl Unwritten {
    /// Whether the reader just went away, as `head` does: nothing to talk about.
    pub(super) fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standard output: {}", self.0)
    }
}

impl std::error::Error for Unwritten {}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

/// Prints text as it is.
pub(super) fn print(text: impl Display) -> Result<(), Unwritten> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Prints a line.
pub(super) fn say(line: impl Display) -> Result<(), Unwritten> {
    print(format_args!("{line}\n"))
}

/// Prints a line to standard error, where it can.
pub(super) fn tell(line: impl Display) {
    // Where not even this can be written, nobody is left to be told.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Puts a line in place of the one before, on a terminal that is standard error.
pub(super) fn tell_in_place(line: impl Display) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "\r\x1b[K{line}");
    let _ = out.flush();
}
