//! Which known name a misspelt one was probably meant to be.

/// The candidate nearest to `name`, unless even that one is too far off to be meant.
///
/// Upper and lower case count as equal. Names of up to two letters have no near ones; longer names may
/// differ by about a third of their letters.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(128).collect::<String>().to_lowercase();
    let length = name.chars().count();
    if length < 3 {
        return None;
    }
    let limit = (length / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits between two names; two swapped neighbours count as one.
fn distance(left: &str, right: &str) -> usize {
    strsim::osa_distance(left, right)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_the_misspelt_name_only() {
        let names = ["define_module", "define_template", "delete_module"];
        assert_eq!(nearest("DEFINE_MODUL", names), Some("define_module"));
        assert_eq!(nearest("defnie_template", names), Some("define_template"));
        assert_eq!(nearest("grant", names), None);
        assert_eq!(nearest("n", ["m"]), None);
        assert_eq!(nearest("", names), None);
    }
}
