//! Exceptions on their way to a handler.

use crate::diagnostic::{Diagnostic, Position};
use crate::program::Caught;

use super::{Machine, Raised};

/// An exception, and which declaration it belongs to if it has no code of its own.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub(super) raised: Raised,
    pub(super) declared: Option<usize>,
}

/// Why the machine does not go on.
#[derive(Debug)]
pub(super) enum Failure {
    Raised(Box<Exception>),
    /// A mistake or a limit: no handler sees it.
    Fatal(Box<Diagnostic>),
}

impl Failure {
    pub(super) fn raise(code: i32, message: impl Into<String>) -> Self {
        Raised::new(code, message).into()
    }

    pub(super) fn fatal(message: impl Into<String>, position: Position) -> Self {
        Self::Fatal(Box::new(Diagnostic::new(message, position)))
    }

    /// ORA-06502.
    pub(super) fn value_error(message: impl Into<String>) -> Self {
        Self::raise(-6502, message)
    }
}

impl From<Raised> for Failure {
    fn from(raised: Raised) -> Self {
        Self::Raised(Box::new(Exception { raised, declared: None }))
    }
}

impl Exception {
    /// The value of `SQLERRM`.
    pub(super) fn full_message(&self) -> String {
        let Raised { code, message, .. } = &self.raised;
        if message.starts_with("ORA-") {
            return message.clone();
        }
        match code {
            100 => format!("ORA-01403: {message}"),
            1 => message.clone(),
            code => format!("ORA-{:05}: {message}", code.unsigned_abs()),
        }
    }

    fn is(&self, caught: &Caught) -> bool {
        match caught {
            Caught::Others => true,
            // Drivers may use either code of NO_DATA_FOUND.
            Caught::Code(100) => matches!(self.raised.code, 100 | -1403),
            Caught::Code(code) => self.declared.is_none() && self.raised.code == *code,
            Caught::Declared(id) => self.declared == Some(*id),
        }
    }

    fn into_diagnostic(self) -> Diagnostic {
        let Raised { code, message, suggestion, position } = self.raised;
        let mut problem = Diagnostic::new(message, position.unwrap_or_default());
        problem.suggestion = suggestion;
        problem.code = Some(code);
        problem
    }
}

impl Machine {
    /// Goes on with the innermost exception section around the instruction that failed.
    pub(super) fn catch(&mut self, mut exception: Exception) -> Result<(), Diagnostic> {
        let at = self.cursor.saturating_sub(1);
        exception.raised.position.get_or_insert(self.position());
        let is_mistake = exception.raised.code == Raised::MISTAKE;
        let catch = self.block.catches.iter().find(|catch| (catch.start..catch.end).contains(&at));
        match catch {
            Some(catch) if !is_mistake => {
                self.stack.clear();
                self.cursor = catch.handler;
                self.handled[catch.section] = Some(exception);
                Ok(())
            }
            _ => Err(exception.into_diagnostic()),
        }
    }

    pub(super) fn handles(&self, section: usize, names: &[Caught]) -> bool {
        let exception = self.handled.get(section).and_then(Option::as_ref);
        exception.is_some_and(|exception| names.iter().any(|caught| exception.is(caught)))
    }
}
