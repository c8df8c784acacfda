//! What definitions make of rows by SQL: computed columns and `rows.query`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::sql::{Hr, handler};
use crate::client::{get, status_soon};
use crate::process::call;

/// A source of schema hr with these columns and more.
fn people(rows: &str) -> String {
    format!(
        "begin gatepost.define_rest_source('people', '
server = \"other\"
path = \"people\"
[rows]
select = \"/items\"
columns = [ {{ name = \"empno\", type = \"integer\" }}, {{ name = \"ename\" }}, {{ name = \"sal\", type = \"decimal\" }},
  {{ name = \"hired\", type = \"date\" }}, {rows}
'); end;\n/\n"
    )
}

const COMPUTED: &str = "{ name = \"half\", sql = \"sal / 2\", type = \"decimal\" }, \
                        { name = \"label\", sql = \"upper(ename) || empno\" } ]";

async fn open(rows: &str) -> (Hr, String) {
    let hr = Hr::start();
    hr.server.sql("hr", &people(rows));
    let url = hr.server.url("hr/sources/people/");
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
    hr.server.sql("hr", "begin gatepost.allow_public('/sources/*'); end;");
    status_soon(&url, None, StatusCode::OK).await;
    (hr, url)
}

async fn items(url: &str) -> Vec<Value> {
    let response = get(url, None).await;
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{url}: {text}");
    serde_json::from_str::<Value>(&text).unwrap()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn sql_that_reaches_elsewhere_is_refused_when_it_is_defined() {
    let hr = Hr::start();
    for (rows, words) in [
        ("{ name = \"x\", sql = \"(select dname from dept)\" } ]", "dept"),
        ("{ name = \"x\", sql = \"1); delete from rows; select (1\" } ]", "`x`"),
        ("]\nquery = \"select ename from emp\"", "emp"),
        ("]\nquery = \"delete from rows\"", "one SELECT"),
        ("]\nquery = \"attach database x as y\"", "one SELECT"),
        ("]\nquery = \"select load_extension(ename) as x from rows\"", "load_extension"),
        ("]\nquery = \"select ename from rows where empno = :id\"", ":id"),
        ("]\nquery = \"select count(*) from rows\"", "AS"),
    ] {
        let refused = hr.run(&people(rows), &[]).refused();
        assert!(refused.contains("p_definition") && refused.contains(words), "{rows}: {refused}");
    }
    assert_eq!(hr.api.asked(), [""; 0]);
}

#[tokio::test]
async fn computed_columns_are_rows_like_others() {
    let (hr, url) = open(COMPUTED).await;
    let rows = items(&url).await;
    assert_eq!((&rows[1]["label"], rows[1]["half"].as_f64()), (&json!("O'NEIL7369"), Some(0.05)));
    assert_eq!((rows[2]["half"].as_f64(), &rows[0]["hired"]), (Some(-1.5), &json!("1981-11-17")));
    let q = "%7B%22half%22%3A%7B%22%24lt%22%3A1%7D%2C%22label%22%3A%7B%22%24ne%22%3A%22771%22%7D%7D";
    assert_eq!(items(&format!("{url}?q={q}")).await, [rows[1].clone()]);
    // Without a type it is no column of a table; with one it joins and adds up alike on both databases.
    let refused = hr.run("select label from rest.people", &[]).refused();
    assert!(refused.contains("`label`") && refused.contains("no type"), "{refused}");
    hr.server.sql("hr", &people(&COMPUTED.replace("empno\" }", "empno\", type = \"text\" }")));
    hr.server.sql(
        "hr",
        &handler(
            "halves/",
            "select p.label, p.half, p.half / 2 as quarter from rest.people p
        join emp e on e.empno = p.empno order by p.label",
        ),
    );
    hr.allow();
    status_soon(&hr.url("halves/"), None, StatusCode::OK).await;
    let halves = hr.json("halves/").await;
    let quarter = |row: usize| halves["items"][row]["quarter"].as_f64().unwrap();
    assert!((quarter(1) - 0.025).abs() < 1e-9 && halves["items"][1]["label"] == "O'NEIL7369", "{halves}");
    assert_eq!(halves["count"], 2);
}

#[tokio::test]
async fn query_decides_what_callers_see() {
    let rows = format!(
        "{COMPUTED}\nquery = \"select hired, half, count(*) over () as n from rows where sal > 0 order by half\""
    );
    let (hr, url) = open(&rows).await;
    let rows = items(&url).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0]["half"].as_f64(), &rows[1]["n"], rows[0].get("ename")),
        (Some(0.05), &json!(2), None)
    );
    assert_eq!(items(&format!("{url}?limit=1&offset=1")).await, [rows[1].clone()]);
    assert_eq!(
        get(&format!("{url}?q=%7B%22ename%22%3A%22KING%22%7D"), None).await.status(),
        StatusCode::BAD_REQUEST
    );
    let folder = hr.folder.path().to_str().unwrap();
    let source = |action: &str| call(&["source", action, "people", "--schema", "hr", "--data", folder]);
    let tested = source("test").ok();
    assert!(tested.contains("6 sql        ok     2 rows, columns hired, half, n"), "{tested}");
    let printed = source("rows").ok();
    assert!(printed.contains("hired") && !printed.contains("ename"), "{printed}");
    // A number that would be rounded is a failure, not another number.
    let exact = super::sql::PEOPLE.replace("0.1", "0.1000000000000000055");
    hr.api.answers("/people", StatusCode::OK, &exact);
    let response = get(&url, None).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(response.text().await.unwrap().contains("query_failed"));
    assert!(hr.server.log_text().contains("column `sal` has a number of more digits"));
}

#[tokio::test]
async fn query_has_a_time_and_a_size() {
    let endless = "]\nquery = \"with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) as c from n\"";
    let many = "]\nquery = \"select a.empno from rows a, rows b, rows c\"";
    let hr = Hr::start_with("[limits]\nstatement_ms = 200\n");
    hr.server.sql("hr", &people(endless));
    hr.server.sql("hr", "begin gatepost.allow_public('/sources/*'); end;");
    let url = hr.server.url("hr/sources/people/");
    status_soon(&url, None, StatusCode::BAD_GATEWAY).await;
    assert!(hr.server.log_text().contains("it ran longer than 0.2 s"), "{}", hr.server.log_text());
    let limited = people(many).replace("path = \"people\"", "path = \"people\"\nlimits = { max_rows = 20 }");
    hr.server.sql("hr", &limited);
    for _ in 0..250 {
        get(&url, None).await;
        if hr.server.log_text().contains("more than 20 rows") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{}", hr.server.log_text());
}
