//! Values in and out.

use super::*;

#[tokio::test]
async fn results_are_exact_json() {
    let fixture = Fixture::new(
        "create type mood as enum ('sad'); create domain positive as numeric check (value > 0);
         create type pair as (a int, b text)",
    )
    .await;
    for (sql, json) in [
        ("12345678901234567890.10::numeric", "12345678901234567890.10"),
        ("0.10::numeric(5,2)", "0.10"),
        ("-0.000001::numeric", "-0.000001"),
        ("1e20::numeric", "100000000000000000000"),
        ("10000::numeric", "10000"),
        ("100000000.0001::numeric", "100000000.0001"),
        ("'NaN'::numeric", "null"),
        ("'Infinity'::float8", "null"),
        ("9223372036854775807::int8", "9223372036854775807"),
        ("(-32768)::int2", "-32768"),
        ("4294967295::oid", "4294967295"),
        ("0.1::float4", "0.1"),
        ("0.1::float8", "0.1"),
        ("true", "true"),
        ("null::int", "null"),
        ("'a\"b'::text", "\"a\\\"b\""),
        ("date '2024-02-29'", "\"2024-02-29\""),
        ("date '0044-03-15 BC'", "\"-000043-03-15\""),
        ("date '1999-12-31'", "\"1999-12-31\""),
        ("date 'infinity'", "\"infinity\""),
        ("timestamp '2024-05-01 09:30:00.25'", "\"2024-05-01T09:30:00.25Z\""),
        ("timestamptz '2024-05-01 09:30:00+02'", "\"2024-05-01T07:30:00Z\""),
        ("timestamptz '1969-12-31 23:59:59.999999+00'", "\"1969-12-31T23:59:59.999999Z\""),
        ("time '24:00'", "\"24:00:00\""),
        ("timetz '10:00:00-03:30'", "\"10:00:00-03:30\""),
        ("interval '1 year 2 mons -3 days 04:05:06.5'", "\"P1Y2M-3DT4H5M6.5S\""),
        ("interval '0'", "\"PT0S\""),
        ("'00010203-0405-0607-0809-0a0b0c0d0e0f'::uuid", "\"00010203-0405-0607-0809-0a0b0c0d0e0f\""),
        ("'\\x00ff'::bytea", "\"AP8=\""),
        ("'{\"a\":1.10}'::json", "{\"a\":1.10}"),
        ("'{\"a\":1.10}'::jsonb", "{\"a\": 1.10}"),
        ("array[1,null,3]", "[1,null,3]"),
        ("array[[1,2],[3,4]]", "[[1,2],[3,4]]"),
        ("'{}'::text[]", "[]"),
        ("array['a,b','\"']", "[\"a,b\",\"\\\"\"]"),
        ("array[1.50::numeric]", "[1.50]"),
        ("'sad'::mood", "\"sad\""),
        ("array['sad'::mood]", "[\"sad\"]"),
        ("1.5::positive", "1.5"),
        ("row(1,'x')::pair", "{\"a\":1,\"b\":\"x\"}"),
        ("row(1,'x'::text,null)", "[1,\"x\",null]"),
        ("int4range(1,5)", "\"[1,5)\""),
        ("daterange('2024-01-01',null)", "\"[2024-01-01,)\""),
        (
            "tsrange('2024-01-01','2024-01-02')",
            "\"[\\\"2024-01-01 00:00:00\\\",\\\"2024-01-02 00:00:00\\\")\"",
        ),
        ("inet '10.0.0.1'", "\"10.0.0.1\""),
        ("cidr '10.0.0.0/8'", "\"10.0.0.0/8\""),
        ("macaddr '08:00:2b:01:02:03'", "\"08:00:2b:01:02:03\""),
        ("point '(1,2)'", "\"(1,2)\""),
        ("'a:1'::tsvector", "\"'a':1\""),
        ("pg_typeof(1)", "\"integer\""),
    ] {
        assert_eq!(
            fixture.row(&format!("select {sql} as v"), "").await,
            format!("{{\"v\":{json}}}"),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn numerics_are_exact_at_every_scale() {
    let fixture = Fixture::new("").await;
    let sql = "select v, v::text as t from (select (case when random() < 0.5 then -1 else 1 end)
                 * (random() * 1e9)::numeric(30, 10) * power(10::numeric, (random() * 40)::int - 25) as v
               from generate_series(1, 3000)) x";
    let source = get(SourceType::CsvQuery, sql);
    let mut lines = Vec::new();
    let reply = fixture.run(&source, "").await.unwrap();
    match reply.body {
        ReplyBody::Full(bytes) => lines.extend_from_slice(&bytes),
        ReplyBody::Stream(mut stream) => {
            while let Some(chunk) = next(&mut stream).await {
                lines.extend_from_slice(&chunk.unwrap());
            }
        }
    }
    let text = String::from_utf8(lines).unwrap();
    assert_eq!(text.lines().count(), 3001);
    for line in text.lines().skip(1) {
        let (number, wanted) = line.split_once(',').unwrap();
        assert_eq!(number, wanted.trim_matches('"'));
    }
}

#[tokio::test]
async fn binds_take_the_type_of_what_they_meet() {
    let fixture = Fixture::new(
        "create type mood as enum ('sad', 'ok'); create domain positive as int check (value > 0);
         create table v (i int, u uuid, d date, n numeric(12,3), b boolean, m mood, a int[], j jsonb, t text,
           p positive, ts timestamptz);
         insert into v values (7, '00010203-0405-0607-0809-0a0b0c0d0e0f', '2024-05-01', 1.5, true, 'ok', '{1,2}',
           '{\"a\":1}', '007', 3, '2024-05-01 10:00+02')",
    )
    .await;
    for (condition, value) in [
        ("i = :v", "7"),
        ("i in (:v)", "7"),
        ("u = :v", "00010203-0405-0607-0809-0A0B0C0D0E0F"),
        ("d = :v", "2024-05-01"),
        ("n = :v", "1.50"),
        ("n = :v", "15e-1"),
        ("b = :v", "true"),
        ("m = :v", "ok"),
        ("a = :v", "[1,2]"),
        ("a = :v", "{1,2}"),
        ("i = any(:v)", "[6,7]"),
        ("j = :v", "{\"a\": 1.0}"),
        ("j->>'a' = :v", "1"),
        ("t = :v", "007"),
        ("p = :v", "3"),
        ("ts = :v", "2024-05-01T08:00:00Z"),
        ("(:v is null or i = :v)", "7"),
        ("(:v is null or d = :v)", "2024-05-01"),
        ("concat(:v) = '7'", "7"),
        ("i = :v and t like '%' || :v", "7"),
        ("i::text = :v::text", "7"),
    ] {
        let source = get(SourceType::QueryOneRow, &format!("select i from v where {condition}"));
        let reply = fixture.run(&source, &format!("v={value}")).await.unwrap();
        assert_eq!(body(reply), "{\"i\":7}", "{condition} {value}");
    }
    let missing = get(SourceType::QueryOneRow, "select i from v where :v is null or i = :v");
    assert_eq!(fixture.text(&missing, "").await, "{\"i\":7}");
}

#[tokio::test]
async fn a_value_that_does_not_fit_names_its_parameter() {
    let fixture = Fixture::new(
        "create type mood as enum ('sad'); create domain positive as int check (value > 0);
         create table v (i int, u uuid, d date, n numeric, b boolean, m mood, a int[], j jsonb, p positive)",
    )
    .await;
    for (column, value) in [
        ("i", "x"),
        ("i", ""),
        ("i", "1.0"),
        ("i", "99999999999"),
        ("u", "1"),
        ("d", "2024-02-30"),
        ("d", "x"),
        ("n", "1,5"),
        ("b", "maybe"),
        ("m", "happy"),
        ("a", "7"),
        ("a", "[1"),
        ("a", "[\"x\"]"),
        ("j", "{"),
        ("p", "-1"),
    ] {
        // A comparison is made with the domain's base type.
        let cast = if column == "p" { "::positive" } else { "" };
        let sql = format!("select * from v where {column} = :wanted{cast}");
        let source = get(SourceType::CollectionFeed, &sql);
        let error = fixture.run(&source, &format!("wanted={value}")).await.unwrap_err();
        let ExecuteError::Parameter { name, message } = &error else { panic!("{column} {value}: {error:?}") };
        assert_eq!(name, "wanted", "{message}");
        // Another request on the same connection works.
        assert!(fixture.run(&source, "").await.is_ok());
    }
    // The second of two binds.
    let source = get(SourceType::CollectionFeed, "select * from v where i = :one and d = :two");
    let error = fixture.run(&source, "one=1&two=never").await.unwrap_err();
    assert!(matches!(error, ExecuteError::Parameter { name, .. } if name == "two"));
}

#[tokio::test]
async fn values_that_only_the_statement_refuses_are_the_callers_too() {
    let fixture = Fixture::new("create table v (n numeric(4,2), t varchar(3))").await;
    for (sql, json) in [
        ("insert into v (n) values (:n)", r#"{"n":12345}"#),
        ("insert into v (t) values (:t)", r#"{"t":"abcd"}"#),
        ("insert into v (n) values ((:n)::text::int)", r#"{"n":"x"}"#),
    ] {
        let source = post(sql);
        let error = fixture.store.execute(sent(&source, "", json), limits()).await.unwrap_err();
        assert!(
            matches!(error, ExecuteError::Constraint { kind: ConstraintKind::DataType, .. }),
            "{sql}: {error:?}"
        );
    }
    // Without a value of the caller's in it, it is the statement's own fault.
    for sql in ["select 1 / 0 as x", "select 'x'::text::int as x", "select 2147483647 + length('x') as x"] {
        let error = fixture.run(&get(SourceType::QueryOneRow, sql), "").await.unwrap_err();
        assert!(matches!(error, ExecuteError::Statement { .. }), "{sql}: {error:?}");
    }
    let error = fixture.run(&post("insert into v (n) values (12345)"), "").await.unwrap_err();
    assert!(matches!(error, ExecuteError::Statement { .. }), "{error:?}");
}

#[tokio::test]
async fn declared_types_help_where_the_server_guesses_otherwise() {
    let fixture =
        Fixture::new("create table e (d date, code text); insert into e values ('2024-05-01', '7')").await;
    let mut handler = handler(Method::Get, SourceType::QueryOneRow, "select d + :days as d from e");
    handler.parameters = vec![parameter("days", ParameterType::Int)];
    assert_eq!(fixture.text(&compiled(&handler), "days=2").await, "{\"d\":\"2024-05-03\"}");
    // A number that is declared for a text column is compared as text.
    handler.source = "select code from e where code = :days".into();
    assert_eq!(fixture.text(&compiled(&handler), "days=7").await, "{\"code\":\"7\"}");
}
