//! What a command does before it opens a database, or without one.

mod check_config;
mod help;
mod output;
