//! A block ready to run: a flat list of instructions, so that the machine can stop at any of them.

use crate::ast::{AffectedKind, BinaryOperator, VariableKind};
use crate::diagnostic::Position;
use crate::value::Value;

/// A checked block, ready for a [`Machine`](crate::Machine).
#[derive(Clone, Debug)]
pub struct Block {
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) slots: Vec<Slot>,
    /// Inner ones before the ones around them.
    pub(crate) catches: Vec<Catch>,
    /// How many query loops there are.
    pub(crate) cursors: usize,
    /// How many exception sections there are.
    pub(crate) sections: usize,
}

/// A call as it is written, for checks before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite<'a> {
    /// The package in lower case, if one is named.
    pub package: Option<&'a str>,
    /// The subprogram in lower case.
    pub name: &'a str,
    /// For each argument its name in lower case, if it has one, and its place.
    pub arguments: &'a [(Option<String>, Position)],
    /// The place of the call.
    pub position: Position,
    /// Whether a value is wanted: a function rather than a procedure.
    pub wants_value: bool,
}

impl Block {
    /// Every call of a subprogram in the block, arguments before what they are for, whether it will run or not.
    pub fn calls(&self) -> impl Iterator<Item = CallSite<'_>> {
        self.instructions.iter().filter_map(|instruction| match &instruction.operation {
            Operation::Call { package, name, arguments, wants_value } => Some(CallSite {
                package: package.as_deref(),
                name,
                arguments,
                position: instruction.position,
                wants_value: *wants_value,
            }),
            _ => None,
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Instruction {
    pub(crate) operation: Operation,
    pub(crate) position: Position,
}

/// A place for a variable.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) kind: VariableKind,
    pub(crate) not_null: bool,
}

/// Instructions `start..end` and where their exceptions go.
#[derive(Clone, Debug)]
pub(crate) struct Catch {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) handler: usize,
    /// The exception section, which keeps what is being handled.
    pub(crate) section: usize,
}

/// A query or statement with its binds.
#[derive(Clone, Debug)]
pub(crate) struct SqlText {
    pub(crate) sql: String,
    /// Bind names; their values are on the stack.
    pub(crate) binds: Vec<String>,
    /// Names of the columns, where the text shows them.
    pub(crate) columns: Option<Vec<String>>,
}

/// What an exception handler is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caught {
    Others,
    Code(i32),
    Declared(usize),
}

/// What an instruction does. Operands come from a stack, results go onto it.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Push(Value),
    Load(usize),
    /// Takes an index.
    LoadElement(usize),
    /// Takes a record.
    LoadField(String),
    /// Takes a value.
    Store(usize),
    /// Takes an index, then a value.
    StoreElement(usize),
    /// Takes a value.
    StoreField(usize, Vec<String>),
    /// Sets a variable to null, or to an empty array, without a check.
    Clear(usize),
    Collection {
        slot: usize,
        method: CollectionMethod,
        arguments: usize,
    },
    Builtin {
        function: usize,
        arguments: usize,
    },
    Negate,
    Not,
    Binary(BinaryOperator),
    IsNull {
        negated: bool,
    },
    In {
        negated: bool,
        count: usize,
    },
    Like {
        negated: bool,
        escape: bool,
    },
    Between {
        negated: bool,
    },
    Affected(AffectedKind),
    /// The code of the exception that a section handles: `SQLCODE`.
    ErrorCode(Option<usize>),
    /// Its message: `SQLERRM`.
    ErrorMessage(Option<usize>),
    Jump(usize),
    /// Takes a truth value; jumps unless it is true.
    JumpUnlessTrue(usize),
    /// Jumps if the value on top is false, and leaves it there.
    JumpIfFalse(usize),
    /// Jumps if the value on top is true, and leaves it there.
    JumpIfTrue(usize),
    /// Jumps if a counting loop has passed its bound.
    JumpIfPassed {
        counter: usize,
        bound: usize,
        reverse: bool,
        target: usize,
    },
    /// Counts a loop on.
    Count {
        counter: usize,
        reverse: bool,
    },
    Call {
        package: Option<String>,
        name: String,
        arguments: Vec<(Option<String>, Position)>,
        wants_value: bool,
    },
    Constant {
        package: String,
        name: String,
    },
    /// One row, pushed so that its first value is on top.
    QueryOne {
        text: SqlText,
        columns: usize,
    },
    /// Rows for a loop.
    QueryMany {
        text: SqlText,
        cursor: usize,
    },
    /// The next row of a loop, or a jump.
    Fetch {
        cursor: usize,
        slot: usize,
        target: usize,
    },
    Execute(SqlText),
    Commit,
    Rollback,
    /// Takes a text.
    Output {
        line_end: bool,
    },
    Raise(Caught, String),
    /// Takes a message and a code.
    RaiseApplicationError,
    /// Raises what a section handles once more.
    RaiseAgain(usize),
    /// Jumps unless the exception that a section handles is one of these.
    JumpUnlessCaught {
        section: usize,
        names: Vec<Caught>,
        target: usize,
    },
    End,
}

/// What can be done with an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectionMethod {
    Count,
    Delete,
    Exists,
    First,
    Last,
    Next,
    Prior,
}

impl CollectionMethod {
    pub(crate) const NAMES: [&'static str; 7] =
        ["count", "delete", "exists", "first", "last", "next", "prior"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "delete" => Self::Delete,
            "exists" => Self::Exists,
            "first" => Self::First,
            "last" => Self::Last,
            "next" => Self::Next,
            "prior" => Self::Prior,
            _ => return None,
        })
    }

    /// How many arguments it may take.
    pub(crate) fn arguments(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Count | Self::First | Self::Last => 0..=0,
            Self::Delete => 0..=2,
            Self::Exists | Self::Next | Self::Prior => 1..=1,
        }
    }
}
