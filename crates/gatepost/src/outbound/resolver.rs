//! Name resolution that knows the egress policy. The connector dials the addresses that come from here and looks nothing
//! up by itself, so that a name cannot mean one thing when it is judged and another when it is called.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use gatepost_sources::egress::{EgressDenied, EgressPolicy};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Finds the addresses of a name.
pub(super) type Lookup = fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// A resolver behind the policy.
#[derive(Debug)]
pub(super) struct GuardedResolver {
    policy: Arc<EgressPolicy>,
    lookup: Lookup,
}

/// Why a name gave no address.
#[derive(Debug)]
pub(super) enum NotResolved {
    /// The resolver knows none.
    Unknown(io::Error),
    /// None of those that it knows is allowed.
    Denied(EgressDenied),
}

impl std::fmt::Display for NotResolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(error) => error.fmt(f),
            Self::Denied(denied) => denied.fmt(f),
        }
    }
}

impl std::error::Error for NotResolved {}

impl GuardedResolver {
    pub(super) fn new(policy: Arc<EgressPolicy>, lookup: Lookup) -> Self {
        Self { policy, lookup }
    }
}

/// The system's own lookup.
pub(super) fn of_the_system(
    name: String,
) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, found) = (Arc::clone(&self.policy), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await.map_err(NotResolved::Unknown)?;
            let mut denied = None;
            let mut allowed = Vec::new();
            for address in found {
                match policy.judge_address(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(reason) => denied = Some(reason),
                }
            }
            match (allowed.is_empty(), denied) {
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
                (true, Some(denied)) => Err(NotResolved::Denied(denied).into()),
                (true, None) => Err(NotResolved::Unknown(io::Error::other("the name has no address")).into()),
            }
        })
    }
}
