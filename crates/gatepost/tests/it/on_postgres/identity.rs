//! Who asks, told to the database: row-level security, roles, and what one client's request leaves for the next.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Logins, Published, handlers};
use crate::client::{Credentials, http};
use crate::pgbouncer::Pgbouncer;
use crate::postgres::cluster;
use crate::process::call;

/// The clients `boss` (roles `hr_admin` and `hr_reader`) and `clerk` (role `hr_reader`) may call what is below `/s/`.
pub(super) const CLIENTS: &str = "
declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.create_role('hr_admin'); ords.create_role('hr_reader');
  l_roles(1) := 'hr_admin'; l_roles(2) := 'hr_reader'; l_patterns(1) := '/s/*';
  ords.define_privilege('s.use', l_roles, l_patterns, l_modules, 'S', 'Use s');
  oauth.create_client('boss', 'client_credentials', 'x', 'The boss', p_support_email => 'a@example.com', p_privilege_names => '');
  oauth.create_client('clerk', 'client_credentials', 'x', 'The clerk', p_support_email => 'a@example.com', p_privilege_names => '');
  oauth.grant_client_role('boss', 'hr_admin'); oauth.grant_client_role('boss', 'hr_reader');
  oauth.grant_client_role('clerk', 'hr_reader');
  gatepost.allow_public('/p/*', 'GET,POST');
end;
/
";

/// The same handlers for clients below `/s/` and for everybody below `/p/`.
pub(super) fn twice(all: &[(&str, &str, &str, &str)]) -> String {
    let text = handlers(all);
    let module = |name: &str| {
        text.replace("'t', '/t/'", &format!("'{name}', '/{name}/'")).replace("('t',", &format!("('{name}',"))
    };
    [CLIENTS, &module("s"), &module("p")].concat()
}

/// A caller: a client with a token, or nobody.
pub(super) struct Someone<'s> {
    shop: &'s Published,
    pub(super) id: String,
    token: Option<String>,
}

impl<'s> Someone<'s> {
    pub(super) async fn client(shop: &'s Published, name: &str) -> Self {
        let credentials = Credentials::by_name(&shop.server, "shop", name);
        let token = credentials.token_soon(&shop.server, "shop").await;
        Self { shop, id: credentials.id, token: Some(token) }
    }

    pub(super) fn nobody(shop: &'s Published) -> Self {
        Self { shop, id: String::new(), token: None }
    }

    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, String) {
        let module = if self.token.is_some() { "s" } else { "p" };
        let mut request = http().request(method, self.shop.server.url(&format!("shop/{module}/{path}")));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        let (status, text) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}\n{}", self.shop.server.log_text());
        serde_json::from_str(&text).unwrap()
    }
}

const NOTES: &str = "
    create table note (id int generated always as identity, owner text not null, role text, text text);
    alter table note enable row level security;
    create policy own on note using (
      owner = current_setting('gatepost.client_id', true)
      or current_setting('gatepost.roles', true)::jsonb ? role)
      with check (owner = current_setting('gatepost.claims', true)::jsonb->>'client_id');
    insert into note (owner, role, text) values ('', null, 'of nobody'), ('x', 'hr_admin', 'for bosses'),
      ('x', 'hr_reader', 'for readers'), ('x', 'it', 'for nobody here')";

fn note_handlers() -> String {
    twice(&[
        ("notes/", "GET", "json/query", "select text from note order by id"),
        ("notes/", "POST", "plsql/block", "insert into note (owner, text) values (:current_user, :text)"),
        ("forged/", "POST", "plsql/block", "insert into note (owner, text) values (:owner, :text)"),
        ("settings", "GET", "json/query;type=single",
            "select current_setting('gatepost.client_id') as id, current_setting('gatepost.roles')::json as roles,
                    current_setting('gatepost.claims')::json as claims"),
    ])
}

fn texts(rows: &Value) -> Vec<&str> {
    rows["items"].as_array().unwrap().iter().map(|row| row["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn row_level_security_tells_clients_apart_on_a_pool_of_one() {
    let config = "row_level_security = true\nreaders = 1\nwriters = 1\n";
    let shop = Published::new("rls", NOTES, &note_handlers(), config);
    let (boss, clerk) = (Someone::client(&shop, "boss").await, Someone::client(&shop, "clerk").await);
    let nobody = Someone::nobody(&shop);
    let settings = boss.json("settings").await;
    let roles = json!(["hr_admin", "hr_reader"]);
    assert_eq!(
        settings,
        json!({"id": boss.id, "roles": roles, "claims": {"client_id": boss.id, "roles": roles}})
    );
    assert_eq!(nobody.json("settings").await, json!({"id": "", "roles": [], "claims": {}}));
    for someone in [&boss, &clerk] {
        let text = json!({"text": format!("of {}", someone.id)});
        assert_eq!(someone.ask(Method::POST, "notes/", Some(text)).await.0, StatusCode::OK);
    }
    // Somebody else's row is refused, and so is one of nobody.
    for someone in [&boss, &nobody] {
        let forged = json!({"owner": clerk.id, "text": "forged"});
        let (status, text) = someone.ask(Method::POST, "forged/", Some(forged)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
        assert!(text.contains("GP409") && !text.contains("policy"), "{text}");
    }
    let ask = async |someone: &Someone<'_>| someone.json("notes/").await;
    for _ in 0..5 {
        let (first, second, third, fourth) = tokio::join!(ask(&boss), ask(&clerk), ask(&nobody), ask(&boss));
        assert_eq!(texts(&first), ["for bosses", "for readers", &format!("of {}", boss.id)]);
        assert_eq!(texts(&second), ["for readers", &format!("of {}", clerk.id)]);
        assert_eq!(texts(&third), ["of nobody"]);
        assert_eq!(first, fourth);
    }
}

/// Roles of the database, of which the logins are members and whose rights they do not have by themselves.
fn roles(logins: &Logins) -> [String; 2] {
    let database = logins.database();
    let [read, write, _] = logins.names();
    let [reader, admin] = ["reader", "admin"].map(|role| format!("{database}_{role}"));
    cluster().sql(
        database,
        &format!(
            "create role {reader}; create role {admin}; grant usage on schema shop to {reader}, {admin};
             alter role {read} noinherit; alter role {write} noinherit;
             grant {reader}, {admin} to {read}, {write};
             alter default privileges for role {database} in schema shop grant select on tables to {admin};
             alter default privileges for role {database} in schema shop revoke select on tables from {read};
             alter default privileges for role {database} in schema shop revoke all on tables from {write};
             revoke usage on schema shop from {read}, {write}"
        ),
    );
    [reader, admin]
}

fn salaries(reader: &str, admin: &str) -> String {
    format!(
        "create table emp (id int, name text, salary int); insert into emp values (1, 'KING', 5000);
         grant select (id, name), insert (id, name) on emp to {reader}; grant insert on emp to {admin}"
    )
}

const SALARY_HANDLERS: [(&str, &str, &str, &str); 4] = [
    ("who", "GET", "json/query;type=single", "select current_user::text as who, count(id) as n from emp"),
    ("pay", "GET", "json/query;type=single", "select sum(salary) as pay from emp"),
    ("emp/", "POST", "plsql/block", "insert into emp (id, name) values (:id, :name)"),
    (
        "paid/",
        "POST",
        "plsql/block",
        "insert into emp (id, salary) values (:id, :salary) returning current_user::text as who",
    ),
];

async fn check_roles_of_callers(shop: &Published, reader: &str, admin: &str) {
    let (boss, clerk) = (Someone::client(shop, "boss").await, Someone::client(shop, "clerk").await);
    let nobody = Someone::nobody(shop);
    for _ in 0..3 {
        let (first, second, third) = tokio::join!(boss.json("who"), clerk.json("who"), nobody.json("who"));
        assert_eq!(
            (&first["who"], &second["who"], &third["who"]),
            (&json!(admin), &json!(reader), &json!(reader))
        );
        assert_eq!(boss.json("pay").await, json!({"pay": 5000}));
        let (status, text) = clerk.ask(Method::GET, "pay", None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
        assert!(text.contains("GP409") && !text.contains("permission"), "{text}");
    }
    let paid = |id: i32| Some(json!({"id": id, "salary": 0}));
    let (status, text) = boss.ask(Method::POST, "paid/", paid(2)).await;
    assert_eq!((status, text), (StatusCode::OK, format!("{{\"who\":\"{admin}\"}}")));
    let (status, text) = clerk.ask(Method::POST, "paid/", paid(3)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{text}");
    let (status, text) = clerk.ask(Method::POST, "emp/", Some(json!({"id": 4, "name": "BLAKE"}))).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(shop.psql("select id from emp order by id"), "1\n2\n4");
}

#[tokio::test]
async fn handlers_run_under_the_role_of_their_caller() {
    let logins = Logins::new("caller-roles");
    let [reader, admin] = roles(&logins);
    let config = format!(
        "role = \"{reader}\"\ncaller_roles = [[\"hr_admin\", \"{admin}\"], [\"hr_reader\", \"{reader}\"]]\n\
         readers = 1\nwriters = 1\n"
    );
    let definitions = twice(&SALARY_HANDLERS);
    let shop = Published::on(logins, &salaries(&reader, &admin), &definitions, &config, None);
    check_roles_of_callers(&shop, &reader, &admin).await;
}

#[tokio::test]
async fn roles_and_policies_hold_behind_a_pooler() {
    let logins = Logins::new("pooled-roles");
    let [reader, admin] = roles(&logins);
    let [read, write, owner] = logins.names();
    let pooler = Pgbouncer::start(cluster(), 1, &[&read, &write, &owner]);
    let config = format!(
        "role = \"{reader}\"\ncaller_roles = [[\"hr_admin\", \"{admin}\"], [\"hr_reader\", \"{reader}\"]]\n\
         row_level_security = true\n"
    );
    let notes =
        NOTES.replace("create table note", "grant create on schema shop to current_user; create table note");
    let tables = format!(
        "{}; {notes}; grant select, insert on note to {reader}, {admin}; grant usage on all sequences in schema shop to {reader}, {admin}",
        salaries(&reader, &admin)
    );
    let mut all = SALARY_HANDLERS.to_vec();
    all.push(("notes/", "GET", "json/query", "select text from note order by id"));
    let shop = Published::on(logins, &tables, &twice(&all), &config, Some(&pooler));
    check_roles_of_callers(&shop, &reader, &admin).await;
    let (boss, clerk) = (Someone::client(&shop, "boss").await, Someone::client(&shop, "clerk").await);
    let nobody = Someone::nobody(&shop);
    for _ in 0..5 {
        let (first, second, third) =
            tokio::join!(boss.json("notes/"), clerk.json("notes/"), nobody.json("notes/"));
        assert_eq!(texts(&first), ["for bosses", "for readers"]);
        assert_eq!(texts(&second), ["for readers"]);
        assert_eq!(texts(&third), ["of nobody"]);
    }
}

#[tokio::test]
async fn a_role_that_the_logins_may_not_assume_is_named_in_the_log() {
    let definitions = handlers(&[
        ("n", "GET", "json/query", "select 1 as n"),
        ("n", "POST", "plsql/block", "begin insert into t values (1); :status_code := 201; end;"),
    ]);
    for role in ["postgres", "no such role"] {
        let config = format!("role = \"{role}\"\n");
        let (shop, report) = Published::reported(
            Logins::new("foreign-role"),
            "create table t (n int)",
            &definitions,
            &config,
            None,
        );
        assert!(report.contains("cannot be assumed"), "{report}");
        for method in [Method::GET, Method::POST] {
            let (status, text) = shop.ask(method, "n", None).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
            assert!(!text.contains(role), "{text}");
        }
        let dir = shop.folder.path().to_str().unwrap();
        let refused = call(&["check-config", "--data", dir]).refused();
        assert!(refused.contains(&format!("the role {role} cannot be assumed")), "{refused}");
        let log = shop.server.log_text();
        assert!(log.contains(&format!("the role {role} cannot be assumed")), "{log}");
    }
}
