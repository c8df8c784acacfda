//! Usage: the figures of the page are those of the log.

use super::{Browser, call_the_demo};
use crate::folder::Folder;
use crate::process::call;
use crate::server::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_handlers_are_counted_as_in_the_terminal() {
    let folder = Folder::new("console-usage-1");
    let server = TestServer::demo(&folder);
    let admin = Browser::of_demo(&server).await;
    let nothing = admin.open("/console/usage?from=1&to=2").await;
    assert!(nothing.text.contains("No requests in this time"), "{}", nothing.text);
    call_the_demo(&server, &admin).await;
    let dir = folder.path().to_str().unwrap();
    assert!(call(&["usage", "--data", dir, "--schema", "nowhere"]).refused().contains("no schema"));
    assert!(call(&["usage", "--data", dir, "--since", "soon"]).refused().contains("no time"));
    let printed = call(&["usage", "--data", dir, "--schema", "hr", "--json"]).ok();
    let usage: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let of = |name: &str| {
        let clients = usage["clients"].as_array().unwrap();
        clients.iter().find(|client| client["client"] == name).unwrap_or_else(|| panic!("{printed}")).clone()
    };
    let limited = of("limited_app");
    assert_eq!((&limited["denied"], &limited["tokens"]), (&1.into(), &1.into()), "{printed}");
    assert!(limited["last_token"].is_string() && limited["p95_us"].as_i64().unwrap() > 0);
    let handlers = usage["handlers"].as_array().unwrap();
    let employees = handlers.iter().find(|one| one["handler"] == "hr employees/").unwrap();
    assert!(employees["denied"].as_u64().unwrap() >= 2, "{printed}");
    assert!(call(&["usage", "--data", dir]).ok().contains("limited_app"));

    let page = admin.open("/console/usage").await;
    let rows = page.texts("section[aria-labelledby=clients-title] tbody tr");
    let row = rows.iter().find(|row| row.starts_with("limited_apphr")).unwrap_or_else(|| panic!("{rows:?}"));
    assert!(row.contains(&format!("hr{}10", limited["requests"])), "{row}");
    assert!(
        page.texts("section[aria-labelledby=handlers-title] tbody th").contains(&"hr employees/".to_owned())
    );
    let client = admin.open("/console/s/hr/clients/limited_app").await;
    assert!(client.texts("h2").contains(&"Usage, 24 hours".to_owned()), "{}", client.text);
}
