//! What only PostgreSQL has: several nodes on one catalog, and a database that can be away.

mod bulkheads;
mod clocks;
mod database_urls;
mod failover;
mod nodes;
mod replicas;
mod rolling;
mod shared_keys;
