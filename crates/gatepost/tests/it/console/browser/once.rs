//! What needs a browser and does not depend on the database.

use super::chromium::{Chromium, Wish};
use crate::folder::Folder;
use crate::server::TestServer;

/// Every page that needs nothing but the demo.
const PAGES: [&str; 24] = [
    "",
    "s/hr/services",
    "s/hr/services/hr",
    "s/hr/define/module",
    "s/hr/define/table",
    "s/hr/sql",
    "s/hr/try",
    "s/hr/reference",
    "s/hr/script",
    "s/hr/roles",
    "s/hr/privileges",
    "s/hr/privileges/hr.read",
    "s/hr/clients",
    "s/hr/clients/new",
    "s/hr/clients/hr_app",
    "s/hr/access",
    "s/intranet/remote-servers",
    "s/intranet/credentials",
    "s/intranet/sources",
    "log",
    "audit",
    "history",
    "users",
    "settings",
];

#[tokio::test]
async fn no_page_complains_and_axe_finds_nothing_in_both_themes() {
    let folder = Folder::new("browser-axe");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish::default()).await;
    let mut found = Vec::new();
    for theme in ["light", "dark"] {
        browser.script(&format!("document.cookie = 'theme={theme};path=/console'")).await;
        for page in PAGES {
            browser.go(&format!("/console/{page}")).await;
            browser.see("main h1").await;
            let violations = browser.violations().await;
            found.extend(violations.as_array().unwrap().iter().map(|what| format!("{theme} /{page}: {what}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    browser.is_silent().await;
    browser.close().await;
}

#[tokio::test]
async fn pages_fit_a_narrow_window() {
    let folder = Folder::new("browser-narrow");
    let server = TestServer::demo(&folder);
    let browser = Chromium::of_demo(&server, Wish { width: 500, ..Wish::default() }).await;
    for page in PAGES {
        browser.go(&format!("/console/{page}")).await;
        browser.see("main h1").await;
        let over = browser.script("return document.documentElement.scrollWidth - innerWidth").await;
        assert!(over.as_i64().unwrap() <= 0, "{page} is {over} pixels too wide");
    }
    browser.click("[data-menu]").await;
    browser.click("#side a[href$='/roles']").await;
    browser.read("h1", "Roles").await;
    browser.is_silent().await;
    browser.close().await;
}
