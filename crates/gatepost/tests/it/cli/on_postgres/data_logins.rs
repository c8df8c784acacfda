//! Logins of data that may do too much: `check-config` names them with the SQL that ends it, `serve` refuses them.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use reqwest::StatusCode;

use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::postgres::{Cluster, psql};
use crate::process::{Outcome, call, eventually_status, finish};
use crate::server::{TestServer, gatepost};

/// An installation with catalog and data in one database, and that database's administrator.
struct Installation {
    cluster: Cluster,
    home: Folder,
    admin: String,
}

impl Installation {
    fn new() -> Self {
        let cluster = Cluster::start();
        let home = Folder::new("data-logins");
        let admin = cluster.url("postgres");
        let arguments = ["demo", "--listen", "127.0.0.1:0", "--data-url", &admin, "--catalog-url", &admin];
        drop(TestServer::start(home.path(), &arguments));
        Self { cluster, home, admin }
    }

    fn dir(&self) -> &str {
        self.home.path().to_str().unwrap()
    }

    fn check(&self) -> Outcome {
        call(&["check-config", "--data", self.dir()])
    }

    /// A server that must not start.
    #[track_caller]
    fn serve_refused(&self, variables: &[(&str, &str)]) -> String {
        // One that is not refused would serve for good.
        let mut command = Command::new("timeout");
        command.args([
            "60",
            env!("CARGO_BIN_EXE_gatepost"),
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            self.dir(),
        ]);
        command.envs(variables.iter().copied());
        finish(&mut command, "").refused()
    }
}

/// The SQL of a report: its indented lines.
fn fixes(report: &str) -> String {
    report.lines().filter_map(|line| line.strip_prefix("  ")).collect()
}

#[test]
fn what_a_login_may_not_is_named_with_the_sql_that_ends_it() {
    let installation = Installation::new();
    let printed = installation.check().ok();
    assert!(!printed.contains("warning"), "{printed}");
    for (given, key, words, starts) in [
        ("alter role gatepost_hr_read superuser", "data", "it is a superuser", false),
        ("alter role gatepost_hr_write createrole", "data_write", "it is a role that makes roles", false),
        ("alter role gatepost_hr_owner replication", "data_owner", "replicates the whole database", false),
        ("grant gatepost_catalog to gatepost_hr_write", "data_write", "the role of the catalog", false),
        ("grant pg_read_server_files to gatepost_hr_read", "data", "a member of pg_read_server_files", false),
        ("grant pg_read_all_data to gatepost_hr_read", "data", "pg_read_all_data, a role that reads", false),
        (
            "grant usage on schema gatepost to public; grant select on gatepost.catalog_object to gatepost_hr_read",
            "data",
            "may read or change the catalog",
            false,
        ),
        (
            "create role boss superuser; create role middle; grant boss to middle; grant middle to gatepost_hr_read",
            "data",
            "it is a member of boss, a superuser",
            false,
        ),
        ("alter role gatepost_hr_read bypassrls", "data", "passes by row-level security", true),
        ("grant usage on schema gatepost to public", "data_write", "may use the catalog's schema", true),
        ("grant insert on hr.emp to gatepost_hr_read", "data", "reads only, but may change emp", true),
        ("grant update (sal) on hr.emp to gatepost_hr_read", "data", "reads only, but may change emp", true),
        ("grant truncate on all tables in schema hr to public", "data", "may change dept and 1 more", true),
        ("alter table hr.emp owner to gatepost_hr_read", "data", "may change emp", true),
        ("grant create on schema hr to gatepost_hr_read", "data", "may make objects in schema hr", true),
        (
            "grant create on database postgres to public",
            "data",
            "may make objects in database postgres",
            true,
        ),
    ] {
        psql(&installation.admin, given);
        let report = installation.check().refused();
        assert!(report.contains(&format!("schema hr, {key}, login gatepost_hr_")), "{given}: {report}");
        assert!(report.contains(words), "{given}: {report}");
        if !starts {
            let message = installation.serve_refused(&[]);
            assert!(message.contains(words) && message.contains("check-config"), "{given}: {message}");
        }
        // Two of these say who is to be taken out of what; the rest is as it was.
        let undo = match given {
            "grant pg_read_all_data to gatepost_hr_read" => {
                "revoke pg_read_all_data from gatepost_hr_read".into()
            }
            text if text.contains("grant middle") => {
                "revoke middle from gatepost_hr_read; drop role middle, boss".into()
            }
            _ => fixes(&report),
        };
        psql(&installation.admin, &undo);
        installation.check().ok();
    }
    drop(TestServer::serve(installation.home.path()));
}

#[test]
fn what_may_be_meant_is_a_warning() {
    let installation = Installation::new();
    let warns = |given: &str, words: &str| {
        psql(&installation.admin, given);
        let printed = installation.check().ok();
        assert!(
            printed.contains("warning: schema hr, data") && printed.contains(words),
            "{given}: {printed}"
        );
        let fix = fixes(&printed);
        if !fix.is_empty() {
            psql(&installation.admin, &fix);
            let printed = installation.check().ok();
            assert!(!printed.contains("warning"), "{given}: {printed}");
        }
    };
    warns(
        "create function hr.all_of(int) returns bigint language sql security definer as 'select count(*) from pg_authid'",
        "it may call hr.all_of(integer), which runs with the rights of postgres",
    );
    warns("grant create on schema hr to gatepost_hr_write", "it may make objects in schema hr");
    warns("grant create on schema public to gatepost_hr_read", "it may make objects in schema public");
    let url = installation.home.path().join("data-hr-owner.url");
    std::fs::set_permissions(&url, std::fs::Permissions::from_mode(0o640)).unwrap();
    let printed = installation.check().ok();
    assert!(printed.contains(&format!("run: chmod 600 {}", url.display())), "{printed}");
    let file = installation.home.path().join("gatepost.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("data_")).collect();
    std::fs::write(file, text.join("\n").replace("data-hr.url", "data-hr-write.url")).unwrap();
    warns("select 1", "one login reads and writes");
}

#[test]
fn policies_hold_for_the_logins_they_are_for() {
    let installation = Installation::new();
    let with_policies = || {
        let mut command = gatepost(&["check-config", "--data", installation.dir()]);
        finish(command.env("GATEPOST_SCHEMAS_HR_ROW_LEVEL_SECURITY", "true"), "")
    };
    psql(
        &installation.admin,
        "alter table hr.emp enable row level security; alter table hr.emp owner to gatepost_hr_write",
    );
    let report = with_policies().refused();
    assert!(report.contains("it owns hr.emp, whose policies do not bind the owner"), "{report}");
    psql(&installation.admin, &fixes(&report));
    with_policies().ok();
}

#[test]
fn a_login_of_data_that_is_the_catalogs_is_refused() {
    let installation = Installation::new();
    let catalog = std::fs::read_to_string(installation.home.path().join("catalog.url")).unwrap();
    let catalog = catalog.trim();
    let message = installation.serve_refused(&[("GATEPOST_SCHEMAS_HR_DATA_WRITE", catalog)]);
    assert!(message.contains("it is the role of the catalog") && message.contains("data_write"), "{message}");
    // In another database, too: the role is the same.
    let other = installation.cluster.database("other");
    let elsewhere = format!("{}/{}", catalog.rsplit_once('/').unwrap().0, other.rsplit('/').next().unwrap());
    let message = installation.serve_refused(&[("GATEPOST_SCHEMAS_HR_DATA", &elsewhere)]);
    assert!(message.contains("it is the role of the catalog"), "{message}");
}

/// What was not known at the start is found out before a statement of a handler runs.
#[tokio::test]
async fn a_database_that_comes_later_is_asked_before_it_is_used() {
    let installation = Installation::new();
    psql(&installation.admin, "alter role gatepost_hr_read superuser");
    let home = Folder::new("data-logins-later");
    // The catalog is elsewhere, so that the server can start without the database.
    drop(TestServer::demo(&home));
    let read = std::fs::read_to_string(installation.home.path().join("data-hr.url")).unwrap();
    let serve = || {
        let mut command = gatepost(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(home.path()).env("GATEPOST_SCHEMAS_HR_DATA", read.trim());
        TestServer::spawn(home.path(), command)
    };
    installation.cluster.crash();
    let server = serve();
    assert!(server.log_text().contains("are not checked yet"), "{}", server.log_text());
    let token = Credentials::of_demo(&server).token(&server, "hr").await;
    let url = server.url("hr/hr/departments/");
    let ask = async || get(&url, Some(&token)).await;
    assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    installation.cluster.start_again();
    for _ in 0..10 {
        assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(
        server.log_text().contains("gatepost_hr_read is refused: it is a superuser"),
        "{}",
        server.log_text()
    );
    psql(&installation.admin, "alter role gatepost_hr_read nosuperuser");
    eventually_status(200, ask).await;
}
