//! The catalog on disk: nothing lost, nothing half-applied, nobody overwritten.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use gatepost_oauth::{Client, ClientSecret, GrantType, SealedRing, SecretVerifier, User, UserKind};
use gatepost_rest::definition::{Audit, Role, Schema};

use super::{
    Catalog, CatalogPlace, CatalogStore, Change, CommitError, ConsoleItem, ConsoleItemKind, CopyError,
    DatabaseError, PlaceOptions, Refreshed, RevokedToken, SignIn,
};
use crate::database::{Access, Database};
use crate::postgres;

/// Each of these runs on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test]
            fn $name() {
                super::$name(&super::Home::sqlite(stringify!($name)));
            })+
        }

        mod on_postgres {
            $(#[test]
            fn $name() {
                super::$name(&super::Home::postgres(stringify!($name)));
            })+
        }
    };
}
on_both!(
    a_commit_on_an_old_revision_is_refused_and_says_who_was_first,
    what_is_committed_is_read_again_and_refreshed_in_parts,
    ids_of_deleted_objects_are_not_used_again,
    a_revoked_token_is_seen_by_another_process_and_survives,
    history_says_who_and_what_and_keeps_no_secret,
    revocations_at_the_same_moment_are_all_seen,
    of_commits_at_the_same_moment_one_is_first,
    a_catalog_that_is_not_there_is_not_made_by_looking,
    a_copy_is_whole_and_no_token_is_good_for_both,
    of_two_rings_of_the_same_revision_one_is_kept,
    a_catalog_of_the_first_version_is_brought_to_the_newest_with_what_it_holds,
    sign_ins_are_bounded_and_end_for_their_user_only,
    items_are_bounded_for_each_user_and_kind,
);

/// A place for a catalog, gone after the test.
struct Home {
    place: CatalogPlace,
    _folder: Option<Folder>,
}

impl Home {
    fn sqlite(name: &str) -> Self {
        let folder = Folder::new(name);
        Self { place: folder.place(), _folder: Some(folder) }
    }

    fn postgres(name: &str) -> Self {
        let mut name = name.to_owned();
        name.truncate(40);
        let url = postgres::cluster().database(&name);
        let place = CatalogPlace::parse(&url, &PlaceOptions::in_folder(std::path::Path::new("."))).unwrap();
        Self { place, _folder: None }
    }

    fn create(&self) -> CatalogStore {
        CatalogStore::create(&self.place, "f", 0, None).unwrap()
    }

    fn open(&self) -> CatalogStore {
        CatalogStore::open(&self.place).unwrap()
    }
}

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

    fn place(&self) -> CatalogPlace {
        CatalogPlace::Sqlite(self.file())
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
    assert!(matches!(CatalogStore::open(&folder.place()), Err(DatabaseError::Missing(_))));
    std::fs::write(folder.file(), "this is no database, but long enough to look like one".repeat(50))
        .unwrap();
    assert!(matches!(CatalogStore::open(&folder.place()), Err(DatabaseError::Broken(_))));
    std::fs::remove_file(folder.file()).unwrap();
    CatalogStore::create(&folder.place(), "f", 0, None).unwrap();
    rusqlite::Connection::open(folder.file()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(CatalogStore::open(&folder.place()), Err(DatabaseError::Newer { found: 99, .. })));
}

fn a_commit_on_an_old_revision_is_refused_and_says_who_was_first(home: &Home) {
    let store = home.create();
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

fn what_is_committed_is_read_again_and_refreshed_in_parts(home: &Home) {
    let store = home.create();
    let empty = store.load().unwrap();
    let first = store.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    let other = home.open();
    assert_eq!(other.load().unwrap(), first);
    let mut changed = first.clone();
    let schema_id = *first.schemas.keys().next().unwrap();
    let id = changed.take_id();
    changed.roles.insert(id, Arc::new(Role { id, schema_id, name: "r".into(), audit: Audit::default() }));
    let second = other.commit(&first, &changed, &change()).unwrap();
    let Refreshed { catalog: refreshed, follows, .. } = store.refresh(&first).unwrap().unwrap();
    assert!(follows);
    assert_eq!(refreshed, second);
    assert!(
        Arc::ptr_eq(&refreshed.schemas[&schema_id], &first.schemas[&schema_id]),
        "unchanged parts are shared"
    );
    let mut without = second.clone();
    without.roles.clear();
    let third = store.commit(&second, &without, &change()).unwrap();
    assert_eq!(other.refresh(&second).unwrap().unwrap().catalog, third);
    assert!(other.refresh(&third).unwrap().is_none());
}

fn ids_of_deleted_objects_are_not_used_again(home: &Home) {
    let store = home.create();
    let empty = store.load().unwrap();
    let first = store.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    let mut gone = first.clone();
    gone.schemas.clear();
    let second = store.commit(&first, &gone, &change()).unwrap();
    let third = store.commit(&second, &with_schema(&second, "hr"), &change()).unwrap();
    assert_ne!(first.schemas.keys().next(), third.schemas.keys().next());
}

fn a_revoked_token_is_seen_by_another_process_and_survives(home: &Home) {
    let store = home.create();
    let before = store.load().unwrap();
    let token = [7; 16];
    store.revoke_token(&token, RevokedToken { client: 5, expires_ms: 2_000_000 }).unwrap();
    let after = home.open().refresh(&before).unwrap().unwrap().catalog;
    assert!(after.revocations.contains(&token));
    assert_eq!(after.revocations.count_of(5), 1);
    assert!(!before.revocations.contains(&token));

    // It outlives its token by ten minutes.
    let known = Catalog::clone(&after);
    store.forget_revocations(2_599_999).unwrap();
    assert_eq!(home.open().load().unwrap().revocations.len(), 1);
    assert!(!known.revocations.has_expired(2_599_999) && known.revocations.has_expired(2_600_000));
    store.forget_revocations(2_600_000).unwrap();
    assert!(home.open().load().unwrap().revocations.is_empty());
}

fn sealed_ring(revision: u64, sealed: &str) -> SealedRing {
    SealedRing { revision, wrapping_key_id: 3, sealed: sealed.into() }
}

fn of_two_rings_of_the_same_revision_one_is_kept(home: &Home) {
    let store = home.create();
    let mut known = store.load().unwrap();
    assert_eq!((store.key_ring().unwrap(), known.key_revision), (None, 0));
    assert!(!store.save_key_ring(&sealed_ring(2, "too far")).unwrap());
    for (revision, text) in [(1, "first"), (2, "second")] {
        assert!(store.save_key_ring(&sealed_ring(revision, text)).unwrap());
        assert!(!store.save_key_ring(&sealed_ring(revision, "too late")).unwrap());
        assert_eq!(home.open().key_ring().unwrap(), Some(sealed_ring(revision, text)));
        known = home.open().refresh(&known).unwrap().unwrap().catalog;
        assert_eq!(known.key_revision, revision);
    }
    assert!(home.open().refresh(&known).unwrap().is_none());
    // A second creation changes nothing.
    CatalogStore::create(&home.place, "other", 0, Some(&sealed_ring(1, "other"))).unwrap();
    assert_eq!(home.open().key_ring().unwrap(), Some(sealed_ring(2, "second")));
    let made = Home::sqlite("made-with-ring");
    let made = CatalogStore::create(&made.place, "f", 0, Some(&sealed_ring(1, "first"))).unwrap();
    assert_eq!(
        (made.load().unwrap().key_revision, made.key_ring().unwrap()),
        (1, Some(sealed_ring(1, "first")))
    );
}

fn a_catalog_of_the_first_version_is_brought_to_the_newest_with_what_it_holds(home: &Home) {
    let old = Database::open(&home.place, &super::store::MIGRATIONS[..1], true).unwrap();
    old.transaction(Access::Write, |transaction| {
        transaction.execute(
            "insert into catalog_state (id, revision, revocations, next_id, key_fingerprint, created_at_ms)
             values (1, 5, 2, 10009, 'f', 0)",
            &[],
        )
    })
    .unwrap();
    assert_eq!(old.table_version().unwrap(), 1);
    let new = home.open();
    assert_eq!(new.table_version().unwrap(), 3);
    let catalog = new.load().unwrap();
    assert_eq!((catalog.revision, catalog.revocations.revision, catalog.key_revision), (5, 2, 0));
    assert!(new.save_key_ring(&sealed_ring(1, "r")).unwrap());
}

fn history_says_who_and_what_and_keeps_no_secret(home: &Home) {
    let store = home.create();
    let empty = store.load().unwrap();
    let mut changed = with_schema(&empty, "hr");
    let schema_id = *changed.schemas.keys().next().unwrap();
    let id = changed.take_id();
    changed.clients.insert(id, Arc::new(client(id, schema_id)));
    let ada = changed.take_id();
    changed.users.insert(ada, Arc::new(user(ada)));
    store.commit(&empty, &changed, &change()).unwrap();
    let entries = store.list_history(Some(schema_id), 10).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].kind.as_str(), entries[0].action.as_str()), ("client", "create"));
    let mut kept = String::new();
    store
        .database
        .transaction(Access::Read, |transaction| {
            transaction.query("select body from history", &[], &mut |row| {
                kept.push_str(&row.optional_text(0)?.unwrap_or_default());
                Ok(())
            })
        })
        .unwrap();
    assert!(kept.contains("till") && kept.contains("ada"));
    assert!(!kept.contains("the hash"), "{kept}");
    assert!(!kept.contains("the digest"), "{kept}");
}

fn revocations_at_the_same_moment_are_all_seen(home: &Home) {
    let first = home.create();
    let empty = first.load().unwrap();
    first.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    std::thread::scope(|scope| {
        for process in 0..4 {
            scope.spawn(move || {
                let store = home.open();
                for number in 0..10 {
                    let entry = RevokedToken { client: 5, expires_ms: 2_000_000 };
                    store.revoke_token(&[process * 10 + number; 16], entry).unwrap();
                }
            });
        }
        // A fifth follows and must not miss one.
        let follower = home.open();
        let mut known = follower.load().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while known.revocations.len() < 40 {
            assert!(std::time::Instant::now() < until, "{} of 40 seen", known.revocations.len());
            known = follower.refresh(&known).unwrap().map_or(known, |refreshed| refreshed.catalog);
        }
        assert_eq!((known.revision, known.revocations.revision), (1, 40));
    });
}

fn of_commits_at_the_same_moment_one_is_first(home: &Home) {
    let base = home.create().load().unwrap();
    let commit = |name: &'static str| {
        let (store, base) = (home.open(), base.clone());
        move || store.commit(&base, &with_schema(&base, name), &change()).is_ok()
    };
    let (a, b) = (commit("a"), commit("b"));
    let won = std::thread::scope(|scope| {
        let threads = [scope.spawn(a), scope.spawn(b)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let now = home.open().load().unwrap();
    assert_eq!((now.revision, now.schemas.len()), (1, 1));
}

fn a_catalog_that_is_not_there_is_not_made_by_looking(home: &Home) {
    for _ in 0..2 {
        assert!(matches!(CatalogStore::open(&home.place), Err(DatabaseError::Missing(_))));
    }
    // Several processes that make it at the same moment make one.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| home.create());
        }
    });
    assert_eq!(home.open().key_fingerprint().unwrap(), "f");
    assert_eq!(home.open().table_version().unwrap(), 3);
}

fn a_copy_is_whole_and_no_token_is_good_for_both(home: &Home) {
    let store = home.create();
    let empty = store.load().unwrap();
    let mut changed = with_schema(&empty, "hr");
    let schema_id = *changed.schemas.keys().next().unwrap();
    let id = changed.take_id();
    changed.clients.insert(id, Arc::new(client(id, schema_id)));
    let ada = changed.take_id();
    changed.users.insert(ada, Arc::new(user(ada)));
    let base = store.commit(&empty, &changed, &change()).unwrap();
    store.add_sign_in(&sign_in("s", ada, 1_000)).unwrap();
    let saved = item(7, ada, ConsoleItemKind::SavedSql, "totals");
    store.put_console_item(&saved).unwrap();
    store.revoke_token(&[1; 16], RevokedToken { client: id, expires_ms: i64::MAX }).unwrap();
    assert!(store.save_key_ring(&sealed_ring(1, "r")).unwrap());

    for target in [Home::sqlite("copied"), Home::postgres("copied")] {
        let copy = store.copy_to(&target.place, &change(), &mut || 77).unwrap();
        let copied = copy.load().unwrap();
        assert_eq!(copied.schemas, base.schemas);
        assert_eq!((copied.next_id, copied.revocations.len()), (base.next_id, 1));
        let expected = Client { generation: 77, ..base.clients[&id].as_ref().clone() };
        assert_eq!(*copied.clients[&id], expected);
        assert_eq!(*copied.users[&ada], User { generation: 77, ..base.users[&ada].as_ref().clone() });
        assert_eq!(copy.list_sign_ins(ada).unwrap(), []);
        assert_eq!(
            copy.list_console_items(saved.kind, None, None).unwrap().as_slice(),
            std::slice::from_ref(&saved)
        );
        assert_eq!(copy.key_fingerprint().unwrap(), "f");
        assert_eq!((copied.key_revision, copy.key_ring().unwrap()), (1, Some(sealed_ring(1, "r"))));
        assert!(copied.revision > base.revision);
        assert_eq!(
            copy.list_history(None, 10).unwrap().len(),
            store.list_history(None, 10).unwrap().len() + 2
        );
        assert!(matches!(store.copy_to(&target.place, &change(), &mut || 78), Err(CopyError::NotEmpty(_))));
        assert_eq!(copy.load().unwrap(), copied);
    }
}

fn sign_ins_are_bounded_and_end_for_their_user_only(home: &Home) {
    let store = home.create();
    let ids = |user| {
        let found = store.list_sign_ins(user).unwrap();
        found.into_iter().map(|sign_in| sign_in.id).collect::<Vec<_>>()
    };
    store.add_sign_in(&SignIn { expires_on_ms: 1_500, ..sign_in("ended", 2, 1_000) }).unwrap();
    for number in 0..52 {
        store.add_sign_in(&sign_in(&format!("s{number:02}"), 1, 2_000 + number)).unwrap();
    }
    assert_eq!(store.find_sign_in("ended").unwrap(), None, "what has ended is forgotten");
    let kept = ids(1);
    assert_eq!((kept.len(), kept[0].as_str(), kept[49].as_str()), (50, "s51", "s02"));
    store.add_sign_in(&sign_in("other", 2, 2_000)).unwrap();
    store.end_sign_in(1, "other").unwrap();
    assert_eq!(ids(2), ["other"], "it is another one's");
    store.touch_sign_in("s02", 9_000).unwrap();
    store.confirm_sign_in("s02", 8_000).unwrap();
    let touched = store.find_sign_in("s02").unwrap().unwrap();
    let expected = SignIn { seen_on_ms: 9_000, confirmed_on_ms: 8_000, ..sign_in("s02", 1, 2_002) };
    assert_eq!(touched, expected);
    assert_eq!(ids(1)[0], "s02");
    store.end_sign_in(1, "s02").unwrap();
    assert_eq!(store.find_sign_in("s02").unwrap(), None);
    store.end_sign_ins(1).unwrap();
    assert_eq!((ids(1).len(), ids(2).len()), (0, 1));
}

fn items_are_bounded_for_each_user_and_kind(home: &Home) {
    use ConsoleItemKind::{AcceptedFinding, SavedSql, TryHistory};
    let store = home.create();
    let list = |kind, user, schema| store.list_console_items(kind, user, schema).unwrap();
    for number in 0..52 {
        store.put_console_item(&item(100 + number, 1, TryHistory, "")).unwrap();
    }
    let kept = list(TryHistory, Some(1), None);
    assert_eq!((kept.len(), kept[0].id, kept[49].id), (50, 151, 102));
    store.put_console_item(&item(1, 1, SavedSql, "a")).unwrap();
    store.put_console_item(&item(2, 2, SavedSql, "a")).unwrap();
    store.put_console_item(&ConsoleItem { schema_id: 9, ..item(3, 1, SavedSql, "a") }).unwrap();
    store.put_console_item(&item(4, 1, SavedSql, "a")).unwrap();
    let ids = |items: Vec<ConsoleItem>| items.into_iter().map(|item| item.id).collect::<Vec<_>>();
    assert_eq!(ids(list(SavedSql, Some(1), None)), [4, 3], "the one of the same name and schema is replaced");
    assert_eq!(ids(list(SavedSql, Some(1), Some(9))), [3]);
    assert!(!store.delete_console_item(1, 2).unwrap(), "it is another one's");
    assert!(store.delete_console_item(1, 3).unwrap());
    store.put_console_item(&item(5, 1, AcceptedFinding, "public /demo/*")).unwrap();
    store.add_sign_in(&sign_in("s", 1, 1_000)).unwrap();
    store.forget_user(1).unwrap();
    assert_eq!(ids(list(SavedSql, None, None)), [2]);
    assert!(list(TryHistory, None, None).is_empty());
    assert_eq!(store.list_sign_ins(1).unwrap(), []);
    assert_eq!(ids(list(AcceptedFinding, None, None)), [5], "what was accepted stays accepted");
}

#[test]
fn both_databases_end_with_the_same_tables_and_columns() {
    let (sqlite, postgres) = (Folder::new("tables"), Home::postgres("tables"));
    CatalogStore::create(&sqlite.place(), "f", 0, None).unwrap();
    postgres.create();
    let connection = rusqlite::Connection::open(sqlite.file()).unwrap();
    let mut statement = connection
        .prepare(
            "select t.name || '.' || c.name || case when c.\"notnull\" or c.pk > 0 then ' not null' else '' end
             from sqlite_schema t, pragma_table_info(t.name) c where t.type = 'table'",
        )
        .unwrap();
    let of_sqlite: BTreeSet<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let mut of_postgres = BTreeSet::new();
    postgres
        .open()
        .database
        .transaction(Access::Read, |transaction| {
            transaction.query(
                "select table_name || '.' || column_name || case is_nullable when 'NO' then ' not null' else '' end
                 from information_schema.columns where table_schema = 'gatepost' and table_name <> 'catalog_version'",
                &[],
                &mut |row| {
                    of_postgres.insert(row.text(0)?);
                    Ok::<_, DatabaseError>(())
                },
            )
        })
        .unwrap();
    assert!(!of_sqlite.is_empty());
    assert_eq!(of_sqlite, of_postgres);
}

#[test]
fn tables_of_another_program_in_the_schema_are_left_alone() {
    let home = Home::postgres("foreign");
    let CatalogPlace::Postgres(place) = &home.place else { unreachable!() };
    let url = postgres::cluster().url(place.user().unwrap());
    postgres::psql(&url, "create schema gatepost; create table gatepost.other (n int)");
    let error = CatalogStore::create(&home.place, "f", 0, None).unwrap_err();
    assert!(matches!(error, DatabaseError::Broken(_)), "{error}");
}

#[test]
fn a_server_that_was_down_is_used_again_and_a_lost_password_is_told_without_it() {
    let cluster = postgres::Cluster::start();
    let url = cluster.database("down");
    let place =
        |url: &str| CatalogPlace::parse(url, &PlaceOptions::in_folder(std::path::Path::new("."))).unwrap();
    let store = CatalogStore::create(&place(&url), "f", 0, None).unwrap();
    let empty = store.load().unwrap();
    let known = store.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    let (sender, hints) = std::sync::mpsc::channel();
    let listener = store.listen(move || sender.send(()).unwrap()).unwrap().unwrap();
    let wait = std::time::Duration::from_secs(20);
    hints.recv_timeout(wait).expect("a hint after LISTEN");
    cluster.crash();
    let error = store.load().unwrap_err();
    assert!(matches!(error, DatabaseError::Unreachable(_)), "{error:?}");
    cluster.start_again();
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert_eq!(store.load().unwrap(), known, "what was committed is there");
    hints.recv_timeout(wait).expect("a hint after the connection came back");
    store.commit(&known, &with_schema(&known, "sales"), &change()).unwrap();
    hints.recv_timeout(wait).expect("a hint after a commit");
    drop(listener);

    let wrong = CatalogStore::open(&place(&url.replace("of-the-tests", "s3cret"))).unwrap_err();
    assert!(matches!(wrong, DatabaseError::Unreachable(_)), "{wrong:?}");
    assert!(!wrong.to_string().contains("s3cret"), "{wrong}");
}

#[test]
fn a_replaced_file_is_noticed_and_read_anew() {
    let folder = Folder::new("replaced");
    let store = CatalogStore::create(&folder.place(), "f", 0, None).unwrap();
    let empty = store.load().unwrap();
    let known = store.commit(&empty, &with_schema(&empty, "hr"), &change()).unwrap();
    assert!(!store.reopen_if_replaced().unwrap());
    let backup = folder.0.join("backup.db");
    CatalogStore::create(&CatalogPlace::Sqlite(backup.clone()), "f", 0, None).unwrap();
    std::fs::rename(&backup, folder.file()).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.0.join(format!("catalog.db{suffix}")));
    }
    assert!(store.reopen_if_replaced().unwrap());
    let older = store.refresh(&known).unwrap().unwrap();
    assert!(older.catalog.schemas.is_empty() && !older.follows);
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

fn user(id: u64) -> User {
    User {
        id,
        name: "ada".into(),
        kind: UserKind::Administrator,
        schemas: Vec::new(),
        password: "the hash".into(),
        password_set_on_ms: 0,
        enabled: true,
        generation: 1,
        created_by: "anna".into(),
        created_on_ms: 0,
        updated_by: "anna".into(),
        updated_on_ms: 0,
    }
}

fn sign_in(id: &str, user_id: u64, made_on_ms: i64) -> SignIn {
    SignIn {
        id: id.into(),
        user_id,
        generation: u64::MAX,
        made_on_ms,
        seen_on_ms: made_on_ms,
        expires_on_ms: 1_000_000,
        confirmed_on_ms: made_on_ms,
        address: "192.0.2.1".into(),
        user_agent: "a browser".into(),
    }
}

/// Later ids are of later.
fn item(id: u64, user_id: u64, kind: ConsoleItemKind, name: &str) -> ConsoleItem {
    let (name, body) = (name.to_owned(), "select 1".to_owned());
    ConsoleItem { id, user_id, schema_id: 0, kind, name, at_ms: id as i64, body }
}
