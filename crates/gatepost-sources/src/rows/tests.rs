use super::*;
use crate::definition::Pointer;

fn rows(select: &str) -> Rows {
    Rows { select: Pointer::parse("select", select).unwrap(), ..Rows::default() }
}

fn column(name: &str, at: &str, kind: ColumnType) -> Column {
    Column::member(name, Pointer::parse("at", at).unwrap(), kind)
}

/// All rows of a body as plain texts.
fn read(rows: &Rows, body: &str) -> Result<(Vec<Vec<String>>, RowReport), SourceError> {
    let mut reader = RowReader::new(rows);
    let body = Body::parse(body.as_bytes())?;
    let mut all = Vec::new();
    for row in body.rows(rows)? {
        let data = reader.read(row)?;
        all.push(data.iter().map(|datum| datum.plain().unwrap_or("NULL").to_owned()).collect());
    }
    Ok((all, reader.report().clone()))
}

fn failure(rows: &Rows, body: &str) -> (Code, String) {
    let error = read(rows, body).unwrap_err();
    (error.code, error.detail.unwrap_or_default())
}

#[test]
fn bodies_that_are_no_json_are_refused() {
    for body in ["", "<html>", "{\"a\":1", "[1,]", "{} {}", "\u{feff}\u{feff}{}", "{\"a\":\"secret"] {
        let (code, detail) = failure(&rows(""), body);
        assert_eq!(code, Code::ApiNotJson, "{body}");
        assert!(!detail.contains("secret"));
    }
    assert!(Body::parse(b"\xff{}").is_err());
    assert!(Body::parse(b"\xef\xbb\xbf[]").is_ok());
}

#[test]
fn missing_rows_are_explained_by_the_keys_that_are_there() {
    assert_eq!(
        failure(&rows("/data/items"), r#"{"data":{"rows":[],"count":0},"links":[]}"#),
        (Code::SelectNotFound, "at /data there are the keys rows, count".into())
    );
    assert_eq!(
        failure(&rows("/items"), r#"{"rows":[]}"#),
        (Code::SelectNotFound, "at the top there are the keys rows".into())
    );
    assert_eq!(failure(&rows("/items"), "[]"), (Code::SelectNotFound, "at the top there are no keys".into()));
    assert_eq!(
        failure(&rows(""), r#"{"items":[]}"#),
        (Code::SelectNotArray, "an object with the keys items".into())
    );
    assert_eq!(failure(&rows("/a"), r#"{"a":7}"#), (Code::SelectNotArray, "a single value".into()));
}

#[test]
fn null_is_no_rows() {
    assert_eq!(read(&rows("/items"), r#"{"items":null}"#).unwrap().0.len(), 0);
    let single = Rows { single: true, ..rows("/item") };
    assert_eq!(read(&single, r#"{"item":null}"#).unwrap().0.len(), 0);
    assert_eq!(read(&single, "{}").unwrap().0.len(), 0);
    assert_eq!(read(&single, r#"{"item":{"a":1}}"#).unwrap().0, [["{\"a\":1}"]]);
}

#[test]
fn numbers_never_become_floating_point() {
    let mut rows = rows("/items");
    rows.columns = vec![
        column("id", "/id", ColumnType::Integer),
        column("sal", "/sal", ColumnType::Decimal),
        column("raw", "", ColumnType::Json),
    ];
    let body = r#"{"items":[{"id":9007199254740993,"sal":0.10000000000000000001}]}"#;
    let (all, _) = read(&rows, body).unwrap();
    assert_eq!(
        all,
        [[
            "9007199254740993",
            "0.10000000000000000001",
            r#"{"id":9007199254740993,"sal":0.10000000000000000001}"#
        ]]
    );
}

#[test]
fn columns_are_found_below_and_beside() {
    let mut rows = rows("");
    rows.columns = vec![
        column("big", "avatarUrls.\"48x48\"", ColumnType::Text),
        column("first", "/tags/0", ColumnType::Text),
        column("gone", "/x/y/z", ColumnType::Text),
        column("slash", "/a~1b", ColumnType::Integer),
    ];
    let body =
        r#"[{"avatarUrls":{"48x48":"u"},"tags":["t","s"],"x":{"y":7},"a\/b":1},{"tags":[]},[1],7,null]"#;
    let (all, report) = read(&rows, body).unwrap();
    assert_eq!(all[0], ["u", "t", "NULL", "1"]);
    assert!(all[1..].iter().all(|row| row.iter().all(|value| value == "NULL")));
    assert_eq!(report, RowReport { rows: 5, ..RowReport::default() });
}

#[test]
fn a_value_that_does_not_fit_is_null_and_counted_or_an_error() {
    let mut rows = rows("");
    rows.columns = vec![column("no", "/no", ColumnType::Integer)];
    let body = r#"[{"no":1},{"no":"x"},{"no":null},{"no":true},{}]"#;
    let (all, report) = read(&rows, body).unwrap();
    assert_eq!(all.concat(), ["1", "NULL", "NULL", "NULL", "NULL"]);
    assert_eq!(report.mismatches, [("no".to_owned(), 2)].into());
    rows.strict = true;
    assert_eq!(
        failure(&rows, body),
        (Code::ColumnType, "row 2: column `no` of type integer got a text".into())
    );
}

#[test]
fn unknown_columns_are_counted_and_bounded() {
    let mut rows = rows("");
    rows.columns = vec![column("a", "/a", ColumnType::Integer)];
    let (_, report) = read(&rows, r#"[{"a":1,"b":2},{"b":3,"c":{"a":1}}]"#).unwrap();
    assert_eq!(report.unknown, [("b".to_owned(), 2), ("c".to_owned(), 1)].into());
    let many: Vec<String> = (0..300).map(|at| format!("\"k{at}\":1")).collect();
    let (_, report) = read(&rows, &format!("[{{{}}}]", many.join(","))).unwrap();
    assert_eq!((report.unknown.len(), report.unknown[OTHERS]), (101, 200));
    rows.columns.push(column("all", "", ColumnType::Json));
    assert!(read(&rows, r#"[{"a":1,"b":2}]"#).unwrap().1.unknown.is_empty());
}

#[test]
fn a_name_given_twice_means_its_last_value() {
    let mut rows = rows("/items");
    rows.columns = vec![column("a", "/a", ColumnType::Integer)];
    let (all, _) = read(&rows, r#"{"items":[],"items":[{"a":1,"a":2}]}"#).unwrap();
    assert_eq!(all, [["2"]]);
}

#[test]
fn deep_bodies_do_not_exhaust_the_stack() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(read(&rows(""), &deep).unwrap().0.len(), 1);
}

#[test]
fn page_members_are_read_leniently() {
    let body = br#"{"t":"abc","n":7,"e":"","z":null,"f":false,"s":"25","no":"False","yes":"true","x":[1]}"#;
    let body = Body::parse(body).unwrap();
    let at = |name: &str| Pointer::of(&[name]);
    assert_eq!(body.token(&at("t")).as_deref(), Some("abc"));
    assert_eq!(body.token(&at("n")).as_deref(), Some("7"));
    for name in ["e", "z", "f", "x", "absent"] {
        assert_eq!(body.token(&at(name)), None, "{name}");
    }
    assert_eq!((body.whole(&at("s")), body.whole(&at("n")), body.whole(&at("t"))), (Some(25), Some(7), None));
    for (name, flag) in [
        ("yes", true),
        ("n", true),
        ("x", true),
        ("f", false),
        ("no", false),
        ("e", false),
        ("absent", false),
    ] {
        assert_eq!(body.flag(&at(name)), flag, "{name}");
    }
}
