//! `[limits]`: how much of everything.

use super::section::section;

section! {
    /// Limits on requests, statements and connections.
    Limits {
        /// Connections at a time; further ones wait in the listener's queue.
        connections: usize = 4_096,
        /// Connections at a time from one address; listed proxies are not counted.
        connections_per_address: usize = 1_024,
        /// Time for a request's header block, in seconds; also for a connection that says nothing.
        header_seconds: u32 = 10,
        /// Size of a request's header block, in bytes.
        header_bytes: usize = 32 * 1024,
        /// Time for a request's body, in seconds.
        body_seconds: u32 = 30,
        /// Size of a request's body, in bytes.
        body_bytes: usize = 10 * 1024 * 1024,
        /// Size of all bodies that are being received or used at a time, in bytes; beyond it requests get 503.
        bodies_bytes: usize = 256 * 1024 * 1024,
        /// Time for a query, in milliseconds.
        statement_ms: u32 = 30_000,
        /// Time for a statement that writes, in milliseconds.
        write_ms: u32 = 2_000,
        /// Rows of an answer.
        rows: u32 = 10_000,
        /// Size of an answer, in bytes.
        response_bytes: u64 = 256 * 1024 * 1024,
        /// How long an answer may wait for a client that does not read, in seconds.
        stall_seconds: u32 = 5,
        /// Threads that read from a SQLite schema.
        readers: usize = 2,
        /// Streams at a time from a SQLite schema.
        streams: usize = 8,
        /// Requests that may wait for a SQLite schema's threads.
        queue: usize = 1_024,
        /// Memory for rows of REST sources that are kept for a time (`cache`), in bytes; 0 = none are.
        source_cache_bytes: u64 = 64 * 1024 * 1024,
    }
}
