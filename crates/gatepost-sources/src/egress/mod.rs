//! Where this program may call, by the operator's rules. Asked twice: about the parsed URL, and about every address that
//! its host resolves to, inside the resolver, so that what was judged is what is dialled. A host that is an address
//! never reaches a resolver, so [`EgressPolicy::judge_url`] judges that address itself.
//!
//! Special ranges are from the IANA registries of special-purpose addresses (RFC 6890) and from the address plans of
//! cloud providers' metadata services.

mod cidr;
mod hop;
mod range;

#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};

use url::{Host, Url};

pub use cidr::Cidr;
pub use hop::{HOP_HEADER, HOPS_MAX, next_hop};
use range::{Range, embedded, range_of};

/// Names of metadata services, which hand out the machine's own credentials.
const METADATA_NAMES: [&str; 4] =
    ["instance-data", "instance-data.ec2.internal", "metadata.goog", "metadata.google.internal"];

/// The operator's rules. The default allows HTTPS to public addresses on port 443.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Hosts that may be called: names, `*.example.com` for all names below one, addresses. Empty: any.
    pub allow_hosts: Vec<String>,
    /// Ranges that are allowed though they are not public. Loopback, link-local and metadata addresses stay forbidden.
    pub allow_cidr: Vec<Cidr>,
    /// This machine itself may be called, on any port and without TLS, and so may this program.
    pub allow_loopback: bool,
    /// Hosts (`name` or `name:port`) that may be called without TLS.
    pub allow_plain_http: Vec<String>,
    /// Ports that may be called.
    pub allow_ports: Vec<u16>,
    /// Where this program listens; counts as loopback, which stops it from calling itself in a circle. An unspecified
    /// address (`0.0.0.0`) stands for all of the machine's: name those that it has besides.
    pub own_listeners: Vec<SocketAddr>,
}

impl Default for EgressPolicy {
    fn default() -> Self {
        Self {
            allow_hosts: Vec::new(),
            allow_cidr: Vec::new(),
            allow_loopback: false,
            allow_plain_http: Vec::new(),
            allow_ports: vec![443],
            own_listeners: Vec::new(),
        }
    }
}

/// Which rule a call breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressRule {
    /// Neither http nor https.
    Scheme,
    /// Plain HTTP to a host that is not listed for it.
    PlainHttp,
    /// A user or password in the URL.
    UserInfo,
    /// No host.
    NoHost,
    /// The host is not listed.
    Host,
    /// The port is not listed.
    Port,
    /// A metadata service.
    Metadata,
    /// This machine.
    Loopback,
    /// An address at which this program listens.
    OwnListener,
    /// 0.0.0.0/8 or ::.
    Unspecified,
    /// Link-local.
    LinkLocal,
    /// Multicast or broadcast.
    Multicast,
    /// 240.0.0.0/4.
    FutureUse,
    /// A private range that is not listed.
    Private,
    /// A range that is reserved for documentation or protocols, and not listed.
    Reserved,
}

impl EgressRule {
    /// Its word in messages and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::PlainHttp => "plain_http",
            Self::UserInfo => "userinfo",
            Self::NoHost => "no_host",
            Self::Host => "host",
            Self::Port => "port",
            Self::Metadata => "metadata",
            Self::Loopback => "loopback",
            Self::OwnListener => "own_listener",
            Self::Unspecified => "unspecified",
            Self::LinkLocal => "link_local",
            Self::Multicast => "multicast",
            Self::FutureUse => "future_use",
            Self::Private => "private",
            Self::Reserved => "reserved",
        }
    }

    /// How an operator allows it; absent: not at all.
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            Self::PlainHttp => Some("egress.allow_plain_http"),
            Self::Host => Some("egress.allow_hosts"),
            Self::Port => Some("egress.allow_ports"),
            Self::Loopback | Self::OwnListener => Some("egress.allow_loopback"),
            Self::Private | Self::Reserved => Some("egress.allow_cidr"),
            _ => None,
        }
    }
}

/// A call that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressDenied {
    /// The rule.
    pub rule: EgressRule,
    /// The host, address or port that breaks it.
    pub subject: String,
}

impl EgressDenied {
    fn new(rule: EgressRule, subject: impl Into<String>) -> Self {
        Self { rule, subject: subject.into() }
    }
}

impl std::fmt::Display for EgressDenied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is denied by rule {}", self.subject, self.rule.as_str())?;
        match self.rule.remedy() {
            Some(key) => write!(f, "; the operator can allow it with {key}"),
            None => f.write_str("; it cannot be allowed"),
        }
    }
}

impl std::error::Error for EgressDenied {}

impl From<EgressDenied> for crate::error::SourceError {
    fn from(denied: EgressDenied) -> Self {
        let detail = denied.to_string();
        Self::new(crate::error::Code::EgressDenied).with_host(denied.subject).with_detail(detail)
    }
}

impl EgressPolicy {
    /// Judges a URL before anything is resolved: scheme, user, host, port. A host that is an address is judged as one.
    pub fn judge_url(&self, url: &Url) -> Result<(), EgressDenied> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EgressDenied::new(EgressRule::Scheme, url.scheme()));
        }
        let Some(host) = url.host() else { return Err(EgressDenied::new(EgressRule::NoHost, "the URL")) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressDenied::new(EgressRule::UserInfo, host.to_string()));
        }
        self.judge_host(&host)?;
        let port = url.port_or_known_default().unwrap_or_default();
        let here = self.allow_loopback && is_loopback(&host);
        let plain = here || self.is_plain_allowed(&host, port);
        if url.scheme() == "http" && !plain {
            return Err(EgressDenied::new(EgressRule::PlainHttp, host.to_string()));
        }
        // Whoever lists a host for plain HTTP means its port, too.
        if !(here || self.allow_ports.contains(&port) || (url.scheme() == "http" && plain)) {
            return Err(EgressDenied::new(EgressRule::Port, format!("{host}:{port}")));
        }
        match host {
            Host::Ipv4(address) => self.judge_socket(SocketAddr::new(address.into(), port)),
            Host::Ipv6(address) => self.judge_socket(SocketAddr::new(address.into(), port)),
            Host::Domain(_) => Ok(()),
        }
    }

    /// Judges a parsed host alone. A name that is allowed must still have allowed addresses.
    pub fn judge_host(&self, host: &Host<&str>) -> Result<(), EgressDenied> {
        match host {
            Host::Ipv4(address) => self.judge_address((*address).into())?,
            Host::Ipv6(address) => self.judge_address((*address).into())?,
            Host::Domain(name) => {
                let name = plain_name(name);
                if METADATA_NAMES.contains(&name.as_str()) {
                    return Err(EgressDenied::new(EgressRule::Metadata, name));
                }
                if is_local_name(&name) && !self.allow_loopback {
                    return Err(EgressDenied::new(EgressRule::Loopback, name));
                }
            }
        }
        let listed = self.allow_hosts.is_empty()
            || (self.allow_loopback && is_loopback(host))
            || self.allow_hosts.iter().any(|pattern| matches_host(pattern, host));
        if listed { Ok(()) } else { Err(EgressDenied::new(EgressRule::Host, host.to_string())) }
    }

    /// Judges an address, as the resolver found it or as it stands in a URL. Addresses that wrap an IPv4 address are
    /// judged as that one.
    pub fn judge_address(&self, address: IpAddr) -> Result<(), EgressDenied> {
        let inner = embedded(address);
        for address in inner.iter().copied() {
            self.judge_plain_address(address)?;
        }
        Ok(())
    }

    /// Judges an address with its port: the address, and whether this program itself listens there.
    pub fn judge_socket(&self, socket: SocketAddr) -> Result<(), EgressDenied> {
        self.judge_address(socket.ip())?;
        let own = |listener: &SocketAddr| {
            listener.port() == socket.port()
                && embedded(socket.ip()).iter().any(|address| *address == listener.ip())
        };
        if !self.allow_loopback && self.own_listeners.iter().any(own) {
            return Err(EgressDenied::new(EgressRule::OwnListener, socket.to_string()));
        }
        Ok(())
    }

    fn judge_plain_address(&self, address: IpAddr) -> Result<(), EgressDenied> {
        let deny = |rule| Err(EgressDenied::new(rule, address.to_string()));
        match range_of(address) {
            Range::Public => Ok(()),
            Range::Loopback if self.allow_loopback => Ok(()),
            Range::Loopback => deny(EgressRule::Loopback),
            Range::Metadata => deny(EgressRule::Metadata),
            Range::Unspecified => deny(EgressRule::Unspecified),
            Range::LinkLocal => deny(EgressRule::LinkLocal),
            Range::Multicast => deny(EgressRule::Multicast),
            Range::FutureUse => deny(EgressRule::FutureUse),
            Range::Private | Range::Reserved if self.is_listed(address) => Ok(()),
            Range::Private => deny(EgressRule::Private),
            Range::Reserved => deny(EgressRule::Reserved),
        }
    }

    fn is_listed(&self, address: IpAddr) -> bool {
        self.allow_cidr.iter().any(|range| range.contains(address))
    }

    fn is_plain_allowed(&self, host: &Host<&str>, port: u16) -> bool {
        self.allow_plain_http.iter().any(|entry| match entry.rsplit_once(':') {
            // The colons of an IPv6 address stand within brackets.
            Some((name, digits)) if !digits.contains(']') && !digits.is_empty() => {
                digits.parse() == Ok(port) && matches_host(name, host)
            }
            _ => matches_host(entry, host),
        })
    }
}

/// Whether a host is this machine by its name or its address.
fn is_loopback(host: &Host<&str>) -> bool {
    let is = |address: IpAddr| embedded(address).iter().all(|inner| range_of(*inner) == Range::Loopback);
    match host {
        Host::Ipv4(address) => is((*address).into()),
        Host::Ipv6(address) => is((*address).into()),
        Host::Domain(name) => is_local_name(&plain_name(name)),
    }
}

/// RFC 6761 section 6.3.
fn is_local_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain"
}

/// Lower case, without the dot that ends a complete name.
fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn matches_host(pattern: &str, host: &Host<&str>) -> bool {
    let pattern = plain_name(pattern);
    match host {
        Host::Domain(name) => {
            let name = plain_name(name);
            match pattern.strip_prefix("*.") {
                Some(parent) => {
                    name.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
                }
                None => Host::parse(&pattern).is_ok_and(|host| host == Host::Domain(name)),
            }
        }
        Host::Ipv4(address) => Host::parse(&pattern).is_ok_and(|host| host == Host::<String>::Ipv4(*address)),
        Host::Ipv6(address) => {
            let bare = pattern.trim_start_matches('[').trim_end_matches(']');
            bare.parse() == Ok(*address)
        }
    }
}
