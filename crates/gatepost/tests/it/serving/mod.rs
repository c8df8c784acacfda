//! A server as a process: what it takes in while it runs, and how it starts, stops and survives.

mod broken;
mod crash;
mod disk;
mod drain;
mod freshness;
mod on_postgres;
mod on_sqlite;
mod once;
mod secrecy;
mod shutdown;
