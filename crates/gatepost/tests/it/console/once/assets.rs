//! The files that pages load: what came from elsewhere is what the list says, and browsers may keep all of them.

use std::fmt::Write as _;
use std::path::Path;

use aws_lc_rs::digest;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING};

use crate::client::http;
use crate::console::Browser;
use crate::folder::Folder;
use crate::server::TestServer;

#[test]
fn third_party_files_are_those_of_the_list() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/console");
    let list: toml::Table =
        toml::from_str(&std::fs::read_to_string(folder.join("VENDOR.toml")).unwrap()).unwrap();
    let files = list["file"].as_array().unwrap();
    let mut known: Vec<String> = Vec::new();
    for file in files {
        let name = file["name"].as_str().unwrap();
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let sum = digest::digest(&digest::SHA256, &bytes);
        let sum = sum.as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        assert_eq!(sum, file["sha256"].as_str().unwrap(), "{name}");
        known.push(name.to_owned());
    }
    for entry in std::fs::read_dir(folder.join("vendor")).unwrap() {
        let name = format!("vendor/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(name.ends_with(".LICENSE") || known.contains(&name), "{name} is not in the list");
    }
}

#[tokio::test]
async fn files_are_compressed_and_kept_and_their_folder_is_of_this_build() {
    let folder = Folder::new("console-assets");
    let server = TestServer::demo(&folder);
    let page = Browser::nobody(&server).open("/console/sign-in").await;
    let style = page.attribute("link[rel=stylesheet]", "href");
    let get = |path: String| http().get(format!("{}{path}", server.base_url)).header(ACCEPT_ENCODING, "gzip");
    let other = style.replace("/assets/", "/assets/0");
    assert_eq!(get(other).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let outside = style.replace("app.css", "../../../../etc/passwd");
    assert_ne!(get(outside).send().await.unwrap().status(), StatusCode::OK);
    let answer = get(style).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
    assert!(answer.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
}
