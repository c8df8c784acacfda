//! Definition scripts: the driver that runs them, and the packages they call (design decisions 20 to 22).
//!
//! [`run`] cuts a script into statements. A block works on a copy of the catalog: each package call changes the
//! copy, and the whole is committed when the block ends without error. SQL between the blocks goes to the schema's
//! own data. [`Dictionary`] shows definitions as `user_ords_*` views, [`export`] writes them as a script again.

mod block;
mod changes;
mod client_secrets;
mod clients;
mod credentials;
mod dictionary;
mod doors;
mod driver;
mod event;
mod export;
mod former;
mod gatepost;
mod host;
mod installation;
mod oauth;
mod ords;
mod ords_modules;
mod ords_privileges;
mod ords_resources;
mod ords_security;
mod ords_types;
mod origins;
mod packages;
mod refusal;
mod remembered;
mod remote;
mod report;
mod review;
mod scope;
mod secret_reach;
mod signature;
mod sources;
mod sql;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod working;

pub use dictionary::{Dictionary, Viewer};
pub use driver::run;
pub use event::{
    Event, HandlerPlace, RefusedHandler, ScriptFailure, ScriptOptions, ScriptReport, WaitingHandler,
};
pub use export::{Script, boolean, export, number, optional, text, write_document};
pub use former::former;
pub use host::ScriptHost;
pub use packages::{PackageMember, package_members};
pub use remembered::without_secrets;
pub use review::{Review, SchemaReview, review};

/// A time as people and views read it: RFC 3339, UTC.
fn timestamp(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| time.to_string())
}
