//! Runs a block and stops whenever it needs its driver.

mod builtin;
mod collection;
mod evaluate;
mod exception;
mod exchange;
mod like;
mod run;

use crate::diagnostic::{Diagnostic, Position};
use crate::program::Block;
use crate::value::Value;

pub use builtin::BUILTINS;
pub(crate) use builtin::builtin_arguments;
pub use exchange::{Answer, Argument, Call, Environment, Raised, RowsWanted, Step};

use exception::{Exception, Failure};

/// How much a block may do: each instruction counts one, and each 16 bytes of a value that it copies one.
pub const STEPS_MAX: u64 = 4_000_000;

/// Runs one block, step by step.
///
/// [`step`](Self::step) runs until the driver is needed; the driver does what the [`Step`] asks for, hands
/// the result to [`resume`](Self::resume) and steps again, until [`Step::Done`] or a diagnostic.
#[derive(Debug)]
pub struct Machine {
    block: Block,
    environment: Environment,
    /// The next instruction.
    cursor: usize,
    stack: Vec<Value>,
    slots: Vec<Value>,
    /// Rows of query loops that have not been used.
    rows: Vec<std::vec::IntoIter<Value>>,
    /// What each exception section handles.
    handled: Vec<Option<Exception>>,
    /// What the driver has been asked for.
    pending: Option<Pending>,
    answer: Option<Answer>,
    /// Output that waits for the end of its line.
    line: String,
    /// Rows that the last statement changed.
    affected: Option<u64>,
    work: u64,
}

/// What the answer to the last step is for.
#[derive(Clone, Debug)]
enum Pending {
    /// A call; its value is pushed if it is wanted.
    Call { wants_value: bool },
    /// A row with so many columns.
    Row { columns: usize },
    /// Rows for a loop.
    Rows { cursor: usize, columns: Option<Vec<String>> },
    /// A changed number of rows.
    Affected,
    /// Nothing; the driver may step on without an answer.
    Nothing,
}

impl Machine {
    /// A machine at the beginning of a block.
    pub fn new(block: Block, environment: Environment) -> Self {
        Self {
            cursor: 0,
            stack: Vec::new(),
            slots: vec![Value::Null; block.slots.len()],
            rows: (0..block.cursors).map(|_| Vec::new().into_iter()).collect(),
            handled: vec![None; block.sections],
            pending: None,
            answer: None,
            line: String::new(),
            affected: None,
            work: 0,
            block,
            environment,
        }
    }

    /// Runs until the driver is needed.
    ///
    /// Fails with an exception that no handler catches, or when the block does more than [`STEPS_MAX`]
    /// allows; the machine must not be stepped again then.
    pub fn step(&mut self) -> Result<Step, Diagnostic> {
        let mut failure = self.take_answer().err();
        loop {
            let outcome = match failure.take() {
                Some(failure) => Err(failure),
                None => self.run(),
            };
            match outcome {
                Ok(step) => return Ok(step),
                Err(Failure::Fatal(problem)) => return Err(*problem),
                Err(Failure::Raised(exception)) => self.catch(*exception)?,
            }
        }
    }

    /// Takes the driver's answer to the last step.
    pub fn resume(&mut self, answer: Answer) {
        self.answer = Some(answer);
    }

    /// Runs instructions until one needs the driver. The cursor is behind an instruction that fails.
    fn run(&mut self) -> Result<Step, Failure> {
        loop {
            self.charge(0)?;
            if let Some(step) = self.instruction()? {
                return Ok(step);
            }
        }
    }

    /// The place of the instruction that was fetched last.
    fn position(&self) -> Position {
        let last = self.cursor.saturating_sub(1);
        self.block.instructions.get(last).map_or(Position::default(), |instruction| instruction.position)
    }

    /// Counts work: one instruction, and some bytes.
    fn charge(&mut self, bytes: usize) -> Result<(), Failure> {
        self.work += 1 + bytes as u64 / 16;
        if self.work <= STEPS_MAX {
            return Ok(());
        }
        let message = format!(
            "stopped after {STEPS_MAX} steps: an endless loop, or more than a definition block may do"
        );
        Err(Failure::fatal(message, self.position()))
    }
}
