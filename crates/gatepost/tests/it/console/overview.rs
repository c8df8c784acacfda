//! The overview: numbers from the log, a list that ticks itself from facts.

use super::secure::with_user;
use super::{Browser, call_the_demo};
use crate::folder::Folder;
use crate::process::eventually_async;
use crate::server::{TestServer, run_ok};

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_the_log_sees_no_figures_of_it() {
    let folder = Folder::new("console-overview-1");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    call_the_demo(&server, &admin).await;
    for kind in ["viewer", "developer"] {
        let page = with_user(&server, &folder, kind).await.open("/console/").await;
        assert_eq!(page.texts("h1"), ["Overview"]);
        assert!(page.texts(".stat").is_empty() && page.texts("[data-live]").is_empty(), "{}", page.text);
        assert!(!page.text.contains("/ords/hr/hr/employees/"), "{}", page.text);
        assert!(page.texts("h2").contains(&"Lock it down".to_owned()));
    }
    let auditor = with_user(&server, &folder, "auditor").await.open("/console/").await;
    assert_eq!(auditor.texts(".stat").len(), 4);
    assert!(auditor.texts(".steps .btn").is_empty(), "an auditor changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_list_follow_what_happens() {
    let folder = Folder::new("console-overview-2");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    call_the_demo(&server, &admin).await;
    let page = admin.open("/console/").await;
    let numbers = page.texts(".stat .v");
    assert!(numbers[0].parse::<u32>().unwrap() >= 5, "{numbers:?}");
    assert!(numbers[1].parse::<u32>().unwrap() >= 2, "{numbers:?}");
    assert!(numbers[2].ends_with(" ms") && numbers[3].parse::<u32>().unwrap() >= 2, "{numbers:?}");
    let done = page.texts(".steps .done b");
    assert!(done.contains(&"See it locked, then get in".to_owned()), "{done:?}");
    assert!(page.texts("section[aria-labelledby=latest-title] tbody tr").len() > 2);
    assert!(page.text.contains("public entry"), "the demo's public pattern needs a look: {}", page.text);
    let later = admin.open("/console/?range=7d").await;
    assert!(later.texts(".stat .k")[0].contains("7 days"), "{}", later.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_house_begins_with_the_first_step() {
    let folder = Folder::new("console-overview-3");
    let data = folder.path().to_str().unwrap();
    run_ok(&["init", data, "--data-url", "sqlite:shop.db", "--schema", "shop", "--create"]);
    let printed = run_ok(&["user", "add", "ada", "--kind", "administrator", "--generate", "--data", data]);
    let password = printed.split_whitespace().max_by_key(|word| word.len()).unwrap().to_owned();
    let server = TestServer::serve(folder.path());
    let admin = Browser::sign_in(&server, "ada", &password).await;
    let page = admin.open("/console/").await;
    assert_eq!(page.texts(".stat .v")[0], "–");
    assert!(page.text.contains("The next one will draw here"), "{}", page.text);
    let now = page.texts(".steps .now b");
    assert_eq!(now, ["Publish a module"]);
    assert!(page.texts(".steps .done").is_empty());
    server.sql(
        "shop",
        "begin ords.define_service('m', '/m/', 'rows', 'GET', 'json/collection', 'select 1 as n'); end;",
    );
    eventually_async("the next step is lit", async || {
        admin.open("/console/").await.texts(".steps .now b") == ["Create a role"]
    })
    .await;
}
