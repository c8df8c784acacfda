//! The command line, one command a file.

mod audit;
mod demo;
mod diff;
mod explain;
mod export;
mod init;
mod keys;
mod log;
mod on_postgres;
mod once;
mod sql;
mod token;
mod user;
