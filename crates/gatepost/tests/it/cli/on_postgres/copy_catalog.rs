//! `gatepost copy-catalog`.

use reqwest::StatusCode;

use crate::backend::Backend;
use crate::client::{Credentials, get};
use crate::folder::Folder;
use crate::postgres::cluster;
use crate::process::{call, finish};
use crate::server::{TestServer, gatepost};

#[tokio::test]
async fn a_catalog_goes_to_postgres_and_back_with_its_clients_but_without_their_tokens() {
    let folder = Folder::on(Backend::Sqlite, "copy");
    let server = TestServer::demo(&folder);
    let (client, dir) = (Credentials::of_demo(&server), folder.path().to_str().unwrap().to_owned());
    let token = client.token(&server, "hr").await;
    drop(server);
    let export = |url: &str| {
        let mut command = gatepost(&["export", "--data", &dir, "--schema", "hr"]);
        finish(command.env("GATEPOST_CATALOG_URL", url), "").ok()
    };
    let sqlite = format!("sqlite:{dir}/catalog.db");
    let postgres = cluster().database("copy");
    let before = export(&sqlite);
    let printed = call(&["copy-catalog", &sqlite, &postgres]).ok();
    assert!(printed.contains("2 schemas") && !printed.contains("of-the-tests"), "{printed}");
    assert_eq!(export(&postgres), before);

    let mut command = gatepost(&["demo", "--listen", "127.0.0.1:0", "--data", &dir]);
    command.env("GATEPOST_CATALOG_URL", &postgres);
    let server = TestServer::spawn(folder.path(), command);
    let protected = server.known("protected_url");
    assert_eq!(get(&protected, Some(&token)).await.status(), StatusCode::UNAUTHORIZED);
    let fresh = client.token(&server, "hr").await;
    assert_eq!(get(&protected, Some(&fresh)).await.status(), StatusCode::OK);
    drop(server);

    let back = format!("sqlite:{dir}/back.db");
    call(&["copy-catalog", &postgres, &back]).ok();
    assert_eq!(export(&back), before);
    for (from, to) in [(&sqlite, &postgres), (&postgres, &back), (&sqlite, &sqlite)] {
        let message = call(&["copy-catalog", from, to]).refused();
        assert!(message.contains("there is a catalog at") && !message.contains("of-the-tests"), "{message}");
    }
    let missing = call(&["copy-catalog", "sqlite:/nowhere.db", &back]).refused();
    assert!(missing.contains("there is no catalog at /nowhere.db"), "{missing}");
}
