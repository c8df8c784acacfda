//! The public entry: what `GATEPOST.ALLOW_PUBLIC` opens to callers without a token.

use serde::{Deserialize, Serialize};

use super::{Audit, Id, Method};

/// A pattern that is explicitly public. It never beats a privilege.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicEntry {
    /// Identity.
    pub id: Id,
    /// The schema it belongs to.
    pub schema_id: Id,
    /// A pattern below the schema alias, with a leading slash.
    pub pattern: String,
    /// The methods it opens, sorted. GET includes HEAD.
    pub methods: Vec<Method>,
    /// Who and when.
    pub audit: Audit,
}
