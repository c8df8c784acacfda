//! `[sync]`: synchronizations that this process runs.

use super::section::section;

section! {
    /// Copying of REST sources into tables.
    Sync {
        /// Synchronizations that run at a time, each with a connection to its schema's data. 0: this process runs none by
        /// schedule.
        runs: usize = 2,
        /// For so long a run that is not heard of keeps others away. Its process renews the time as long as it lives.
        lease_seconds: u32 = 15,
    }
}
