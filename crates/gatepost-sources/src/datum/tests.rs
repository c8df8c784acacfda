use super::*;

fn json(kind: ColumnType, text: &str) -> Result<Datum, &'static str> {
    let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
    Datum::from_json(kind, &raw).map_err(|mismatch| mismatch.found)
}

fn plain(kind: ColumnType, text: &str) -> Option<String> {
    json(kind, text).ok().map(|datum| datum.plain().unwrap_or("NULL").to_owned())
}

#[test]
fn values_of_another_type_do_not_fit() {
    use ColumnType::{Boolean, Date, Decimal, Integer, Text, Timestamp, Timestamptz};
    for (kind, text, found) in [
        (Text, "{}", "object"),
        (Text, "[1]", "list"),
        (Text, r#""a\u0000b""#, "text"),
        (Integer, "1.5", "number"),
        (Integer, "\"x\"", "text"),
        (Integer, "\"\"", "text"),
        (Integer, "true", "boolean"),
        (Decimal, "\"1,5\"", "text"),
        (Decimal, "[]", "list"),
        (Boolean, "2", "number"),
        (Boolean, "\"yes\"", "text"),
        (Date, "\"14.08.2026\"", "text"),
        (Date, "\"20260814\"", "text"),
        (Date, "\"2026-02-30\"", "text"),
        (Date, "\"2026-08-14x\"", "text"),
        (Date, "1786000000", "number"),
        (Timestamp, "\"2026-08-14T25:00:00\"", "text"),
        (Timestamptz, "\"now\"", "text"),
        (Timestamptz, "\"\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\"", "text"),
    ] {
        assert_eq!(json(kind, text), Err(found), "{} {text}", kind.as_str());
    }
}

#[test]
fn values_keep_their_digits() {
    use ColumnType::{Boolean, Decimal, Integer, Json, Text};
    for (kind, text, expected) in [
        (Text, "\"a\"", "a"),
        (Text, "1.50", "1.50"),
        (Text, "true", "true"),
        (Integer, "9007199254740993", "9007199254740993"),
        (Integer, "\"42\"", "42"),
        (Integer, "1.0", "1"),
        (Decimal, "0.1234567890123456789", "0.1234567890123456789"),
        (Decimal, "1e2", "100"),
        (Boolean, "1", "true"),
        (Boolean, "\"FALSE\"", "false"),
        (Json, "{\"a\": 1.50}", "{\"a\": 1.50}"),
        (Json, "null", "NULL"),
        (Integer, "null", "NULL"),
    ] {
        assert_eq!(plain(kind, text).as_deref(), Some(expected), "{} {text}", kind.as_str());
    }
}

#[test]
fn times_have_one_spelling() {
    use ColumnType::{Date, Timestamp, Timestamptz};
    for (kind, text, expected) in [
        (Date, "2026-08-14", "2026-08-14"),
        (Date, "2003-06-17T00:00:00Z", "2003-06-17"),
        (Date, "2003-06-17T23:30:00-05:00", "2003-06-17"),
        (Timestamp, "2026-08-14", "2026-08-14T00:00:00"),
        (Timestamp, "2026-08-14 10:15:00", "2026-08-14T10:15:00"),
        (Timestamp, "2026-08-14T10:15:00.500", "2026-08-14T10:15:00.5"),
        (Timestamp, "2026-08-14T10:15:00+02:00", "2026-08-14T08:15:00"),
        (Timestamptz, "2026-08-14T10:15:00+02:00", "2026-08-14T08:15:00Z"),
        (Timestamptz, "2026-08-14T10:15:00Z", "2026-08-14T10:15:00Z"),
        (Timestamptz, "2026-08-14T10:15:00", "2026-08-14T10:15:00Z"),
    ] {
        let datum = Datum::from_text(kind, text).unwrap();
        assert_eq!(datum.plain(), Some(expected), "{} {text}", kind.as_str());
        assert_eq!(Datum::from_text(kind, expected), Ok(datum), "{expected} again");
    }
}

#[test]
fn text_of_type_json_must_be_json() {
    assert!(Datum::from_text(ColumnType::Json, "{").is_err());
    assert!(Datum::from_text(ColumnType::Json, "{} {}").is_err());
    assert_eq!(Datum::from_text(ColumnType::Json, " [1] "), Ok(Datum::Json("[1]".into())));
}

#[test]
fn order_is_by_value_within_a_type() {
    use Ordering::{Greater, Less};
    let text = |kind, text: &str| Datum::from_text(kind, text).unwrap();
    let integer = |number| text(ColumnType::Integer, number);
    assert_eq!(integer("9").compare(&integer("10")), Some(Less));
    assert_eq!(integer("-9").compare(&integer("-10")), Some(Greater));
    assert_eq!(integer("2").compare(&text(ColumnType::Decimal, "1.99")), Some(Greater));
    let moment = |time| text(ColumnType::Timestamptz, time);
    assert_eq!(moment("2026-08-14T10:00:00Z").compare(&moment("2026-08-14T10:00:00.5Z")), Some(Less));
    assert_eq!(Datum::Null.compare(&integer("1")), None);
    assert_eq!(text(ColumnType::Text, "1").compare(&integer("1")), None);
}

#[test]
fn times_go_back() {
    let back = |kind, time: &str, milliseconds| {
        Datum::from_text(kind, time).unwrap().earlier(milliseconds).plain().unwrap().to_owned()
    };
    assert_eq!(back(ColumnType::Timestamptz, "2026-08-14T10:15:00Z", 600_000), "2026-08-14T10:05:00Z");
    assert_eq!(back(ColumnType::Timestamp, "2026-03-01T00:00:00", 1), "2026-02-28T23:59:59.999");
    assert_eq!(back(ColumnType::Date, "2026-03-01", 600_000), "2026-02-28");
    assert_eq!(back(ColumnType::Date, "2026-03-01", 0), "2026-03-01");
    assert_eq!(back(ColumnType::Integer, "7", 600_000), "7");
    assert_eq!(back(ColumnType::Timestamptz, "2026-08-14T10:15:00Z", u64::MAX), "2026-08-14T10:15:00Z");
}
