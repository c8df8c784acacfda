//! REST sources in SQL, `rest.NAME`: in handlers and in SQL Commands of a schema whose data is in the run's database.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::CONFIG;
use super::upstream::Upstream;
use crate::client::{get, http, status_soon};
use crate::folder::Folder;
use crate::process::{Outcome, call};
use crate::server::TestServer;

pub(super) const PEOPLE: &str = r#"{"items": [
    {"empno": 7839, "ename": "KING", "hired": "1981-11-17", "at": "2026-01-02T03:04:05+02:00", "active": true,
     "sal": 12345678901.25, "deptno": 10, "doc": {"a": [1, 2.50]}},
    {"empno": 7369, "ename": "O'Neil", "hired": null, "at": null, "active": false, "sal": 0.1, "deptno": 20},
    {"empno": 1, "ename": "77", "hired": "2020-02-29", "at": null, "active": null, "sal": -3, "deptno": 10}
]}"#;

/// The source `staff` of schema hr, with more lines before its columns.
pub(super) fn staff(more: &str) -> String {
    format!(
        "begin gatepost.define_rest_source('staff', '
server = \"other\"
path = \"people\"
{more}
[[param]]
name = \"dept\"
in = \"query\"
type = \"integer\"
column = \"deptno\"
omit_when_null = true
[[param]]
name = \"since\"
in = \"query\"
omit_when_null = true
[rows]
select = \"/items\"
columns = [
  {{ name = \"empno\", type = \"integer\" }}, {{ name = \"ename\" }}, {{ name = \"hired\", type = \"date\" }},
  {{ name = \"at\", type = \"timestamptz\" }}, {{ name = \"active\", type = \"boolean\" }},
  {{ name = \"sal\", type = \"decimal\" }}, {{ name = \"deptno\", type = \"integer\" }},
  {{ name = \"doc\", type = \"json\" }} ]
'); end;\n/\n"
    )
}

pub(super) fn handler(path: &str, query: &str) -> String {
    format!(
        "begin ords.define_template('remote', '{path}');
         ords.define_handler('remote', '{path}', 'GET', ords.source_type_collection_feed, q'[{query}]', 0); end;\n/\n"
    )
}

pub(super) struct Hr {
    pub(super) server: TestServer,
    pub(super) folder: Folder,
    pub(super) api: Upstream,
}

impl Hr {
    pub(super) fn start() -> Self {
        Self::start_with("")
    }

    /// With more lines of configuration.
    pub(super) fn start_with(config: &str) -> Self {
        let folder = Folder::new("rest-sql");
        folder.configure(&format!("{CONFIG}{config}"));
        let (server, api) = (TestServer::demo(&folder), Upstream::start());
        api.answers("/people", StatusCode::OK, PEOPLE);
        let hr = Self { server, folder, api };
        let url = hr.api.url();
        let module =
            "begin ords.define_module(p_module_name => 'remote', p_base_path => '/remote/'); end;\n/\n";
        let other = format!("begin gatepost.define_remote_server('other', '{url}'); end;\n/\n");
        hr.server.sql("hr", &format!("{other}{}{module}", staff("")));
        hr
    }

    pub(super) fn allow(&self) {
        self.server.sql("hr", "begin gatepost.allow_public('/remote/*'); end;");
    }

    pub(super) fn url(&self, path: &str) -> String {
        self.server.url(&format!("hr/remote/{path}"))
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        let response = get(&self.url(path), None).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}\n{}", self.server.log_text());
        serde_json::from_str(&text).unwrap()
    }

    pub(super) async fn names(&self, path: &str) -> Vec<String> {
        let rows = self.json(path).await;
        let names =
            rows["items"].as_array().unwrap().iter().map(|row| row["ename"].as_str().unwrap().to_owned());
        names.collect()
    }

    pub(super) fn run(&self, text: &str, more: &[&str]) -> Outcome {
        let folder = self.folder.path().to_str().unwrap();
        call(&[&["sql", "--data", folder, "--schema", "hr", "--format", "json", "-c", text], more].concat())
    }
}

#[tokio::test]
async fn handlers_with_sources_are_closed_like_all_others() {
    let hr = Hr::start();
    hr.server.sql("hr", &handler("people/", "select ename from rest.staff"));
    let url = hr.url("people/");
    status_soon(&url, None, StatusCode::UNAUTHORIZED).await;
    assert_eq!(hr.api.asked(), [""; 0], "asked for nobody");
    hr.allow();
    status_soon(&url, None, StatusCode::OK).await;
    assert_eq!(hr.api.asked().len(), 1);
    let far = |hops| http().get(&url).header("Gatepost-Hop", hops).send();
    assert_eq!(far("x").await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(far("3").await.unwrap().status(), StatusCode::BAD_GATEWAY);
    assert_eq!(hr.api.asked(), [""; 0]);
}

#[tokio::test]
async fn rows_have_the_types_of_the_source_and_join_with_tables() {
    let hr = Hr::start();
    hr.server.sql(
        "hr",
        &handler(
            "people/",
            "select r.*, e.ename as ours from rest.staff r
        left join emp e on e.empno = r.empno order by r.empno desc",
        ),
    );
    hr.server.sql(
        "hr",
        &handler(
            "sum/",
            "with s as (select deptno, sum(sal) as total from rest.staff group by deptno)
        select d.dname, s.total from s, dept d where d.deptno = s.deptno
           and exists (select 1 from rest.staff x where x.deptno = d.deptno and x.active) order by d.dname",
        ),
    );
    hr.allow();
    status_soon(&hr.url("sum/"), None, StatusCode::OK).await;
    let rows = hr.json("people/").await;
    let members = ["empno", "ename", "hired", "at", "active", "sal", "deptno", "doc", "ours"];
    let row = |number: usize| members.map(|name| rows["items"][number][name].clone());
    let exact: Value = serde_json::from_str("2.50").unwrap();
    let king = json!([7839, "KING", "1981-11-17", "2026-01-02T01:04:05Z", true, 12_345_678_901.25, 10, {"a": [1, exact]}, "KING"]);
    assert_eq!(Value::from(row(0).to_vec()), king);
    assert_eq!(row(1)[1..5], [json!("O'Neil"), Value::Null, Value::Null, json!(false)]);
    assert_eq!((row(1)[5].as_f64(), row(1)[8].as_str()), (Some(0.1), Some("SMITH")));
    assert_eq!(
        (row(2)[2].clone(), row(2)[5].as_f64(), row(2)[8].clone()),
        (json!("2020-02-29"), Some(-3.0), Value::Null)
    );
    let sums = hr.json("sum/").await;
    assert_eq!(
        (sums["count"].as_u64(), sums["items"][0]["dname"].as_str()),
        (Some(1), Some("ACCOUNTING")),
        "{sums}"
    );
    assert_eq!(sums["items"][0]["total"].as_f64(), Some(12_345_678_898.25));
    // The same in SQL Commands.
    let shown =
        hr.run("select r.ename from rest.staff r join emp e on e.empno = r.empno where e.job = 'CLERK'", &[]);
    assert_eq!(serde_json::from_str::<Value>(&shown.ok()).unwrap(), json!([{"ename": "O'Neil"}]));
}

#[tokio::test]
async fn what_the_source_can_filter_is_asked_of_it_and_filtered_once_more() {
    let hr = Hr::start();
    let filtered = "select r.ename from rest.staff r where r.deptno = :dept and (:name is null or r.ename = :name) order by 1";
    hr.server.sql("hr", &handler("filtered/", filtered));
    hr.server.sql(
        "hr",
        &handler("either/", "select ename from rest.staff where deptno = :dept or ename = 'KING' order by 1"),
    );
    hr.server.sql(
        "hr",
        &handler(
            "given/",
            "select ename from rest.staff(since => :since, dept => 20) where sal > 0 order by 1",
        ),
    );
    hr.server.sql("hr", &handler("named/", "select ename from rest.staff where ename = :name"));
    hr.allow();
    status_soon(&hr.url("filtered/"), None, StatusCode::OK).await;
    hr.api.asked();
    // The API ignores its parameter; the database does not.
    assert_eq!(hr.names("filtered/?dept=10").await, ["77", "KING"]);
    assert_eq!(hr.names("filtered/?dept=10&name=KING").await, ["KING"]);
    assert_eq!(hr.names("filtered/").await, [""; 0]);
    assert_eq!(hr.api.asked(), ["/people?dept=10", "/people?dept=10", "/people"]);
    assert_eq!(hr.names("either/?dept=20").await, ["KING", "O'Neil"]);
    assert_eq!(hr.api.asked(), ["/people"]);
    assert_eq!(hr.names("given/?since=2020%261").await, ["KING", "O'Neil"]);
    assert_eq!(hr.api.asked(), ["/people?dept=20&since=2020%261"]);
    assert_eq!(hr.names("named/?name=77").await, ["77"]);
    assert_eq!(hr.names("named/?name=O%27Neil").await, ["O'Neil"]);
    assert_eq!(get(&hr.url("filtered/?dept=10&dept=20"), None).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn failures_of_the_source_are_told_by_code_and_never_as_fewer_rows() {
    let hr = Hr::start();
    hr.server.sql("hr", &handler("people/", "select ename from rest.staff"));
    hr.server.sql("hr", &handler("given/", "select ename from rest.staff(dept => :dept)"));
    hr.allow();
    let url = hr.url("people/");
    status_soon(&url, None, StatusCode::OK).await;
    let wrong = get(&hr.url("given/?dept=ten"), None).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    hr.api.answers("/people", StatusCode::FORBIDDEN, "secret words of theirs");
    let response = get(&url, None).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    let body = response.text().await.unwrap();
    assert!(
        body.contains("GP501") && body.contains("api_forbidden") && !body.contains("secret words"),
        "{body}"
    );
    let log = hr.server.log_text();
    assert!(log.contains("rest.staff") && log.contains("module remote template people/ GET"), "{log}");
    let refused = hr.run("select 1\n  from rest.staff", &[]).refused();
    for words in ["rest.staff", "api_forbidden", "fix: ", "line 2, column 8"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    // Less than all rows would make wrong sums.
    hr.api.answers("/people", StatusCode::OK, PEOPLE);
    hr.server.sql("hr", &staff("limits = { max_rows = 2 }"));
    status_soon(&url, None, StatusCode::BAD_GATEWAY).await;
    let body = get(&url, None).await.text().await.unwrap();
    assert!(body.contains("rows_truncated"), "{body}");
}

#[tokio::test]
async fn handlers_follow_their_source() {
    let hr = Hr::start();
    let defined = hr.run(&handler("people/", "select ename from rest.staff"), &[]);
    assert_eq!(defined.code, Some(0), "{}", defined.stderr);
    let waiting = hr.run(&handler("later/", "select x from rest.later"), &[]);
    assert!(
        waiting.stderr.contains("rest.later") && waiting.stderr.contains("there are: staff"),
        "{}",
        waiting.stderr
    );
    hr.allow();
    let (people, later) = (hr.url("people/"), hr.url("later/"));
    status_soon(&people, None, StatusCode::OK).await;
    let response = get(&later, None).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!response.text().await.unwrap().contains("staff"), "callers learn the names of sources");
    assert!(hr.server.log_text().contains("rest.later"));
    let define = "begin gatepost.define_rest_source('later', 'server = \"other\"
path = \"people\"
[rows]
select = \"/items\"
columns = [ { name = \"COLUMN\", at = \"/empno\", type = \"integer\" } ]'); end;";
    hr.server.sql("hr", &define.replace("COLUMN", "x"));
    status_soon(&later, None, StatusCode::OK).await;
    // The column that it selects is gone.
    hr.server.sql("hr", &define.replace("COLUMN", "y"));
    status_soon(&later, None, StatusCode::SERVICE_UNAVAILABLE).await;
    hr.server.sql("hr", &define.replace("COLUMN", "x"));
    status_soon(&later, None, StatusCode::OK).await;
    hr.server.sql("hr", "begin gatepost.drop_rest_source('later'); end;");
    status_soon(&later, None, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(get(&people, None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn changes_blocks_and_other_schemas_are_refused_with_the_place() {
    let hr = Hr::start();
    hr.api.asked();
    let post = "begin ords.define_template('remote', 'copy');
      ords.define_handler('remote', 'copy', 'POST', ords.source_type_plsql, 'begin
        insert into emp (empno) select empno from rest.staff; end;'); end;";
    let outcome = hr.run(post, &[]);
    assert!(outcome.stderr.contains("line 2") && outcome.stderr.contains("rest.staff"), "{}", outcome.stderr);
    for (text, words) in [
        (
            "begin for r in (select ename from rest.staff) loop null; end loop; end;",
            "a block holds a transaction",
        ),
        (
            "declare n number; begin select count(*) into n from rest.staff; end;",
            "a block holds a transaction",
        ),
        ("create view v as select ename from rest.staff", "queries and changes"),
        ("delete from rest.staff", "not written"),
        ("select * from rest.hr_employees", "no REST source `hr_employees`; there are: staff"),
        ("select * from rest.staff(nothing => 1)", "no parameter `nothing`"),
    ] {
        let refused = hr.run(text, &[]).refused();
        assert!(refused.contains(words) && refused.contains("line 1, column "), "{text}: {refused}");
    }
    let dry = "update emp set comm = 1 where empno = 7839;\nselect * from rest.staff;";
    assert!(hr.run(dry, &["--dry-run"]).refused().contains("dry run"));
    assert_eq!(hr.api.asked(), [""; 0]);
    // What only looks like a source is none.
    let rows = hr.run("select rest.ename from emp rest where rest.empno = 7839 -- from rest.staff", &[]);
    assert!(rows.ok().contains("KING"));
    assert_eq!(hr.api.asked(), [""; 0]);
}

#[tokio::test]
async fn statements_copy_rows_into_tables() {
    let hr = Hr::start();
    let copied =
        hr.run("insert into dept (deptno, dname) select empno, ename from rest.staff where empno = 1", &[]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    assert_eq!(hr.folder.rows("hr", "select dname from dept where deptno = 1"), [["77"]]);
    let changed = hr.run(
        "update emp set comm = r.deptno + 0.5 from rest.staff r where r.empno = emp.empno and r.active",
        &[],
    );
    assert_eq!(changed.code, Some(0), "{}", changed.stderr);
    let king = hr.folder.rows("hr", "select comm from emp where empno = 7839");
    assert_eq!(king[0][0].as_f64(), Some(10.5));
    let beyond = PEOPLE.replace("12345678901.25", "0.1000000000000000055");
    hr.api.answers("/people", StatusCode::OK, &beyond);
    let outcome = hr.run("select count(*) as n from rest.staff where sal < 1", &[]);
    match hr.folder.backend() {
        // It has no such number, and another one would be wrong.
        crate::backend::Backend::Sqlite => {
            let refused = outcome.refused();
            assert!(refused.contains("column_type") && refused.contains("`sal`"), "{refused}");
        }
        crate::backend::Backend::Postgres => {
            assert_eq!(serde_json::from_str::<Value>(&outcome.ok()).unwrap(), json!([{"n": 3}]));
        }
    }
}
