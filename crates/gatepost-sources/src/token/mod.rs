//! The client of the client credentials grant (RFC 6749 section 4.4): what is sent to a token endpoint, what its answer
//! means, how long a token is used, and under which key it is remembered.

mod answer;
mod lease;
mod request;

pub use answer::{ANSWER_BYTES_MAX, Grant, Lifetime, TokenFailure, Warning, read_answer};
pub use lease::{Lease, LeaseState, failure_memory, refresh_delay};
pub(crate) use request::basic;
pub use request::{CacheKey, TokenRequest, form_encode, token_request};
