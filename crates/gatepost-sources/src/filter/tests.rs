use proptest::prelude::*;

use super::*;
use crate::definition::ColumnType;

const COLUMNS: &str = "[rows]\nselect = \"/items\"\ncolumns = [\
    { name = \"empno\", type = \"integer\" }, { name = \"ename\", at = \"/ENAME\" }, { name = \"sal\", type = \"decimal\" },\
    { name = \"hired\", type = \"timestamptz\" }, { name = \"city\", at = \"/address/city\" },\
    { name = \"raw\", at = \"\", type = \"json\" }, { name = \"yearly\", sql = \"sal * 12\" }]\n";

fn source(head: &str, more: &str) -> RestSource {
    RestSource::from_toml("s", &format!("server = \"s\"\n{head}{COLUMNS}{more}")).unwrap()
}

fn ords() -> RestSource {
    source("filters = \"ords\"\n", "")
}

fn filter(column: &str, operator: FilterOperator, kind: ColumnType, value: &str) -> Filter {
    Filter { column: column.into(), operator, value: Datum::from_text(kind, value).unwrap() }
}

fn empno(operator: FilterOperator, value: &str) -> Filter {
    filter("empno", operator, ColumnType::Integer, value)
}

fn wanted(filters: Vec<Filter>) -> Wanted {
    Wanted { filters, sort: Vec::new(), window: Window { offset: 20, limit: Some(10) } }
}

fn share_plain(source: &RestSource, wanted: &Wanted) -> Shared {
    share(source, &Values::default(), wanted)
}

fn q(source: &RestSource, wanted: &Wanted) -> Option<String> {
    share_plain(source, wanted).query.pop().map(|(_, q)| q)
}

#[test]
fn what_the_server_does_not_know_remains() {
    let all = wanted(vec![empno(FilterOperator::Equal, "7839")]);
    let nothing_pushed = |source: &RestSource, wanted: &Wanted| {
        let shared = share_plain(source, wanted);
        assert_eq!(shared, Shared { remaining: wanted.clone(), ..Shared::default() });
    };
    nothing_pushed(&source("", ""), &all);
    nothing_pushed(&source("filters = \"ords\"\n", "query = \"select 1\"\n"), &all);
    let null = Filter { value: Datum::Null, ..empno(FilterOperator::Equal, "1") };
    let city = filter("city", FilterOperator::Equal, ColumnType::Text, "Berlin");
    let yearly = filter("yearly", FilterOperator::Equal, ColumnType::Integer, "1");
    let empty = filter("ename", FilterOperator::Equal, ColumnType::Text, "");
    let text_order = filter("ename", FilterOperator::Less, ColumnType::Text, "K");
    let raw = filter("raw", FilterOperator::Contains, ColumnType::Json, "1");
    for filter in [null, city, yearly, empty, text_order, raw] {
        nothing_pushed(&ords(), &wanted(vec![filter]));
    }
}

#[test]
fn a_window_is_pushed_only_when_nothing_remains() {
    let window = Window { offset: 20, limit: Some(10) };
    let exact = share_plain(&ords(), &wanted(vec![empno(FilterOperator::AtLeast, "7000")]));
    assert_eq!((exact.window, exact.remaining), (window, Wanted::default()));
    let city = filter("city", FilterOperator::Equal, ColumnType::Text, "Berlin");
    let mixed = share_plain(&ords(), &wanted(vec![empno(FilterOperator::AtLeast, "7000"), city.clone()]));
    assert_eq!((mixed.window, mixed.pushed_filters), (Window::default(), 1));
    assert_eq!(mixed.remaining, wanted(vec![city]));
    let mut sorted = wanted(Vec::new());
    sorted.sort = vec![Sort { column: "city".into(), descending: false }];
    let local = share_plain(&ords(), &sorted);
    assert_eq!((local.window, local.remaining), (Window::default(), sorted.clone()));
    assert_eq!(share_plain(&source("", ""), &wanted(Vec::new())).window, window);
}

#[test]
fn ords_filters_are_written_as_its_grammar_wants() {
    use FilterOperator::{Contains, Equal, IsNotNull, IsNull, Less, NotEqual};
    let one = |filter: Filter| q(&ords(), &wanted(vec![filter]));
    assert_eq!(one(empno(Equal, "7839")).as_deref(), Some(r#"{"empno":{"$eq":7839}}"#));
    let ename = |operator, text| filter("ename", operator, ColumnType::Text, text);
    assert_eq!(one(ename(NotEqual, "a\"b\\")).as_deref(), Some(r#"{"ENAME":{"$ne":"a\"b\\"}}"#));
    assert_eq!(one(ename(Contains, "IN")).as_deref(), Some(r#"{"ENAME":{"$instr":"IN"}}"#));
    assert_eq!(one(ename(IsNull, "x")).as_deref(), Some(r#"{"ENAME":{"$null":null}}"#));
    assert_eq!(one(ename(IsNotNull, "x")).as_deref(), Some(r#"{"ENAME":{"$notnull":null}}"#));
    let mut both = wanted(vec![empno(Less, "8000"), empno(NotEqual, "7839")]);
    both.sort = vec![
        Sort { column: "sal".into(), descending: true },
        Sort { column: "empno".into(), descending: false },
    ];
    assert_eq!(
        q(&ords(), &both).as_deref(),
        Some(
            r#"{"$orderby":{"sal":"DESC","empno":"ASC"},"$and":[{"empno":{"$lt":8000}},{"empno":{"$ne":7839}}]}"#
        )
    );
    assert!(share_plain(&ords(), &both).pushed_sort);
    assert_eq!(q(&ords(), &wanted(Vec::new())), None);
}

#[test]
fn conditions_on_times_are_wider_and_applied_again() {
    let hired = |operator| filter("hired", operator, ColumnType::Timestamptz, "2003-06-17T10:00:00Z");
    let shared = share_plain(&ords(), &wanted(vec![hired(FilterOperator::Equal)]));
    assert_eq!(
        shared.query[0].1,
        r#"{"$and":[{"hired":{"$gte":{"$date":"2003-06-16T00:00:00Z"}}},{"hired":{"$lte":{"$date":"2003-06-19T00:00:00Z"}}}]}"#
    );
    assert_eq!((shared.remaining.filters.len(), shared.pushed_filters), (1, 1));
    let shared = share_plain(&ords(), &wanted(vec![hired(FilterOperator::NotEqual)]));
    assert_eq!((shared.query.len(), shared.pushed_filters), (0, 0));
}

#[test]
fn a_parameter_that_is_declared_for_a_column_is_set() {
    let source = source(
        "",
        "[[param]]\nname = \"no\"\ntype = \"integer\"\ncolumn = \"empno\"\nomit_when_null = true\n\
         [[param]]\nname = \"sal_from\"\ntype = \"decimal\"\ncolumn = \"sal\"\ncomparison = \"ge\"\nomit_when_null = true\n",
    );
    let number = Datum::Integer("7839".into());
    let shared = share_plain(&source, &wanted(vec![empno(FilterOperator::Equal, "7839")]));
    assert_eq!(shared.parameters, [("no".to_owned(), number.clone())]);
    assert_eq!(shared.remaining, Wanted::default());
    let sal = |operator| filter("sal", operator, ColumnType::Decimal, "1000");
    let greater = share_plain(&source, &wanted(vec![sal(FilterOperator::Greater)]));
    assert_eq!(
        (greater.parameters.len(), greater.remaining.filters.len()),
        (1, 1),
        "at least is wider than greater"
    );
    let less = share_plain(&source, &wanted(vec![sal(FilterOperator::Less)]));
    assert_eq!((less.parameters.len(), less.remaining.filters.len()), (0, 1));
    let twice = vec![empno(FilterOperator::Equal, "7839"), empno(FilterOperator::Equal, "1")];
    let twice = share_plain(&source, &wanted(twice));
    assert_eq!((twice.parameters.len(), twice.remaining.filters.len()), (1, 1), "it carries one value");
    let mut given = Values::default();
    given.set("no", number);
    let shared = share(&source, &given, &wanted(vec![empno(FilterOperator::Equal, "1")]));
    assert_eq!((shared.parameters.len(), shared.remaining.filters.len()), (0, 1), "the caller gave it");
}

#[test]
fn a_filter_of_the_sources_own_is_not_overwritten() {
    let own = source(
        "filters = \"ords\"\n",
        "[[param]]\nname = \"dept\"\nsend = \"q\"\ntemplate = '{\"deptno\":${dept}}'\ntype = \"integer\"\n\
         omit_when_null = true\n",
    );
    let all = wanted(vec![empno(FilterOperator::Equal, "7839")]);
    assert!(q(&own, &all).is_some(), "nobody gave it");
    let mut given = Values::default();
    given.set("dept", Datum::Integer("10".into()));
    let shared = share(&own, &given, &all);
    assert_eq!((shared.query.len(), shared.remaining), (0, all));
}

#[test]
fn null_passes_no_comparison_and_sorts_last() {
    use FilterOperator::{Equal, IsNull, NotEqual};
    for operator in [Equal, NotEqual, FilterOperator::Less, FilterOperator::Contains] {
        assert!(!empno(operator, "1").keeps(&Datum::Null));
    }
    assert!(empno(IsNull, "1").keeps(&Datum::Null));
    let (one, two) = (Datum::Integer("9".into()), Datum::Integer("10".into()));
    let up = Sort { column: "empno".into(), descending: false };
    let down = Sort { descending: true, ..up.clone() };
    assert_eq!((up.compare(&one, &two), down.compare(&one, &two)), (Ordering::Less, Ordering::Greater));
    assert_eq!(
        (up.compare(&one, &Datum::Null), down.compare(&one, &Datum::Null)),
        (Ordering::Less, Ordering::Greater)
    );
}

/// What a server with one parameter for the column keeps.
fn server_keeps(comparison: Comparison, limit: &Datum, value: &Datum) -> bool {
    let operator = match comparison {
        Comparison::Equal => FilterOperator::Equal,
        Comparison::AtLeast => FilterOperator::AtLeast,
        Comparison::Greater => FilterOperator::Greater,
        Comparison::AtMost => FilterOperator::AtMost,
        Comparison::Less => FilterOperator::Less,
    };
    Filter { column: "empno".into(), operator, value: limit.clone() }.keeps(value)
}

proptest! {
    #[test]
    fn nothing_that_is_wanted_is_lost(operator in 0..6_usize, comparison in 0..5_usize, limit in -3..3_i32, value in -3..3_i32) {
        use FilterOperator::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
        let operator = [Equal, NotEqual, Less, AtMost, Greater, AtLeast][operator];
        let comparison = Comparison::ALL[comparison];
        let mut source = source("", "[[param]]\nname = \"no\"\ntype = \"integer\"\ncolumn = \"empno\"\n");
        source.parameters[0].comparison = comparison;
        let filter = empno(operator, &limit.to_string());
        let shared = share_plain(&source, &wanted(vec![filter.clone()]));
        let value = Datum::Integer(value.to_string());
        let comes = shared.parameters.iter().all(|(_, limit)| server_keeps(comparison, limit, &value));
        let stays = comes && shared.remaining.filters.iter().all(|filter| filter.keeps(&value));
        prop_assert_eq!(stays, filter.keeps(&value));
    }
}
