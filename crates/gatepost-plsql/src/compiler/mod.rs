//! Syntax tree to instructions. Names are resolved here, so that a misspelt variable is found before
//! anything runs.

mod call;
mod expression;
mod query;
mod scope;
mod statement;

use crate::ast::{BlockNode, Declaration, Handler, Name, Variable, VariableKind};
use crate::diagnostic::{Diagnostic, Position};
use crate::nearest::nearest;
use crate::program::{Block, Catch, Caught, Instruction, Operation, Slot};
use crate::token::Token;
use crate::value::Value;

use scope::{Binding, Scope};

/// Compiles a parsed block. `tokens` and `text` are what it was parsed from; SQL is copied from there.
pub(crate) fn compile(node: &BlockNode, tokens: &[Token], text: &str) -> Result<Block, Diagnostic> {
    let mut compiler = Compiler {
        tokens,
        text,
        block: Block {
            instructions: Vec::new(),
            slots: Vec::new(),
            catches: Vec::new(),
            cursors: 0,
            sections: 0,
        },
        scope: Scope::default(),
        exceptions: 0,
        section: None,
        loops: Vec::new(),
        returns: Vec::new(),
    };
    compiler.block(node)?;
    let end = compiler.emit(Operation::End, Position::default());
    for index in std::mem::take(&mut compiler.returns) {
        compiler.patch(index, end);
    }
    Ok(compiler.block)
}

struct Compiler<'a> {
    tokens: &'a [Token],
    text: &'a str,
    block: Block,
    scope: Scope,
    /// How many exceptions have been declared.
    exceptions: usize,
    /// The exception section whose handler is being compiled.
    section: Option<usize>,
    /// Loops around the place, the innermost last.
    loops: Vec<OpenLoop>,
    /// Jumps that leave the whole block.
    returns: Vec<usize>,
}

/// A loop that is being compiled.
struct OpenLoop {
    label: Option<String>,
    /// Jumps to behind the loop.
    exits: Vec<usize>,
    /// Jumps to its next round.
    continues: Vec<usize>,
}

impl Compiler<'_> {
    fn emit(&mut self, operation: Operation, position: Position) -> usize {
        self.block.instructions.push(Instruction { operation, position });
        self.block.instructions.len() - 1
    }

    /// The index of the next instruction.
    fn next(&self) -> usize {
        self.block.instructions.len()
    }

    /// Sets where a jump goes to.
    fn patch(&mut self, index: usize, to: usize) {
        let Some(instruction) = self.block.instructions.get_mut(index) else { return };
        if let Operation::Jump(target)
        | Operation::JumpUnlessTrue(target)
        | Operation::JumpIfFalse(target)
        | Operation::JumpIfTrue(target)
        | Operation::JumpIfPassed { target, .. }
        | Operation::Fetch { target, .. }
        | Operation::JumpUnlessCaught { target, .. } = &mut instruction.operation
        {
            *target = to;
        }
    }

    fn patch_here(&mut self, index: usize) {
        self.patch(index, self.next());
    }

    fn new_slot(&mut self, name: &str, kind: VariableKind, not_null: bool) -> usize {
        self.block.slots.push(Slot { name: name.to_owned(), kind, not_null });
        self.block.slots.len() - 1
    }

    fn block(&mut self, node: &BlockNode) -> Result<(), Diagnostic> {
        self.scope.open();
        for declaration in &node.declarations {
            self.declaration(declaration)?;
        }
        let start = self.next();
        self.statements(&node.body)?;
        if !node.handlers.is_empty() {
            self.handlers(start, &node.handlers)?;
        }
        self.scope.close();
        Ok(())
    }

    fn declaration(&mut self, declaration: &Declaration) -> Result<(), Diagnostic> {
        match declaration {
            Declaration::Variable(variable) => self.variable(variable),
            Declaration::Exception(name) => {
                let binding = Binding::Exception { id: self.exceptions, code: None };
                self.exceptions += 1;
                self.scope.declare(name, binding)
            }
            Declaration::ExceptionCode { name, code } => {
                if self.scope.set_code(&name.text, *code) {
                    return Ok(());
                }
                Err(self.unknown("exception", name))
            }
        }
    }

    fn variable(&mut self, variable: &Variable) -> Result<(), Diagnostic> {
        let Variable { name, constant, not_null, kind, initial } = variable;
        let slot = self.new_slot(&name.text, *kind, *not_null);
        match initial {
            Some(initial) => {
                self.expression(initial)?;
                self.emit(Operation::Store(slot), initial.position);
            }
            None => {
                self.emit(Operation::Clear(slot), name.position);
            }
        }
        self.scope.declare(name, Binding::Variable { slot, constant: *constant })
    }

    /// The exception section behind the instructions from `start` on.
    fn handlers(&mut self, start: usize, handlers: &[Handler]) -> Result<(), Diagnostic> {
        let end = self.next();
        let mut leaves = vec![self.emit(Operation::Jump(0), Position::default())];
        let section = self.block.sections;
        self.block.sections += 1;
        let outer = self.section.replace(section);
        self.block.catches.push(Catch { start, end, handler: self.next(), section });
        for handler in handlers {
            let names = handler.names.iter().map(|name| self.caught(name)).collect::<Result<Vec<_>, _>>()?;
            let names = if names.is_empty() { vec![Caught::Others] } else { names };
            let position = handler.body.first().map_or(Position::default(), |first| first.position);
            let test = self.emit(Operation::JumpUnlessCaught { section, names, target: 0 }, position);
            self.statements(&handler.body)?;
            leaves.push(self.emit(Operation::Jump(0), position));
            self.patch_here(test);
        }
        self.emit(Operation::RaiseAgain(section), Position::default());
        for leave in leaves {
            self.patch_here(leave);
        }
        self.section = outer;
        Ok(())
    }

    /// The exception a name stands for.
    fn caught(&self, name: &Name) -> Result<Caught, Diagnostic> {
        if let Some(Binding::Exception { id, code }) = self.scope.find(&name.text) {
            return Ok(code.map_or(Caught::Declared(id), Caught::Code));
        }
        match PREDEFINED.iter().find(|(own, _)| *own == name.text) {
            Some((_, code)) => Ok(Caught::Code(*code)),
            None => Err(self.unknown("exception", name)),
        }
    }

    /// A name that nothing has; the suggestion comes from what has one.
    fn unknown(&self, what: &str, name: &Name) -> Diagnostic {
        let near = if what == "exception" {
            let predefined = PREDEFINED.iter().map(|(name, _)| *name);
            nearest(&name.text, self.scope.exceptions().chain(predefined).chain(["others"]))
        } else {
            nearest(&name.text, self.scope.variables())
        };
        Diagnostic::new(format!("unknown {what} `{}`", name.text), name.position).suggesting(near)
    }

    fn push(&mut self, value: impl Into<Value>, position: Position) {
        self.emit(Operation::Push(value.into()), position);
    }
}

/// The exceptions that PL/SQL has names for.
const PREDEFINED: [(&str, i32); 19] = [
    ("access_into_null", -6530),
    ("case_not_found", -6592),
    ("collection_is_null", -6531),
    ("cursor_already_open", -6511),
    ("dup_val_on_index", -1),
    ("invalid_cursor", -1001),
    ("invalid_number", -1722),
    ("login_denied", -1017),
    ("no_data_found", 100),
    ("not_logged_on", -1012),
    ("program_error", -6501),
    ("rowtype_mismatch", -6504),
    ("storage_error", -6500),
    ("subscript_beyond_count", -6533),
    ("subscript_outside_limit", -6532),
    ("timeout_on_resource", -51),
    ("too_many_rows", -1422),
    ("value_error", -6502),
    ("zero_divide", -1476),
];
