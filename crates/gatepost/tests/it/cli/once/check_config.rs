//! `gatepost check-config` and the configuration itself.

use reqwest::StatusCode;

use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::process::{Shop, call, finish};
use crate::server::{TestServer, gatepost};

#[test]
fn the_reference_page_is_what_the_program_prints() {
    let printed = call(&["check-config", "--reference"]).ok();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == printed,
        "docs/reference/configuration.md is stale; run:\n  \
         cargo run -p gatepost -- check-config --reference > docs/reference/configuration.md"
    );
}

/// The keys of the reference page, as `section`, `key` and `default`.
fn keys() -> Vec<(String, String, String)> {
    let page = call(&["check-config", "--reference"]).ok();
    let (mut section, mut keys) = (String::new(), Vec::new());
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("## [") {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if let Some(row) = line.strip_prefix("| `") {
            let mut cells = row.split(" | ").map(|cell| cell.trim_matches(['`', '|', ' ']).to_owned());
            keys.push((section.clone(), cells.next().unwrap(), cells.next().unwrap()));
        }
    }
    assert!(keys.len() > 30, "{page}");
    keys
}

#[test]
fn every_key_can_come_from_the_file_and_from_the_environment() {
    let shop = Shop::new("keys");
    for (section, key, default) in keys() {
        // A value of a wrong kind is refused with the key's name and place: so it is read from there.
        let section = section.replace("NAME", "shop");
        let name = format!("GATEPOST_{}_{}", section.replace('.', "_"), key).to_uppercase();
        let wrong = "[[1]]";
        let message = finish(shop.command("check-config", &[]).env(&name, wrong), "").refused();
        assert!(message.contains(&name), "{name}: {message}");
        let config = Folder::new("one-key");
        config.write("gatepost.toml", &format!("[{section}]\n{key} = {wrong}\n"));
        let message = call(&["check-config", "--data", config.path().to_str().unwrap()]).refused();
        assert!(
            message.contains("gatepost.toml") && message.contains("line 2"),
            "{section}.{key}: {message}"
        );
        // The printed default is one that the program takes.
        if default != "–" {
            let value = default.trim_matches('"').to_owned();
            finish(shop.command("check-config", &[]).env(&name, value), "").ok();
            config.write("gatepost.toml", &format!("[{section}]\n{key} = {default}\n"));
            let message =
                call(&["export", "--schema", "x", "--data", config.path().to_str().unwrap()]).refused();
            assert!(message.contains("there is no catalog"), "{section}.{key} = {default}: {message}");
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let folder = Folder::new("config-wrong");
    let dir = folder.path().to_str().unwrap();
    for (text, wanted) in [
        ("[server]\nlisten = \"127.0.0.1:1\"\nlissten = 1\n", "line 3: unknown field `lissten`"),
        ("[sever]\n", "line 1: unknown field `sever`"),
        ("[server]\nlisten = \"here\"\n", "line 2"),
        ("[server\n", "line 1"),
        ("[server]\ncontext = \"/a/b\"\n", "server.context is one path segment"),
        ("[server]\npublic_url = \"ftp://x\"\n", "public_url"),
        ("[server]\npublic_url = \"https://user:pass@x\"\n", "public_url"),
        ("[server]\npublic_url = \"https://x/path\"\n", "public_url"),
        ("[tls]\ncertificate_file = \"x\"\n", "belong together"),
        ("[oauth]\naccess_token_seconds = 0\n", "at least 1"),
        ("[oauth]\naccess_token_seconds = 100000\n", "allow_long_tokens"),
        ("[schemas.hr]\ntime_zone = \"Mars\"\n", "schemas.hr.time_zone"),
        (
            "[catalog]\nurl = \"postgres://u:hidden@h/d?sslmode=prefer\"\n",
            "sslmode is verify-full or disable",
        ),
        ("[limits]\nrows = -1\n", "line 2"),
        ("[log]\naccess = \"some\"\n", "line 2"),
    ] {
        folder.write("gatepost.toml", text);
        let message = call(&["check-config", "--data", dir]).refused();
        assert!(message.contains("gatepost.toml: ") || message.contains("gatepost: "), "{message}");
        assert!(message.contains(wanted), "{text}\n{message}");
        assert!(!message.contains("hidden"), "{message}");
    }
    folder.write("gatepost.toml", "");
    for (name, value, wanted) in [
        ("GATEPOST_SERVER_LISTEM", "x", "GATEPOST_SERVER_LISTEM"),
        ("GATEPOST_SERVR_LISTEN", "x", "GATEPOST_SERVR_LISTEN"),
        ("GATEPOST_SERVER_LISTEN", "x", "GATEPOST_SERVER_LISTEN"),
        ("GATEPOST_SCHEMAS_HR_PLACE", "x", "GATEPOST_SCHEMAS_HR_PLACE"),
    ] {
        let message = finish(gatepost(&["check-config", "--data", dir]).env(name, value), "").refused();
        assert!(message.contains(wanted), "{name}: {message}");
    }
}

#[test]
fn numbers_that_nothing_can_be_made_of_are_refused() {
    let shop = Shop::new("config-numbers");
    let endless = i64::MAX.to_string();
    for (key, value) in [
        ("limits.connections", "0"),
        ("limits.connections", endless.as_str()),
        ("limits.connections_per_address", "0"),
        ("limits.header_seconds", "0"),
        ("limits.readers", "0"),
        ("limits.readers", "100000"),
        ("limits.streams", endless.as_str()),
        ("limits.queue", "0"),
        ("oauth.slow_checks", endless.as_str()),
        ("oauth.slow_checks_waiting", endless.as_str()),
        ("catalog.poll_ms", "600000"),
        ("access.max_stale_seconds", "0"),
        ("log.level", "a[b"),
    ] {
        let name = format!("GATEPOST_{}", key.replace('.', "_").to_uppercase());
        let message = finish(shop.command("check-config", &[]).env(name, value), "").refused();
        assert!(message.contains(key), "{key} = {value}: {message}");
    }
}

/// Every number at the lowest and at the highest value that is taken: the server answers and stops.
#[tokio::test]
async fn numbers_that_are_taken_are_lived_with() {
    let shop = Shop::new("config-extremes");
    for (section, key, default) in keys().into_iter().filter(|(.., default)| default.parse::<i64>().is_ok()) {
        let name = format!("GATEPOST_{section}_{key}").to_uppercase();
        for value in ["0", "1", "4294967295"] {
            if finish(shop.command("check-config", &[]).env(&name, value), "").code != Some(0) {
                continue;
            }
            let mut serve = shop.command("serve", &["--listen", "127.0.0.1:0"]);
            serve.env(&name, value);
            let server = TestServer::spawn(shop.0.path(), serve);
            let answer = get(&format!("{}/healthz", server.base_url), None).await;
            assert_eq!(answer.status(), StatusCode::OK, "{name} = {value} (default {default})");
            drop(answer);
            let log = server.log.clone();
            assert_eq!(server.stop().code(), Some(0), "{name} = {value}");
            let log = std::fs::read_to_string(log).unwrap();
            assert!(!log.contains("panicked"), "{name} = {value}: {log}");
        }
    }
}

#[test]
fn a_good_installation_is_described() {
    let shop = Shop::new("check");
    let printed = shop.run("check-config", &[]).ok();
    for wanted in
        ["configuration: good", "keys.toml: good, fingerprint", "1 schemas", "schema shop: data opens"]
    {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    let message =
        finish(shop.command("check-config", &[]).env("GATEPOST_SERVER_LISTEN", "0.0.0.0:80"), "").refused();
    assert!(message.contains("serving: ") && message.contains("public_url"), "{message}");
}

#[tokio::test]
async fn the_environment_wins_and_a_file_elsewhere_counts() {
    let folder = Folder::new("config-env");
    drop(TestServer::demo(&folder));
    let file =
        folder.write("other.toml", "[oauth]\naccess_token_seconds = 7\n[server]\ncontext = \"/api\"\n");
    let serve = |variables: &[(&str, &str)]| {
        let mut command = gatepost(&["serve", "--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()]);
        command.args(["--data", folder.path().to_str().unwrap()]).envs(variables.iter().copied());
        TestServer::spawn(folder.path(), command)
    };
    let lifetime = async |server: &TestServer, context: &str| {
        let client = Credentials::of_demo(server);
        let url = format!("{}{context}/hr/oauth/token", server.base_url);
        let request = crate::client::http().post(url).basic_auth(client.id, Some(client.secret));
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<serde_json::Value>().await.unwrap()["expires_in"].as_i64().unwrap()
    };
    let server = serve(&[]);
    assert_eq!(lifetime(&server, "/api").await, 7);
    assert_eq!(get(&server.url("hr/hr/employees/"), None).await.status(), StatusCode::NOT_FOUND);
    drop(server);
    let server = serve(&[("GATEPOST_OAUTH_ACCESS_TOKEN_SECONDS", "9"), ("GATEPOST_SERVER_CONTEXT", "/svc")]);
    assert_eq!(lifetime(&server, "/svc").await, 9);
}
