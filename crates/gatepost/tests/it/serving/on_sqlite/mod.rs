//! What only SQLite has: threads that read for a schema, and a queue before them.

mod bulkheads;
