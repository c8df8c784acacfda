//! `user_ords_*` views for scripts: temporary views over one function, which is fed for each statement.
//!
//! Nothing is rewritten and no other file is attached. The function is `SQLITE_DIRECTONLY`: a view or trigger inside
//! the data file that calls it is refused by SQLite, while temporary views may.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use gatepost_rest::sql::Statement;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::super::{DictionarySource, DictionaryView};

const FUNCTION: &str = "gatepost_dictionary";

/// The function's values, set for one statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot(Arc<Mutex<HashMap<String, Arc<str>>>>);

/// The dictionary of a session.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    slot: Slot,
    made: HashSet<&'static str>,
}

impl Dictionary {
    /// Registers the function.
    pub(super) fn install(&self, sqlite: &Connection) -> rusqlite::Result<()> {
        let slot = self.slot.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
        sqlite.create_scalar_function(FUNCTION, 1, flags, move |context| {
            let view: String = context.get(0)?;
            let rows = slot.0.lock().unwrap_or_else(PoisonError::into_inner).get(&view).cloned();
            Ok(rows.as_deref().unwrap_or("[]").to_owned())
        })
    }

    /// Makes the views that a statement names, and takes their rows.
    pub(super) fn feed(
        &mut self,
        sqlite: &Connection,
        statement: &Statement,
        source: &dyn DictionarySource,
    ) -> rusqlite::Result<()> {
        let mut rows = HashMap::new();
        for view in source.views() {
            if !statement.identifiers.iter().any(|name| name.eq_ignore_ascii_case(view.name)) {
                continue;
            }
            if self.made.insert(view.name) {
                sqlite.execute_batch(&definition(view))?;
            }
            rows.insert(view.name.to_owned(), Arc::from(source.rows_json(view.name)));
        }
        *self.slot.0.lock().unwrap_or_else(PoisonError::into_inner) = rows;
        Ok(())
    }

    /// A rollback took the views that were made since the transaction began.
    pub(super) fn forget(&mut self) {
        self.made.clear();
    }
}

fn definition(view: &DictionaryView) -> String {
    let columns: Vec<String> = view.columns.iter().map(|column| format!("\"{column}\"")).collect();
    let values: Vec<String> = (0..view.columns.len()).map(|number| format!("value->>{number}")).collect();
    format!(
        "create temp view if not exists \"{0}\" ({1}) as with rows as materialized \
         (select {2} from json_each({FUNCTION}('{0}'))) select * from rows",
        view.name,
        columns.join(", "),
        values.join(", ")
    )
}
