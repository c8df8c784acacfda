//! The consumer half, over the wire: the demo's schema intranet calls the API of schema hr at the same server.

pub(crate) mod api;
mod cache;
mod computed;
mod consumer;
mod discover;
mod faults;
pub(crate) mod foreign;
mod obligations;
mod operations;
mod paginators;
mod peer;
mod reach;
mod schedule;
mod secrecy;
mod signing_in;
mod sql;
mod sync;
mod tokens;
mod upstream;

use reqwest::StatusCode;
use serde_json::Value;

use crate::client::{Credentials, get, http, status_soon};
use crate::folder::Folder;
use crate::process::finish;
use crate::server::{TestServer, gatepost, run_ok};

const CONFIG: &str = "demo = true\n[egress]\nallow_loopback = true\n";

struct Intranet {
    server: TestServer,
    token: String,
    rows_url: String,
    folder: Folder,
}

impl Intranet {
    async fn start(config: &str) -> Self {
        let folder = Folder::new("intranet");
        folder.configure(config);
        let server = TestServer::demo(&folder);
        let token = reader(&server).token(&server, "intranet").await;
        let rows_url = server.known("source_rows_url");
        Self { server, token, rows_url, folder }
    }

    async fn get(&self, query: &str) -> reqwest::Response {
        get(&format!("{}{query}", self.rows_url), Some(&self.token)).await
    }

    async fn json(&self, query: &str) -> Value {
        let response = self.get(query).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{query}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Runs `gatepost source`, and gives the exit code and what it printed.
    fn source(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = gatepost(&["source"]);
        command.args(arguments).args(["--schema", "intranet", "--data"]).arg(self.folder.path());
        let outcome = finish(&mut command, "");
        (outcome.code, format!("{}{}", outcome.stdout, outcome.stderr))
    }
}

/// A new secret of the client that intranet signs in with, which can be read because package OAUTH made it.
fn readable_secret(server: &TestServer) -> Credentials {
    server.sql("hr", "begin oauth.rotate_client_secret('intranet'); end;");
    let rows = server.sql(
        "hr",
        "select client_id, client_secret, client_secret_2 from user_ords_clients where name = 'intranet'",
    );
    let text = |column: &str| rows[0][column].as_str().unwrap_or_default().to_owned();
    let secret =
        [text("client_secret"), text("client_secret_2")].into_iter().find(|it| it.starts_with("gp_cs_"));
    Credentials { id: text("client_id"), secret: secret.unwrap() }
}

/// The client of intranet that reads its sources.
fn reader(server: &TestServer) -> Credentials {
    Credentials { id: server.known("source_client_id"), secret: server.known("source_client_secret") }
}

#[tokio::test]
async fn rows_are_closed_to_all_but_those_whom_a_privilege_admits() {
    let intranet = Intranet::start(CONFIG).await;
    let (server, url) = (&intranet.server, &intranet.rows_url);
    for url in [url.clone(), url.replace("hr_employees", "nothing")] {
        assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED, "{url}");
    }
    // A token of the API itself opens nothing here.
    let other = Credentials::of_demo(server).token(server, "hr").await;
    assert_eq!(get(url, Some(&other)).await.status(), StatusCode::UNAUTHORIZED);
    server.sql(
        "intranet",
        "begin oauth.create_client('stranger', 'client_credentials', 'x', 'x', p_support_email => 'a@b.c', p_privilege_names => ''); end;",
    );
    let stranger = Credentials::by_name(server, "intranet", "stranger").token_soon(server, "intranet").await;
    assert_eq!(get(url, Some(&stranger)).await.status(), StatusCode::FORBIDDEN);
    let nothing = get(&url.replace("hr_employees", "nothing"), Some(&intranet.token)).await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    let post = http().post(url).bearer_auth(&intranet.token).send().await.unwrap();
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    // Without its privilege it is closed to everybody.
    server.sql("intranet", "begin ords.delete_privilege('intranet.read'); end;");
    status_soon(url, Some(&intranet.token), StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn parameters_are_checked_and_nothing_is_called_for_wrong_ones() {
    let intranet = Intranet::start(CONFIG).await;
    for query in [
        "?nope=1",
        "?deptno=ten",
        "?deptno=10&deptno=20",
        "?limit=x",
        "?offset=-1",
        "?format=xml",
        "?q=%7B",
        "?q=%7B%22nope%22%3A1%7D",
        "?q=%7B%22sal%22%3A%7B%22%24like%22%3A1%7D%7D",
        "?q=%7B%22sal%22%3A%22much%22%7D",
        "?limit=1&limit=2",
    ] {
        let response = intranet.get(query).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    for (hops, status) in [("9", StatusCode::BAD_REQUEST), ("3", StatusCode::BAD_GATEWAY)] {
        let far = http().get(&intranet.rows_url).bearer_auth(&intranet.token).header("Gatepost-Hop", hops);
        let far = far.send().await.unwrap();
        assert_eq!(far.status(), status);
        let body = far.text().await.unwrap();
        assert!(status != StatusCode::BAD_GATEWAY || body.contains("hop_limit"), "{body}");
    }
}

#[tokio::test]
async fn rows_are_those_of_the_api() {
    let intranet = Intranet::start(CONFIG).await;
    let hr = Credentials::of_demo(&intranet.server).token(&intranet.server, "hr").await;
    let api: Value = get(&intranet.server.known("protected_url"), Some(&hr)).await.json().await.unwrap();
    let rows = intranet.json("").await;
    assert_eq!((&rows["count"], &rows["hasMore"]), (&14.into(), &false.into()));
    for (here, there) in rows["items"].as_array().unwrap().iter().zip(api["items"].as_array().unwrap()) {
        for column in ["empno", "ename", "job", "hiredate", "deptno"] {
            assert_eq!(here[column], there[column]);
        }
        assert_eq!(here["sal"].as_f64(), there["sal"].as_f64());
    }
    let page = intranet.json("?limit=5&offset=3").await;
    assert_eq!(page["items"].as_array().unwrap()[..], rows["items"].as_array().unwrap()[3..8]);
    assert_eq!(page["hasMore"], true);
    let next = page["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next").unwrap();
    assert!(next["href"].as_str().unwrap().ends_with("?offset=8&limit=5"), "{next}");
    assert_eq!(intranet.json("?limit=14").await["hasMore"], false);
    // Filtered by the API, by a parameter of the source; filtered and sorted here.
    assert_eq!(names(&intranet.json("?deptno=10").await), ["CLARK", "KING", "MILLER"]);
    let q = "%7B%22sal%22%3A%7B%22%24gte%22%3A3000%7D%2C%22%24orderby%22%3A%7B%22ename%22%3A%22desc%22%7D%7D";
    assert_eq!(names(&intranet.json(&format!("?q={q}")).await), ["SCOTT", "KING", "FORD"]);
    let csv = intranet.get("?format=csv&deptno=10").await.text().await.unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "empno,ename,job,hiredate,sal,deptno");
    assert!(lines.len() == 4 && lines[1].starts_with("7782,CLARK,MANAGER,1981-06-09,2450"), "{csv}");
}

/// The demo's second source signs in in another way, with a token for one privilege, and has pages by offset.
#[tokio::test]
async fn second_source_of_the_demo_is_read_in_other_ways() {
    let intranet = Intranet::start(CONFIG).await;
    let url = intranet.rows_url.replace("hr_employees", "hr_departments");
    assert_eq!(get(&url, None).await.status(), StatusCode::UNAUTHORIZED);
    let rows: Value = get(&url, Some(&intranet.token)).await.json().await.unwrap();
    let numbers: Vec<_> =
        rows["items"].as_array().unwrap().iter().map(|row| row["deptno"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [10, 20, 30, 40], "{rows}");
    let (code, shown) = intranet.source(&["test", "hr_departments"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("hr.read"), "{shown}");
    // Without the privilege there is no token for it.
    intranet.server.sql("hr", "begin ords_security.revoke_client_role('intranet', 'hr_reader'); end;");
    let (code, shown) = intranet.source(&["test", "hr_departments"]);
    assert_eq!(code, Some(1), "{shown}");
}

fn names(rows: &Value) -> Vec<&str> {
    rows["items"].as_array().unwrap().iter().map(|row| row["ename"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn terminal_shows_the_steps_and_the_rows() {
    let intranet = Intranet::start(CONFIG).await;
    let (code, shown) = intranet.source(&["test", "hr_employees"]);
    assert_eq!(code, Some(0), "{shown}");
    for line in [
        "0 definition ok",
        "1 dns        ok",
        "2 connect    ok",
        "3 token      ok",
        "4 call       ok",
        "5 rows       ok",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let (code, json) = intranet.source(&["rows", "hr_employees", "--format", "json", "--limit", "2"]);
    assert_eq!(code, Some(0), "{json}");
    let rows: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let (code, shown) = intranet.source(&["rows", "hr_employes"]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("hr_employees"), "{shown}");
}

#[tokio::test]
async fn a_closed_api_is_a_failure_with_a_step_and_a_fix() {
    let intranet = Intranet::start(CONFIG).await;
    assert_eq!(intranet.json("?limit=1").await["count"], 1);
    intranet.server.sql("hr", "begin gatepost.set_client_status('intranet', 'DISABLED'); end;");
    // The remembered token is refused, no new one is given.
    status_soon(&intranet.rows_url, Some(&intranet.token), StatusCode::BAD_GATEWAY).await;
    let body = intranet.get("").await.text().await.unwrap();
    assert!(body.contains("token_invalid_client") && body.contains("GP501"), "{body}");
    assert!(!body.contains("127.0.0.1"), "callers are told where: {body}");
    let (code, shown) = intranet.source(&["test", "hr_employees"]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("3 token      FAILED token_invalid_client") && shown.contains("fix: "), "{shown}");
}

#[tokio::test]
async fn what_the_operator_does_not_allow_is_not_called() {
    let intranet = Intranet::start("demo = true\n").await;
    let response = intranet.get("").await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(response.text().await.unwrap().contains("egress_denied"));
    let (code, shown) = intranet.source(&["test", "hr_employees"]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("1 dns        FAILED") && shown.contains("egress.allow_loopback"), "{shown}");
}

/// A secret that the operator keeps goes where the operator says, and not where a definition says.
#[tokio::test]
async fn secret_of_the_operator_goes_where_the_operator_says() {
    let folder = Folder::new("intranet-file");
    folder.configure(CONFIG);
    let server = TestServer::demo(&folder);
    let (address, base) = (server.address(), server.known("base_url"));
    let hr = readable_secret(&server);
    folder.write("hr.secret", &format!("{}\n", hr.secret));
    server.sql(
        "intranet",
        &format!(
            "begin gatepost.define_credential('hr_reader', 'oauth2_client_credentials', p_client_id => '{}',
               p_valid_for => '{base}', p_secret_file => 'hr.secret'); end;",
            hr.id
        ),
    );
    server.stop();
    for (listed, code) in [
        (None, "secret_missing"),
        (Some("https://elsewhere.example"), "credential_url_not_allowed"),
        (Some("http://127.0.0.1"), "credential_url_not_allowed"),
        (Some(base.as_str()), "KING"),
    ] {
        let files = listed.map(|url| format!("secret_files = {{ \"hr.secret\" = [\"{url}\"] }}\n"));
        folder.configure(&format!("{CONFIG}{}", files.unwrap_or_default()));
        let server = TestServer::start(folder.path(), &["serve", "--listen", &address]);
        let token = reader(&server).token(&server, "intranet").await;
        let body = get(&server.known("source_rows_url"), Some(&token)).await.text().await.unwrap();
        assert!(body.contains(code), "{listed:?}: {body}");
        server.stop();
    }
}

#[tokio::test]
async fn secrets_stay_where_they_are() {
    let intranet = Intranet::start(CONFIG).await;
    let hr = readable_secret(&intranet.server);
    // The server has heard of it.
    hr.token_soon(&intranet.server, "hr").await;
    let secret = hr.secret;
    let set = format!("begin gatepost.set_credential_secret('hr_reader', '{secret}'); end;");
    intranet.server.sql("intranet", &set);
    status_soon(&intranet.rows_url, Some(&intranet.token), StatusCode::OK).await;
    let dir = intranet.folder.path().to_str().unwrap();
    let exported = run_ok(&["export", "--schema", "intranet", "--data", dir]);
    assert!(exported.contains("define_credential") && !exported.contains(&secret), "{exported}");
    let views = intranet.server.sql("intranet", "select * from user_gatepost_credentials");
    assert!(!serde_json::to_string(&views).unwrap().contains(&secret));
    let log = std::fs::read_to_string(&intranet.server.log).unwrap();
    assert!(!log.contains(&secret), "{log}");
    let demo = std::fs::read_to_string(intranet.folder.path().join("demo.json")).unwrap();
    assert!(!demo.contains(&secret));
}

/// The example of the how-to page, on an API that wants a token.
#[tokio::test(flavor = "multi_thread")]
async fn the_how_to_page_copies_a_protected_api() {
    let intranet = Intranet::start(CONFIG).await;
    let hr = readable_secret(&intranet.server);
    hr.token_soon(&intranet.server, "hr").await;
    let set = format!("begin gatepost.set_credential_secret('hr_reader', '{}'); end;", hr.secret);
    intranet.server.sql("intranet", &set);
    let page = include_str!("../../../../../docs/how-to/copy-an-api-into-a-table.md");
    let example = page.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    intranet.server.sql("intranet", example);
    let (code, shown) = intranet.source(&["sync", "hr_staff"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("hr_staff into staff: 14 rows fetched, 14 inserted, 0 updated, 0 deleted"),
        "{shown}"
    );
    intranet
        .server
        .sql("hr", "update emp set sal = 5001 where empno = 7839; delete from emp where empno = 7934;");
    let (_, shown) = intranet.source(&["sync", "hr_staff"]);
    assert!(shown.contains("13 rows fetched, 0 inserted, 1 updated, 1 deleted"), "{shown}");
    let rows = intranet.server.sql("intranet", "select ename from staff where sal = 5001");
    assert_eq!(rows[0]["ename"], "KING");
    let (code, shown) = intranet.source(&["discover", "hr_employees"]);
    assert!(code == Some(0) && shown.contains("path = \"hr/employees/\""), "{shown}");
    // The secret is nowhere: not in what was printed, nor in logs.
    let (_, runs) = intranet.source(&["runs", "--format", "json"]);
    let logs = std::fs::read(intranet.folder.path().join("logs.db")).unwrap();
    let logs = String::from_utf8_lossy(&logs);
    for text in [&*shown, &*runs, &*logs, &*intranet.server.log_text()] {
        assert!(!text.contains(&hr.secret), "{text}");
    }
}

/// At another address the source is defined anew, and what it may send where with it.
#[tokio::test]
async fn the_demo_moves_with_its_address() {
    let folder = Folder::new("intranet-moves");
    folder.configure(CONFIG);
    for _ in 0..2 {
        let server = TestServer::demo(&folder);
        let token = reader(&server).token(&server, "intranet").await;
        let rows = get(&server.known("source_rows_url"), Some(&token)).await;
        assert_eq!(rows.status(), StatusCode::OK, "{}", rows.text().await.unwrap());
        server.stop();
    }
}
