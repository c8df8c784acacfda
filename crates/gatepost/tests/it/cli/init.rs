//! `gatepost init`.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;

use crate::client::get;
use crate::folder::Folder;
use crate::process::{Shop, call};
use crate::server::TestServer;

#[test]
fn run_again_it_changes_nothing() {
    let shop = Shop::new("init-again");
    shop.script("begin ords.define_module('kept', '/kept/'); end;").ok();
    let read = |name: &str| std::fs::read(shop.0.path().join(name)).unwrap();
    let (keys, config, revision) = (read("keys.toml"), read("gatepost.toml"), shop.revision());
    for _ in 0..2 {
        shop.init().ok();
    }
    assert_eq!((keys, config, revision), (read("keys.toml"), read("gatepost.toml"), shop.revision()));
    assert_eq!(shop.lines("select name from user_ords_modules"), ["kept"]);
    let mode = std::fs::metadata(shop.0.path().join("keys.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

mod on_sqlite {
    //! A database is a file, which is there or is made.

    use super::*;
    use crate::process::sqlite;

    #[tokio::test]
    async fn an_existing_database_is_published_and_its_rows_stay() {
        let folder = Folder::new("init-existing");
        sqlite(&folder, "mine.db")
            .execute_batch("create table t (a); insert into t values (1), (2)")
            .unwrap();
        let data = format!("sqlite:{}", folder.path().join("mine.db").display());
        let dir = folder.path().join("made");
        let dir = dir.to_str().unwrap();
        let printed = call(&["init", dir, "--data-url", &data, "--schema", "Mine"]).ok();
        assert!(printed.contains("Schema mine is enabled at http://127.0.0.1:8080/ords/mine"), "{printed}");
        let script = "begin
               ords.define_service(p_module_name => 'm', p_base_path => '/m/', p_pattern => 't', p_source => 'select a from t');
               gatepost.allow_public('/m/*');
             end;";
        call(&["sql", "--data", dir, "--schema", "mine", "-c", script]).ok();
        let server = TestServer::serve(std::path::Path::new(dir));
        let answer = get(&server.url("mine/m/t"), None).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await.unwrap().contains("\"count\":2"));
    }

    #[test]
    fn what_cannot_be_done_is_refused_before_anything_is_made() {
        let folder = Folder::new("init-refused");
        let dir = folder.path().join("made");
        let dir = dir.to_str().unwrap();
        let missing = format!("sqlite:{}", folder.path().join("none.db").display());
        for (url, schema, wanted) in [
            (missing.as_str(), "shop", "--create makes one"),
            ("postgres://me:secret@127.0.0.1:1/db?sslmode=disable", "shop", "--data-url"),
            ("mysql://me:secret@host/db", "shop", "--data-url is `sqlite:FILE`"),
            ("sqlite:", "shop", "--data-url is `sqlite:FILE`"),
            (missing.as_str(), "no good", "only letters"),
        ] {
            let message = call(&["init", dir, "--data-url", url, "--schema", schema]).refused();
            assert!(message.contains(wanted), "{message}");
            assert!(!message.contains("secret"), "{message}");
            assert!(!std::path::Path::new(dir).exists());
        }
    }
}

mod on_postgres {
    //! A database is somebody's, who gives rights in it.

    use std::process::Stdio;

    use super::*;
    use crate::postgres::{Cluster, psql};
    use crate::server::gatepost;

    /// A database of one's own as the administrator, and as a login that makes logins and schemas there.
    fn postgres(cluster: &Cluster) -> (String, String) {
        let own = cluster.database("init");
        let name = own.rsplit('/').next().unwrap();
        cluster.sql("postgres", &format!("alter role {name} createrole"));
        (cluster.url(name), own)
    }

    #[test]
    fn a_database_that_cannot_be_published_is_refused_before_anything_is_made() {
        let cluster = Cluster::start();
        let (admin, maker) = postgres(&cluster);
        psql(&admin, "create schema theirs; create schema mixed; create table mixed.t (n int)");
        let name = maker.rsplit('/').next().unwrap();
        psql(&admin, &format!("alter schema mixed owner to {name}"));
        let folder = Folder::new("init-postgres-refused");
        let dir = folder.path().join("made");
        let dir = dir.to_str().unwrap();
        for (url, schema, wanted) in [
            (&admin, "shop", "has no schema shop; --create makes one"),
            (&maker, "theirs", "schema theirs belongs to postgres"),
            (&maker, "mixed", "permission denied for table t"),
        ] {
            let message = call(&["init", dir, "--data-url", url, "--schema", schema]).refused();
            assert!(message.contains(wanted) && !message.contains("of-the-tests"), "{message}");
            assert!(!std::path::Path::new(dir).exists());
        }
        let roles = "select count(*) from pg_roles where rolname like 'gatepost%'";
        assert_eq!(cluster.sql("postgres", roles), "0");
    }

    #[tokio::test]
    async fn a_schema_of_postgresql_is_published_and_stays_its_owners() {
        let cluster = Cluster::start();
        let (admin, maker) = postgres(&cluster);
        psql(&maker, "create schema shop; create table shop.t (a int); insert into shop.t values (1), (2)");
        let folder = Folder::new("init-postgres");
        let dir = folder.path().join("made");
        let dir = dir.to_str().unwrap();
        // By somebody who makes logins and is no superuser.
        let arguments = ["init", dir, "--data-url", &maker, "--catalog-url", &maker, "--schema", "shop"];
        for _ in 0..2 {
            call(&arguments).ok();
        }
        let roles = "select count(*) from pg_roles where rolname like 'gatepost%'";
        assert_eq!(cluster.sql("postgres", roles), "4");
        let members = "select count(*) from pg_auth_members where member = (select oid from pg_roles where rolname = 'NAME')";
        let name = maker.rsplit('/').next().unwrap();
        assert_eq!(cluster.sql("postgres", &members.replace("NAME", name)), "0");
        let script = "create table more (b int);
             begin
               ords.define_service(p_module_name => 'm', p_base_path => '/m/', p_pattern => 't', p_source => 'select a from t');
               gatepost.allow_public('/m/*');
             end;";
        call(&["sql", "--data", dir, "--schema", "shop", "-c", script]).ok();
        assert!(
            call(&["sql", "--data", dir, "--schema", "shop", "-c", "drop table t"])
                .refused()
                .contains("owner")
        );
        let server = TestServer::serve(std::path::Path::new(dir));
        let answer = get(&server.url("shop/m/t"), None).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await.unwrap().contains("\"count\":2"));
        let owner = "select nspowner::regrole from pg_namespace where nspname = 'shop'";
        assert_eq!(psql(&admin, owner), name);
        // Another schema of that folder has another place.
        let message = call(&["init", dir, "--data-url", &maker, "--schema", "other"]).refused();
        assert!(message.contains("another place takes a folder of its own"), "{message}");
    }

    #[test]
    fn killed_at_any_time_it_can_be_run_again_and_leaves_no_login_behind() {
        let cluster = Cluster::start();
        let (admin, _) = postgres(&cluster);
        let folder = Folder::new("init-postgres-killed");
        let dir = folder.path().to_str().unwrap();
        let arguments =
            ["init", dir, "--data-url", &admin, "--catalog-url", &admin, "--schema", "shop", "--create"];
        let mut interrupted = 0;
        for age_ms in (0..200).step_by(10) {
            let mut child = gatepost(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(age_ms));
            let _ = child.kill();
            interrupted += usize::from(!child.wait().unwrap().success());
        }
        assert!(interrupted > 0);
        call(&arguments).ok();
        call(&["check-config", "--data", dir]).ok();
        let roles = "select count(*) from pg_roles where rolname like 'gatepost%'";
        assert_eq!(cluster.sql("postgres", roles), "4");
    }
}
