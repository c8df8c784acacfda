//! Which known key a misspelt one was probably meant to be.

/// The candidate nearest to `name`, if it is near enough to be meant: a third of the letters may differ.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(64).collect::<String>().to_lowercase().chars().collect();
    let most = (name.len() / 3).clamp(1, 3);
    let distances = candidates.into_iter().map(|other| (distance(&name, other), other));
    let near = distances.filter(|(distance, _)| *distance <= most && name.len() > 2);
    near.min_by_key(|(distance, _)| *distance).map(|(_, other)| other)
}

/// Edits between two names; two swapped neighbors count as one.
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_misspelt_key_only() {
        let keys = ["page_size", "offset_param", "limit_param", "type"];
        assert_eq!(nearest("page_sise", keys), Some("page_size"));
        assert_eq!(nearest("PageSize", keys), Some("page_size"));
        assert_eq!(nearest("tpye", keys), Some("type"));
        assert_eq!(nearest("table", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
