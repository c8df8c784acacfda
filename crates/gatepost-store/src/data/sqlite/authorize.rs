//! What user SQL may do, by the kind of its connection.

use std::sync::Arc;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::connection::Kind;
use super::watch::Watch;

/// Functions that reach outside the data.
const DENIED_FUNCTIONS: [&str; 6] =
    ["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "sqlite_dbpage"];
const DENIED_TABLES: [&str; 2] = ["sqlite_dbpage", "dbstat"];
/// Modules of virtual tables that keep their data in the file itself.
const MODULES: [&str; 4] = ["fts4", "fts5", "rtree", "rtree_i32"];

/// Pragmas that describe tables and change nothing.
const PRAGMAS: [&str; 7] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
];

/// The authorizer of a connection. It looks at user SQL only: control statements are our own.
pub(super) fn authorizer(
    kind: Kind,
    watch: Arc<Watch>,
) -> impl for<'r> FnMut(AuthContext<'r>) -> Authorization + Send + 'static {
    move |context| {
        if !watch.is_user() || allows(kind, &context) { Authorization::Allow } else { Authorization::Deny }
    }
}

fn allows(kind: Kind, context: &AuthContext<'_>) -> bool {
    if reads(&context.action) {
        return true;
    }
    match kind {
        Kind::Read | Kind::Scratch => false,
        Kind::Write => writes(&context.action),
        Kind::Session => writes(&context.action) || defines(context),
    }
}

fn reads(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, .. } => !named(&DENIED_TABLES, table_name),
        AuthAction::Function { function_name } => !named(&DENIED_FUNCTIONS, function_name),
        // FTS5 asks for it itself while it runs a query.
        AuthAction::Pragma { pragma_name, pragma_value: None } => *pragma_name == "data_version",
        _ => false,
    }
}

fn writes(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => !is_system(table_name),
        _ => false,
    }
}

/// DDL of the owner. SQLite reports the changes of its own tables that DDL consists of as inserts, updates and
/// deletes; defensive mode keeps user SQL from making them directly.
fn defines(context: &AuthContext<'_>) -> bool {
    if context.database_name == Some("temp") && !matches!(context.action, AuthAction::Update { .. }) {
        return false;
    }
    match &context.action {
        AuthAction::CreateIndex { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropVtable { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::Reindex { .. }
        | AuthAction::Analyze { .. }
        | AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. } => true,
        AuthAction::CreateVtable { module_name, .. } => named(&MODULES, module_name),
        AuthAction::Pragma { pragma_name, .. } => named(&PRAGMAS, pragma_name),
        _ => false,
    }
}

fn is_system(table: &str) -> bool {
    // AUTOINCREMENT counters and statistics are ordinary data to SQLite; handlers leave them alone all the same.
    table.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
}

fn named(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}
