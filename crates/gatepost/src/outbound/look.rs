//! A look at a server, for whoever tests a source: its name is resolved, then a connection is made, TLS included. Nothing
//! is sent over it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use gatepost_sources::error::{Code, SourceError};
use reqwest::dns::Resolve as _;
use tower::{BoxError, Layer, Service};
use url::{Host, Url};

use super::failure::{causes_of, classify, unresolved};
use super::resolver::{GuardedResolver, NotResolved};
use super::{ClientKind, Outbound, host};

/// Where the host of a URL is that may be called. Only the policy makes one.
#[derive(Clone, Debug)]
pub struct Resolved {
    url: Url,
    addresses: Vec<IpAddr>,
    elapsed: Duration,
}

impl Resolved {
    /// Its addresses that may be called, in the order in which they are tried.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// How long it took to find them.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl Outbound {
    /// Finds the addresses of a URL's host that the policy allows, within this time.
    pub async fn resolve(&self, url: &Url, within: Duration) -> Result<Resolved, SourceError> {
        self.policy.judge_url(url).map_err(|denied| SourceError::from(denied).with_host(host(url)))?;
        let begun = Instant::now();
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) => {
                let found = tokio::time::timeout(within, self.addresses(name)).await;
                let found = found.unwrap_or_else(|_| Err(SourceError::new(Code::DnsFailed)));
                found.map_err(|error| error.with_host(host(url)))?
            }
            None => return Err(Code::DefinitionBroken.into()),
        };
        Ok(Resolved { url: url.clone(), addresses, elapsed: begun.elapsed() })
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, SourceError> {
        let name = name.parse().map_err(|_| SourceError::new(Code::DnsFailed))?;
        let resolver = GuardedResolver::new(Arc::clone(&self.policy), self.lookup);
        let found = resolver.resolve(name).await.map_err(|error| match error.downcast::<NotResolved>() {
            Ok(cause) => unresolved(&cause),
            Err(error) => SourceError::new(Code::DnsFailed).with_detail(error.to_string()),
        })?;
        Ok(found.map(|address| address.ip()).collect())
    }

    /// Makes a connection to one of the addresses, as calls do, and gives it up; how long it took until it stood.
    pub async fn connect(
        &self,
        found: &Resolved,
        tls_ca: Option<&str>,
        within: Duration,
    ) -> Result<Duration, SourceError> {
        let kind = ClientKind { tls_ca: tls_ca.map(str::to_owned), connect_ms: within.as_millis() as u64 };
        let mut builder = self.builder(&kind)?.connector_layer(OnlyLook);
        let url = &found.url;
        if let Some(Host::Domain(name)) = url.host() {
            // The port of the URL counts.
            let addresses: Vec<_> =
                found.addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
            builder = builder.resolve_to_addrs(name, &addresses);
        }
        let client = builder.build().map_err(|error| classify(&error))?;
        match client.head(url.clone()).send().await {
            Err(error) => match causes_of(&error).find_map(|cause| cause.downcast_ref::<Stands>()) {
                Some(Stands(elapsed)) => Ok(*elapsed),
                None => Err(classify(&error).with_host(host(url))),
            },
            // No connection is handed out.
            Ok(_) => Err(Code::ConnectFailed.into()),
        }
    }
}

/// Times connections and hands none out.
#[derive(Clone, Debug)]
struct OnlyLook;

#[derive(Clone, Debug)]
struct Looking<S>(S);

/// A connection stood after this time, and was given up.
#[derive(Debug)]
struct Stands(Duration);

impl fmt::Display for Stands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connected in {} ms", self.0.as_millis())
    }
}

impl std::error::Error for Stands {}

impl<S> Layer<S> for OnlyLook {
    type Service = Looking<S>;

    fn layer(&self, inner: S) -> Looking<S> {
        Looking(inner)
    }
}

impl<S, R> Service<R> for Looking<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        let begun = Instant::now();
        let connecting = self.0.call(destination);
        Box::pin(async move {
            connecting.await?;
            Err(Stands(begun.elapsed()).into())
        })
    }
}
