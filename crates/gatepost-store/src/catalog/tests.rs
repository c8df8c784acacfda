//! The catalog on disk: nothing lost, nothing half-applied, nobody overwritten.

use std::path::PathBuf;
use std::sync::Arc;

use gatepost_oauth::{Client, ClientSecret, GrantType, SecretVerifier};
use gatepost_rest::definition::{Audit, Role, Schema};

use super::{Catalog, CatalogStore, Change, CommitError, DatabaseError, RevokedToken};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatepost-catalog-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("catalog.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn change() -> Change {
    Change { author: "anna".into(), source: "sql".into(), now_ms: 1_000 }
}

fn with_schema(catalog: &Catalog, name: &str) -> Catalog {
    let mut changed = catalog.clone();
    let id = changed.take_id();
    let schema = Schema {
        id,
        name: name.into(),
        alias: name.into(),
        enabled: true,
        auto_rest_auth: false,
        audit: Audit::created("anna", 1),
    };
    changed.schemas.insert(id, Arc::new(schema));
    changed
}

#[test]
fn a_missing_broken_or_newer_file_is_refused_with_its_reason() {
    let folder = Folder::new("refused");
    assert!(matches!(CatalogStore::open(&folder.file()), Err(DatabaseError::Missing(_))));
    std::fs::write(folder.file(), "this is no database, but long enough to look like one".repeat(50))
        .unwrap();
    assert!(matches!(CatalogStore::open(&folder.file()), Err(DatabaseError::Broken(_))));
    std::fs::remove_file(folder.file()).unwrap();
    CatalogStore::create(&folder.file(), "f", 0).unwrap();
    rusqlite::Connection::open(folder.file()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(CatalogStore::open(&folder.file()), Err(DatabaseError::Newer { found: 99, .. })));
}

#[test]
fn a_commit_on_an_old_revision_is_refused_and_says_who_was_first() {
    let folder = Folder::new("conflict");
    let store = CatalogStore::create(&folder.file(), "f", 0).unwrap();
    let base = store.load().unwrap();
    store.commit(&base, &with_schema(&base, "hr"), &change()).unwrap();
    let late = store.commit(&base, &with_schema(&base, "sales"), &change());
    match late {
        Err(CommitError::Conflict { author, what }) => {
            assert_eq!((author.as_str(), what.as_str()), ("anna", "create schema hr"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.load().unwrap().schemas.len(), 1);
}

#[test]
fn what_is_committed_is_read_again_and_refreshed_in_parts() {
    let folder = Folder::new("refresh");
    let store = CatalogStore::create(&folder.file(), "f", 0).unwrap();
    let empty = store.load().unwrap();
    let first = store.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    let other = CatalogStore::open(&folder.file()).unwrap();
    assert_eq!(other.load().unwrap(), first);
    let mut changed = first.clone();
    let schema_id = *first.schemas.keys().next().unwrap();
    let id = changed.take_id();
    changed.roles.insert(id, Arc::new(Role { id, schema_id, name: "r".into(), audit: Audit::default() }));
    let second = other.commit(&first, &changed, &change()).unwrap();
    let refreshed = store.refresh(&first).unwrap().unwrap();
    assert_eq!(refreshed, second);
    assert!(
        Arc::ptr_eq(&refreshed.schemas[&schema_id], &first.schemas[&schema_id]),
        "unchanged parts are shared"
    );
    let mut without = second.clone();
    without.roles.clear();
    let third = store.commit(&second, &without, &change()).unwrap();
    assert_eq!(other.refresh(&second).unwrap().unwrap(), third);
    assert!(other.refresh(&third).unwrap().is_none());
}

#[test]
fn ids_of_deleted_objects_are_not_used_again() {
    let folder = Folder::new("ids");
    let store = CatalogStore::create(&folder.file(), "f", 0).unwrap();
    let empty = store.load().unwrap();
    let first = store.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    let mut gone = first.clone();
    gone.schemas.clear();
    let second = store.commit(&first, &gone, &change()).unwrap();
    let third = store.commit(&second, &with_schema(&second, "hr"), &change()).unwrap();
    assert_ne!(first.schemas.keys().next(), third.schemas.keys().next());
}

#[test]
fn a_revoked_token_is_seen_by_another_process_and_survives_the_file() {
    let folder = Folder::new("revoked");
    let store = CatalogStore::create(&folder.file(), "f", 0).unwrap();
    let before = store.load().unwrap();
    let token = [7; 16];
    store.revoke_token(&token, RevokedToken { client: 5, expires_ms: 2_000_000 }, 1_000_000).unwrap();
    let after = CatalogStore::open(&folder.file()).unwrap().refresh(&before).unwrap().unwrap();
    assert!(after.revocations.contains(&token));
    assert_eq!(after.revocations.count_of(5), 1);
    assert!(!before.revocations.contains(&token));
}

#[test]
fn history_says_who_and_what_and_keeps_no_secret() {
    let folder = Folder::new("history");
    let store = CatalogStore::create(&folder.file(), "f", 0).unwrap();
    let empty = store.load().unwrap();
    let mut changed = with_schema(&empty, "hr");
    let schema_id = *changed.schemas.keys().next().unwrap();
    let id = changed.take_id();
    changed.clients.insert(id, Arc::new(client(id, schema_id)));
    store.commit(&empty, &changed, &change()).unwrap();
    let entries = store.list_history(Some(schema_id), 10).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].kind.as_str(), entries[0].action.as_str()), ("client", "create"));
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    let kept: String =
        connection.query_row("select group_concat(body) from history", [], |row| row.get(0)).unwrap();
    assert!(!kept.contains("the digest"), "{kept}");
}

#[test]
fn a_replaced_file_is_noticed_and_read_anew() {
    let folder = Folder::new("replaced");
    let store = CatalogStore::create(&folder.file(), "f", 0).unwrap();
    let empty = store.load().unwrap();
    let known = store.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    assert!(!store.reopen_if_replaced().unwrap());
    let backup = folder.0.join("backup.db");
    CatalogStore::create(&backup, "f", 0).unwrap();
    std::fs::rename(&backup, folder.file()).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.0.join(format!("catalog.db{suffix}")));
    }
    assert!(store.reopen_if_replaced().unwrap());
    assert!(store.refresh(&known).unwrap().unwrap().schemas.is_empty());
}

fn client(id: u64, schema_id: u64) -> Client {
    Client {
        id,
        schema_id,
        name: "till".into(),
        client_id: "abc".into(),
        grant_type: GrantType::ClientCredentials,
        owner: None,
        description: None,
        support_email: None,
        support_uri: None,
        redirect_uri: None,
        origins_allowed: Vec::new(),
        privileges: Vec::new(),
        roles: Vec::new(),
        token_duration_seconds: None,
        refresh_duration_seconds: None,
        code_duration_seconds: None,
        enabled: true,
        generation: 1,
        secrets: vec![ClientSecret {
            slot: 1,
            verifier: SecretVerifier::Hmac { pepper_id: 1, digest: "the digest".into() },
            issued_on_ms: 0,
            reveal: None,
        }],
        created_by: "anna".into(),
        created_on_ms: 0,
        updated_by: "anna".into(),
        updated_on_ms: 0,
    }
}
