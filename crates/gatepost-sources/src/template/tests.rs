use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::datum::Datum;
use crate::definition::{ColumnType, Parameter, ParameterLocation};
use crate::error::Code;

#[test]
fn broken_templates_are_refused() {
    for text in ["${", "${a", "${}", "${A}", "${a b}", "a${1}"] {
        assert!(pieces(text).is_err(), "{text}");
    }
}

#[test]
fn templates_are_taken_apart_at_names() {
    use Piece::{Literal, Name};
    assert_eq!(pieces("").unwrap(), []);
    assert_eq!(pieces("${a}").unwrap(), [Name("a")]);
    assert_eq!(pieces("x${a}y${b}").unwrap(), [Literal("x"), Name("a"), Literal("y"), Name("b")]);
    assert_eq!(pieces("$${a}$").unwrap(), [Literal("${"), Literal("a}$")]);
    assert_eq!(references(r#"{"deptno":{"$eq":${dept}}}"#).unwrap(), ["dept"]);
}

fn values(pairs: &[(&str, Datum)]) -> Values {
    let mut values = Values::default();
    for (name, datum) in pairs {
        values.set(name, datum.clone());
    }
    values
}

fn text(text: &str) -> Datum {
    Datum::Text(text.into())
}

#[test]
fn values_in_a_text_are_json() {
    let values =
        values(&[("a", text("x\"}")), ("n", Datum::Integer("7".into())), ("j", Datum::Json("[1]".into()))]);
    let fill = |template: &str| fill_text(template, &values).unwrap();
    assert_eq!(fill(r#"{"a":{"$eq":${a}},"n":${n}}"#), r#"{"a":{"$eq":"x\"}"},"n":7}"#);
    assert_eq!(fill("${j} ${none} $${n}"), "[1] null ${n}");
}

#[test]
fn values_in_a_body_keep_their_type_when_they_stand_alone() {
    let values =
        values(&[("a", text("x\"")), ("n", Datum::Decimal("1.50".into())), ("t", Datum::Boolean(true))]);
    let body =
        json!({ "a": "${a}", "n": "${n}", "s": "n=${n}, ${a}!", "l": ["${t}", 1], "z": "${z}", "o": "${z}" });
    let filled = fill_body(&body, &values, &|name| name == "z").unwrap();
    assert_eq!(filled.to_string(), r#"{"a":"x\"","l":[true,1],"n":1.50,"s":"n=1.50, x\"!"}"#);
    let kept = fill_body(&json!({ "z": "${z}" }), &values, &|_| false).unwrap();
    assert_eq!(kept, json!({ "z": null }));
}

#[test]
fn members_are_put_by_name_or_pointer() {
    let mut body = json!({ "a": 1 });
    put(&mut body, "page", json!(2)).unwrap();
    put(&mut body, "/search/from", json!(50)).unwrap();
    assert_eq!(body, json!({ "a": 1, "page": 2, "search": { "from": 50 } }));
    assert_eq!(put(&mut body, "/a/b", json!(1)).unwrap_err().code, Code::DefinitionBroken);
}

#[test]
fn what_callers_may_not_give_is_refused() {
    let mut fixed = Parameter::new("tenant", ParameterLocation::Header);
    fixed.value = Some(json!("blue"));
    let mut dept = Parameter::new("dept", ParameterLocation::Query);
    dept.kind = ColumnType::Integer;
    let mut needed = Parameter::new("year", ParameterLocation::Query);
    needed.required = true;
    let parameters = [&fixed, &dept, &needed];
    let code =
        |given: &[(&str, &str)]| Values::read(&parameters, given.iter().copied()).map_err(|error| error.code);
    assert_eq!(code(&[("year", "1"), ("tenant", "red")]), Err(Code::ParameterInvalid));
    assert_eq!(code(&[("year", "1"), ("other", "1")]), Err(Code::ParameterInvalid));
    assert_eq!(code(&[("year", "1"), ("year", "1")]), Err(Code::ParameterInvalid));
    assert_eq!(code(&[("year", "1"), ("dept", "x")]), Err(Code::ParameterInvalid));
    assert_eq!(code(&[("dept", "1")]), Err(Code::ParameterMissing));
    let read = code(&[("year", "1"), ("dept", "")]).unwrap();
    assert_eq!((read.find("tenant"), read.find("dept")), (&text("blue"), &Datum::Null));
}

#[test]
fn defaults_stand_in_for_what_is_not_given() {
    let mut dept = Parameter::new("dept", ParameterLocation::Query);
    dept.kind = ColumnType::Decimal;
    dept.default = Some(serde_json::from_str("1.50").unwrap());
    let read = |given: &[(&str, &str)]| Values::read(&[&dept], given.iter().copied()).unwrap();
    assert_eq!(read(&[]).find("dept"), &Datum::Decimal("1.50".into()));
    assert_eq!(read(&[("dept", "20")]).find("dept"), &Datum::Decimal("20".into()));
    let mut row = read(&[]);
    row.add_row([("dept".into(), Datum::Null), ("empno".into(), text("7"))]);
    assert_eq!((row.find("dept"), row.find("empno")), (&Datum::Decimal("1.50".into()), &text("7")));
}

proptest! {
    #[test]
    fn no_value_leaves_its_place_in_json(value in ".*", number in any::<i64>()) {
        let values = values(&[("a", text(&value)), ("n", Datum::Integer(number.to_string()))]);
        let filled = fill_text(r#"{"a":{"$eq":${a}},"n":${n}}"#, &values).unwrap();
        let read: Value = serde_json::from_str(&filled).unwrap();
        prop_assert_eq!(read, json!({ "a": { "$eq": value }, "n": number }));
    }
}
