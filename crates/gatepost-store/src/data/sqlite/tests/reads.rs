use super::*;

const ENDLESS: &str =
    "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) as c from n";

#[tokio::test]
async fn reading_connections_change_nothing() {
    let fixture = Fixture::new(EMP);
    for sql in [
        "select load_extension('x')",
        "select * from pragma_table_info('emp')",
        "select * from dbstat",
        "select fts3_tokenizer('simple')",
    ] {
        let error = fixture.run(&get(SourceType::Query, sql), "").await.unwrap_err();
        assert!(!matches!(error, ExecuteError::Panic | ExecuteError::Stopped), "{sql}: {error:?}");
        // SQLite asks about a pragma behind a function only when it runs.
        let checked = fixture.store.check(&get(SourceType::Query, sql));
        assert!(sql.contains("pragma_") || checked.is_err(), "{sql}");
    }
    let connection = UserConnection::open(&fixture.path(), Kind::Read, &DataOptions::default()).unwrap();
    let _user = connection.watch.user();
    for sql in [
        "insert into dept values (1, 'x')",
        "delete from emp",
        "create table x (a)",
        "create temp table x (a)",
        "attach 'x.db' as x",
        "detach main",
        "vacuum",
        "vacuum into 'x.db'",
        "pragma query_only = off",
        "pragma user_version",
        "begin",
        "commit",
        "savepoint a",
        "analyze",
        "reindex",
    ] {
        let error = connection.sqlite.execute_batch(sql).unwrap_err();
        let denied = error.sqlite_error_code() == Some(rusqlite::ErrorCode::AuthorizationForStatementDenied);
        assert!(denied, "{sql}: {error}");
    }
}

#[tokio::test]
async fn the_deadline_ends_an_endless_statement() {
    let fixture = Fixture::new("");
    let source = get(SourceType::QueryOneRow, ENDLESS);
    let begun = Instant::now();
    let error = fixture.store.execute(request(&source, ""), limits_ms(50)).await.unwrap_err();
    assert_eq!(error, ExecuteError::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(fixture.text(&get(SourceType::QueryOneRow, "select 1 as a"), "").await, r#"{"a":1}"#);
}

#[tokio::test]
async fn a_dropped_request_stops_its_statement() {
    let options = DataOptions { reader_threads: 1, ..DataOptions::default() };
    let fixture = Fixture::with("", options);
    let source = get(SourceType::QueryOneRow, ENDLESS);
    let waiting = fixture.store.execute(request(&source, ""), limits());
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    let begun = Instant::now();
    fixture.text(&get(SourceType::QueryOneRow, "select 1 as a"), "").await;
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_full_queue_is_busy() {
    let options = DataOptions { reader_threads: 1, queue_max: 1, ..DataOptions::default() };
    let fixture = Fixture::with("", options);
    let source = get(SourceType::QueryOneRow, ENDLESS);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (store, plan) = (fixture.store.clone(), request(&source, ""));
            tokio::spawn(async move { store.execute(plan, limits_ms(200)).await })
        })
        .collect();
    let mut errors = Vec::new();
    for task in tasks {
        errors.push(task.await.unwrap().unwrap_err());
    }
    assert!(errors.contains(&ExecuteError::Busy), "{errors:?}");
    assert!(errors.contains(&ExecuteError::Timeout), "{errors:?}");
}

#[tokio::test]
async fn errors_are_told_apart() {
    let fixture = Fixture::new(EMP);
    let error = fixture.run(&get(SourceType::Query, "select * from nowhere"), "").await.unwrap_err();
    assert_eq!(error, ExecuteError::NotCompiled { message: "no such table: nowhere".into() });
    let error = fixture.run(&get(SourceType::Media, "select 1"), "").await.unwrap_err();
    assert!(matches!(error, ExecuteError::NotRunnable(_)), "{error:?}");
    let big = get(SourceType::QueryOneRow, "select zeroblob(20000000) as b");
    assert_eq!(fixture.run(&big, "").await.unwrap_err(), ExecuteError::TooLarge);
    let wide = get(SourceType::QueryOneRow, "select zeroblob(3000) as b");
    let small = Limits { bytes_max: 1000, ..limits() };
    let error = fixture.store.execute(request(&wide, ""), small).await.unwrap_err();
    assert_eq!(error, ExecuteError::TooLarge);
    let bad = post("begin :status_code := 'x'; end;");
    assert!(matches!(fixture.run(&bad, "").await.unwrap_err(), ExecuteError::BadOutput(_)));
}

#[tokio::test]
async fn a_closed_store_refuses() {
    let fixture = Fixture::new(EMP);
    fixture.store.close();
    let source = get(SourceType::QueryOneRow, "select 1 as a");
    assert_eq!(fixture.run(&source, "").await.unwrap_err(), ExecuteError::Stopped);
    assert_eq!(fixture.run(&post("delete from emp"), "").await.unwrap_err(), ExecuteError::Stopped);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let fixture = Fixture::new("");
    let path = fixture.folder.join("garbage.db");
    std::fs::write(&path, "this is no database, it is only text that is long enough".repeat(100)).unwrap();
    assert!(matches!(Engine::open(&path, DataOptions::default()), Err(DataError::Open(_))));
    let missing = fixture.folder.join("none").join("data.db");
    assert!(matches!(Engine::open(&missing, DataOptions::default()), Err(DataError::Open(_))));
}

#[tokio::test]
async fn a_collection_is_paged_and_typed() {
    let fixture = Fixture::new(EMP);
    let source = get(SourceType::CollectionFeed, "select * from emp order by empno");
    assert_eq!(
        fixture.text(&source, "limit=1").await,
        concat!(
            r#"{"items":[{"empno":7369,"ename":"SMITH","code":"007","sal":800,"hired":"1980-12-17","#,
            r#""seen":"2024-05-01T09:30:00Z","active":true,"doc":{"a":1.10},"photo":"AP8=","deptno":10}],"#,
            r#""hasMore":true,"limit":1,"offset":0,"count":1,"links":["#,
            r#"{"rel":"self","href":"http://t/ords/hr/emp/"},"#,
            r#"{"rel":"first","href":"http://t/ords/hr/emp/?limit=1"},"#,
            r#"{"rel":"next","href":"http://t/ords/hr/emp/?offset=1&limit=1"}]}"#
        )
    );
    let second = fixture.text(&source, "limit=1&offset=1").await;
    assert!(second.contains(r#""sal":1600.5"#) && second.contains(r#""hasMore":false"#), "{second}");
}

#[tokio::test]
async fn binds_filter_by_value() {
    let fixture = Fixture::new(EMP);
    let source = get(SourceType::Query, "select ename from emp where sal * 1.0 > :min order by 1");
    assert!(fixture.text(&source, "min=1000").await.starts_with(r#"{"items":[{"ename":"ALLEN"}]"#));
    let source = get(SourceType::Query, "select ename from emp where code = :code");
    assert!(fixture.text(&source, "code=007").await.contains("SMITH"));
    assert!(fixture.text(&source, "code=7").await.starts_with(r#"{"items":[]"#));
    assert!(fixture.text(&source, "code=%27 or 1=1").await.starts_with(r#"{"items":[]"#));
}

#[tokio::test]
async fn a_missing_row_is_not_found() {
    let fixture = Fixture::new(EMP);
    for source_type in [SourceType::CollectionItem, SourceType::QueryOneRow] {
        let source = get(source_type, "select ename from emp where empno = :id");
        assert!(fixture.run(&source, "id=1").await.unwrap().not_found);
        let found = fixture.run(&source, "id=7369").await.unwrap();
        assert!(!found.not_found && found.rows == 1);
    }
}

#[tokio::test]
async fn unique_keys_are_read_in_place() {
    let fixture = Fixture::new(EMP);
    let twice = "create table pair (a, b, c, primary key (a, b)); create index plain on emp (sal);
                 create unique index part on emp (ename) where sal > 0;";
    fixture.raw().execute_batch(twice).unwrap();
    for (sql, point) in [
        ("select ename from emp where empno = :id", true),
        ("select ename from emp where code = :id", true),
        ("select c from pair where a = :id and b = 1", true),
        ("select c from pair where a = :id", false),
        ("select ename from emp where sal = :id", false),
        ("select ename from emp", false),
        ("select ename from emp e where empno = :id and exists (select 1 from dept)", false),
    ] {
        let source = get(SourceType::CollectionItem, sql);
        fixture.run(&source, "id=7369").await.unwrap();
        assert_eq!(source.hints.is_point(), point, "{sql}");
        let again = fixture.run(&source, "id=7369").await.unwrap();
        drop(again);
    }
    let source = get(SourceType::QueryOneRow, "select ename from emp where empno = :id");
    for _ in 0..3 {
        assert_eq!(fixture.text(&source, "id=7369").await, r#"{"ename":"SMITH"}"#);
    }
    fixture.run(&post("update emp set ename = 'JONES' where empno = 7369"), "").await.unwrap();
    assert_eq!(fixture.text(&source, "id=7369").await, r#"{"ename":"JONES"}"#);
}

#[tokio::test]
async fn work_beyond_the_budget_leaves_the_callers_thread() {
    let fixture = Fixture::new(EMP);
    let source = get(SourceType::QueryOneRow, ENDLESS);
    source.hints.point.store(2, Ordering::Relaxed);
    let error = fixture.store.execute(request(&source, ""), limits_ms(100)).await.unwrap_err();
    assert_eq!(error, ExecuteError::Timeout);
    assert!(!source.hints.is_point());
}

#[tokio::test]
async fn a_changed_table_is_noticed() {
    let fixture = Fixture::new("create table t (a); insert into t values (1)");
    let source = get(SourceType::QueryOneRow, "select * from t");
    assert_eq!(fixture.text(&source, "").await, r#"{"a":1}"#);
    fixture.raw().execute_batch("alter table t add column b default 2").unwrap();
    for _ in 0..4 {
        assert_eq!(fixture.text(&source, "").await, r#"{"a":1,"b":2}"#);
    }
    fixture.raw().execute_batch("alter table t rename column a to c").unwrap();
    for _ in 0..4 {
        assert_eq!(fixture.text(&source, "").await, r#"{"c":1,"b":2}"#);
    }
}

#[tokio::test]
async fn csv_and_media_come_with_their_types() {
    let fixture = Fixture::new(EMP);
    let csv = get(SourceType::CsvQuery, "select empno, ename, seen from emp order by 1");
    let reply = fixture.run(&csv, "").await.unwrap();
    assert_eq!(reply.content_type.as_deref(), Some("text/csv; charset=utf-8"));
    assert_eq!(reply.headers[0].1, "attachment; filename=\"emp.csv\"");
    assert_eq!(body(reply), "empno,ename,seen\r\n7369,SMITH,2024-05-01T09:30:00Z\r\n7499,ALLEN,\r\n");
    let media = get(SourceType::Media, "select 'image/png', photo from emp where empno = :id");
    let reply = fixture.run(&media, "id=7369").await.unwrap();
    assert_eq!(reply.content_type.as_deref(), Some("image/png"));
    assert_eq!(bytes(reply), &b"\0\xff"[..]);
    assert!(fixture.run(&media, "id=1").await.unwrap().not_found);
}

#[tokio::test]
async fn a_cut_csv_is_an_error() {
    let fixture = Fixture::new(
        "create table t as with recursive n(x) as (select 1 union all select x+1 from n where x < 10001) select x from n",
    );
    let error =
        fixture.run(&get(SourceType::CsvQuery, "select 'aaaaaaaaaaaaa' as v from t limit 10001"), "").await;
    match error {
        Err(error) => assert_eq!(error, ExecuteError::TooLarge),
        Ok(reply) => {
            let ReplyBody::Stream(mut stream) = reply.body else { panic!("the answer is whole") };
            let mut last = None;
            while let Some(chunk) = next(&mut stream).await {
                last = Some(chunk);
            }
            assert!(last.unwrap().is_err());
        }
    }
}

#[tokio::test]
async fn blocks_without_dml_run_on_readers() {
    let fixture = Fixture::new(EMP);
    let mut definition = handler(
        Method::Get,
        SourceType::PlSql,
        "begin :total := (select sum(sal) from emp); :user := :current_user; end;",
    );
    for (name, kind) in [("total", ParameterType::Double), ("user", ParameterType::String)] {
        definition.parameters.push(Parameter {
            id: 1,
            name: name.into(),
            bind_variable_name: Some(name.into()),
            source: ParameterSource::Response,
            kind,
            access: ParameterAccess::Out,
            comments: None,
            audit: Audit::default(),
        });
    }
    let source = Arc::new(compile(&definition, None, Dialect::Sqlite).unwrap());
    assert_eq!(fixture.text(&source, "").await, r#"{"total":2400.5,"user":"client-1"}"#);
}

#[tokio::test]
async fn etag_queries_give_their_value() {
    let fixture = Fixture::new(EMP);
    let definition =
        handler(Method::Get, SourceType::CollectionItem, "select ename from emp where empno = :id");
    let source = Arc::new(
        compile(&definition, Some("select sal from emp where empno = :id"), Dialect::Sqlite).unwrap(),
    );
    assert_eq!(fixture.run(&source, "id=7369").await.unwrap().etag.as_deref(), Some("800"));
    assert_eq!(fixture.run(&source, "id=1").await.unwrap().etag, None);
}

#[test]
fn checks_describe_without_running() {
    let fixture = Fixture::new(EMP);
    let names = |source: &CompiledSource| {
        let columns = fixture.store.check(source).unwrap().columns;
        columns.members.into_iter().map(|column| column.name).collect::<Vec<_>>()
    };
    let source =
        get(SourceType::CollectionFeed, "select EMPNO, ename as \"eName\", empno as \"$.id\" from emp");
    assert_eq!(names(&source), ["empno", "eName"]);
    assert!(names(&post("delete from emp")).is_empty());
    assert_eq!(fixture.number("select count(*) from emp"), 2);
    assert_eq!(fixture.store.check(&post("delete from nowhere")).unwrap_err(), "no such table: nowhere");
    assert!(fixture.store.check(&post("begin :a := nothing(); end;")).is_err());
}

#[tokio::test]
async fn many_requests_at_once_all_get_answers() {
    let fixture = Fixture::new(EMP);
    let read = get(SourceType::CollectionFeed, "select * from emp");
    let write = post("update emp set sal = sal + 1 where empno = 7369");
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let source = if number % 4 == 0 { &write } else { &read };
            let (store, plan) = (fixture.store.clone(), request(source, ""));
            tokio::spawn(async move { store.execute(plan, limits()).await.map(|reply| reply.rows) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(fixture.number("select sal from emp where empno = 7369"), 850);
}
