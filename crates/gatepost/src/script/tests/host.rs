//! A host that keeps its catalog in memory, and short ways to run scripts on it.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use gatepost_oauth::{Client, KeyRing};
use gatepost_rest::definition::{Module, Privilege, Schema};
use gatepost_rest::source::{CompiledSource, RemoteRows};
use gatepost_rest::sql::Dialect;
use gatepost_sources::definition::RestSource;
use gatepost_store::catalog::{Catalog, Change, CommitError};
use gatepost_store::data::{DataLocation, DataOptions, DataStore, Session, SessionValue};
use gatepost_store::logs::SyncRun;

use crate::script::{Event, ScriptFailure, ScriptHost, ScriptOptions, ScriptReport, run};

/// The program around the scripts of a test.
pub(super) struct Host {
    pub(super) catalog: RefCell<Arc<Catalog>>,
    pub(super) now_ms: Cell<i64>,
    pub(super) reveal_minutes: Cell<u32>,
    /// How often somebody else changes the catalog just before a commit.
    pub(super) rivals: Cell<u32>,
    pub(super) commits: RefCell<Vec<Change>>,
    /// What was asked of REST sources.
    pub(super) remotes: RefCell<Vec<RemoteRows>>,
    /// Sources that were synchronized, and whether in full.
    pub(super) synchronized: RefCell<Vec<(String, bool)>>,
    ring: Arc<KeyRing>,
    random: Cell<u8>,
    folder: PathBuf,
}

impl Host {
    /// A host without any schema.
    pub(super) fn empty() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("gatepost-script-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            catalog: RefCell::new(Arc::new(Catalog::default())),
            now_ms: Cell::new(1_767_225_600_000),
            reveal_minutes: Cell::new(15),
            rivals: Cell::new(0),
            commits: RefCell::new(Vec::new()),
            remotes: RefCell::new(Vec::new()),
            synchronized: RefCell::default(),
            ring: Arc::new(KeyRing::generate(&mut |bytes| bytes.fill(7), 0)),
            random: Cell::new(0),
            folder,
        }
    }

    /// A host with the enabled schema `hr`.
    pub(super) fn hr() -> Self {
        let host = Self::empty();
        host.ok("begin ords.enable_schema; end;");
        host
    }

    /// Runs a script as administrator in schema `hr`.
    pub(super) fn script(&self, script: &str) -> (Result<ScriptReport, Box<ScriptFailure>>, Vec<Event>) {
        self.script_with(script, &options())
    }

    pub(super) fn script_with(
        &self,
        script: &str,
        options: &ScriptOptions,
    ) -> (Result<ScriptReport, Box<ScriptFailure>>, Vec<Event>) {
        let mut events = Vec::new();
        let result = run(self, script, options, &mut |event| events.push(event));
        (result, events)
    }

    /// Runs a script that must succeed.
    pub(super) fn ok(&self, script: &str) -> Vec<Event> {
        let (result, events) = self.script(script);
        if let Err(failure) = result {
            panic!("{failure}\n{script}");
        }
        events
    }

    /// Runs the body of a block that must succeed.
    pub(super) fn block(&self, body: &str) -> Vec<Event> {
        self.ok(&format!("begin\n{body}\nend;\n/\n"))
    }

    /// Runs a script that must fail and change nothing; returns what its author reads.
    pub(super) fn refused(&self, script: &str) -> String {
        self.refused_with(script, &options())
    }

    pub(super) fn refused_with(&self, script: &str, options: &ScriptOptions) -> String {
        let before = Arc::clone(&self.catalog.borrow());
        let (result, _) = self.script_with(script, options);
        let failure = result.expect_err(script);
        assert_eq!(*before, **self.catalog.borrow(), "a refused script changed the catalog: {script}");
        failure.rendered
    }

    /// Runs the body of a block that must fail.
    pub(super) fn refused_block(&self, body: &str) -> String {
        self.refused(&format!("begin {body} end;"))
    }

    /// The rows of a query, as text.
    pub(super) fn rows(&self, query: &str) -> Vec<Vec<String>> {
        rows(self.ok(query))
    }

    pub(super) fn current(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog.borrow())
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        Arc::clone(self.current().schema_by_name("hr").unwrap())
    }

    pub(super) fn module(&self, name: &str) -> Arc<Module> {
        let catalog = self.current();
        Arc::clone(catalog.modules.values().find(|module| module.name == name).unwrap())
    }

    pub(super) fn privilege(&self, name: &str) -> Arc<Privilege> {
        let catalog = self.current();
        Arc::clone(catalog.privileges.values().find(|privilege| privilege.name == name).unwrap())
    }

    pub(super) fn client(&self, name: &str) -> Arc<Client> {
        let catalog = self.current();
        Arc::clone(catalog.clients.values().find(|client| client.name == name).unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What an administrator in schema `hr` uses.
pub(super) fn options() -> ScriptOptions {
    ScriptOptions {
        schema: Some("hr".into()),
        author: "ann".into(),
        administrator: true,
        row_limit: None,
        source: "test".into(),
        dry_run: false,
    }
}

/// What a developer of schema `hr` uses.
pub(super) fn developer() -> ScriptOptions {
    ScriptOptions { author: "dev".into(), administrator: false, ..options() }
}

/// The rows of the last query, as text.
pub(super) fn rows(events: Vec<Event>) -> Vec<Vec<String>> {
    let last = events.into_iter().rev().find_map(|event| match event {
        Event::Rows { rows, .. } => Some(rows),
        _ => None,
    });
    let text = |value: SessionValue| match value {
        SessionValue::Null => "NULL".to_owned(),
        SessionValue::Integer(number) => number.to_string(),
        SessionValue::Real(number) => number.to_string(),
        SessionValue::Boolean(flag) => flag.to_string(),
        SessionValue::Number(text) | SessionValue::Text(text) => text,
        SessionValue::Blob(bytes) => format!("{bytes:?}"),
    };
    last.expect("a query").into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

/// The lines that a script wrote.
pub(super) fn output(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Output(line) => Some(line.clone()),
            _ => None,
        })
        .collect()
}

/// The notes for the author.
pub(super) fn notes(events: &[Event]) -> String {
    let note = |event: &Event| match event {
        Event::Note { line, text } => Some(format!("{line}: {text}\n")),
        _ => None,
    };
    events.iter().filter_map(note).collect()
}

impl Host {
    fn place(&self, schema: &Schema) -> DataLocation {
        DataLocation::Sqlite(self.folder.join(format!("{}.db", schema.name)))
    }
}

impl ScriptHost for Host {
    fn catalog(&self) -> Arc<Catalog> {
        self.current()
    }

    fn commit(
        &self,
        base: &Catalog,
        changed: &Catalog,
        change: &Change,
    ) -> Result<Arc<Catalog>, CommitError> {
        if self.rivals.get() > 0 {
            self.rivals.set(self.rivals.get() - 1);
            let mut rival = (*self.current()).clone();
            rival.revision += 1;
            self.catalog.replace(Arc::new(rival));
        }
        if base.revision != self.current().revision {
            return Err(CommitError::Conflict { author: "bob".into(), what: "module other".into() });
        }
        let next = Arc::new(Catalog { revision: base.revision + 1, ..changed.clone() });
        self.catalog.replace(Arc::clone(&next));
        self.commits.borrow_mut().push(change.clone());
        Ok(next)
    }

    fn session(&self, schema: &Schema) -> Result<Session, String> {
        let store = DataStore::open(&self.place(schema), DataOptions::default());
        store.map_err(|error| error.to_string())?.session().map_err(|error| error.to_string())
    }

    fn check(&self, schema: &Schema, source: &CompiledSource) -> Result<(), String> {
        let store = DataStore::open(&self.place(schema), DataOptions::default());
        store.map_err(|error| error.to_string())?.check(source).map(|_| ())
    }

    /// Rows of whatever source: the column numbers of [`intranet`](super::sources::intranet)'s employees.
    fn remote_rows(&self, _: &Schema, _: &Arc<RestSource>, remote: &RemoteRows) -> Result<String, String> {
        self.remotes.borrow_mut().push(remote.clone());
        Ok(r#"[[7839,"KING"],[7934,"MILLER"]]"#.into())
    }

    fn dialect(&self, _: &Schema) -> Dialect {
        Dialect::Sqlite
    }

    fn key_ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring)
    }

    fn now_ms(&self) -> i64 {
        self.now_ms.get()
    }

    fn random(&self, bytes: &mut [u8]) {
        let first = self.random.get().wrapping_add(1);
        self.random.set(first);
        bytes.fill(first);
    }

    fn reveal_minutes(&self) -> u32 {
        self.reveal_minutes.get()
    }

    fn sync_runs(&self, _: &Schema) -> Vec<SyncRun> {
        Vec::new()
    }

    fn synchronize(&self, source: &Arc<RestSource>, full: bool) -> Result<String, String> {
        self.synchronized.borrow_mut().push((source.name.clone(), full));
        Ok(format!("{} is synchronized", source.name))
    }
}
