//! One instruction after the other, and the driver's answers.

use crate::program::{Caught, Operation, SqlText};
use crate::value::Value;

use super::exception::{Exception, Failure};
use super::{Answer, Argument, Call, Machine, Pending, Raised, RowsWanted, Step};

impl Machine {
    /// Runs the next instruction. Returns a step if it needs the driver.
    pub(super) fn instruction(&mut self) -> Result<Option<Step>, Failure> {
        let Some(instruction) = self.block.instructions.get(self.cursor) else { return Ok(Some(Step::Done)) };
        // What an instruction holds is small, except for literals, and those are copied anyway.
        let operation = instruction.operation.clone();
        let position = instruction.position;
        if !matches!(operation, Operation::End) {
            self.cursor += 1;
        }
        match operation {
            Operation::Call { package, name, arguments, wants_value } => {
                let values = self.pop_many(arguments.len());
                let arguments = arguments
                    .into_iter()
                    .zip(values)
                    .map(|((name, position), value)| Argument { name, value, position })
                    .collect();
                self.pending = Some(Pending::Call { wants_value });
                Ok(Some(Step::Call(Call { package, name, arguments, position, wants_value })))
            }
            Operation::Constant { package, name } => {
                self.pending = Some(Pending::Call { wants_value: true });
                Ok(Some(Step::Constant { package, name, position }))
            }
            Operation::QueryOne { text, columns } => {
                let (sql, binds) = self.bind(text);
                self.pending = Some(Pending::Row { columns });
                Ok(Some(Step::Query { sql, binds, position, rows: RowsWanted::One }))
            }
            Operation::QueryMany { mut text, cursor } => {
                let columns = text.columns.take();
                let (sql, binds) = self.bind(text);
                self.pending = Some(Pending::Rows { cursor, columns });
                Ok(Some(Step::Query { sql, binds, position, rows: RowsWanted::Many }))
            }
            Operation::Execute(text) => {
                let (sql, binds) = self.bind(text);
                self.pending = Some(Pending::Affected);
                Ok(Some(Step::Execute { sql, binds, position }))
            }
            Operation::Commit => Ok(Some(self.tell(Step::Commit))),
            Operation::Rollback => Ok(Some(self.tell(Step::Rollback))),
            Operation::Output { line_end } => self.output(line_end),
            Operation::End if self.line.is_empty() => Ok(Some(Step::Done)),
            Operation::End => {
                let line = std::mem::take(&mut self.line);
                Ok(Some(self.tell(Step::Output(line))))
            }
            operation => self.inner(operation).map(|()| None),
        }
    }

    /// An instruction that does not need the driver.
    fn inner(&mut self, operation: Operation) -> Result<(), Failure> {
        match operation {
            Operation::Push(value) => self.push(value)?,
            Operation::Load(slot) => self.push(self.slots[slot].clone())?,
            Operation::LoadElement(slot) => self.load_element(slot)?,
            Operation::LoadField(name) => self.load_field(&name)?,
            Operation::Store(slot) => {
                let value = self.pop();
                self.slots[slot] = self.converted(slot, value)?;
            }
            Operation::StoreElement(slot) => self.store_element(slot)?,
            Operation::StoreField(slot, path) => self.store_field(slot, &path)?,
            Operation::Clear(slot) => self.clear(slot),
            Operation::Collection { slot, method, arguments } => self.collection(slot, method, arguments)?,
            Operation::Jump(target) => self.cursor = target,
            Operation::JumpUnlessTrue(target) => {
                if self.pop_truth()? != Some(true) {
                    self.cursor = target;
                }
            }
            Operation::JumpIfFalse(target) => self.jump_if(false, target),
            Operation::JumpIfTrue(target) => self.jump_if(true, target),
            Operation::JumpIfPassed { counter, bound, reverse, target } => {
                if self.has_passed(counter, bound, reverse)? {
                    self.cursor = target;
                }
            }
            Operation::Count { counter, reverse } => self.count(counter, reverse)?,
            Operation::Fetch { cursor, slot, target } => match self.rows[cursor].next() {
                Some(row) => self.slots[slot] = row,
                None => self.cursor = target,
            },
            Operation::Raise(caught, name) => return Err(raised(&caught, &name)),
            Operation::RaiseApplicationError => return Err(self.application_error()),
            Operation::RaiseAgain(section) => {
                let exception = self.handled.get(section).cloned().flatten();
                return Err(match exception {
                    Some(exception) => Failure::Raised(Box::new(exception)),
                    None => Failure::fatal("`raise` outside an exception handler", self.position()),
                });
            }
            Operation::JumpUnlessCaught { section, names, target } => {
                if !self.handles(section, &names) {
                    self.cursor = target;
                }
            }
            operation => self.evaluate(&operation)?,
        }
        Ok(())
    }

    /// A step that needs no answer.
    fn tell(&mut self, step: Step) -> Step {
        self.pending = Some(Pending::Nothing);
        step
    }

    fn output(&mut self, line_end: bool) -> Result<Option<Step>, Failure> {
        let text = self.pop_text()?;
        self.line.push_str(&text);
        if !line_end {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        Ok(Some(self.tell(Step::Output(line))))
    }

    fn bind(&mut self, text: SqlText) -> (String, Vec<(String, Value)>) {
        let values = self.pop_many(text.binds.len());
        (text.sql, text.binds.into_iter().zip(values).collect())
    }

    fn application_error(&mut self) -> Failure {
        let (message, code) = (self.pop_text(), self.pop_number());
        let (message, code) = match (message, code) {
            (Ok(message), Ok(code)) => (message, code),
            (Err(failure), _) | (_, Err(failure)) => return failure,
        };
        let code = code.and_then(|code| i32::try_from(code.to_i64()?).ok());
        match code.filter(|code| (-20999..=-20000).contains(code)) {
            Some(code) => Failure::raise(code, message),
            None => Failure::raise(
                -21000,
                "the code of raise_application_error must be between -20999 and -20000",
            ),
        }
    }

    /// Puts the driver's answer where the last step wants it.
    pub(super) fn take_answer(&mut self) -> Result<(), Failure> {
        let answer = self.answer.take();
        let Some(pending) = self.pending.take() else { return Ok(()) };
        match (pending, answer) {
            (_, Some(Answer::Failed(raised))) => Err(raised.into()),
            (Pending::Call { wants_value: true }, Some(Answer::Value(value))) => self.push(value),
            (Pending::Nothing, _)
            | (Pending::Call { wants_value: false }, Some(Answer::Value(_) | Answer::Done)) => Ok(()),
            (Pending::Row { columns }, Some(Answer::Rows(rows) | Answer::Table { rows, .. })) => {
                self.affected = Some(rows.len() as u64);
                self.take_row(rows, columns)
            }
            (Pending::Rows { cursor, columns }, Some(Answer::Rows(rows))) => {
                self.take_rows(cursor, columns, rows)
            }
            (Pending::Rows { cursor, .. }, Some(Answer::Table { columns, rows })) => {
                let columns = columns.iter().map(|name| name.to_lowercase()).collect();
                self.take_rows(cursor, Some(columns), rows)
            }
            (Pending::Affected, Some(Answer::Affected(rows))) => {
                self.affected = Some(rows);
                Ok(())
            }
            (pending, answer) => {
                let message = format!("the driver's answer does not fit: {pending:?} got {answer:?}");
                Err(Failure::fatal(message, self.position()))
            }
        }
    }

    fn take_row(&mut self, rows: Vec<Vec<Value>>, columns: usize) -> Result<(), Failure> {
        let count = rows.len();
        let mut rows = rows.into_iter();
        let Some(row) = rows.next() else { return Err(Failure::raise(100, "no data found")) };
        if count > 1 {
            let message = "exact fetch returns more than requested number of rows";
            return Err(Failure::raise(-1422, message));
        }
        if row.len() != columns {
            let message = format!("the query has {} columns, and INTO names {columns} variables", row.len());
            return Err(Raised::mistake(message).into());
        }
        row.into_iter().rev().try_for_each(|value| self.push(value))
    }

    fn take_rows(
        &mut self,
        cursor: usize,
        columns: Option<Vec<String>>,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), Failure> {
        let Some(columns) = columns else {
            let message = "name the columns of this query; a loop over `select *` is not supported here";
            return Err(Raised::mistake(message).into());
        };
        let record = |row: Vec<Value>| Value::Record(columns.iter().cloned().zip(row).collect());
        let records: Vec<Value> = rows.into_iter().map(record).collect();
        self.charge(records.iter().map(Value::bytes).sum())?;
        self.rows[cursor] = records.into_iter();
        Ok(())
    }
}

/// An exception that `RAISE` or a CASE without a branch raises.
fn raised(caught: &Caught, name: &str) -> Failure {
    match caught {
        Caught::Code(-6592) => Failure::raise(-6592, "CASE not found while executing CASE statement"),
        Caught::Code(100) => Failure::raise(100, "no data found"),
        Caught::Code(code) => Failure::raise(*code, format!("exception `{name}`")),
        Caught::Declared(id) => Failure::Raised(Box::new(Exception {
            raised: Raised::new(1, format!("unhandled user-defined exception `{name}`")),
            declared: Some(*id),
        })),
        Caught::Others => Failure::raise(-6501, "program error"),
    }
}
