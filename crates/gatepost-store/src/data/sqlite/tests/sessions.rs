use super::*;
use crate::data::{SessionError, SessionResult};

struct Views;

const VIEWS: [DictionaryView; 2] = [
    DictionaryView { name: "user_ords_clients", columns: &["id", "name", "client_id", "auth_flow"] },
    DictionaryView { name: "user_ords_roles", columns: &["id", "name"] },
];

impl DictionarySource for Views {
    fn views(&self) -> &[DictionaryView] {
        &VIEWS
    }

    fn rows_json(&self, view: &str) -> String {
        match view {
            "user_ords_clients" => {
                r#"[[10001,"app","abc","CLIENT_CRED"],[10002,"o'ther",null,"AUTH_CODE"]]"#.into()
            }
            _ => "[]".into(),
        }
    }
}

fn run(session: &mut Session, sql: &str) -> Result<SessionResult, SessionError> {
    session.run(sql, &[], &Views)
}

fn text(text: &str) -> SessionValue {
    SessionValue::Text(text.into())
}

#[test]
fn scripts_reach_no_other_file_and_no_transaction() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    for sql in [
        "attach 'x.db' as x",
        "detach main",
        "vacuum",
        "vacuum into 'x.db'",
        "pragma journal_mode = delete",
        "pragma writable_schema = on",
        "begin",
        "commit",
        "rollback",
        "savepoint a",
        "release a",
        "select load_extension('x')",
        "create temp table x (a)",
        "create temp view x as select 1",
        "create temp trigger x after insert on emp begin select 1; end",
        "drop view temp.user_ords_clients",
        "create virtual table x using dbstat",
        "delete from sqlite_schema",
        "update sqlite_schema set sql = ''",
        "insert into sqlite_schema values (1,1,1,1,1)",
    ] {
        assert!(run(&mut session, sql).is_err(), "{sql}");
    }
    session.begin().unwrap();
    assert!(run(&mut session, "commit").is_err());
    assert!(session.in_transaction());
}

#[test]
fn errors_have_their_place() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    let sql = "select :a, nope from emp";
    let error = session.run(sql, &[("A".into(), SessionValue::Null)], &Views).unwrap_err();
    assert_eq!((error.message.as_str(), error.offset), ("no such column: nope", Some(11)));
    assert_eq!(run(&mut session, "select ? from emp").unwrap_err().offset, Some(7));
    assert!(run(&mut session, "select :a").unwrap_err().message.contains(":a has no value"));
    assert!(run(&mut session, "select 1; select 2").is_err());
}

#[test]
fn endless_statements_end() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    session.set_time(Duration::from_millis(30));
    session.begin().unwrap();
    run(&mut session, "insert into dept values (20, 'x')").unwrap();
    let endless = "insert into dept with recursive n(x) as (select 100 union all select x + 1 from n) select x, 'y' from n";
    let error = run(&mut session, endless).unwrap_err();
    assert!(error.message.contains("SQLite ended the transaction"), "{error}");
    assert!(!session.in_transaction());
    assert!(session.commit().is_err());
    assert_eq!(fixture.number("select count(*) from dept"), 1);
}

#[test]
fn ddl_and_dml_commit_and_roll_back() {
    let fixture = Fixture::new("");
    let mut session = fixture.store.session().unwrap();
    session.begin().unwrap();
    run(&mut session, "create table t (a integer primary key, b text)").unwrap();
    run(&mut session, "create index i on t (b)").unwrap();
    run(&mut session, "create view v as select * from t").unwrap();
    run(&mut session, "create trigger g after insert on t begin update t set b = 'x' where a = new.a; end")
        .unwrap();
    run(&mut session, "alter table t add column c").unwrap();
    run(&mut session, "create virtual table f using fts5(body)").unwrap();
    run(&mut session, "insert into f values ('some words')").unwrap();
    let inserted = run(&mut session, "insert into t (a) values (1), (2)").unwrap();
    assert_eq!(inserted.affected, Some(2));
    session.commit().unwrap();
    assert_eq!(
        run(&mut session, "select count(*) from f where f match 'words'").unwrap().rows[0][0],
        SessionValue::Integer(1)
    );
    session.begin().unwrap();
    run(&mut session, "drop view v").unwrap();
    run(&mut session, "delete from t").unwrap();
    session.rollback().unwrap();
    assert_eq!(run(&mut session, "select count(*) as N from v").unwrap().rows, [[SessionValue::Integer(2)]]);
    assert_eq!(fixture.number("select count(*) from t where b = 'x'"), 2);
}

#[test]
fn a_dropped_session_leaves_nothing() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    session.begin().unwrap();
    run(&mut session, "delete from emp").unwrap();
    drop(session);
    assert_eq!(fixture.number("select count(*) from emp"), 2);
}

#[test]
fn deferred_keys_fail_at_commit() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    session.begin().unwrap();
    run(&mut session, "update emp set deptno = 99").unwrap();
    assert!(session.commit().unwrap_err().message.contains("FOREIGN KEY"));
    assert!(!session.in_transaction());
    assert_eq!(fixture.number("select count(*) from emp where deptno = 99"), 0);
}

#[test]
fn the_dictionary_joins_with_tables() {
    let fixture =
        Fixture::new("create table note (client text, body text); insert into note values ('app', 'hello')");
    let mut session = fixture.store.session().unwrap();
    let joined = "select c.ID, c.name, n.body from USER_ORDS_CLIENTS c join note n on n.client = c.name";
    let result = run(&mut session, joined).unwrap();
    assert_eq!(result.columns, ["id", "name", "body"]);
    assert_eq!(result.rows, [[SessionValue::Integer(10001), text("app"), text("hello")]]);
    let result = run(&mut session, "select * from \"user_ords_clients\" where client_id is null").unwrap();
    assert_eq!(result.rows[0][1], text("o'ther"));
    assert!(run(&mut session, "select * from user_ords_roles").unwrap().rows.is_empty());
    let own = "with user_ords_clients as (select 1 as x) select * from user_ords_clients";
    assert_eq!(run(&mut session, own).unwrap().columns, ["x"]);
    assert!(run(&mut session, "update user_ords_clients set name = 'x'").is_err());
    assert!(run(&mut session, "delete from user_ords_clients").is_err());
}

#[test]
fn the_dictionary_survives_a_rollback() {
    let fixture = Fixture::new("create table copy (name text)");
    let mut session = fixture.store.session().unwrap();
    session.begin().unwrap();
    let copied =
        run(&mut session, "insert into copy select name from user_ords_clients returning name").unwrap();
    assert_eq!((copied.rows.len(), copied.affected), (2, Some(2)));
    session.rollback().unwrap();
    assert_eq!(
        run(&mut session, "select count(*) from user_ords_clients").unwrap().rows[0][0],
        SessionValue::Integer(2)
    );
    assert_eq!(fixture.number("select count(*) from copy"), 0);
}

#[tokio::test]
async fn handlers_have_no_dictionary() {
    let fixture = Fixture::new("");
    let mut session = fixture.store.session().unwrap();
    run(&mut session, "select * from user_ords_clients").unwrap();
    for sql in ["select * from user_ords_clients", "select gatepost_dictionary('user_ords_clients')"] {
        assert!(fixture.run(&get(SourceType::Query, sql), "").await.is_err(), "{sql}");
    }
    // A view in the file that calls the function is refused even where the function exists.
    fixture
        .raw()
        .execute_batch("create view spy as select gatepost_dictionary('user_ords_clients') as x")
        .unwrap();
    assert!(run(&mut session, "select * from spy, user_ords_clients").is_err());
}

#[test]
fn tables_can_be_described() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    assert_eq!(run(&mut session, "pragma table_info(dept)").unwrap().rows.len(), 2);
    assert_eq!(run(&mut session, "select name from pragma_table_info('dept')").unwrap().rows.len(), 2);
    assert!(run(&mut session, "select * from pragma_database_list").is_err());
}

#[test]
fn rows_are_limited() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    session.set_rows_max(1);
    let result = run(&mut session, "select ename as \"eName\" from emp order by 1").unwrap();
    assert!(result.truncated);
    assert_eq!((result.columns, result.rows.len()), (vec!["eName".to_owned()], 1));
    let changed = run(&mut session, "update emp set sal = 1 returning empno").unwrap();
    assert_eq!((changed.rows.len(), changed.truncated, changed.affected), (1, true, Some(2)));
}

#[test]
fn binds_go_by_name() {
    let fixture = Fixture::new(EMP);
    let mut session = fixture.store.session().unwrap();
    let binds =
        [("Id".to_owned(), SessionValue::Integer(7369)), ("b".to_owned(), SessionValue::Blob(vec![1]))];
    let result = session.run("select :ID, :b, :id", &binds, &Views).unwrap();
    assert_eq!(result.rows[0][2], SessionValue::Integer(7369));
    assert_eq!(result.rows[0][1], SessionValue::Blob(vec![1]));
}

#[test]
fn the_owner_sees_tables_views_and_plans_and_changes_nothing_by_looking() {
    let schema = "create table emp (empno integer primary key, ename text, sal numeric);
        create index emp_sal on emp (sal);
        create view well_paid as select ename from emp where sal > 3000;
        create table gone (n int); create view lost as select n from gone; drop table gone;";
    let fixture = Fixture::new(schema);
    let session = fixture.store.session().unwrap();
    let mut session = crate::data::Session(crate::data::session::Engine::Sqlite(Box::new(session)));
    let relations = session.relations().unwrap();
    let shown: Vec<_> = relations.iter().map(|it| (it.name.as_str(), it.is_view, it.columns.len())).collect();
    assert_eq!(shown, [("emp", false, 3), ("lost", true, 0), ("well_paid", true, 1)]);
    let first = &relations[0].columns[0];
    assert_eq!((first.name.as_str(), first.kind.as_str(), first.is_key), ("empno", "integer", true));

    for sql in
        ["delete from emp", "insert into emp values (1, 'a', 2)", "create table x (n)", "pragma table_list"]
    {
        let error = session.explain(sql, &Views).unwrap_err();
        assert!(error.message.starts_with("only queries"), "{error}");
    }
    let error = session.explain("select nothing from emp", &Views).unwrap_err();
    assert_eq!(error.offset, Some(7), "{error}");
    let plan = session.explain("select * from emp where sal > :least", &Views).unwrap();
    assert!(plan.iter().all(|step| !step.reads_all), "{plan:?}");
    let plan =
        session.explain("with e as (select * from emp) select * from e, user_ords_roles r", &Views).unwrap();
    assert!(plan.iter().any(|step| step.reads_all && step.text.contains("emp")), "{plan:?}");
    assert!(!session.in_transaction());
}
