//! Collections: bytes, pages, parameters and exact values (ords.md 4.1 to 4.5; DESIGN decisions 15 and 19).

use reqwest::StatusCode;
use serde_json::{Number, Value, json};

use crate::backend::Backend;
use crate::shop::{Shop, header, parts};

async fn refused(shop: &Shop, path: &str, parameter: &str) {
    let (status, body) = parts(shop.get(path).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
    assert!(body["detail"].as_str().unwrap().contains(&format!("`{parameter}`")), "{path}: {body}");
}

#[tokio::test]
async fn a_bad_parameter_is_400_and_named() {
    let shop = Shop::shared().await;
    for value in ["-1", "x", "1.5", "", "99999999999999999999", "0x10", "%2B1", "1%20"] {
        refused(&shop, &format!("items/?offset={value}"), "offset").await;
        refused(&shop, &format!("items/?limit={value}"), "limit").await;
        refused(&shop, &format!("query/?page={value}"), "page").await;
    }
    refused(&shop, "items/?q=%7B%22id%22:1%7D", "q").await;
    refused(&shop, "search/?min=one", "min").await;
    refused(&shop, "search/?min=2147483648", "min").await;
    refused(&shop, "search/?word=%00", "word").await;
    for query in ["word=%", "word=%zz", "word=%ff", "%ff=1"] {
        let (status, body) = parts(shop.get(&format!("search/?{query}")).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {body}");
    }
}

#[tokio::test]
async fn a_parameter_given_twice_is_400() {
    let shop = Shop::shared().await;
    refused(&shop, "items/?offset=0&offset=0", "offset").await;
    refused(&shop, "items/?limit=1&LIMIT=1", "limit").await;
    refused(&shop, "search/?word=a&word=b", "word").await;
    refused(&shop, "search/?word=a&%57ord=b", "word").await;
    refused(&shop, "items/1?id=2&id=3", "id").await;
}

#[tokio::test]
async fn too_many_parameters_are_400() {
    let shop = Shop::shared().await;
    let query = (0..201).fold(String::new(), |query, n| format!("{query}p{n}=x&"));
    assert_eq!(shop.get(&format!("items/?{query}")).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_page_is_these_bytes() {
    let shop = Shop::shared().await;
    let answer = shop.get("items/?offset=2").await;
    assert_eq!(header(&answer, "content-type"), "application/json");
    let base = shop.server.url("hr");
    let price = &shop.rows("select price from item where id = 3")[0][0];
    let expected = format!(
        "{{\"items\":[\
         {{\"id\":3,\"name\":\"crate <b>&amp;</b>\",\"price\":{price},\"links\":[{{\"rel\":\"self\",\"href\":\"{base}/shop/items/3\"}}]}},\
         {{\"id\":4,\"name\":\"drill\",\"price\":null,\"links\":[{{\"rel\":\"self\",\"href\":\"{base}/shop/items/4\"}}]}}],\
         \"hasMore\":true,\"limit\":2,\"offset\":2,\"count\":2,\"links\":[\
         {{\"rel\":\"self\",\"href\":\"{base}/shop/items/\"}},\
         {{\"rel\":\"describedby\",\"href\":\"{base}/metadata-catalog/shop/\"}},\
         {{\"rel\":\"first\",\"href\":\"{base}/shop/items/\"}},\
         {{\"rel\":\"next\",\"href\":\"{base}/shop/items/?offset=4\"}},\
         {{\"rel\":\"prev\",\"href\":\"{base}/shop/items/?offset=0\"}}]}}"
    );
    assert_eq!(header(&answer, "content-length"), expected.len().to_string());
    assert_eq!(answer.text().await.unwrap(), expected);
}

fn link(page: &Value, relation: &str) -> Option<String> {
    let links = page["links"].as_array().unwrap();
    let found = links.iter().find(|link| link["rel"] == relation)?;
    Some(found["href"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn following_next_meets_every_row_once() {
    let shop = Shop::shared().await;
    for (start, pages) in
        [("items/", 3), ("items/?limit=1&note=a%20b", 5), ("items/?limit=5", 1), ("items/?limit=4", 2)]
    {
        let mut url = Some(shop.url(start));
        let (mut seen, mut met) = (Vec::new(), 0);
        while let Some(next) = url {
            let path = next.strip_prefix(&shop.url("")).unwrap().to_owned();
            let page = shop.json(&path).await;
            assert_eq!(page["count"].as_u64().unwrap() as usize, page["items"].as_array().unwrap().len());
            assert_eq!(page["hasMore"].as_bool().unwrap(), link(&page, "next").is_some());
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()));
            url = link(&page, "next");
            assert!(
                !start.contains("note")
                    || url.as_ref().is_none_or(|url| url.ends_with("&limit=1&note=a%20b"))
            );
            met += 1;
        }
        assert_eq!((seen.as_slice(), met), ([1, 2, 3, 4, 5].as_slice(), pages), "{start}");
    }
}

#[tokio::test]
async fn edges_of_pages() {
    let shop = Shop::shared().await;
    let none = shop.json("items/?offset=100").await;
    assert_eq!((&none["items"], &none["hasMore"], &none["count"]), (&json!([]), &json!(false), &json!(0)));
    assert_eq!(link(&none, "prev").unwrap(), shop.url("items/?offset=98"));
    let last = shop.json("items/?offset=4").await;
    assert_eq!((&last["hasMore"], &last["count"], link(&last, "next")), (&json!(false), &json!(1), None));
    let empty = shop.json("items/?limit=0").await;
    assert_eq!((&empty["items"], &empty["limit"]), (&json!([]), &json!(0)));
    let whole = shop.json("all/").await;
    assert_eq!((&whole["limit"], &whole["count"], &whole["hasMore"]), (&json!(0), &json!(5), &json!(false)));
    let first = shop.json("items/?offset=1&limit=3").await;
    assert_eq!(link(&first, "prev").unwrap(), shop.url("items/?offset=0&limit=3"));
    let far = shop.get("items/?offset=9223372036854775807").await;
    assert_eq!(far.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_limit_is_capped_by_the_configured_rows() {
    let shop = Shop::with("[limits]\nrows = 3\n").await;
    let page = shop.json("items/?limit=1000000").await;
    assert_eq!((&page["limit"], &page["count"], &page["hasMore"]), (&json!(3), &json!(3), &json!(true)));
    assert_eq!(link(&page, "next").unwrap(), shop.url("items/?offset=3&limit=3"));
    let unpaged = shop.json("all/").await;
    assert_eq!((&unpaged["count"], &unpaged["hasMore"]), (&json!(3), &json!(true)));
    assert_eq!(link(&unpaged, "next").unwrap(), shop.url("all/?offset=3"));
    // CSV has no way to say that rows are missing, so it does not pretend.
    let csv = shop.get("csv").await;
    assert!(csv.status().is_server_error(), "{}", csv.status());
}

#[tokio::test]
async fn values_are_as_exact_as_they_are_stored() {
    let shop = Shop::shared().await;
    let text = shop.get("exact/").await.text().await.unwrap();
    for member in [
        "\"big\":9007199254740993,",
        "\"ratio\":0.1,",
        "\"digits\":\"12345678901234567890\"",
        "\"flag\":true",
        "\"day\":\"2024-02-29\"",
        "\"at\":\"2024-05-01T09:30:00Z\"",
        "\"doc\":{\"a\":[1,2.50]}",
        "\"raw\":\"AP8Q\"",
        "\"big\":-9223372036854775808,",
        "\"digits\":\"0.10000000000000000001\"",
        "\"flag\":false",
        "\"at\":\"2024-05-01T09:30:00.002Z\"",
        "\"doc\":\"no json\"",
        "\"raw\":\"\"",
        "\"big\":9223372036854775807,",
        "\"ratio\":-1.5,",
        "\"digits\":\"007\"",
        "\"flag\":null",
    ] {
        assert!(text.contains(member), "{member} in {text}");
    }
    let huge: f64 = text.split("\"ratio\":").nth(2).unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((huge / 1e300 - 1.0).abs() < f64::EPSILON);
}

/// Whether an answer's value is the stored one, exactly: numbers by their value.
fn same(answered: &Value, stored: &Value) -> bool {
    match (answered, stored) {
        (Value::Number(answered), Value::Number(stored)) => same_number(answered, stored),
        (answered, stored) => answered == stored,
    }
}

fn same_number(answered: &Number, stored: &Number) -> bool {
    // A float is stored in binary, and its shortest digits are not the only ones that mean it.
    let as_float = || answered.as_f64().map(f64::to_bits) == stored.as_f64().map(f64::to_bits);
    decimal(answered) == decimal(stored) || Backend::of_this_run() == Backend::Sqlite && as_float()
}

/// A number's sign, digits and power of ten, without zeros at its ends.
fn decimal(number: &Number) -> (bool, String, i64) {
    let text = number.to_string().to_lowercase();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let magnitude = mantissa.trim_start_matches('-');
    let (whole, part) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits = format!("{whole}{part}");
    let short = digits.trim_end_matches('0');
    let power = exponent.parse::<i64>().unwrap() - part.len() as i64 + (digits.len() - short.len()) as i64;
    match short.trim_start_matches('0') {
        "" => (false, String::new(), 0),
        significant => (mantissa.starts_with('-'), significant.to_owned(), power),
    }
}

#[tokio::test]
async fn rows_are_those_of_the_same_sql() {
    let shop = Shop::shared().await;
    for (path, sql, columns) in [
        ("items/?limit=100", "select id, name, price from item order by id", ["id", "name", "price"]),
        (
            "items/?limit=2&offset=1",
            "select id, name, price from item order by id limit 2 offset 1",
            ["id", "name", "price"],
        ),
        ("exact/", "select big, ratio, digits from exact order by id", ["big", "ratio", "digits"]),
        (
            "search/?word=r&min=2",
            "select id, name, 'r' from item where name like '%r%' and id >= 2 order by id",
            ["id", "name", "word"],
        ),
        (
            "search/?word=%25%27%3B--",
            "select id, name, '' from item where name like '%' || '%'';--' || '%'",
            ["id", "name", "word"],
        ),
        (
            "search/?word=%E2%98%83",
            "select id, name, '☃' from item where name like '%☃%'",
            ["id", "name", "word"],
        ),
    ] {
        let page = shop.json(path).await;
        let items = page["items"].as_array().unwrap();
        let rows = shop.rows(sql);
        assert_eq!(items.len(), rows.len(), "{path}");
        for (item, row) in items.iter().zip(&rows) {
            for (column, stored) in columns.iter().zip(row) {
                assert!(same(&item[column], stored), "{path} {column}: {} and {stored:?}", item[column]);
            }
        }
    }
    // The demo's employees too, all of them.
    let demo = crate::client::Credentials::of_demo(&shop.server).token(&shop.server, "hr").await;
    let answer = crate::client::get(&shop.server.known("protected_url"), Some(&demo)).await;
    let (_, page) = parts(answer).await;
    let rows =
        shop.rows("select empno, ename, job, mgr, hiredate, sal, comm, deptno from emp order by empno");
    let names = ["empno", "ename", "job", "mgr", "hiredate", "sal", "comm", "deptno"];
    assert_eq!(page["items"].as_array().unwrap().len(), rows.len());
    for (item, row) in page["items"].as_array().unwrap().iter().zip(&rows) {
        for (name, stored) in names.iter().zip(row) {
            assert!(same(&item[name], stored), "{name}: {item} and {stored:?}");
        }
    }
}

#[tokio::test]
async fn a_number_of_the_url_compares_as_a_number() {
    let shop = Shop::shared().await;
    // An untyped text would compare greater than every number and show all rows.
    let page = shop.json("search/?least=4").await;
    assert_eq!(page["count"], 5, "`least` is bound as `min` only");
    let page = shop.json("search/?min=4").await;
    assert_eq!(page["count"], 2);
    let item = shop.json("items/2?id=3").await;
    assert_eq!(item["id"], 2, "the path beats the query");
}
