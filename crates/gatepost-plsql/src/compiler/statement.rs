//! Statements to instructions.

use crate::ast::{BinaryOperator, CaseStatement, Expression, Leave, LoopKind, Name, Path, Sql, Statement};
use crate::ast::{StatementKind, VariableKind};
use crate::diagnostic::{Diagnostic, Position};
use crate::program::{Caught, Operation};

use super::scope::Binding;
use super::{Compiler, OpenLoop};

impl Compiler<'_> {
    pub(super) fn statements(&mut self, statements: &[Statement]) -> Result<(), Diagnostic> {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), Diagnostic> {
        let position = statement.position;
        match &statement.kind {
            StatementKind::Null => {}
            StatementKind::Commit => {
                self.emit(Operation::Commit, position);
            }
            StatementKind::Rollback => {
                self.emit(Operation::Rollback, position);
            }
            StatementKind::Return => {
                let jump = self.emit(Operation::Jump(0), position);
                self.returns.push(jump);
            }
            StatementKind::Raise(name) => self.raise(name.as_ref(), position)?,
            StatementKind::Assign { target, value } => {
                self.expression(value)?;
                self.store(target)?;
            }
            StatementKind::Call(path) => self.call_statement(path)?,
            StatementKind::If { branches, otherwise } => {
                self.branches(branches, None, Some(otherwise), position)?;
            }
            StatementKind::Case(case) => self.case_statement(case, position)?,
            StatementKind::Loop { label, kind, body } => {
                self.loop_statement(label.clone(), kind, body, position)?;
            }
            StatementKind::Leave(leave) => self.leave(leave, position)?,
            StatementKind::Block(block) => self.block(block)?,
            StatementKind::SelectInto { sql, targets } => self.select_into(sql, targets, position)?,
            StatementKind::Execute(sql) => {
                let text = self.sql(sql)?;
                self.emit(Operation::Execute(text), position);
            }
        }
        Ok(())
    }

    fn raise(&mut self, name: Option<&Name>, position: Position) -> Result<(), Diagnostic> {
        let operation = match (name, self.section) {
            (Some(name), _) => Operation::Raise(self.caught(name)?, name.text.clone()),
            (None, Some(section)) => Operation::RaiseAgain(section),
            (None, None) => {
                let message = "`raise` needs the name of an exception outside an exception handler";
                return Err(Diagnostic::new(message, position));
            }
        };
        self.emit(operation, position);
        Ok(())
    }

    /// Stores the value on the stack.
    fn store(&mut self, target: &Path) -> Result<(), Diagnostic> {
        let first = &target.parts[0];
        let Some((slot, constant)) = self.scope.find_variable(&first.name.text) else {
            return Err(self.unknown("variable", &first.name));
        };
        if constant {
            let message =
                format!("`{}` cannot be assigned to: it is a constant or a loop variable", first.name.text);
            return Err(Diagnostic::new(message, first.name.position));
        }
        let fields = &target.parts[1..];
        if let Some(field) =
            fields.iter().find(|field| field.arguments.is_some() || first.arguments.is_some())
        {
            let message = "a part of an array's element is not supported in a definition block";
            return Err(Diagnostic::new(message, field.name.position));
        }
        let operation = if first.arguments.is_some() {
            self.index(slot, first)?;
            Operation::StoreElement(slot)
        } else if fields.is_empty() {
            Operation::Store(slot)
        } else {
            Operation::StoreField(slot, fields.iter().map(|field| field.name.text.clone()).collect())
        };
        self.emit(operation, first.name.position);
        Ok(())
    }

    /// Branches with conditions, or with values that a selector's slot is compared with. Without an
    /// `otherwise`, having no branch raises `CASE_NOT_FOUND`.
    fn branches(
        &mut self,
        branches: &[(Expression, Vec<Statement>)],
        selector: Option<usize>,
        otherwise: Option<&[Statement]>,
        position: Position,
    ) -> Result<(), Diagnostic> {
        let mut leaves = Vec::new();
        for (condition, body) in branches {
            self.branch_condition(condition, selector)?;
            let test = self.emit(Operation::JumpUnlessTrue(0), condition.position);
            self.statements(body)?;
            leaves.push(self.emit(Operation::Jump(0), position));
            self.patch_here(test);
        }
        match otherwise {
            Some(otherwise) => self.statements(otherwise)?,
            None => {
                self.emit(Operation::Raise(Caught::Code(-6592), "case_not_found".to_owned()), position);
            }
        }
        for leave in leaves {
            self.patch_here(leave);
        }
        Ok(())
    }

    pub(super) fn branch_condition(
        &mut self,
        condition: &Expression,
        selector: Option<usize>,
    ) -> Result<(), Diagnostic> {
        if let Some(slot) = selector {
            self.emit(Operation::Load(slot), condition.position);
        }
        self.expression(condition)?;
        if selector.is_some() {
            self.emit(Operation::Binary(BinaryOperator::Equal), condition.position);
        }
        Ok(())
    }

    /// Evaluates the selector of a CASE into a slot of its own.
    pub(super) fn selector(&mut self, selector: Option<&Expression>) -> Result<Option<usize>, Diagnostic> {
        let Some(selector) = selector else { return Ok(None) };
        let slot = self.new_slot("case", VariableKind::Untyped, false);
        self.expression(selector)?;
        self.emit(Operation::Store(slot), selector.position);
        Ok(Some(slot))
    }

    fn case_statement(&mut self, case: &CaseStatement, position: Position) -> Result<(), Diagnostic> {
        let selector = self.selector(case.selector.as_ref())?;
        self.branches(&case.branches, selector, case.otherwise.as_deref(), position)
    }

    fn loop_statement(
        &mut self,
        label: Option<String>,
        kind: &LoopKind,
        body: &[Statement],
        position: Position,
    ) -> Result<(), Diagnostic> {
        self.scope.open();
        let head = self.loop_head(kind, position)?;
        self.loops.push(OpenLoop { label, exits: Vec::new(), continues: Vec::new() });
        self.statements(body)?;
        let again = self.next();
        if let Some((counter, reverse)) = head.counter {
            self.emit(Operation::Count { counter, reverse }, position);
        }
        self.emit(Operation::Jump(head.start), position);
        let end = self.next();
        if let Some(test) = head.test {
            self.patch(test, end);
        }
        if let Some(open) = self.loops.pop() {
            open.exits.into_iter().for_each(|index| self.patch(index, end));
            open.continues.into_iter().for_each(|index| self.patch(index, again));
        }
        self.scope.close();
        Ok(())
    }

    fn loop_head(&mut self, kind: &LoopKind, position: Position) -> Result<LoopHead, Diagnostic> {
        match kind {
            LoopKind::Plain => Ok(LoopHead { start: self.next(), test: None, counter: None }),
            LoopKind::While(condition) => {
                let start = self.next();
                self.expression(condition)?;
                let test = self.emit(Operation::JumpUnlessTrue(0), condition.position);
                Ok(LoopHead { start, test: Some(test), counter: None })
            }
            LoopKind::Range { name, reverse, low, high } => {
                let reverse = *reverse;
                let counter = self.new_slot(&name.text, VariableKind::Integer, true);
                let bound = self.new_slot("bound", VariableKind::Integer, true);
                let slots = if reverse { [bound, counter] } else { [counter, bound] };
                for (expression, slot) in [low, high].into_iter().zip(slots) {
                    self.expression(expression)?;
                    self.emit(Operation::Store(slot), expression.position);
                }
                self.scope.declare(name, Binding::Variable { slot: counter, constant: true })?;
                let operation = Operation::JumpIfPassed { counter, bound, reverse, target: 0 };
                let start = self.emit(operation, position);
                Ok(LoopHead { start, test: Some(start), counter: Some((counter, reverse)) })
            }
            LoopKind::Query { name, sql } => self.query_head(name, sql, position),
        }
    }

    fn query_head(&mut self, name: &Name, sql: &Sql, position: Position) -> Result<LoopHead, Diagnostic> {
        let text = self.sql(sql)?;
        let cursor = self.block.cursors;
        self.block.cursors += 1;
        let at = self.sql_position(sql).unwrap_or(position);
        self.emit(Operation::QueryMany { text, cursor }, at);
        let slot = self.new_slot(&name.text, VariableKind::Row, false);
        self.scope.declare(name, Binding::Variable { slot, constant: true })?;
        let start = self.emit(Operation::Fetch { cursor, slot, target: 0 }, at);
        Ok(LoopHead { start, test: Some(start), counter: None })
    }

    fn leave(&mut self, leave: &Leave, position: Position) -> Result<(), Diagnostic> {
        let index = match &leave.label {
            None => self.loops.len().checked_sub(1),
            Some(label) => self.loops.iter().rposition(|open| open.label.as_ref() == Some(&label.text)),
        };
        let Some(index) = index else {
            let word = if leave.again { "continue" } else { "exit" };
            let message = match &leave.label {
                Some(label) => format!("`{word} {}` is in no loop with that label", label.text),
                None => format!("`{word}` is in no loop"),
            };
            return Err(Diagnostic::new(message, position));
        };
        let skip = match &leave.condition {
            Some(condition) => {
                self.expression(condition)?;
                Some(self.emit(Operation::JumpUnlessTrue(0), condition.position))
            }
            None => None,
        };
        let jump = self.emit(Operation::Jump(0), position);
        let open = &mut self.loops[index];
        if leave.again {
            open.continues.push(jump);
        } else {
            open.exits.push(jump);
        }
        if let Some(skip) = skip {
            self.patch_here(skip);
        }
        Ok(())
    }

    fn select_into(&mut self, sql: &Sql, targets: &[Path], position: Position) -> Result<(), Diagnostic> {
        let text = self.sql(sql)?;
        self.emit(Operation::QueryOne { text, columns: targets.len() }, position);
        targets.iter().try_for_each(|target| self.store(target))
    }
}

/// How a loop begins.
struct LoopHead {
    /// Where each round starts.
    start: usize,
    /// The jump that ends it.
    test: Option<usize>,
    /// What is counted after each round, and whether downwards.
    counter: Option<(usize, bool)>,
}
