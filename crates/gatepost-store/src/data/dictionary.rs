//! What the `user_ords_*` views of scripts show.

/// A view of the dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DictionaryView {
    /// Its name, lower case.
    pub name: &'static str,
    /// Its columns, lower case.
    pub columns: &'static [&'static str],
}

/// Where the rows of the views come from: one snapshot, or the working catalog of a running block.
pub trait DictionarySource {
    /// All views.
    fn views(&self) -> &[DictionaryView];

    /// The rows of a view: a JSON array of arrays.
    fn rows_json(&self, view: &str) -> String;
}
