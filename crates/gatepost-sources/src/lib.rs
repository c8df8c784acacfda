//! The rules for calling other people's REST APIs: what a remote server, a credential and a REST source are, where a
//! secret may go, how a token is asked for, how pages and rows are read. No network, no database, no clock and no
//! random source: times and random numbers are passed in.
//!
//! A fetch passes through this crate in this order:
//!
//! 1. [`template::Values::read`] types what the caller gave; [`filter::share`] adds what the server can filter.
//! 2. [`request::fetch_request`] fills path, query, headers and body; [`paging::Pager`] says what the first page adds;
//!    [`request::compose`] makes the URL.
//! 3. [`egress::EgressPolicy::judge_url`] and, if there is a credential, [`address::ValidFor::covers`] judge that URL;
//!    the addresses of its host are judged within the resolver by [`egress::EgressPolicy::judge_socket`].
//! 4. A token, unless [`token::Lease::state`] still allows the one under its [`token::CacheKey`]:
//!    [`token::token_request`], [`token::read_answer`]. Its URL is judged as in 3. Then [`signing::sign`] and
//!    [`request::ApiRequest::sign`].
//! 5. [`retry::decide`] says what the answer means.
//! 6. [`rows::Body`] and [`rows::RowReader`] give typed rows; [`paging::Pager::next`] gives the next page, back to 2.
//!
//! Whatever fails is a [`error::SourceError`] with a code of the closed list [`error::Code`].

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
