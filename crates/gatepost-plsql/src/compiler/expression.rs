//! Expressions to instructions.

use crate::ast::{BinaryOperator, Expression, ExpressionKind, Link, LinkKind};
use crate::diagnostic::{Diagnostic, Position};
use crate::program::Operation;
use crate::value::Value;

use super::Compiler;

impl Compiler<'_> {
    /// Leaves the expression's value on the stack.
    pub(super) fn expression(&mut self, expression: &Expression) -> Result<(), Diagnostic> {
        let position = expression.position;
        match &expression.kind {
            ExpressionKind::Literal(value) => self.push(value.clone(), position),
            ExpressionKind::Path(path) => self.path(path)?,
            ExpressionKind::Negate(inner) => {
                self.expression(inner)?;
                self.emit(Operation::Negate, position);
            }
            ExpressionKind::Not(inner) => {
                self.expression(inner)?;
                self.emit(Operation::Not, position);
            }
            ExpressionKind::Chain(first, links) => {
                self.expression(first)?;
                links.iter().try_for_each(|link| self.link(link))?;
            }
            ExpressionKind::Case { selector, branches, otherwise } => {
                let selector = self.selector(selector.as_deref())?;
                self.case_branches(selector, branches, otherwise.as_deref(), position)?;
            }
            ExpressionKind::Affected(kind) => {
                self.emit(Operation::Affected(*kind), position);
            }
        }
        Ok(())
    }

    fn case_branches(
        &mut self,
        selector: Option<usize>,
        branches: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
        position: Position,
    ) -> Result<(), Diagnostic> {
        let mut leaves = Vec::new();
        for (condition, value) in branches {
            self.branch_condition(condition, selector)?;
            let test = self.emit(Operation::JumpUnlessTrue(0), condition.position);
            self.expression(value)?;
            leaves.push(self.emit(Operation::Jump(0), position));
            self.patch_here(test);
        }
        match otherwise {
            Some(otherwise) => self.expression(otherwise)?,
            None => self.push(Value::Null, position),
        }
        for leave in leaves {
            self.patch_here(leave);
        }
        Ok(())
    }

    /// Applies an operator to the value on the stack.
    fn link(&mut self, link: &Link) -> Result<(), Diagnostic> {
        let position = link.position;
        match &link.kind {
            LinkKind::Binary(operator, right) => {
                let skip = match operator {
                    BinaryOperator::And => Some(self.emit(Operation::JumpIfFalse(0), position)),
                    BinaryOperator::Or => Some(self.emit(Operation::JumpIfTrue(0), position)),
                    _ => None,
                };
                self.expression(right)?;
                self.emit(Operation::Binary(*operator), position);
                if let Some(skip) = skip {
                    self.patch_here(skip);
                }
            }
            LinkKind::IsNull { negated } => {
                self.emit(Operation::IsNull { negated: *negated }, position);
            }
            LinkKind::In { negated, list } => {
                list.iter().try_for_each(|item| self.expression(item))?;
                self.emit(Operation::In { negated: *negated, count: list.len() }, position);
            }
            LinkKind::Like { negated, pattern, escape } => {
                self.expression(pattern)?;
                if let Some(escape) = escape {
                    self.expression(escape)?;
                }
                self.emit(Operation::Like { negated: *negated, escape: escape.is_some() }, position);
            }
            LinkKind::Between { negated, low, high } => {
                self.expression(low)?;
                self.expression(high)?;
                self.emit(Operation::Between { negated: *negated }, position);
            }
        }
        Ok(())
    }
}
