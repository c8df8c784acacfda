//! Queries.

use super::*;

#[tokio::test]
async fn pages_have_links_and_know_whether_there_is_more() {
    let fixture = Fixture::new(EMP).await;
    let source =
        get(SourceType::CollectionFeed, "select empno, \"ename\" as \"Name\", sal from emp order by empno");
    let page = fixture.text(&source, "limit=1").await;
    assert!(
        page.starts_with("{\"items\":[{\"empno\":7369,\"Name\":\"SMITH\",\"sal\":800.00}],\"hasMore\":true"),
        "{page}"
    );
    let page = fixture.text(&source, "limit=1&offset=1").await;
    assert!(page.contains("\"sal\":1600.50}],\"hasMore\":false"), "{page}");
    let item = get(SourceType::CollectionItem, "select empno, ename from emp where empno = :id");
    assert!(fixture.run(&item, "id=1").await.unwrap().not_found);
    assert!(fixture.text(&item, "id=7369").await.contains("SMITH"));
}

#[tokio::test]
async fn postgresql_spellings_run_as_they_are() {
    let fixture = Fixture::new(EMP).await;
    for (sql, json) in [
        ("select $$it's :no$$ as v", "{\"v\":\"it's :no\"}"),
        ("select '{\"a\":1}'::jsonb ? 'a' as v", "{\"v\":true}"),
        ("select (array[1,2,3])[1:2] as v", "{\"v\":[1,2]}"),
        ("with x as (select :v::int as n) select n + 1 as v from x", "{\"v\":8}"),
        ("values (1)", "{\"column1\":1}"),
        ("select /* a /* nested :no */ */ E'a\\'b' as v", "{\"v\":\"a'b\"}"),
        ("select e.\"ename\" as v from emp e where e.empno = 7369 for share", "42501"),
    ] {
        let result = fixture.run(&get(SourceType::QueryOneRow, sql), "v=7").await;
        if json == "42501" {
            assert!(matches!(result, Err(ExecuteError::NotRunnable(_))), "{result:?}");
        } else {
            assert_eq!(body(result.unwrap()), json, "{sql}");
        }
    }
}

#[tokio::test]
async fn what_is_missing_may_come() {
    let fixture = Fixture::new("").await;
    let source = get(SourceType::QueryOneRow, "select x from later");
    assert!(matches!(fixture.run(&source, "").await, Err(ExecuteError::NotCompiled { .. })));
    assert!(fixture.store.check(&source).unwrap_err().contains("later"));
    let schema = &fixture.schema;
    fixture
        .admin
        .batch_execute(&format!("set role {schema}_owner; create table later as select 1 as x"))
        .await
        .unwrap();
    assert_eq!(fixture.text(&source, "").await, "{\"x\":1}");
}

#[tokio::test]
async fn statements_survive_changed_tables() {
    let fixture = Fixture::new("create table t (a int); insert into t values (1)").await;
    let source = get(SourceType::QueryOneRow, "select * from t");
    assert_eq!(fixture.text(&source, "").await, "{\"a\":1}");
    fixture.admin.batch_execute("alter table t add b text default 'x'").await.unwrap();
    assert_eq!(fixture.text(&source, "").await, "{\"a\":1,\"b\":\"x\"}");
    fixture.admin.batch_execute("alter table t alter a type numeric(5,1)").await.unwrap();
    assert_eq!(fixture.text(&source, "").await, "{\"a\":1.0,\"b\":\"x\"}");
}

#[tokio::test]
async fn etag_queries_see_the_same_snapshot() {
    let fixture = Fixture::new(EMP).await;
    let handler = handler(Method::Get, SourceType::CollectionItem, "select ename from emp where empno = :id");
    let etag = "select max(sal) from emp where empno = :id";
    let source = Arc::new(compile(&handler, Some(etag), Dialect::Postgres).unwrap());
    let reply = fixture.run(&source, "id=7369").await.unwrap();
    assert_eq!(reply.etag.as_deref(), Some("800.00"));
}

#[tokio::test]
async fn functions_can_be_called() {
    let fixture = Fixture::new(
        "create function twice(n int) returns int language sql as 'select n * 2';
         create function rows_of(n int) returns table (a int, b text) language sql as
           $f$select g, 'x' from generate_series(1, n) g$f$",
    )
    .await;
    assert_eq!(fixture.row("select twice(:n) as v", "n=4").await, "{\"v\":8}");
    let page = fixture.text(&get(SourceType::CollectionFeed, "select * from rows_of(:n)"), "n=2").await;
    assert!(page.starts_with("{\"items\":[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":\"x\"}]"), "{page}");
}

#[tokio::test]
async fn a_million_rows_stream_in_chunks() {
    let fixture = Fixture::new("").await;
    let source =
        get(SourceType::CollectionFeed, "select g as n, 'some text' as t from generate_series(1, 1000000) g");
    let reply = fixture.run(&source, "limit=1000000").await.unwrap();
    let ReplyBody::Stream(mut stream) = reply.body else { panic!("not a stream") };
    let (mut bytes, mut largest, mut last) = (0, 0, Bytes::new());
    while let Some(chunk) = next(&mut stream).await {
        last = chunk.unwrap();
        bytes += last.len();
        largest = largest.max(last.len());
    }
    assert!(bytes > 25_000_000, "{bytes}");
    assert!(largest < 100_000, "{largest}");
    assert!(String::from_utf8_lossy(&last).contains("\"hasMore\":false"));
}

/// The whole stream may be in the pipe before anybody looks whether it began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_a_few_chunks_arrives_whole() {
    let fixture = Fixture::new("").await;
    let sql = "select g as n, repeat('x', 100) as t from generate_series(1, 1000) g";
    let source = get(SourceType::CollectionFeed, sql);
    for _ in 0..100 {
        let reply = fixture.run(&source, "limit=1000").await.unwrap();
        let ReplyBody::Stream(mut stream) = reply.body else { panic!("not a stream") };
        let mut text = Vec::new();
        while let Some(chunk) = next(&mut stream).await {
            text.extend_from_slice(&chunk.unwrap());
        }
        assert!(text.len() > 100_000 && text.ends_with(b"}"), "{}", text.len());
    }
}

#[tokio::test]
async fn streams_that_fail_are_cut() {
    let fixture = Fixture::new("").await;
    let sql = "select 1 / (90000 - g) as n, repeat('x', 20) as t from generate_series(1, 100000) g";
    let reply = fixture.run(&get(SourceType::CollectionFeed, sql), "limit=100000").await.unwrap();
    let ReplyBody::Stream(mut stream) = reply.body else { panic!("not a stream") };
    let mut failed = false;
    while let Some(chunk) = next(&mut stream).await {
        failed |= chunk.is_err();
    }
    assert!(failed);
}
