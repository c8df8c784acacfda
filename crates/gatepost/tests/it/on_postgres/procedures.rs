//! `call` in handlers.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Published, handlers};

const TABLES: &str = "
    create table log (id int generated always as identity, t text);
    create procedure note(t text) language sql as 'insert into log (t) values (t)';
    create procedure raise_pay(id int, by numeric, out old numeric, inout note text) language plpgsql as
      $$begin old := id * 100.50; insert into log (t) values (id || ' by ' || by || ' ' || note); note := upper(note); end$$;
    create procedure commits() language plpgsql as $$begin insert into log (t) values ('committed'); commit; end$$;
    create procedure fails() language plpgsql as
      $$begin insert into log (t) values ('gone'); raise exception 'not today' using errcode = 'P0001'; end$$";

#[tokio::test]
async fn a_handler_calls_procedures() {
    let shop = Published::new(
        "procedures",
        TABLES,
        &handlers(&[
            ("note", "POST", "plsql/block", "call note(:t)"),
            ("pay/:id", "POST", "plsql/block", "call raise_pay(:id, :by, null, :note)"),
            (
                "block/:id",
                "POST",
                "plsql/block",
                "begin call raise_pay(:id, 1, null, 'x') into :old, :note; :status_code := 201; insert into log (t) values (:old); end;",
            ),
            ("commits", "POST", "plsql/block", "call commits()"),
            ("fails", "POST", "plsql/block", "call fails()"),
        ]),
        "",
    );
    assert_eq!(shop.post("note", json!({"t": "it's :t"})).await, "");
    assert_eq!(shop.post("pay/7", json!({"by": 1.10, "note": "x"})).await, "{\"old\":703.50,\"note\":\"X\"}");
    let (status, text) = shop.ask(Method::POST, "block/8", None).await;
    assert_eq!((status, text.as_str()), (StatusCode::CREATED, ""));
    assert_eq!(shop.psql("select t from log order by id"), "it's :t\n7 by 1.1 x\n8 by 1 x\n804.00");
    let (status, text) = shop.ask(Method::POST, "pay/x", Some(&json!({"by": 1, "note": "x"}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert!(text.contains("parameter `id`"), "{text}");
    let (status, text) = shop.ask(Method::POST, "commits", None).await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "{text}");
    assert!(shop.server.log_text().contains("commits or rolls back"));
    let (status, text) = shop.ask(Method::POST, "fails", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert!(!text.contains("not today"), "{text}");
    assert_eq!(shop.psql("select count(*) from log"), "4");
    let report = shop
        .script(
            "begin ords.define_template('t', 'get');
        ords.define_handler('t', 'get', 'GET', 'plsql/block', 'call note(1)'); end;",
        )
        .stderr;
    assert!(report.contains("GET is read-only"), "{report}");
}
