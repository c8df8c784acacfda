//! The PL/SQL subset of definition scripts.
//!
//! A script goes through three stages: [`split`] cuts it into statements, [`parse_block`] turns one
//! block into a [`Block`], and a [`Machine`] runs it. The machine does no input or output and knows no
//! package: whatever it needs from outside it yields as a [`Step`], and goes on with the driver's
//! [`Answer`].
//!
//! ```
//! use gatepost_plsql::{Answer, Environment, Machine, Step, parse_block, split};
//!
//! let script = "begin ords.create_role('shop.reader'); end;\n/\n";
//! for statement in split(script)? {
//!     let block = parse_block(&statement.text, statement.position)?;
//!     let mut machine = Machine::new(block, Environment::new("HR"));
//!     loop {
//!         match machine.step()? {
//!             Step::Done => break,
//!             Step::Call(call) => {
//!                 assert_eq!(call.name, "create_role");
//!                 machine.resume(Answer::Done);
//!             }
//!             _ => machine.resume(Answer::Done),
//!         }
//!     }
//! }
//! # Ok::<(), gatepost_plsql::Diagnostic>(())
//! ```

mod ast;
mod calls;
mod compiler;
mod decimal;
mod diagnostic;
mod lexer;
mod machine;
mod nearest;
mod parser;
mod program;
mod script;
mod token;
mod value;

pub use calls::{WrittenArgument, WrittenCall, WrittenCalls, WrittenValue};
pub use diagnostic::{Diagnostic, Position};
pub use machine::{
    Answer, Argument, BUILTINS, Call, Environment, Machine, Raised, RowsWanted, STEPS_MAX, Step,
};
pub use nearest::nearest;
pub use parser::DEPTH_MAX;
pub use program::{Block, CallSite};
pub use script::{Statement, StatementKind, split};
pub use value::Value;

/// Parses one block, checks its names and makes it ready to run.
///
/// `text` is a block as [`split`] returns it: `[DECLARE …] BEGIN … END;`, or the one-liner
/// `EXEC call`. `at` is the place of its first character in the script, so that diagnostics carry
/// positions of the script.
///
/// Fails with the first mistake, or with the first construct that definition blocks do not support.
/// Nothing has run by then.
pub fn parse_block(text: &str, at: Position) -> Result<Block, Diagnostic> {
    let tokens = parser::without_continuations(lexer::tokenize(text, at)?);
    let node = parser::parse(&tokens, at)?;
    compiler::compile(&node, &tokens, text)
}
