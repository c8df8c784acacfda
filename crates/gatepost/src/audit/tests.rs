use gatepost_store::data::DataLocation;

use super::*;

#[test]
fn the_worst_comes_first() {
    let mut all = [Severity::Notice, Severity::OpenDoor, Severity::Warning];
    all.sort();
    assert_eq!(all, [Severity::OpenDoor, Severity::Warning, Severity::Notice]);
    assert_eq!(serde_json::to_string(&all).unwrap(), r#"["open_door","warning","notice"]"#);
}

#[test]
fn many_examples_are_cut_and_counted() {
    let routes = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
    assert_eq!(some_of(routes(EVIDENCE_MAX)).len(), EVIDENCE_MAX);
    let cut = some_of(routes(EVIDENCE_MAX + 5));
    assert_eq!((cut.len(), cut.last().unwrap().as_str()), (EVIDENCE_MAX + 1, "and 5 more"));
}

#[test]
fn a_place_of_data_is_named_without_its_password() {
    let postgres = gatepost_store::data::PostgresOptions::new(
        "postgres://reader:hush@db.example:5432/shop?sslmode=verify-full".to_owned(),
        "shop",
    );
    let place = configuration::place_of(&DataLocation::Postgres(Box::new(postgres)));
    assert_eq!(place, "db.example:5432/shop, schema shop");
}
