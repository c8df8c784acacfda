//! The rules for calling other people's REST APIs: what a remote server, a credential and a REST source are, where a
//! secret may go, how a token is asked for, how pages and rows are read. No network, no database, no clock and no
//! random source: times and random numbers are passed in.

pub mod address;
pub mod cron;
pub mod datum;
pub mod definition;
pub mod discovery;
pub mod egress;
pub mod error;
pub mod filter;
pub mod paging;
pub mod request;
pub mod retry;
pub mod rows;
pub mod signing;
pub mod template;
pub mod token;
