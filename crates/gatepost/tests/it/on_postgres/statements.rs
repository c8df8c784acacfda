//! PostgreSQL's own spellings, functions of the database, limits, and tables that change under a handler.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Published, detail, handlers};

const TABLES: &str = "
    create table emp (id int primary key, name text, doc jsonb, tags text[], at timestamptz default '2024-05-01 10:00+02');
    insert into emp (id, name, doc, tags) values (1, 'KING', '{\"a\":1,\"b\":{\"c\":[1,2]}}', '{x,y}'),
      (2, 'it''s :no', '{\"b\":2}', '{y}'), (3, 'BLAKE', null, null);
    create function twice(n int) returns int language sql immutable as 'select n * 2';
    create function named(first text, second text default 'b') returns text language plpgsql as
      $$begin return first || '/' || second; end$$;
    create function series(upto int) returns table (n int, label text) language plpgsql as
      $$begin for n, label in select g, 'row ' || g from generate_series(1, upto) g loop return next; end loop; end$$;
    create function pairs() returns setof emp language sql stable as 'select * from emp order by id'";

/// Queries of one row, with their answer for `?a=2&name=KING`; each the same in `psql` with the values written out.
const QUERIES: [(&str, &str, &str); 17] = [
    ("cast", "select :a::int + 1 as v, '7'::int8 as w", "{\"v\":3,\"w\":7}"),
    ("castspace", "select :a :: int as v", "{\"v\":2}"),
    ("dollar", "select $$it's :no$$ as v, $f$ $$ :no $f$ as w", "{\"v\":\"it's :no\",\"w\":\" $$ :no \"}"),
    ("exists", "select doc ? 'a' as v from emp where name = :name", "{\"v\":true}"),
    (
        "any",
        "select doc ?| array['z','b'] as v, doc ?& array['a','z'] as w from emp where name = :name",
        "{\"v\":true,\"w\":false}",
    ),
    (
        "path",
        "select doc #>> '{b,c,1}' as v, doc @? '$.b.c[*] ? (@ > 1)' as w from emp where id = 1",
        "{\"v\":\"2\",\"w\":true}",
    ),
    ("slice", "select (array[1,2,3])[1:2] as v, (array[:a,5])[1:] as w", "{\"v\":[1,2],\"w\":[2,5]}"),
    (
        "texts",
        "select 'it''s :no' as v, E'a\\':no' as w, \"name\" as \"Name:no\" from emp where id = :a",
        "{\"v\":\"it's :no\",\"w\":\"a':no\",\"Name:no\":\"it's :no\"}",
    ),
    ("comments", "select 1 as v -- :no '\n /* :no /* nested ' */ */ , :a as w", "{\"v\":1,\"w\":\"2\"}"),
    (
        "time",
        "select '10:30:00'::time as v, timestamp '2024-05-01 10:30' as w",
        "{\"v\":\"10:30:00\",\"w\":\"2024-05-01T10:30:00Z\"}",
    ),
    (
        "named",
        "select named(:name, second => :a) as v, named(first := :name) as w",
        "{\"v\":\"KING/2\",\"w\":\"KING/b\"}",
    ),
    ("twice", "select twice(:a) as v, twice(n => 5) as w", "{\"v\":4,\"w\":10}"),
    ("null", "select count(*) as v from emp where :missing is null or name = :missing", "{\"v\":3}"),
    ("either", "select count(*) as v from emp where (:a is null or id = :a) and id > 0", "{\"v\":1}"),
    (
        "list",
        "select string_agg(name, ',' order by id) as v from emp where id = any(string_to_array(:a || ',1', ',')::int[])",
        "{\"v\":\"KING,it's :no\"}",
    ),
    (
        "with",
        "with recursive x(n) as (select 1 union all select n + 1 from x where n < :a) select max(n) as v from x",
        "{\"v\":2}",
    ),
    (
        "lateral",
        "select e.name as v, l.n as w from emp e cross join lateral (select e.id * :a as n) l where e.id = 2",
        "{\"v\":\"it's :no\",\"w\":4}",
    ),
];

#[tokio::test]
async fn spellings_of_postgresql_are_not_taken_for_binds() {
    let all: Vec<_> =
        QUERIES.iter().map(|(name, sql, _)| (*name, "GET", "json/query;type=single", *sql)).collect();
    let shop = Published::new("spellings", TABLES, &handlers(&all), "");
    for (name, sql, wanted) in QUERIES {
        assert_eq!(shop.text(&format!("{name}?a=2&name=KING")).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn functions_that_return_rows_page_like_queries() {
    let shop = Published::new(
        "functions",
        TABLES,
        &handlers(&[
            ("series/", "GET", "json/collection", "select * from series(:upto)"),
            (
                "named/",
                "GET",
                "json/collection",
                "select n, upper(label) as label from series(upto => :upto) where n % 2 = 0",
            ),
            ("pairs/", "GET", "json/collection", "select * from pairs()"),
            ("lines/", "GET", "csv/query", "select * from series(3)"),
        ]),
        "",
    );
    let page = |text: String| -> serde_json::Value { serde_json::from_str(&text).unwrap() };
    let first = page(shop.text("series/?upto=30").await);
    assert_eq!((&first["count"], &first["hasMore"]), (&json!(25), &json!(true)));
    let last = page(shop.text("series/?upto=30&offset=25").await);
    assert_eq!((&last["count"], &last["hasMore"]), (&json!(5), &json!(false)));
    assert_eq!(last["items"][4], json!({"n": 30, "label": "row 30"}));
    let some = page(shop.text("named/?upto=10&limit=2&offset=1").await);
    assert_eq!(some["items"], json!([{"n": 4, "label": "ROW 4"}, {"n": 6, "label": "ROW 6"}]));
    let rows = page(shop.text("pairs/").await);
    assert_eq!(rows["items"][0]["doc"], json!({"a": 1, "b": {"c": [1, 2]}}));
    assert_eq!(rows["items"].as_array().unwrap().len(), 3);
    assert_eq!(shop.text("lines/").await.replace('\r', ""), "n,label\n1,row 1\n2,row 2\n3,row 3\n");
    let (status, text) = shop.get("series/?upto=many").await;
    assert_eq!((status, detail(&text).contains("`upto`")), (StatusCode::BAD_REQUEST, true), "{text}");
}

#[tokio::test]
async fn a_table_that_changes_under_a_handler_is_read_as_it_is_now() {
    let shop = Published::new(
        "altered",
        TABLES,
        &handlers(&[
            ("all/", "GET", "json/collection", "select * from emp where id = 1"),
            ("one/:id", "GET", "json/item", "select * from emp where id = :id"),
            ("one/:id", "PUT", "plsql/block", "update emp set name = name where id = :id returning *"),
            ("name/:id", "GET", "json/query;type=single", "select name from emp where id = :id"),
        ]),
        "",
    );
    let all = async || {
        let (_, changed) = shop.ask(Method::PUT, "one/1", None).await;
        [shop.text("all/").await, shop.text("one/1").await, changed]
    };
    for text in all().await {
        assert!(text.contains("\"name\":\"KING\",\"doc\""), "{text}");
    }
    for (change, wanted) in [
        ("alter table emp add pay numeric(7,2) default 1.50", "\"pay\":1.50"),
        ("alter table emp alter pay type text", "\"pay\":\"1.50\""),
        ("alter table emp rename pay to salary", "\"salary\":\"1.50\""),
        ("alter table emp alter id type bigint", "\"id\":1,"),
    ] {
        shop.psql(change);
        for text in all().await {
            assert!(text.contains(wanted), "{change}: {text}");
        }
    }
    assert_eq!(shop.text("name/1").await, "{\"name\":\"KING\"}");
    shop.psql("alter table emp rename name to ename");
    let (status, text) = shop.get("name/1").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    assert!(text.contains("GP205"), "{text}");
    shop.psql("alter table emp rename ename to name");
    assert_eq!(shop.text("name/1").await, "{\"name\":\"KING\"}");
}

#[tokio::test]
async fn statements_that_take_too_long_are_ended_and_change_nothing() {
    let shop = Published::new(
        "slow",
        TABLES,
        &handlers(&[
            ("slow", "GET", "json/query", "select pg_sleep(60)::text as v"),
            ("busy", "GET", "json/query", "select count(*) as n from generate_series(1, 100000000000) g"),
            ("write", "POST", "plsql/block", "insert into emp (id) select 10 from pg_sleep(60)"),
            (
                "two",
                "POST",
                "plsql/block",
                "begin insert into emp (id) values (11); update emp set name = pg_sleep(60)::text; end;",
            ),
            ("lock", "POST", "plsql/block", "update emp set name = 'x' where id = 1"),
        ]),
        "\n[limits]\nstatement_ms = 400\nwrite_ms = 400\n",
    );
    for (method, path) in
        [(Method::GET, "slow"), (Method::GET, "busy"), (Method::POST, "write"), (Method::POST, "two")]
    {
        let (status, text) = shop.ask(method, path, None).await;
        assert_eq!(status, StatusCode::GATEWAY_TIMEOUT, "{path}: {text}");
    }
    assert_eq!(shop.psql("select count(*) from emp"), "3");
    // A lock that somebody else holds.
    let url = shop.owner.clone();
    let holder = std::thread::spawn(move || {
        crate::postgres::psql(
            &url,
            "begin; update shop.emp set name = 'held' where id = 1; select pg_sleep(3); commit",
        );
    });
    crate::process::eventually("held", || {
        shop.psql(
            "select count(*) from pg_stat_activity where query like '%held%' and pid <> pg_backend_pid()",
        ) != "0"
    });
    crate::process::eventually("asleep", || {
        shop.psql(
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and query like '%held%'",
        ) != "0"
    });
    let (status, text) = shop.ask(Method::POST, "lock", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    holder.join().unwrap();
    let (status, text) = shop.ask(Method::POST, "lock", None).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "{\"rowsAffected\":1}"));
}
