//! Behind pgbouncer in transaction mode: the same answers, and nothing that outlives a transaction on its connections.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Logins, Published, handlers, values};
use crate::client::{get, status_soon};
use crate::folder::Folder;
use crate::pgbouncer::Pgbouncer;
use crate::postgres::{cluster, psql};
use crate::process::{call, finish};
use crate::server::{TestServer, gatepost};
use crate::sources::api::{Api, Caller, items};

/// A pooler with this many connections for each login.
fn pooler(logins: &Logins, connections: u32) -> Pgbouncer {
    let [read, write, owner] = logins.names();
    Pgbouncer::start(cluster(), connections, &[&read, &write, &owner])
}

#[tokio::test]
async fn results_of_every_type_are_the_same_behind_a_pooler() {
    let logins = Logins::new("pooled-results");
    let pooler = pooler(&logins, 2);
    let shop = Published::on(logins, values::RESULT_TABLES, &values::result_handlers(), "", Some(&pooler));
    values::check_results(&shop).await;
}

const TABLES: &str = "
    create type mood as enum ('sad', 'ok'); create type pair as (a int, m mood);
    create table emp (id int primary key, name text unique, feels mood, at timestamp, pairs pair[]);
    insert into emp select g, 'name ' || g, 'ok', '2024-05-01 10:00', array[row(g, 'sad')::pair]
      from generate_series(1, 1000) g;
    create table log (id int generated always as identity, t text);
    create procedure note(t text, out id int) language sql as 'insert into log (t) values (t) returning id';
    create function leave(what text) returns text language plpgsql as $$begin
      perform set_config('mine.secret', 'of a', false), set_config('search_path', 'nowhere', false),
        set_config('timezone', 'Asia/Tokyo', false), pg_advisory_lock(4711);
      execute 'prepare of_a as select 1'; listen gossip;
      execute 'declare window_of_a cursor with hold for select 1';
      if what = 'fail' then raise exception 'on purpose'; end if;
      return what; end$$";

/// What a request could leave on a connection.
const LEFT: &str = "select coalesce(current_setting('mine.secret', true), '') || '/' || current_setting('timezone') || '/'
    || (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) || '/'
    || (select count(*) from pg_prepared_statements) || '/' || (select count(*) from pg_listening_channels()) || '/'
    || (select count(*) from pg_cursors where is_holdable) || '/' || current_setting('statement_timeout')";

fn all() -> String {
    handlers(&[
        (
            "emp/",
            "GET",
            "json/collection",
            "select id, name, feels, at from emp where id >= :least order by id",
        ),
        (
            "emp/",
            "POST",
            "plsql/block",
            "insert into emp (id, name, feels) values (:id, :name, :feels) returning id, feels",
        ),
        ("emp/:id", "GET", "json/query;type=single", "select * from emp where id = :id"),
        (
            "emp/:id",
            "PUT",
            "plsql/block",
            "begin update emp set name = :name where id = :id returning feels into :feels; insert into log (t) values (:feels); :status_code := 202; end;",
        ),
        ("emp/:id", "DELETE", "plsql/block", "delete from emp where id = :id"),
        (
            "fails/:id",
            "POST",
            "plsql/block",
            "begin insert into log (t) values ('gone'); insert into emp (id) values (:id); end;",
        ),
        ("note", "POST", "plsql/block", "call note(:t, null)"),
        ("leave/:what", "GET", "json/query", "select leave(:what) as v"),
        ("leave/:what", "POST", "plsql/block", "insert into log (t) values (leave(:what))"),
        (
            "where",
            "GET",
            "json/query;type=single",
            "select current_schema()::text as schema, current_setting('timezone') as zone,
            current_setting('transaction_read_only') as read_only, pg_backend_pid() as pid",
        ),
        (
            "series",
            "GET",
            "csv/query",
            "select g as n, repeat('x', 200) as t from generate_series(1, 100000) g",
        ),
        (
            "cut",
            "GET",
            "csv/query",
            "select 1 / (90000 - g) as n, repeat('x', 200) as t from generate_series(1, 100000) g",
        ),
    ])
}

#[tokio::test]
async fn handlers_run_behind_a_pooler_with_one_connection() {
    let logins = Logins::new("pooled");
    let pooler = pooler(&logins, 1);
    let urls = [pooler.url(&logins.read), pooler.url(&logins.write)];
    let limits = "time_zone = \"Europe/Berlin\"\n[limits]\nrows = 200000\n";
    let shop = Published::on(logins, TABLES, &all(), limits, Some(&pooler));
    let place: Value = serde_json::from_str(&shop.text("where").await).unwrap();
    assert_eq!(
        (&place["schema"], &place["zone"], &place["read_only"]),
        (&json!("shop"), &json!("Europe/Berlin"), &json!("on"))
    );

    let page: Value = serde_json::from_str(&shop.text("emp/?least=990&limit=5&offset=5").await).unwrap();
    assert_eq!((&page["count"], &page["hasMore"]), (&json!(5), &json!(true)));
    assert_eq!(
        page["items"][0],
        json!({"id": 995, "name": "name 995", "feels": "ok", "at": "2024-05-01T10:00:00+02:00"})
    );
    assert_eq!(
        shop.text("emp/7").await,
        "{\"id\":7,\"name\":\"name 7\",\"feels\":\"ok\",\"at\":\"2024-05-01T10:00:00+02:00\",\"pairs\":[{\"a\":7,\"m\":\"sad\"}]}"
    );
    assert_eq!(
        shop.post("emp/", json!({"id": 2000, "name": "new", "feels": "sad"})).await,
        "{\"id\":2000,\"feels\":\"sad\"}"
    );
    let (status, text) = shop.ask(Method::PUT, "emp/2000", Some(&json!({"name": "newer"}))).await;
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, ""));
    assert_eq!(shop.post("note", json!({"t": "by a procedure"})).await, "{\"id\":2}");
    assert_eq!(shop.psql("select string_agg(t, ',' order by id) from log"), "sad,by a procedure");

    // Errors, each followed by a request that works.
    for (method, path, body, wanted) in [
        (Method::GET, "emp/x", None, StatusCode::BAD_REQUEST),
        (Method::GET, "emp/4242", None, StatusCode::NOT_FOUND),
        (Method::POST, "emp/", Some(json!({"id": 1, "name": "again"})), StatusCode::CONFLICT),
        (Method::POST, "emp/", Some(json!({"id": 3000, "feels": "happy"})), StatusCode::BAD_REQUEST),
        (Method::POST, "fails/1", None, StatusCode::CONFLICT),
        (Method::GET, "leave/fail", None, StatusCode::BAD_REQUEST),
        (Method::POST, "leave/fail", None, StatusCode::BAD_REQUEST),
    ] {
        let (status, text) = shop.ask(method, path, body.as_ref()).await;
        assert_eq!(status, wanted, "{path}: {text}");
        assert!(shop.text("emp/7").await.contains("name 7"));
    }
    assert_eq!(shop.psql("select count(*) from log"), "2");

    // A table that changes.
    shop.psql("alter table emp add pay numeric(7,2) default 1.50");
    assert!(shop.text("emp/7").await.contains("\"pay\":1.50"));

    for what in ["stay", "fail"] {
        for method in [Method::GET, Method::POST] {
            let _ = shop.ask(method, &format!("leave/{what}"), None).await;
        }
    }
    for url in urls {
        assert_eq!(psql(&url, LEFT), "/Etc/UTC/0/0/0/0/0", "{}", pooler.log());
    }
}

/// Many requests wait for few connections: that is no failure on a slow machine.
const PATIENT: &str = "wait_ms = 60000\n[limits]\nstatement_ms = 60000\nwrite_ms = 60000\n";

#[tokio::test]
async fn requests_side_by_side_share_two_connections_of_a_pooler() {
    let logins = Logins::new("pooled-many");
    let pooler = pooler(&logins, 2);
    let shop = Published::on(logins, TABLES, &all(), PATIENT, Some(&pooler));
    let all = (1..=40).map(|n| {
        let shop = &shop;
        async move {
            let one: Value = serde_json::from_str(&shop.text(&format!("emp/{n}")).await).unwrap();
            assert_eq!(one["id"], json!(n));
            let id = 5000 + n;
            let made = shop.post("emp/", json!({"id": id, "name": format!("new {n}"), "feels": "ok"})).await;
            assert_eq!(made, format!("{{\"id\":{id},\"feels\":\"ok\"}}"));
            let (status, _) = shop.ask(Method::POST, "emp/", Some(&json!({"id": id, "name": "x"}))).await;
            assert_eq!(status, StatusCode::CONFLICT);
            let page = shop.text(&format!("emp/?least={n}&limit=3")).await;
            assert!(page.starts_with(&format!("{{\"items\":[{{\"id\":{n},")), "{page}");
            let (status, _) = shop.ask(Method::DELETE, &format!("emp/{id}"), None).await;
            assert_eq!(status, StatusCode::OK);
            serde_json::from_str::<Value>(&shop.text("where").await).unwrap()["pid"].as_i64().unwrap()
        }
    });
    let mut servers = futures_of(all.collect()).await;
    servers.sort_unstable();
    servers.dedup();
    assert!(servers.len() <= 2, "{servers:?}");
    assert_eq!(shop.psql("select count(*) from emp"), "1000");
}

/// Runs all at a time.
async fn futures_of<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn streams_pass_a_pooler_whole_or_cut() {
    let logins = Logins::new("pooled-streams");
    let pooler = pooler(&logins, 1);
    let shop = Published::on(logins, TABLES, &all(), "[limits]\nrows = 200000\n", Some(&pooler));
    let text = shop.text("series").await;
    assert_eq!((text.len() > 20_000_000, text.lines().count()), (true, 100_001));
    // The failure comes when the answer has begun.
    let response = get(&shop.server.url("shop/t/cut"), None).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.is_err());
    // A client that goes away gives the one connection up.
    let mut response = get(&shop.server.url("shop/t/series"), None).await;
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    assert!(shop.text("emp/7").await.contains("name 7"));
}

#[tokio::test]
async fn a_pooler_that_was_not_announced_is_recognized() {
    let logins = Logins::new("pooled-silently");
    let pooler = pooler(&logins, 1);
    let way = pooler.url(&logins.read);
    let shop = Published::on(logins, "", &handlers(&[("n", "GET", "json/query", "select 1 as n")]), "", None);
    let mut command =
        gatepost(&["serve", "--data", shop.folder.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    command.env("GATEPOST_SCHEMAS_SHOP_DATA", way);
    let server = TestServer::spawn(shop.folder.path(), command);
    let answer = get(&server.url("shop/t/n"), None).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(server.log_text().contains("pgbouncer = true"), "{}", server.log_text());
}

#[tokio::test]
async fn scripts_run_behind_a_pooler() {
    let logins = Logins::new("pooled-scripts");
    let pooler = pooler(&logins, 1);
    let url = pooler.url(&logins.owner);
    let shop = Published::on(logins, TABLES, &all(), "", Some(&pooler));
    let script = "create type color as enum ('red'); create table paint (c color, n numeric(5,2), p pair);
        insert into paint values ('red', 1.50, row(1, 'sad'));
        select c, n, p from paint;
        declare n number; begin
          select count(*) into n from paint; insert into paint (n) values (n + 0.25);
          insert into paint (n) select count(*) from user_ords_modules where name = 't';
        end;
        /
        select n from paint where n = :nothing;
        select n from paint order by n;";
    let outcome = shop.script(script);
    assert!(outcome.stderr.contains(":nothing") || outcome.code != Some(0), "{outcome:?}");
    let outcome =
        shop.script("select c, n, p from paint where c is not null; select n from paint order by n;").ok();
    for wanted in ["red", "1.50", "{\"a\":1,\"m\":\"sad\"}", "1.00", "1.25"] {
        assert!(outcome.contains(wanted), "{wanted}: {outcome}");
    }
    let failed =
        shop.script("begin insert into paint (n) values (9); insert into paint (n) values (1/0); end;");
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(shop.psql("select count(*) from paint where n = 9"), "0");
    assert_eq!(psql(&url, "select count(*) from pg_prepared_statements"), "0");
}

#[tokio::test]
async fn the_catalog_behind_a_pooler_is_polled() {
    let direct = cluster().database("pooled-catalog");
    let login = direct.rsplit('/').next().unwrap();
    let pooler = Pgbouncer::start(cluster(), 2, &[login]);
    let folder = Folder::new("pooled-catalog");
    let dir = folder.path().to_str().unwrap();
    let data = format!("sqlite:{}", folder.path().join("shop.db").display());
    let way = pooler.url(&direct);
    call(&["init", dir, "--data-url", &data, "--schema", "shop", "--create", "--catalog-url", &way]).ok();
    let define = |module: &str| {
        let text = format!(
            "begin ords.define_service(p_module_name => '{module}', p_base_path => '/{module}/', p_pattern => 'n',
               p_source => 'select 1 as n'); gatepost.allow_public('/{module}/*'); end;\n/\n"
        );
        finish(&mut gatepost(&["sql", "--data", dir, "--schema", "shop"]), &text).ok();
    };
    define("first");
    let server = TestServer::serve(folder.path());
    assert_eq!(get(&server.url("shop/first/n"), None).await.status(), StatusCode::OK);
    for module in ["second", "third"] {
        define(module);
        status_soon(&server.url(&format!("shop/{module}/n")), None, StatusCode::OK).await;
    }
    assert_eq!(get(&format!("{}/readyz", server.base_url), None).await.status(), StatusCode::OK);
    assert_eq!(psql(&way, "select count(*) from pg_prepared_statements"), "0");
}

/// Each transaction of a run has whatever connection the pooler gives it.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_copied_into_a_table_behind_a_pooler() {
    let api = Api::start(items(5)).await;
    let logins = Logins::new("pooled-sync");
    let pooler = pooler(&logins, 1);
    let shop = Published::on(logins, "", "", "", Some(&pooler));
    shop.script(&format!(
        "begin
           gatepost.define_remote_server('api', '{}');
           gatepost.define_rest_source('items', 'server = \"api\"
path = \"items/\"
[pagination]
type = \"ords\"
page_size = 2
[rows]
select = \"/items\"
primary_key = [\"id\"]
columns = [ {{ name = \"id\", type = \"integer\" }}, {{ name = \"name\" }}, {{ name = \"raw\", at = \"\", type = \"json\" }} ]
[sync]
table = \"item\"
mode = \"merge\"
delete_missing = true
create_table = true
');
         end;",
        api.url
    ))
    .ok();
    let dir = shop.folder.path().to_str().unwrap();
    let sync = || {
        let command = gatepost(&["source", "sync", "items", "--schema", "shop", "--data", dir]);
        finish(&mut Caller::allowed(command), "").ok()
    };
    assert!(sync().contains("5 rows fetched, 5 inserted, 0 updated, 0 deleted"));
    api.set_rows(items(3));
    assert!(sync().contains("3 rows fetched, 0 inserted, 0 updated, 2 deleted"));
    assert_eq!(
        shop.psql("select string_agg(raw ->> 'name', ',' order by id) from item").trim(),
        "item 1,item 2,item 3"
    );
}
