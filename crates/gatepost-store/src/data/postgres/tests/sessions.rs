//! Scripts of the owner.

use super::*;

struct Views;

impl DictionarySource for Views {
    fn views(&self) -> &[DictionaryView] {
        &[
            DictionaryView { name: "user_ords_clients", columns: &["id", "name", "client_id"] },
            DictionaryView { name: "user_ords_roles", columns: &["id", "name"] },
        ]
    }

    fn rows_json(&self, view: &str) -> String {
        match view {
            "user_ords_clients" => r#"[[10001,"app","c-1"],[10002,"it's",null]]"#.into(),
            _ => "[]".into(),
        }
    }
}

/// Sessions block, so they have a thread of their own.
async fn session<T: Send + 'static>(
    fixture: &Fixture,
    work: impl FnOnce(&mut crate::data::Session) -> T + Send + 'static,
) -> T {
    let store = fixture.store.clone();
    tokio::task::spawn_blocking(move || work(&mut store.session().unwrap())).await.unwrap()
}

async fn run(fixture: &Fixture, sql: &'static str) -> Result<SessionResult, SessionError> {
    session(fixture, move |session| session.run(sql, &[], &Views)).await
}

fn text(text: &str) -> SessionValue {
    SessionValue::Text(text.into())
}

#[tokio::test]
async fn ddl_and_dml_run_as_the_owner() {
    let fixture = Fixture::new("").await;
    let rows = session(&fixture, |session| {
        session.begin().unwrap();
        session.run("create table t (n numeric, b boolean, d date)", &[], &Views).unwrap();
        let binds = [("N".to_owned(), SessionValue::Number("1.50".into())), ("d".into(), text("2024-05-01"))];
        let result = session.run("insert into t values (:n, true, :d)", &binds, &Views).unwrap();
        assert_eq!(result.affected, Some(1));
        session.commit().unwrap();
        session.run("select n, b, d, n is null as \"Nil\" from t", &[], &Views).unwrap()
    })
    .await;
    assert_eq!(rows.columns, ["n", "b", "d", "Nil"]);
    assert_eq!(
        rows.rows,
        [[
            SessionValue::Number("1.50".into()),
            SessionValue::Boolean(true),
            text("2024-05-01"),
            SessionValue::Boolean(false)
        ]]
    );
}

#[tokio::test]
async fn the_dictionary_joins_and_is_typed() {
    let fixture = Fixture::new("create table own (id int); insert into own values (10001)").await;
    for (sql, rows) in [
        ("select name from user_ords_clients where id = 10001", 1),
        ("select c.name from user_ords_clients c join own on own.id = c.id", 1),
        ("select * from USER_ORDS_CLIENTS order by id", 2),
        ("with x as (select 1 as one) select * from x, user_ords_clients", 2),
        (
            "with recursive x(n) as (select 1 union all select n + 1 from x where n < 2) select * from x, user_ords_clients",
            4,
        ),
        ("with user_ords_clients as (select 7 as id) select * from user_ords_clients", 1),
        ("(select id from user_ords_clients) union all (select id from user_ords_roles)", 2),
        ("select count(*) from user_ords_roles where id = 5", 1),
        ("insert into own select id from user_ords_clients where client_id is null returning id", 1),
    ] {
        let result = run(&fixture, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(result.rows.len(), rows, "{sql}");
    }
    assert!(run(&fixture, "create table copy as select * from user_ords_clients").await.is_err());
}

#[tokio::test]
async fn errors_have_their_place() {
    let fixture = Fixture::new("").await;
    for sql in [
        "select 1,\n  nothing from user_ords_clients",
        "select 'ä', nothing",
        "select :x, nothing from user_ords_clients",
        "with a as (select 1) select nothing from a, user_ords_roles",
    ] {
        let error = session(&fixture, move |session| {
            session.run(sql, &[("x".into(), SessionValue::Null)], &Views).unwrap_err()
        })
        .await;
        assert_eq!(error.offset, sql.find("nothing"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_failure_undoes_its_statement_only() {
    let fixture = Fixture::new("create table t (n int primary key)").await;
    session(&fixture, |session| {
        session.begin().unwrap();
        session.run("insert into t values (1)", &[], &Views).unwrap();
        assert!(session.run("insert into t values (1)", &[], &Views).is_err());
        session.run("insert into t values (2)", &[], &Views).unwrap();
        session.commit().unwrap();
        session.begin().unwrap();
        session.run("insert into t values (3)", &[], &Views).unwrap();
        session.rollback().unwrap();
        assert!(!session.in_transaction());
    })
    .await;
    assert_eq!(fixture.number("select count(*) from t").await, 2);
}

#[tokio::test]
async fn settings_and_transactions_are_refused() {
    let fixture = Fixture::new("").await;
    for sql in [
        "begin",
        "commit",
        "set role postgres",
        "set search_path = x",
        "reset all",
        "copy t from stdin",
        "vacuum",
    ] {
        let error = run(&fixture, sql).await.unwrap_err();
        assert!(error.message.contains("not for scripts"), "{error}");
    }
    assert!(run(&fixture, "select 1; select 2").await.is_err());
}

#[tokio::test]
async fn results_and_time_are_limited() {
    let fixture = Fixture::new("").await;
    let (rows, error) = session(&fixture, |session| {
        session.set_rows_max(10);
        session.begin().unwrap();
        let rows = session.run("select generate_series(1, 100000000) as g", &[], &Views).unwrap();
        session.set_time(Duration::from_millis(200));
        (rows, session.run("select pg_sleep(10)", &[], &Views).unwrap_err())
    })
    .await;
    assert_eq!((rows.rows.len(), rows.truncated), (10, true));
    assert!(error.message.contains("longer than 0.2 s"), "{error}");
}

#[tokio::test]
async fn procedures_and_anonymous_blocks_run() {
    let fixture = Fixture::new("create table t (n int)").await;
    session(&fixture, |session| {
        let create =
            "create procedure fill(n int) language plpgsql as $p$ begin insert into t values (n); end $p$";
        session.run(create, &[], &Views).unwrap();
        session.run("call fill(:n)", &[("n".into(), SessionValue::Integer(5))], &Views).unwrap();
        session.run("do $$ begin insert into t values (6); end $$", &[], &Views).unwrap();
    })
    .await;
    assert_eq!(fixture.number("select sum(n) from t").await, 11);
}

#[tokio::test]
async fn a_check_names_what_is_wrong_and_the_columns() {
    let fixture = Fixture::new("create table t (n int, hired date)").await;
    let check = async |sql: &str| {
        let (store, source) = (fixture.store.clone(), get(SourceType::CollectionFeed, sql));
        tokio::task::spawn_blocking(move || store.check(&source)).await.unwrap()
    };
    let columns = check("select n, hired as \"Hired\" from t where n = :n").await.unwrap().columns;
    let names: Vec<_> = columns.members.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["n", "Hired"]);
    assert!(check("select nothing from t").await.unwrap_err().contains("nothing"));
    assert!(check("select hired + :d from t").await.unwrap_err().contains(":d::date"));
}

#[tokio::test]
async fn the_owner_sees_tables_views_and_plans_and_changes_nothing_by_looking() {
    let schema = "create table emp (empno int primary key, ename text, sal numeric(7,2));
        create view well_paid as select ename from emp where sal > 3000;
        create table bare ();";
    let fixture = Fixture::new(schema).await;
    let relations = session(&fixture, |session| session.relations().unwrap()).await;
    let shown: Vec<_> = relations.iter().map(|it| (it.name.as_str(), it.is_view, it.columns.len())).collect();
    assert_eq!(shown, [("bare", false, 0), ("emp", false, 3), ("well_paid", true, 1)]);
    let columns = &relations[1].columns;
    assert_eq!((columns[0].kind.as_str(), columns[0].is_key), ("integer", true));
    assert_eq!((columns[2].kind.as_str(), columns[2].is_key), ("numeric(7,2)", false));

    for sql in ["delete from emp", "analyze emp", "analyze select 1", "(analyze) select 1"] {
        let explained = session(&fixture, move |session| session.explain(sql, &Views)).await;
        assert!(explained.is_err(), "{sql}: {explained:?}");
    }
    let plan = async |sql: &'static str| {
        session(&fixture, move |session| session.explain(sql, &Views)).await.unwrap()
    };
    assert!(!plan("select * from emp where ename = :name").await.is_empty());
    let steps = plan("select * from emp where ename = 'KING' order by sal").await;
    assert!(steps.iter().any(|step| step.reads_all && step.depth > 0), "{steps:?}");
    plan("select * from emp e join user_ords_roles r on r.id = e.empno").await;
    plan("with gone as (delete from emp returning 1) select * from gone").await;
    let rows = run(&fixture, "select count(*) as n from emp").await.unwrap();
    assert_eq!(rows.rows, [[SessionValue::Integer(0)]]);
}
