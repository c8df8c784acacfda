//! What endless queries of one schema cost everybody else: nothing.

use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::client::{Credentials, http};
use crate::process::{Shop, eventually_async, finish};
use crate::server::TestServer;
use crate::shop::header;

/// A schema's service: rows to read and to write, and a query that never ends.
fn services(schema: &str) -> String {
    format!(
        "begin ords.enable_schema(p_schema => '{schema}'); end;
         /
         create table gate (n integer);
         begin
           ords.define_module('m', '/m/', 10);
           ords.define_template('m', 'rows');
           ords.define_handler('m', 'rows', 'GET', p_source => 'select n from gate');
           ords.define_handler('m', 'rows', 'POST', 'plsql/block',
             'begin insert into gate (n) values (:n); :status_code := 201; end;');
           ords.define_template('m', 'endless');
           ords.define_handler('m', 'endless', 'GET', p_source =>
             'with recursive c (n) as (select 1 union all select n + 1 from c) select count(*) as n from c');
           gatepost.allow_public('/m/*', 'GET,POST');
           oauth.create_client('{schema}_app', 'client_credentials');
         end;\n/\n"
    )
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

#[track_caller]
fn assert_busy(answer: &Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(header(answer, "retry-after").parse::<u32>().unwrap() > 0);
}

#[tokio::test]
async fn endless_queries_of_one_file_stop_nobody_else() {
    let shop = Shop::on(Backend::Sqlite, "bulkheads");
    for schema in ["shop", "quick"] {
        finish(&mut shop.command("sql", &["--schema", schema]), &services(schema)).ok();
    }
    let mut serve = shop.command("serve", &["--listen", "127.0.0.1:0"]);
    serve.env("GATEPOST_LIMITS_STATEMENT_MS", "600000").env("GATEPOST_LIMITS_QUEUE", "1");
    let server = TestServer::spawn(shop.0.path(), serve);
    let client = Credentials::by_name(&server, "shop", "shop_app");
    let mut running = JoinSet::new();
    let start = |running: &mut JoinSet<Response>| {
        let endless = server.url("shop/m/endless");
        running.spawn(async move { http().get(endless).send().await.unwrap() });
    };
    // Two threads read for each schema, and one more request may wait for them: the others find no place.
    (0..20).for_each(|_| start(&mut running));
    for _ in 0..17 {
        assert_busy(&running.join_next().await.unwrap().unwrap());
    }
    // If nobody waits yet, the first of these does.
    (0..2).for_each(|_| start(&mut running));
    assert_busy(&running.join_next().await.unwrap().unwrap());
    for number in 0..20 {
        let rows = server.url("quick/m/rows");
        assert_eq!(status(http().get(&rows)).await, StatusCode::OK);
        let post = http().post(&rows).json(&serde_json::json!({ "n": number }));
        assert_eq!(status(post).await, StatusCode::CREATED);
        assert_eq!(client.request(&server, "shop", &[]).await.0, StatusCode::OK);
    }
    assert_busy(&http().get(server.url("shop/m/rows")).send().await.unwrap());
    // Whoever leaves takes the work with them.
    running.abort_all();
    while running.join_next().await.is_some() {}
    let rows = || http().get(server.url("shop/m/rows"));
    eventually_async("it reads again", async || status(rows()).await == StatusCode::OK).await;
}
