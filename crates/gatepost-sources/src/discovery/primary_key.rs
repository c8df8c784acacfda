//! Which column probably names a row.

/// Names that mean it.
const NAMES: [&str; 5] = ["id", "uuid", "guid", "key", "_id"];

/// Ends of names that often mean it, the surer ones first.
const ENDS: [&str; 8] = ["_id", "id", "_key", "_no", "no", "_code", "_number", "key"];

/// The column among those that have a different value in each row.
pub(super) fn guess(unique: &[&str]) -> Option<String> {
    let named = NAMES.iter().find_map(|name| unique.iter().find(|column| *column == name));
    let ended = || ENDS.iter().find_map(|end| unique.iter().find(|column| column.ends_with(end)));
    named.or_else(ended).map(|column| (*column).to_owned())
}
