//! Values of every type: in the URL, in a body, and in answers.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Published, detail, handlers};

const TABLES: &str = "
    create type mood as enum ('sad', 'ok, fine'); create domain percent as int check (value between 0 and 100);
    create type pair as (a int, b text, m mood); create extension if not exists citext with schema public;
    create table v (k int primary key, i int, big bigint, small smallint, n numeric(12,3), f8 float8, f4 float4,
      b boolean, t text, vc varchar(5), u uuid, d date, ts timestamp, tz timestamptz, tm time, iv interval, m mood,
      p percent, ia int[], ta text[], ma mood[], na numeric[], j json, jb jsonb, by bytea, ip inet, r int4range,
      dr daterange, c pair, ca pair[], ct public.citext, pt point);
    insert into v (k) values (0)";

/// A column, a value that it takes, how `psql` writes it, and values that it refuses.
const COLUMNS: [(&str, &str, &str, &[&str]); 24] = [
    ("i", "7", "7", &["x", "", "1.0", "99999999999", "7;drop table v"]),
    ("big", "9223372036854775807", "9223372036854775807", &["9223372036854775808"]),
    ("small", "-32768", "-32768", &["40000"]),
    ("n", "1.50", "1.500", &["1,5", "one"]),
    ("f8", "0.1", "0.1", &["0,1"]),
    ("b", "true", "t", &["maybe"]),
    ("t", "it's \"7\" % & ☃", "it's \"7\" % & ☃", &[]),
    ("u", "00010203-0405-0607-0809-0A0B0C0D0E0F", "00010203-0405-0607-0809-0a0b0c0d0e0f", &["1", "g"]),
    ("d", "2024-02-29", "2024-02-29", &["2024-02-30", "soon-ish"]),
    ("ts", "2024-05-01T09:30:00.25", "2024-05-01 09:30:00.25", &["2024-05-01T25:00"]),
    ("tz", "2024-05-01T09:30:00+02:00", "2024-05-01 07:30:00+00", &["2024-13-01T00:00Z"]),
    ("tm", "24:00", "24:00:00", &["25:00"]),
    ("iv", "P1DT2H", "1 day 02:00:00", &["a while"]),
    ("m", "ok, fine", "ok, fine", &["happy"]),
    ("p", "100", "100", &["ten"]),
    ("ia", "[1,null,3]", "{1,NULL,3}", &["7", "[1", "[\"x\"]", "[1.5]"]),
    ("ta", "[\"a,b\",\"\\\"\",\"\",\"NULL\",null]", "{\"a,b\",\"\\\"\",\"\",\"NULL\",NULL}", &["a"]),
    ("ma", "[\"sad\"]", "{sad}", &["[\"happy\"]"]),
    ("na", "[1.10,2]", "{1.10,2}", &["[true]"]),
    ("jb", "{\"a\":[1.10,null]}", "{\"a\": [1.10, null]}", &["{", "{'a':1}"]),
    ("ip", "10.0.0.1", "10.0.0.1", &["10.0.0.256"]),
    ("r", "[1,5)", "[1,5)", &["[5,1)", "1..5"]),
    ("dr", "[2024-01-01,2024-02-01)", "[2024-01-01,2024-02-01)", &["[2024-01-01"]),
    ("ct", "Case", "Case", &[]),
];

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"))
}

fn definitions() -> String {
    let mut all = Vec::new();
    for (column, ..) in COLUMNS {
        for pattern in [format!("{column}/:value"), format!("{column}/")] {
            let source = format!("select count(*) as n from v where {column} = :value");
            all.push((pattern, "GET", "json/query;type=single", source));
        }
        all.push((
            format!("{column}/"),
            "POST",
            "plsql/block",
            format!("insert into v (k, {column}) values (1, :value) returning {column} as value"),
        ));
        all.push((format!("{column}/"), "DELETE", "plsql/block", "delete from v where k = 1".to_owned()));
    }
    let all: Vec<_> = all
        .iter()
        .map(|(pattern, method, kind, source)| (pattern.as_str(), *method, *kind, source.as_str()))
        .collect();
    handlers(&all)
}

/// Encoded slashes are refused in a path, so such values go into the query.
fn path(column: &str, value: &str) -> String {
    let place = if value.contains(['/', '\\']) { "?value=" } else { "" };
    format!("{column}/{place}{}", encoded(value))
}

#[tokio::test]
async fn values_of_the_url_and_of_bodies_take_the_type_of_what_they_meet() {
    let shop = Published::new("values", TABLES, &definitions(), "");
    for (column, value, printed, bad) in COLUMNS {
        assert_eq!(shop.text(&path(column, value)).await, "{\"n\":0}", "{column}");
        for bad in bad.iter().filter(|bad| !bad.is_empty()) {
            let (status, text) = shop.get(&path(column, bad)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{column} {bad}: {text}");
            assert!(detail(&text).contains("parameter `value`"), "{column} {bad}: {text}");
        }
        // In a body: as text, and as the JSON that it is.
        let mut forms = vec![json!(value)];
        forms.extend(serde_json::from_str::<Value>(value).ok().filter(|_| !matches!(column, "t" | "ct")));
        for form in forms {
            shop.post(&format!("{column}/"), json!({ "value": form })).await;
            assert_eq!(shop.psql(&format!("select {column} from v where k = 1")), printed, "{column} {form}");
            assert_eq!(shop.text(&path(column, value)).await, "{\"n\":1}", "{column}");
            shop.ask(Method::DELETE, &format!("{column}/"), None).await;
        }
        for bad in bad {
            let (status, text) =
                shop.ask(Method::POST, &format!("{column}/"), Some(&json!({ "value": bad }))).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{column} {bad}: {text}");
            assert!(detail(&text).contains("parameter `value`"), "{column} {bad}: {text}");
        }
        assert_eq!(shop.psql("select count(*) from v"), "1", "{column}");
        shop.post(&format!("{column}/"), json!({ "value": null })).await;
        assert_eq!(shop.psql(&format!("select {column} is null from v where k = 1")), "t", "{column}");
        shop.ask(Method::DELETE, &format!("{column}/"), None).await;
    }
}

/// Expressions with their JSON; where it is a number, `psql` prints the same digits.
const RESULTS: [(&str, &str); 48] = [
    ("null::int", "null"),
    ("(-32768)::int2", "-32768"),
    ("9223372036854775807", "9223372036854775807"),
    ("12345678901234567890.1234567890::numeric", "12345678901234567890.1234567890"),
    ("1e-20::numeric", "0.00000000000000000001"),
    ("-0.50::numeric(5,2)", "-0.50"),
    ("'NaN'::numeric", "null"),
    ("0.1::float4", "0.1"),
    ("1e300::float8", "1e+300"),
    ("'-Infinity'::float8", "null"),
    ("true", "true"),
    ("'it''s \"7\" \\ ☃' || chr(10)", "\"it's \\\"7\\\" \\\\ ☃\\n\""),
    ("'ab'::char(4)", "\"ab  \""),
    ("date '2024-02-29'", "\"2024-02-29\""),
    ("date '0044-03-15 BC'", "\"-000043-03-15\""),
    ("timestamp '2024-05-01 09:30:00.25'", "\"2024-05-01T09:30:00.25Z\""),
    ("timestamptz '2024-05-01 09:30:00+02'", "\"2024-05-01T07:30:00Z\""),
    ("timestamptz 'infinity'", "\"infinity\""),
    ("time '24:00'", "\"24:00:00\""),
    ("timetz '10:00:00-03:30'", "\"10:00:00-03:30\""),
    ("interval '1 year -3 days 04:05:06.5'", "\"P1Y-3DT4H5M6.5S\""),
    ("'00010203-0405-0607-0809-0a0b0c0d0e0f'::uuid", "\"00010203-0405-0607-0809-0a0b0c0d0e0f\""),
    ("'\\x00ff10'::bytea", "\"AP8Q\""),
    ("'{\"a\":[1.10,2e5]}'::json", "{\"a\":[1.10,2e5]}"),
    ("'{\"a\":[1.10,{}]}'::jsonb", "{\"a\": [1.10, {}]}"),
    ("'null'::jsonb", "null"),
    ("array[1,null,3]", "[1,null,3]"),
    ("array[[1,2],[3,4]]", "[[1,2],[3,4]]"),
    ("'[5:6]={1,2}'::int[]", "[1,2]"),
    ("'{}'::text[]", "[]"),
    ("array[1.10::numeric, null]", "[1.10,null]"),
    ("array['{\"a\":1}'::jsonb]", "[{\"a\": 1}]"),
    ("'sad'::mood", "\"sad\""),
    ("array['ok, fine'::mood, null]", "[\"ok, fine\",null]"),
    ("5::percent", "5"),
    ("row(1, 'x', 'sad')::pair", "{\"a\":1,\"b\":\"x\",\"m\":\"sad\"}"),
    ("array[row(1, null, 'sad')::pair]", "[{\"a\":1,\"b\":null,\"m\":\"sad\"}]"),
    ("row(1, 'x'::text, null)", "[1,\"x\",null]"),
    ("int4range(1, 5)", "\"[1,5)\""),
    ("daterange('2024-01-01', null)", "\"[2024-01-01,)\""),
    ("numrange(1.5, 2.50)", "\"[1.5,2.50)\""),
    ("'empty'::int8range", "\"empty\""),
    ("inet '10.0.0.1/8'", "\"10.0.0.1/8\""),
    ("macaddr '08:00:2b:01:02:03'", "\"08:00:2b:01:02:03\""),
    ("'Case'::public.citext", "\"Case\""),
    ("point '(1,2)'", "\"(1,2)\""),
    ("'a:1'::tsvector", "\"'a':1\""),
    ("b'101'", "\"101\""),
];

/// Each expression in a handler of its own, under its number.
pub(super) fn result_handlers() -> String {
    let mut all = Vec::new();
    for (number, (sql, _)) in RESULTS.iter().enumerate() {
        all.push((format!("r{number}"), format!("select {sql} as v")));
    }
    let all: Vec<_> = all
        .iter()
        .map(|(name, sql)| (name.as_str(), "GET", "json/query;type=single", sql.as_str()))
        .collect();
    handlers(&all)
}

pub(super) const RESULT_TABLES: &str = TABLES;

pub(super) async fn check_results(shop: &Published) {
    for (number, (sql, json)) in RESULTS.iter().enumerate() {
        assert_eq!(shop.text(&format!("r{number}")).await, format!("{{\"v\":{json}}}"), "{sql}");
        let is_exact = json.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
        if is_exact {
            assert_eq!(shop.psql(&format!("select {sql}")), *json, "{sql}");
        }
    }
}

#[tokio::test]
async fn results_of_every_type_keep_what_is_stored() {
    let shop = Published::new("results", RESULT_TABLES, &result_handlers(), "");
    check_results(&shop).await;
}
