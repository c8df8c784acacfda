//! What PostgreSQL would let a statement do besides reading and writing rows.

use reqwest::{Method, StatusCode};

use crate::backend::Backend;
use crate::process::eventually_async;
use crate::shop::{PATIENT, Shop, parts};

/// Functions that a query can call, and what each would undo.
const ESCAPES: [(&str, &str); 8] = [
    ("read-only", "select set_config('transaction_read_only', 'off', true) as a"),
    ("read-only-session", "select set_config('default_transaction_read_only', 'off', false) as a"),
    ("path", "select set_config('search_path', 'gatepost', false) as a"),
    ("role", "select set_config('role', 'gatepost_hr_write', false) as a"),
    ("sequence", "select nextval('note_id_seq') as a"),
    ("file", "select pg_read_file('postgresql.conf') as a"),
    ("catalog", "select body as a from gatepost.catalog_object"),
    ("lock", "select id as a from item for update"),
];

#[tokio::test]
async fn a_get_never_writes_whatever_it_calls() {
    let shop = Shop::on(Backend::Postgres, PATIENT).await;
    let handlers = ESCAPES.map(|(name, sql)| {
        format!(
            "ords.define_template('shop', 'escape/{name}');
             ords.define_handler('shop', 'escape/{name}', 'GET', ords.source_type_query_one_row, q'[{sql}]');"
        )
    });
    let block = handlers.concat();
    shop.server.sql(
        "hr",
        &format!(
            "create function sneak() returns integer language plpgsql volatile as $f$ begin
               perform set_config('transaction_read_only', 'off', true);
               insert into note (text) values ('sneaked'); return 1;
             end $f$;
             begin {block}
               ords.define_template('shop', 'escape/function');
               ords.define_handler('shop', 'escape/function', 'GET', ords.source_type_query_one_row, 'select sneak() as a');
               ords.define_template('shop', 'escape/copy');
               ords.define_handler('shop', 'escape/copy', 'POST', ords.source_type_plsql, q'[copy note to program 'true']');
             commit; end;"
        ),
    );
    let of_other_methods = [("function", Method::GET), ("copy", Method::POST)];
    let all = ESCAPES.iter().map(|(name, _)| (*name, Method::GET)).chain(of_other_methods);
    for (name, method) in all {
        let path = format!("escape/{name}");
        let served = async || {
            shop.request(method.clone(), &path).send().await.unwrap().status() != StatusCode::NOT_FOUND
        };
        eventually_async("it is defined", served).await;
        let answer = shop.request(method.clone(), &path).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        // A setting of the session may be changed; nothing follows from it.
        let harmless = ["read-only", "read-only-session", "path"].contains(&name) && status == StatusCode::OK;
        assert!(harmless || status.is_client_error() || status.is_server_error(), "{name}: {status} {text}");
        assert!(!text.contains("gatepost.catalog") && !text.contains("postgresql.conf"), "{name}: {text}");
        // The connections are as they were.
        assert_eq!(shop.get("items/1").await.status(), StatusCode::OK, "after {name}");
        let refused = shop.get("sneaky/one").await.status();
        assert_eq!(refused, StatusCode::NOT_IMPLEMENTED, "after {name}");
    }
    assert_eq!(shop.count("select count(*) from note"), 0);
    assert_eq!(shop.count("select last_value from note_id_seq where not is_called"), 1);
}

#[tokio::test]
async fn a_text_in_a_numbers_place_is_400_and_named() {
    let shop = Shop::on(Backend::Postgres, PATIENT).await;
    for path in ["one/x", "items/1%20or%201=1"] {
        let (status, body) = parts(shop.get(path).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
        assert!(body["detail"].as_str().unwrap().contains("`id`"), "{path}: {body}");
    }
}
