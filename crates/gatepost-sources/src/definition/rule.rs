//! What to do on an answer other than the expected one: a closed set of actions, no language.

use serde::{Deserialize, Serialize};

use super::{Checked, DefinitionError, check_count, check_text, words};

const STATUSES_MAX: usize = 50;

/// A rule about answers. The first that matches counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnRule {
    /// The statuses it is about, sorted; empty: any.
    pub statuses: Vec<u16>,
    /// Text that the beginning of the body must have; absent: any body.
    pub contains: Option<String>,
    /// What to do.
    pub action: Action,
}

words! {
    /// What a rule does.
    Action {
        /// The answer counts as no rows.
        Empty = "empty",
        /// The fetch fails.
        Fail = "fail",
        /// The request is sent again after a while, if its method allows it.
        Retry = "retry",
        /// A new token is fetched and the request is sent again, once.
        RefreshToken = "refresh_token",
    }
}

impl OnRule {
    /// Sorts the statuses and checks all fields.
    pub(super) fn check(&mut self) -> Checked {
        check_count("status", self.statuses.len(), STATUSES_MAX)?;
        self.statuses.sort_unstable();
        self.statuses.dedup();
        if self.statuses.iter().any(|status| !(200..=599).contains(status)) {
            return Err(DefinitionError::new("status", "a status is from 200 to 599"));
        }
        if self.statuses.is_empty() && self.contains.is_none() {
            return Err(DefinitionError::new("status", "a rule needs `status` or `contains`"));
        }
        let succeeds = self.statuses.is_empty() || self.statuses.iter().any(|status| *status < 400);
        if succeeds && self.contains.is_none() {
            return Err(DefinitionError::new("status", "a rule about a status below 400 needs `contains`"));
        }
        self.contains.as_deref().map_or(Ok(()), |text| check_text("contains", text))
    }
}
