//! Commands that are there for PostgreSQL: logins, and a catalog that moves.

mod copy_catalog;
mod init_db;
