//! Proposals from what an API shows, and files of definitions. What is proposed is pasted and works.

use serde_json::{Value, json};

use super::api::{Caller, items};
use crate::process::finish;

impl Caller {
    /// What a proposal says on standard output, run as a script; then the ids of the rows of the source.
    #[track_caller]
    fn ids_of_proposal(&self, arguments: &[&str], name: &str) -> (String, Vec<i64>) {
        let proposal = self.source(arguments).ok();
        self.shop.script(&proposal).ok();
        let rows = self.source(&["rows", name, "--format", "json"]).ok();
        let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
        (proposal, rows.iter().map(|row| row["id"].as_i64().unwrap()).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_goes_where_the_operator_allows_and_keeps_secrets_out() {
    let caller = Caller::new("discover-refused", items(3)).await;
    let url = format!("{}/items/", caller.api.url);
    for (target, words) in [
        (format!("{url}?api_key=abc123"), "api_key"),
        (url.replace("http://", "http://me:abc123@"), "without user"),
        ("http://".to_owned(), "no URL"),
        ("nothing".to_owned(), "no REST source"),
    ] {
        let shown = caller.source(&["discover", &target]).refused();
        assert!(shown.contains(words) && !shown.contains("abc123"), "{shown}");
    }
    let mut command = caller.command(&["discover", &url]);
    let shown = finish(command.env("GATEPOST_EGRESS_ALLOW_LOOPBACK", "false"), "").refused();
    assert!(shown.contains("egress_denied"), "{shown}");
    // Below no remote server: a credential goes nowhere.
    let elsewhere = "http://127.0.0.1:9/items/";
    let shown = caller.source(&["discover", elsewhere, "--credential", "reader"]).refused();
    assert!(shown.contains("no remote server"), "{shown}");
    assert!(caller.api.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_becomes_a_source() {
    let caller = Caller::new("discover-sample", items(3)).await;
    let url = format!("{}/items/", caller.api.url);
    let (proposal, ids) = caller.ids_of_proposal(&["discover", &url, "--name", "things"], "things");
    for part in [
        "p_name => 'things'",
        "server = \"api\"",
        "path = \"items/\"",
        "type = \"ords\"",
        "select = \"/items\"",
    ] {
        assert!(proposal.contains(part), "{part}: {proposal}");
    }
    assert!(!proposal.contains("define_remote_server"), "{proposal}");
    assert_eq!(ids, [1, 2, 3]);
    // A server that the schema does not have is proposed too; what was in the query string stays fixed.
    let other =
        format!("{}/items/?since=2026-01-01T00:00:02Z", caller.api.url.replace("127.0.0.1", "localhost"));
    let (proposal, ids) = caller.ids_of_proposal(&["discover", &other, "--name", "newer"], "newer");
    assert!(
        proposal.contains("define_remote_server") && proposal.contains("name = \"fixed_since\""),
        "{proposal}"
    );
    assert_eq!(ids, [2, 3]);
    // A source that is there: what it is called and how it signs in stays.
    let again = caller.source(&["discover", "things"]).ok();
    assert!(again.contains("p_name => 'things'") && again.contains("name = \"changed\""), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_of_ords_and_an_openapi_document_become_sources() {
    let caller = Caller::new("discover-documents", items(3)).await;
    let url = &caller.api.url;
    let link = |rel: &str, path: &str| json!({ "rel": rel, "href": format!("{url}{path}") });
    let service = |name: &str| json!({ "name": name, "links": [link("describes", "/items/"), link("canonical", &format!("/metadata-catalog/{name}/"))] });
    caller.api.set_document("/metadata-catalog/", json!({ "items": [service("items"), service("other")] }));
    caller.api.set_document(
        "/metadata-catalog/items/",
        json!({ "name": "items", "primarykey": ["id"], "links": [link("describes", "/items/")],
                "members": [{ "name": "id", "type": "NUMBER" }, { "name": "name", "type": "VARCHAR2" }] }),
    );
    let catalog = format!("{url}/metadata-catalog/");
    let shown = caller.source(&["discover", &catalog]).refused();
    assert!(shown.contains("--path") && shown.contains("  other"), "{shown}");
    let (proposal, ids) = caller.ids_of_proposal(&["discover", &catalog, "--path", "items"], "items");
    assert!(proposal.contains("primary_key = [\"id\"]"), "{proposal}");
    assert_eq!(ids, [1, 2, 3]);
    caller.source(&["discover", &format!("{catalog}items/")]).ok();

    let row = json!({ "type": "object", "properties": { "id": { "type": "integer" }, "name": { "type": "string" } } });
    let rows = json!({ "type": "object", "properties": { "items": { "type": "array", "items": row } } });
    let listing = json!({ "get": { "responses": { "200": { "content": { "application/json": { "schema": rows } } } } } });
    caller.api.set_document(
        "/openapi.json",
        json!({ "openapi": "3.0.3", "servers": [{ "url": url }], "paths": { "/items/": listing, "/more/": listing } }),
    );
    let document = format!("{url}/openapi.json");
    assert!(caller.source(&["discover", &document]).refused().contains("/more/"));
    let arguments = ["discover", &document, "--path", "/items/", "--name", "listed"];
    let (_, ids) = caller.ids_of_proposal(&arguments, "listed");
    assert_eq!(ids, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_definitions_is_loaded_as_a_whole_or_not_at_all() {
    let caller = Caller::new("define-file", items(2)).await;
    let file = caller.shop.0.path().join("sources.toml");
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        caller.source(&["define", file.to_str().unwrap()])
    };
    let server = format!("[remote_server.other]\nbase_url = \"{}\"\n", caller.api.url);
    let source = "[rest_source.items]\nserver = \"other\"\npath = \"items/\"\n[rest_source.items.rows]\nselect = \"/items\"\ncolumns = [ { name = \"id\", type = \"integer\" } ]\n";
    let secret = "[credential.c]\ntype = \"bearer\"\nsecret = \"abc123\"\n";
    let shown = load(&format!("{server}{secret}")).refused();
    assert!(shown.contains("line 5") && !shown.contains("abc123"), "{shown}");
    let nowhere = source.replace("\"other\"", "\"nowhere\"");
    assert!(load(&format!("{server}{nowhere}")).refused().contains("nowhere"));
    assert!(caller.source(&["rows", "items"]).refused().contains("no REST source"));
    let shown = load(&format!("{server}{source}")).ok();
    assert!(shown.contains("remote server other") && shown.contains("REST source items"), "{shown}");
    load(&format!("{server}{source}")).ok();
    let rows = caller.source(&["rows", "items", "--format", "csv"]).ok();
    assert_eq!(rows.lines().collect::<Vec<_>>(), ["id", "1", "2"]);
}
