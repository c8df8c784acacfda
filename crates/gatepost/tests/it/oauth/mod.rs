//! x
mod audit;
mod introspect;
mod metadata;
mod revoke;
mod storage;
mod throttle;
mod token;
