//! What a bare DML statement answers.
//!
//! Without RETURNING rows `{"rowsAffected":n}`; with one row the row as an object; with several
//! `{"items":[..]}`.

use super::value::members;
use super::{Columns, Row};

const ITEMS: &[u8] = b"{\"items\":[";

/// Collects the RETURNING rows of a statement.
#[derive(Debug)]
pub struct ChangeRows {
    buffer: Vec<u8>,
    rows: u64,
}

impl Default for ChangeRows {
    fn default() -> Self {
        Self { buffer: ITEMS.to_vec(), rows: 0 }
    }
}

impl ChangeRows {
    /// Takes a row.
    pub fn push(&mut self, columns: &Columns, row: &impl Row) {
        if self.rows > 0 {
            self.buffer.push(b',');
        }
        self.buffer.push(b'{');
        members(&mut self.buffer, columns, row, true);
        self.buffer.push(b'}');
        self.rows += 1;
    }

    /// Bytes held so far.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether no row was taken.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The body.
    pub fn finish(mut self, rows_affected: u64) -> Vec<u8> {
        match self.rows {
            0 => format!("{{\"rowsAffected\":{rows_affected}}}").into_bytes(),
            1 => self.buffer.split_off(ITEMS.len()),
            _ => {
                self.buffer.extend_from_slice(b"]}");
                self.buffer
            }
        }
    }
}
