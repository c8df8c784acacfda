//! Commands and options that are there for PostgreSQL: logins, and a catalog that moves.

mod copy_catalog;
mod data_logins;
mod demo_data;
mod init_db;
