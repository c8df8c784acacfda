//! The command line, one command a file.

mod check_config;
mod copy_catalog;
mod data_logins;
mod demo;
mod demo_data;
mod explain;
mod export;
mod help;
mod init;
mod init_db;
mod keys;
mod log;
mod output;
mod sql;
mod token;
