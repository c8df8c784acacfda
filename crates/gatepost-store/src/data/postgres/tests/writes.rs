//! Changes.

use super::*;

async fn change(fixture: &Fixture, sql: &str, json: &str) -> Result<Reply, ExecuteError> {
    fixture.store.execute(sent(&post(sql), "", json), limits()).await
}

#[tokio::test]
async fn statements_change_and_return() {
    let fixture = Fixture::new(EMP).await;
    let sql = "insert into emp (empno, ename, sal, tags, doc) values (:id, :name, :sal, :tags, :doc) returning empno, sal, tags, doc";
    let json = r#"{"id":1,"name":"it's","sal":1.10,"tags":["a,b",null],"doc":{"a":[1.10]}}"#;
    let reply = change(&fixture, sql, json).await.unwrap();
    assert_eq!(reply.rows, 1);
    assert_eq!(body(reply), r#"{"empno":1,"sal":1.10,"tags":["a,b",null],"doc":{"a": [1.10]}}"#);
    let reply =
        change(&fixture, "update emp set sal = sal + :by where empno > 7000", r#"{"by":1}"#).await.unwrap();
    assert_eq!(body(reply), "{\"rowsAffected\":2}");
    let reply = change(&fixture, "delete from emp where empno > 7000 returning empno", "").await.unwrap();
    assert_eq!(body(reply), "{\"items\":[{\"empno\":7369},{\"empno\":7499}]}");
    let merge = "merge into dept d using (select :no::int as n) s on d.deptno = s.n
                 when matched then update set dname = 'X' when not matched then insert values (s.n, 'NEW')";
    assert_eq!(body(change(&fixture, merge, r#"{"no":20}"#).await.unwrap()), "{\"rowsAffected\":1}");
    assert_eq!(fixture.number("select count(*) from dept").await, 2);
}

#[tokio::test]
async fn blocks_are_one_transaction() {
    let fixture = Fixture::new(EMP).await;
    let block = "begin
        insert into dept (deptno, dname) values (:no, :name);
        update dept set dname = upper(dname) where deptno = :no returning dname into :shown;
        :status_code := 200 + 1;
        :forward_location := './' || :no;
      end;";
    let mut handler = handler(Method::Post, SourceType::PlSql, block);
    let mut shown = parameter("shown", ParameterType::String);
    shown.access = ParameterAccess::Out;
    shown.source = ParameterSource::Response;
    handler.parameters = vec![shown];
    let source = compiled(&handler);
    let reply =
        fixture.store.execute(sent(&source, "", r#"{"no":30,"name":"sales"}"#), limits()).await.unwrap();
    assert_eq!((reply.status, reply.location.as_deref()), (Some(201), Some("./30")));
    assert_eq!(body(reply), "{\"shown\":\"SALES\"}");
    // The second statement fails: the first leaves nothing.
    let failing = "begin insert into dept values (40, 'x'); insert into dept values (30, 'again'); end;";
    assert!(change(&fixture, failing, "").await.is_err());
    assert_eq!(fixture.number("select count(*) from dept where deptno = 40").await, 0);
}

#[tokio::test]
async fn broken_rules_have_their_kinds() {
    let fixture = Fixture::new(EMP).await;
    for (sql, kind) in [
        ("insert into emp (empno, ename) values (7369, 'x')", ConstraintKind::Unique),
        ("insert into emp (empno, ename) values (1, null)", ConstraintKind::NotNull),
        ("insert into emp (empno, ename, sal) values (1, 'x', 99999)", ConstraintKind::Check),
        ("insert into emp (empno, ename, deptno) values (1, 'x', 99)", ConstraintKind::ForeignKey),
    ] {
        match change(&fixture, sql, "").await {
            Err(ExecuteError::Constraint { kind: found, .. }) => assert_eq!(found, kind, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(fixture.number("select count(*) from emp").await, 2);
}

#[tokio::test]
async fn volatile_functions_run_on_the_writer() {
    let fixture = Fixture::new(
        "create table log (t text);
         create function note(t text) returns text language sql as 'insert into log values (t) returning t'",
    )
    .await;
    let error = fixture.run(&get(SourceType::QueryOneRow, "select note('x') as v"), "").await.unwrap_err();
    assert!(matches!(error, ExecuteError::NotRunnable(_)), "{error:?}");
    // An assignment in a block with a change runs where changes may.
    let block = "begin update log set t = t; :status_code := length(note(:t)) + 200; end;";
    let reply = change(&fixture, block, r#"{"t":"abc"}"#).await.unwrap();
    assert_eq!(reply.status, Some(203));
    assert_eq!(fixture.number("select count(*) from log").await, 1);
}

#[tokio::test]
async fn too_many_returned_rows_change_nothing() {
    let fixture = Fixture::new("create table t as select 1 as n from generate_series(1, 100)").await;
    let limits = Limits { rows_max: 10, ..limits() };
    let source = post("update t set n = 2 returning n");
    assert!(matches!(fixture.store.execute(request(&source, ""), limits).await, Err(ExecuteError::TooLarge)));
    assert_eq!(fixture.number("select count(*) from t where n = 2").await, 0);
}

#[tokio::test]
async fn an_answer_that_is_too_large_changes_nothing_however_it_grows() {
    let fixture = Fixture::new(
        "create table t (n int, s text, v varchar(20000));
         create table noted (n int); create view ruled as select n from noted;
         create rule twice as on insert to ruled do instead insert into noted select new.n from generate_series(1, 100)
           returning n",
    )
    .await;
    let limits = Limits { rows_max: 10, bytes_max: 10_000, ..limits() };
    for sql in [
        "insert into t (s) values (repeat('x', 20000)) returning s",
        "insert into t (v) values (repeat('x', 20000)) returning v",
        "insert into t (n) values (generate_series(1, 100)) returning n",
        "insert into ruled values (1) returning n",
        "insert into t (n) select g from generate_series(1, 100) g returning n",
    ] {
        for _ in 0..2 {
            let result = fixture.store.execute(request(&post(sql), ""), limits).await;
            assert!(matches!(result, Err(ExecuteError::TooLarge)), "{sql}: {result:?}");
        }
    }
    let schema = &fixture.schema;
    let left = format!("select (select count(*) from {schema}.t) + (select count(*) from {schema}.noted)");
    assert_eq!(fixture.number(&left).await, 0);
    // What fits is made.
    let small = post("insert into t (n, v) values (1, 'x') returning n, v");
    let reply = fixture.store.execute(request(&small, ""), Limits { bytes_max: 1_000_000, ..limits }).await;
    assert_eq!(body(reply.unwrap()), "{\"n\":1,\"v\":\"x\"}");
    assert_eq!(fixture.number(&left).await, 1);
}

#[tokio::test]
async fn a_rule_that_is_looked_at_late_undoes_the_change() {
    let fixture = Fixture::new(EMP).await;
    let sql = "insert into emp (empno, ename, deptno) values (:id, 'x', :dept)";
    for returning in ["", " returning empno", " returning empno, doc"] {
        let source = post(&format!("{sql}{returning}"));
        let error =
            fixture.store.execute(sent(&source, "", r#"{"id":1,"dept":99}"#), limits()).await.unwrap_err();
        let foreign_key = ConstraintKind::ForeignKey;
        assert!(matches!(&error, ExecuteError::Constraint { kind, .. } if *kind == foreign_key), "{error:?}");
        assert_eq!(fixture.number("select count(*) from emp").await, 2);
        // The connection is good for the next.
        fixture.store.execute(sent(&source, "", r#"{"id":1,"dept":10}"#), limits()).await.unwrap();
        assert_eq!(fixture.number("select count(*) from emp").await, 3);
        fixture.run(&post("delete from emp where empno = 1"), "").await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_changes_nothing() {
    let fixture = Fixture::new("create table t (n int, s text)").await;
    for (block, json) in [
        ("begin insert into t (n) values (:n) returning n into :status_code; end;", r#"{"n":7}"#),
        ("begin insert into t (n) values (1); :status_code := 7; end;", ""),
        ("begin :status_code := 'x'; insert into t (n) values (1); end;", ""),
        ("begin insert into t (n) values (1) returning n, s into :a; end;", ""),
        ("begin insert into t (n) values (generate_series(1, 2)) returning n into :a; end;", ""),
    ] {
        for _ in 0..2 {
            let result = fixture.store.execute(sent(&post(block), "", json), limits()).await;
            assert!(result.is_err(), "{block}: {result:?}");
        }
    }
    assert_eq!(fixture.number(&format!("select count(*) from {}.t", fixture.schema)).await, 0);
    let block =
        "begin :status_code := 500; insert into t (n) values (:n) returning n into :id; :status_code := 201;
      :forward_location := 'there'; end;";
    let reply = change(&fixture, block, r#"{"n":7}"#).await.unwrap();
    assert_eq!((reply.status, reply.location.as_deref()), (Some(201), Some("there")));
    assert_eq!(fixture.number(&format!("select count(*) from {}.t", fixture.schema)).await, 1);
}

#[tokio::test]
async fn a_change_is_answered_when_it_is_there_for_others() {
    let fixture = Fixture::with("create table t (id int generated always as identity, n int)", |options| {
        options.writers_max = 2;
    })
    .await;
    let insert = post("insert into t (n) values (:n) returning id");
    let count = get(SourceType::QueryOneRow, "select count(*) as n from t");
    for n in 1..=20 {
        let json = format!("{{\"n\":{n}}}");
        let reply = fixture.store.execute(sent(&insert, "", &json), limits()).await.unwrap();
        assert_eq!(body(reply), format!("{{\"id\":{n}}}"));
        assert_eq!(fixture.text(&count, "").await, format!("{{\"n\":{n}}}"));
    }
}

#[tokio::test]
async fn an_outdated_change_is_made_once() {
    let fixture = Fixture::with("create table t (a int)", |options| options.writers_max = 1).await;
    let insert = post("insert into t values (:a) returning *");
    let plain = post("insert into t (a) values (:a)");
    let made = async |source, a: i32| {
        let json = format!("{{\"a\":{a}}}");
        body(fixture.store.execute(sent(source, "", &json), limits()).await.unwrap())
    };
    assert_eq!(made(&insert, 1).await, "{\"a\":1}");
    assert_eq!(made(&plain, 2).await, "{\"rowsAffected\":1}");
    let schema = &fixture.schema;
    for change in ["add b text default 'x'", "alter a type numeric(4,1)", "drop b", "alter a type int"] {
        fixture.admin.batch_execute(&format!("alter table {schema}.t {change}")).await.unwrap();
        let before = fixture.number("select count(*) from t").await;
        made(&insert, 3).await;
        made(&plain, 4).await;
        assert_eq!(fixture.number("select count(*) from t").await, before + 2, "{change}");
    }
    let all = fixture.number("select count(*) from t").await;
    fixture
        .admin
        .batch_execute(&format!("drop table {schema}.t; create table {schema}.t (a int)"))
        .await
        .unwrap();
    fixture
        .admin
        .batch_execute(&format!("grant insert, select on {schema}.t to {schema}_writer"))
        .await
        .unwrap();
    made(&insert, 5).await;
    assert_eq!((all, fixture.number("select count(*) from t").await), (10, 1));
}

#[tokio::test]
async fn of_two_changes_with_one_precondition_one_is_made() {
    let fixture = Fixture::new("create table t (n int); insert into t values (0)").await;
    let (read, write) = (get(SourceType::QueryOneRow, "select n from t"), post("update t set n = n + 1"));
    let known = fixture.text(&read, "").await;
    let attempt = async || {
        let known = known.clone();
        let holds = move |reply: &Reply| matches!(&reply.body, ReplyBody::Full(bytes) if *bytes == known);
        let precondition = Precondition { plan: request(&read, ""), holds: Box::new(holds) };
        fixture.store.execute_if(request(&write, ""), precondition, limits()).await
    };
    let (a, b, c) = tokio::join!(attempt(), attempt(), attempt());
    let made = [&a, &b, &c].iter().filter(|result| result.is_ok()).count();
    assert_eq!(made, 1, "{a:?} {b:?} {c:?}");
    assert!([a, b, c].iter().all(|result| matches!(result, Ok(_) | Err(ExecuteError::Outdated))));
    assert_eq!(fixture.text(&read, "").await, "{\"n\":1}");
}

/// A change that waits for the row of an open transaction, and the connection of that transaction.
async fn waiting(script: &str) -> (Fixture, Arc<CompiledSource>, tokio_postgres::Client) {
    let fixture = Fixture::new(script).await.patient();
    // Not the administrator's: in a transaction it would see the same processes again and again.
    let holder = connect(&cluster().url("postgres")).await;
    let text = format!("begin; insert into {}.t values (1)", fixture.schema);
    holder.batch_execute(&text).await.unwrap();
    (fixture, post("insert into t values (1)"), holder)
}

async fn waiters(fixture: &Fixture) -> i64 {
    let schema = &fixture.schema;
    fixture
        .number(&format!(
            "select count(*) from pg_stat_activity where usename = '{schema}_writer' and wait_event_type = 'Lock'"
        ))
        .await
}

async fn until_waiters(fixture: &Fixture, count: i64) {
    let until = Instant::now() + Duration::from_secs(60);
    while waiters(fixture).await != count {
        assert!(Instant::now() < until, "there are never {count}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_change_whose_request_is_dropped_while_it_waits_is_not_made() {
    let (fixture, source, holder) = waiting("create table t (n int primary key)").await;
    let mut change = Box::pin(fixture.store.execute(request(&source, ""), limits_ms(600_000)));
    tokio::select! {
        result = &mut change => panic!("{result:?}"),
        () = until_waiters(&fixture, 1) => {}
    }
    drop(change);
    until_waiters(&fixture, 0).await;
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(fixture.number("select count(*) from t").await, 0);
    fixture.run(&source, "").await.unwrap();
}

#[tokio::test]
async fn a_change_whose_connection_is_lost_is_not_made_twice() {
    let (fixture, source, holder) = waiting("create table t (n int primary key)").await;
    let mut change = Box::pin(fixture.store.execute(request(&source, ""), limits_ms(600_000)));
    tokio::select! {
        result = &mut change => panic!("{result:?}"),
        () = until_waiters(&fixture, 1) => {}
    }
    let schema = &fixture.schema;
    let kill = format!(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = '{schema}_writer'"
    );
    assert_eq!(fixture.number(&kill).await, 1);
    // It was told to commit: nobody knows, so nobody tries again.
    assert!(matches!(change.await, Err(ExecuteError::Unavailable(_))));
    holder.batch_execute("rollback").await.unwrap();
    assert_eq!(fixture.number("select count(*) from t").await, 0);
    fixture.run(&source, "").await.unwrap();
}

#[tokio::test]
async fn waiting_for_a_lock_ends() {
    let fixture = Fixture::new("create table t (n int); insert into t values (1)").await;
    fixture.admin.batch_execute("begin; update t set n = 2").await.unwrap();
    let source = post("update t set n = 3");
    let result = fixture.store.execute(request(&source, ""), limits_ms(300)).await;
    assert!(matches!(result, Err(ExecuteError::Busy)), "{result:?}");
    fixture.admin.batch_execute("rollback").await.unwrap();
    assert!(fixture.run(&source, "").await.is_ok());
}

const PROCEDURES: &str = "create table log (id int generated always as identity, t text);
    create procedure note(t text) language sql as 'insert into log (t) values (t)';
    create procedure note_and_count(t text, out total bigint, inout doubled numeric) language plpgsql as
      $$begin insert into log values (default, t); total := (select count(*) from log); doubled := doubled * 2; end$$;
    create procedure note_and_commit(t text) language plpgsql as
      $$begin insert into log (t) values (t); commit; end$$;
    create procedure where_is(out p point) language plpgsql as $$begin p := '(1,2)'; end$$;
    create procedure many(out a int[], out j jsonb, out r log) language plpgsql as
      $$begin a := '{1,2}'; j := '{\"n\":1.0}'; select * into r from log limit 1; end$$";

#[tokio::test]
async fn procedures_are_called_and_their_out_values_are_one_row() {
    let fixture = Fixture::new(PROCEDURES).await;
    let reply = change(&fixture, "call note(:t)", r#"{"t":"first"}"#).await.unwrap();
    assert_eq!((reply.content_type.is_none(), body(reply).as_str()), (true, ""));
    let sql = "call note_and_count(t => :t, total => null, doubled => :d)";
    let reply = change(&fixture, sql, r#"{"t":"second","d":1.10}"#).await.unwrap();
    assert_eq!(body(reply), "{\"total\":2,\"doubled\":2.20}");
    let reply = change(&fixture, "call many(null, null, null)", "").await.unwrap();
    assert_eq!(body(reply), r#"{"a":[1,2],"j":{"n": 1.0},"r":{"id":1,"t":"first"}}"#);
    let block = "begin call note_and_count(:t, null, 1.5) into :total, :doubled; call note('third');
       insert into log (t) values (:total || '/' || :doubled); end;";
    change(&fixture, block, r#"{"t":"x"}"#).await.unwrap();
    let schema = &fixture.schema;
    assert_eq!(fixture.number(&format!("select count(*) from {schema}.log where t = '3/3.0'")).await, 1);
    assert_eq!(fixture.number(&format!("select count(*) from {schema}.log")).await, 5);
}

#[tokio::test]
async fn procedures_that_cannot_run_here_say_why_and_change_nothing() {
    let fixture = Fixture::new(PROCEDURES).await;
    for (sql, words) in [
        ("call note_and_commit('x')", "commits or rolls back"),
        ("begin call note_and_commit('x'); end;", "commits or rolls back"),
        ("call where_is(null)", "of type point"),
    ] {
        let error = change(&fixture, sql, "").await.unwrap_err();
        assert!(matches!(&error, ExecuteError::NotRunnable(message) if message.contains(words)), "{error:?}");
    }
    let error = change(&fixture, "call nobody(:t)", r#"{"t":"x"}"#).await.unwrap_err();
    assert!(matches!(&error, ExecuteError::NotCompiled { .. }), "{error:?}");
    let error =
        change(&fixture, "call note_and_count(:t, null, :d)", r#"{"t":"x","d":"two"}"#).await.unwrap_err();
    assert!(matches!(&error, ExecuteError::Parameter { name, .. } if name == "d"), "{error:?}");
    assert_eq!(fixture.number(&format!("select count(*) from {}.log", fixture.schema)).await, 0);
}

#[tokio::test]
async fn a_procedure_that_was_replaced_is_called_as_it_is_now() {
    let fixture = Fixture::with(PROCEDURES, |options| options.writers_max = 1).await;
    let source = post("call note_and_count(:t, null, 1)");
    let called =
        async || body(fixture.store.execute(sent(&source, "", r#"{"t":"x"}"#), limits()).await.unwrap());
    assert_eq!(called().await, "{\"total\":1,\"doubled\":2}");
    let schema = &fixture.schema;
    let replace = format!(
        "set role {schema}_owner; set search_path = {schema}; drop procedure note_and_count;
         create procedure note_and_count(t text, out total text, inout doubled numeric) language plpgsql as
           $$begin insert into log values (default, t); total := 'many'; end$$"
    );
    fixture.admin.batch_execute(&replace).await.unwrap();
    for _ in 0..2 {
        assert_eq!(called().await, "{\"total\":\"many\",\"doubled\":1}");
    }
    assert_eq!(fixture.number(&format!("select count(*) from {schema}.log")).await, 3);
}
