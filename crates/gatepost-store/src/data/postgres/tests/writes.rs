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

#[tokio::test]
async fn waiting_for_a_lock_ends() {
    let fixture = Fixture::new("create table t (n int); insert into t values (1)").await;
    fixture.admin.batch_execute("begin; update t set n = 2").await.unwrap();
    let source = post("update t set n = 3");
    let begun = Instant::now();
    let result = fixture.store.execute(request(&source, ""), limits_ms(300)).await;
    assert!(matches!(result, Err(ExecuteError::Timeout)), "{result:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    fixture.admin.batch_execute("rollback").await.unwrap();
    assert!(fixture.run(&source, "").await.is_ok());
}
