use super::*;

const ITEMS: &str = "create table parent (id integer primary key);
    create table item (id integer primary key, name text unique, price numeric not null check (price > 0),
      parent integer references parent (id), later integer references parent (id) deferrable initially deferred);";

/// Runs jobs as one batch: the writer is held up until all of them wait.
async fn together(
    fixture: &Fixture,
    jobs: Vec<(Arc<CompiledSource>, &'static str)>,
) -> Vec<Result<Reply, ExecuteError>> {
    let lock = fixture.raw();
    lock.execute_batch("begin immediate").unwrap();
    let opener = {
        let (store, plan) = (fixture.store.clone(), request(&post("delete from item where id < 0"), ""));
        tokio::spawn(async move { store.execute(plan, limits()).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let tasks: Vec<_> = jobs
        .into_iter()
        .map(|(source, query)| {
            let (store, plan) = (fixture.store.clone(), request(&source, query));
            tokio::spawn(async move { store.execute(plan, limits()).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    lock.execute_batch("rollback").unwrap();
    opener.await.unwrap().unwrap();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn one_bad_request_never_takes_its_neighbours() {
    let options = DataOptions {
        write_time: Duration::from_millis(60),
        busy_wait: Duration::from_secs(10),
        ..DataOptions::default()
    };
    let fixture = Fixture::with(ITEMS, options);
    let good = || post("insert into item (name, price) values (:name, 1)");
    let endless = "insert into item (name, price) with recursive n(x) as (select 1 union all select x + 1 from n) \
                   select null, x from n where x < 0";
    let jobs = vec![
        (good(), "name=g1"),
        (post("insert into item (name, price) values ('c', -1)"), ""),
        (good(), "name=g2"),
        (post("insert into item (name, price) values ('g1', 1)"), ""),
        (post("insert into item (price, parent) values (1, 99)"), ""),
        (post("insert into nowhere values (1)"), ""),
        (good(), "name=g3"),
        (post(endless), ""),
        (post("insert or rollback into item (name, price) values ('g1', 1)"), ""),
        (good(), "name=g4"),
        (post("insert into item (price, later) values (1, 99)"), ""),
        (
            post(
                "begin insert into item (name, price) values ('half', 1); insert into item (price) values (null); end;",
            ),
            "",
        ),
        (good(), "name=g5"),
    ];
    let results = together(&fixture, jobs).await;
    let kinds: Vec<_> = results
        .iter()
        .map(|result| match result {
            Ok(_) => "ok".to_owned(),
            Err(ExecuteError::Constraint { kind, .. }) => format!("{kind:?}"),
            Err(ExecuteError::NotCompiled { .. }) => "not compiled".into(),
            Err(other) => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "ok",
            "Check",
            "ok",
            "Unique",
            "ForeignKey",
            "not compiled",
            "ok",
            "Timeout",
            "Unique",
            "ok",
            "ForeignKey",
            "NotNull",
            "ok"
        ]
    );
    assert_eq!(fixture.number("select count(*) from item"), 5);
    assert_eq!(fixture.number("select count(*) from item where name in ('g1','g2','g3','g4','g5')"), 5);
}

#[tokio::test]
async fn writers_have_no_control_of_transactions_or_files() {
    let fixture = Fixture::new(ITEMS);
    let connection = UserConnection::open(&fixture.path(), Kind::Write, &DataOptions::default()).unwrap();
    let _user = connection.watch.user();
    for sql in [
        "begin",
        "commit",
        "rollback",
        "savepoint a",
        "release a",
        "attach 'x' as x",
        "vacuum into 'x'",
        "vacuum",
        "pragma foreign_keys = off",
        "pragma journal_mode = delete",
        "create table x (a)",
        "drop table item",
        "create temp table x (a)",
        "create trigger t after insert on item begin select 1; end",
        "alter table item add x",
        "delete from sqlite_schema",
        "insert into sqlite_sequence values ('a', 1)",
    ] {
        assert!(connection.sqlite.execute_batch(sql).is_err(), "{sql}");
    }
}

#[tokio::test]
async fn an_interrupted_handler_is_set_apart_and_the_writer_goes_on() {
    let options = DataOptions { write_time: Duration::from_millis(30), ..DataOptions::default() };
    let fixture = Fixture::with(ITEMS, options);
    let endless = post(
        "delete from item where id in (with recursive n(x) as (select 1 union all select x + 1 from n) select x from n)",
    );
    for _ in 0..2 {
        assert_eq!(fixture.run(&endless, "").await.unwrap_err(), ExecuteError::Timeout);
        fixture.run(&post("insert into item (price) values (1)"), "").await.unwrap();
    }
    assert_eq!(fixture.number("select count(*) from item"), 2);
}

#[tokio::test]
async fn a_lock_of_another_process_is_busy() {
    let options = DataOptions { busy_wait: Duration::from_millis(30), ..DataOptions::default() };
    let fixture = Fixture::with(ITEMS, options);
    let lock = fixture.raw();
    lock.execute_batch("begin immediate").unwrap();
    let insert = post("insert into item (price) values (1)");
    assert_eq!(fixture.run(&insert, "").await.unwrap_err(), ExecuteError::Busy);
    lock.execute_batch("rollback").unwrap();
    fixture.run(&insert, "").await.unwrap();
}

#[tokio::test]
async fn a_full_disk_fails_and_the_writer_goes_on() {
    let options = DataOptions { pages_max: 40, busy_wait: Duration::from_secs(10), ..DataOptions::default() };
    let fixture = Fixture::with(ITEMS, options);
    fixture.raw().execute_batch("create table blobs (b)").unwrap();
    let insert = post("insert into item (name, price) values (:name, 1)");
    let huge = post("insert into blobs values (zeroblob(:n))");
    let jobs = vec![(insert.clone(), "name=a"), (huge.clone(), "n=1000000"), (insert.clone(), "name=b")];
    let results = together(&fixture, jobs).await;
    assert_eq!(results[1].as_ref().unwrap_err(), &ExecuteError::Full);
    assert_eq!(fixture.run(&huge, "n=99000000").await.unwrap_err(), ExecuteError::TooLarge);
    fixture.run(&insert, "name=c").await.unwrap();
    assert_eq!(fixture.number("select count(*) from item"), 3);
    assert_eq!(fixture.number("select count(*) from blobs"), 0);
}

#[tokio::test]
async fn every_step_of_a_block_meets_the_authorizer() {
    let fixture = Fixture::new(ITEMS);
    let block = "begin :a := 1; insert into item (price) values (:a) returning id into :id; \
                 insert into parent select length(fts3_tokenizer('simple')); end;";
    let error = fixture.run(&post(block), "").await.unwrap_err();
    assert!(matches!(error, ExecuteError::Statement { .. } | ExecuteError::NotRunnable(_)), "{error:?}");
    let error = fixture.run(&post("begin :a := 1; delete from sqlite_sequence; end;"), "").await.unwrap_err();
    assert!(!matches!(error, ExecuteError::Panic), "{error:?}");
    let connection = UserConnection::open(&fixture.path(), Kind::Write, &DataOptions::default()).unwrap();
    let outer = connection.watch.user();
    drop(connection.watch.user());
    assert!(connection.watch.is_user());
    drop(outer);
    assert!(!connection.watch.is_user());
}

#[tokio::test]
async fn requests_that_waited_too_long_are_not_begun() {
    let fixture = Fixture::new(ITEMS);
    let late = Limits { deadline: Instant::now(), ..limits() };
    for source in [post("insert into item (price) values (1)"), get(SourceType::Query, "select 1")] {
        let error = fixture.store.execute(request(&source, ""), late).await.unwrap_err();
        assert_eq!(error, ExecuteError::Busy);
    }
    assert_eq!(fixture.number("select count(*) from item"), 0);
}

#[tokio::test]
async fn returning_rows_are_bounded() {
    let fixture = Fixture::new(ITEMS);
    let source = post(
        "insert into item (price) with recursive n(x) as (select 1 union all select x + 1 from n where x < 1000) \
         select x from n returning id, price",
    );
    for small in [Limits { rows_max: 10, ..limits() }, Limits { bytes_max: 500, ..limits() }] {
        let error = fixture.store.execute(request(&source, ""), small).await.unwrap_err();
        assert_eq!(error, ExecuteError::TooLarge);
    }
    assert_eq!(fixture.number("select count(*) from item"), 0);
}

#[tokio::test]
async fn bare_statements_answer_rows_or_their_number() {
    let fixture = Fixture::new(EMP);
    let one = post("update emp set sal = 900 where empno = :id returning empno, sal, hired, seen, active");
    assert_eq!(
        fixture.text(&one, "id=7369").await,
        r#"{"empno":7369,"sal":900,"hired":"1980-12-17","seen":"2024-05-01T09:30:00Z","active":true}"#
    );
    assert_eq!(fixture.text(&one, "id=1").await, r#"{"rowsAffected":0}"#);
    let all = post("update emp set sal = sal + 1 returning empno");
    assert_eq!(fixture.text(&all, "").await, r#"{"items":[{"empno":7369},{"empno":7499}]}"#);
    let reply = fixture.run(&post("delete from emp"), "").await.unwrap();
    assert_eq!(reply.rows, 2);
    assert_eq!(reply.content_type.as_deref(), Some("application/json"));
    assert_eq!(body(reply), r#"{"rowsAffected":2}"#);
}

#[tokio::test]
async fn blocks_set_status_and_location() {
    let fixture = Fixture::new(ITEMS);
    let source = post(
        "begin insert into item (name, price) values (:name, :price) returning id into :new_id; commit; \
         insert into parent values (:new_id); :status_code := 201; :forward_location := 'items/' || :new_id; end;",
    );
    let reply = fixture.run(&source, "name=a&price=2.5").await.unwrap();
    assert_eq!((reply.status, reply.location.as_deref()), (Some(201), Some("items/1")));
    assert_eq!((reply.content_type.clone(), reply.rows), (None, 2));
    assert_eq!(body(reply), "");
    assert_eq!(fixture.number("select count(*) from parent where id = 1"), 1);
}

#[tokio::test]
async fn returning_into_takes_exactly_one_row() {
    let fixture = Fixture::new(EMP);
    let many = post("begin update emp set sal = 1 returning empno into :id; end;");
    assert!(matches!(fixture.run(&many, "").await.unwrap_err(), ExecuteError::Statement { .. }));
    let wide = post("begin update emp set sal = 1 where empno = 7369 returning empno, ename into :id; end;");
    assert!(matches!(fixture.run(&wide, "").await.unwrap_err(), ExecuteError::Statement { .. }));
    assert_eq!(fixture.number("select count(*) from emp where sal = 1"), 0);
    let none = post("begin update emp set sal = 1 where empno = 1 returning 404 into :status_code; end;");
    assert_eq!(fixture.run(&none, "").await.unwrap().status, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_see_what_was_answered_before() {
    let fixture = Fixture::new(ITEMS);
    let insert = post("insert into item (name, price) values (:name, 1)");
    let point = get(SourceType::QueryOneRow, "select price from item where name = :name");
    let scan = get(SourceType::QueryOneRow, "select count(*) as n from item where name || '' = :name");
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (store, sources) = (fixture.store.clone(), [insert.clone(), point.clone(), scan.clone()]);
            tokio::spawn(async move {
                for number in 0..25 {
                    let query = format!("name=n{task}-{number}");
                    store.execute(request(&sources[0], &query), limits()).await.unwrap();
                    let found = store.execute(request(&sources[1], &query), limits()).await.unwrap();
                    assert_eq!(body(found), r#"{"price":1}"#);
                    let found = store.execute(request(&sources[2], &query), limits()).await.unwrap();
                    assert_eq!(body(found), r#"{"n":1}"#);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn answers_leave_after_the_commit() {
    let fixture = Fixture::new(ITEMS);
    let insert = post("insert into item (name, price) values (:name, 1)");
    for number in 0..20 {
        fixture.run(&insert, &format!("name=n{number}")).await.unwrap();
        assert_eq!(fixture.number("select count(*) from item"), number + 1);
    }
}

#[tokio::test]
async fn of_changes_that_expect_the_same_state_one_is_made() {
    let fixture = Fixture::new("create table counter (n integer); insert into counter values (0);");
    let current = get(SourceType::QueryOneRow, "select n from counter");
    let change = post("update counter set n = n + 1");
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (store, plan) = (fixture.store.clone(), request(&change, ""));
            let holds = |reply: &Reply| matches!(&reply.body, ReplyBody::Full(body) if body == "{\"n\":0}");
            let precondition = Precondition { plan: request(&current, ""), holds: Box::new(holds) };
            tokio::spawn(async move { store.execute_if(plan, precondition, limits()).await })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error, ExecuteError::Outdated),
        }
    }
    assert_eq!((made, fixture.number("select n from counter")), (1, 1));
    let gone = Precondition {
        plan: request(&get(SourceType::QueryOneRow, "select n from nowhere"), ""),
        holds: Box::new(|_| true),
    };
    let refused = fixture.store.execute_if(request(&change, ""), gone, limits()).await;
    assert_eq!(
        refused.err(),
        Some(ExecuteError::Outdated),
        "a state that cannot be read is not the wanted one"
    );
}
