//! Rows that are kept for as long as a source says, seen by what its API is asked.

use reqwest::StatusCode;

use super::sql::{Hr, PEOPLE, handler, staff};
use crate::client::{get, http, status_soon};

/// Long enough that nothing here sees its end.
const KEPT: &str = "cache = { scope = \"all\", ttl = \"1h\" }";

/// A server whose source keeps its rows, open to everybody.
async fn keeping(cache: &str) -> (Hr, String) {
    let hr = Hr::start();
    hr.server.sql("hr", &staff(cache));
    hr.server.sql("hr", &handler("people/", "select ename from rest.staff order by 1"));
    let rows = hr.server.url("hr/sources/staff/");
    // What is kept is as closed as what is not.
    assert_eq!(get(&rows, None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(hr.api.asked(), [""; 0]);
    hr.allow();
    hr.server.sql("hr", "begin gatepost.allow_public('/sources/*'); end;");
    status_soon(&hr.url("people/"), None, StatusCode::OK).await;
    status_soon(&rows, None, StatusCode::OK).await;
    hr.api.asked();
    (hr, rows)
}

async fn text(url: &str) -> String {
    let response = get(url, None).await;
    assert_eq!(response.status(), StatusCode::OK, "{url}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn rows_are_fetched_once_for_all_who_ask_the_same() {
    let (hr, rows) = keeping(KEPT).await;
    hr.api.answers("/people", StatusCode::INTERNAL_SERVER_ERROR, "");
    assert_eq!(hr.names("people/").await, ["77", "KING", "O'Neil"]);
    assert!(text(&rows).await.contains("O'Neil"));
    assert_eq!(hr.api.asked(), [""; 0]);
    // Another parameter is another question, and a failure is not kept.
    let ten = format!("{rows}?dept=10");
    for _ in 0..2 {
        assert_eq!(get(&ten, None).await.status(), StatusCode::BAD_GATEWAY);
        assert!(!hr.api.asked().is_empty());
    }
    hr.api.answers("/people", StatusCode::OK, PEOPLE);
    for asked in [1, 0] {
        assert!(text(&ten).await.contains("KING"));
        assert_eq!(hr.api.asked().len(), asked);
    }
}

#[tokio::test]
async fn callers_can_ask_for_new_rows() {
    let (hr, rows) = keeping(KEPT).await;
    hr.api.answers("/people", StatusCode::OK, &PEOPLE.replace("KING", "QUEEN"));
    let response = get(&rows, None).await;
    assert!(response.headers()["age"].to_str().unwrap().parse::<u64>().is_ok());
    assert!(response.text().await.unwrap().contains("KING"));
    let fresh =
        http().get(hr.url("people/")).header("Cache-Control", "max-age=0, no-cache").send().await.unwrap();
    assert!(fresh.text().await.unwrap().contains("QUEEN"));
    assert_eq!(hr.api.asked().len(), 1);
    // The new rows took the place of the old ones.
    assert_eq!(hr.names("people/").await, ["77", "O'Neil", "QUEEN"]);
    assert_eq!(hr.api.asked(), [""; 0]);
}

#[tokio::test]
async fn a_new_definition_finds_nothing_of_the_old_one() {
    let (hr, rows) = keeping(KEPT).await;
    hr.api.answers("/people", StatusCode::OK, &PEOPLE.replace("KING", "QUEEN"));
    hr.server.sql("hr", &staff(&format!("comments = \"the same\"\n{KEPT}")));
    for _ in 0..250 {
        if text(&rows).await.contains("QUEEN") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(hr.names("people/").await, ["77", "O'Neil", "QUEEN"]);
    assert_eq!(hr.api.asked().len(), 2, "one window of 25 rows, and all rows");
}

#[tokio::test]
async fn rows_end_with_their_time_and_are_nobodys_without_a_caller() {
    let (hr, _) = keeping("cache = { scope = \"all\", ttl = \"1s\" }").await;
    hr.api.answers("/people", StatusCode::OK, &PEOPLE.replace("KING", "QUEEN"));
    let mut names = Vec::new();
    for _ in 0..250 {
        names = hr.names("people/").await;
        if names[2] == "QUEEN" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(names, ["77", "O'Neil", "QUEEN"]);
    let (hr, rows) = keeping("cache = { scope = \"user\", ttl = \"1h\" }").await;
    for _ in 0..2 {
        text(&rows).await;
        assert_eq!(hr.api.asked().len(), 1);
    }
}
