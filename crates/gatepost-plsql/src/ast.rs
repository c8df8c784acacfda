//! A block as it is written: the parser's result, the compiler's input.

use std::ops::Range;

use crate::diagnostic::Position;
use crate::value::Value;

/// An identifier as it was written, folded to lower case unless quoted.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) position: Position,
}

/// `[DECLARE …] BEGIN … [EXCEPTION …] END`.
#[derive(Clone, Debug)]
pub(crate) struct BlockNode {
    pub(crate) declarations: Vec<Declaration>,
    pub(crate) body: Vec<Statement>,
    pub(crate) handlers: Vec<Handler>,
}

#[derive(Clone, Debug)]
pub(crate) enum Declaration {
    Variable(Variable),
    Exception(Name),
    /// `PRAGMA EXCEPTION_INIT(name, code)`.
    ExceptionCode {
        name: Name,
        code: i32,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: Name,
    pub(crate) constant: bool,
    pub(crate) not_null: bool,
    pub(crate) kind: VariableKind,
    pub(crate) initial: Option<Expression>,
}

/// What a declared type makes of the values stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VariableKind {
    /// A text of at most so many characters.
    Text(Option<usize>),
    Number,
    Integer,
    Boolean,
    Array,
    /// A row of a query loop.
    Row,
    /// Any value: records, dates, `%TYPE`.
    Untyped,
}

/// `WHEN a OR b THEN …`; no names stand for `OTHERS`.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) names: Vec<Name>,
    pub(crate) body: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) position: Position,
    pub(crate) kind: StatementKind,
}

#[derive(Clone, Debug)]
pub(crate) enum StatementKind {
    Null,
    Commit,
    Rollback,
    Return,
    Raise(Option<Name>),
    Assign { target: Path, value: Expression },
    Call(Path),
    If { branches: Vec<(Expression, Vec<Statement>)>, otherwise: Vec<Statement> },
    Case(CaseStatement),
    Loop { label: Option<String>, kind: LoopKind, body: Vec<Statement> },
    Leave(Leave),
    Block(BlockNode),
    SelectInto { sql: Sql, targets: Vec<Path> },
    Execute(Sql),
}

#[derive(Clone, Debug)]
pub(crate) struct CaseStatement {
    pub(crate) selector: Option<Expression>,
    pub(crate) branches: Vec<(Expression, Vec<Statement>)>,
    pub(crate) otherwise: Option<Vec<Statement>>,
}

#[derive(Clone, Debug)]
pub(crate) enum LoopKind {
    Plain,
    While(Expression),
    Range { name: Name, reverse: bool, low: Expression, high: Expression },
    Query { name: Name, sql: Sql },
}

/// `EXIT` or `CONTINUE`.
#[derive(Clone, Debug)]
pub(crate) struct Leave {
    pub(crate) again: bool,
    pub(crate) label: Option<Name>,
    pub(crate) condition: Option<Expression>,
}

/// A SQL statement in a block: runs of tokens of the block.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    pub(crate) runs: Vec<Range<usize>>,
}

/// `a.b(1).c`: a variable, a part of one, or a call; the compiler tells them apart.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(crate) parts: Vec<PathPart>,
}

#[derive(Clone, Debug)]
pub(crate) struct PathPart {
    pub(crate) name: Name,
    pub(crate) arguments: Option<Vec<ArgumentNode>>,
}

#[derive(Clone, Debug)]
pub(crate) struct ArgumentNode {
    pub(crate) name: Option<String>,
    pub(crate) position: Position,
    pub(crate) value: Expression,
}

#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) position: Position,
    pub(crate) kind: ExpressionKind,
}

#[derive(Clone, Debug)]
pub(crate) enum ExpressionKind {
    Literal(Value),
    Path(Path),
    Negate(Box<Expression>),
    Not(Box<Expression>),
    /// An operand and what is done to it, from left to right. Long concatenations stay flat this way.
    Chain(Box<Expression>, Vec<Link>),
    Case {
        selector: Option<Box<Expression>>,
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    /// `SQL%ROWCOUNT`, `SQL%FOUND`, `SQL%NOTFOUND`.
    Affected(AffectedKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AffectedKind {
    Count,
    Found,
    NotFound,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) position: Position,
    pub(crate) kind: LinkKind,
}

#[derive(Clone, Debug)]
pub(crate) enum LinkKind {
    Binary(BinaryOperator, Expression),
    IsNull { negated: bool },
    In { negated: bool, list: Vec<Expression> },
    Like { negated: bool, pattern: Expression, escape: Option<Expression> },
    Between { negated: bool, low: Expression, high: Expression },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Concatenate,
    Add,
    Subtract,
    Multiply,
    Divide,
}
