//! Which host a request is for. Links, issuer and redirects come from the configuration; a request that names
//! another host is refused before anything else (DESIGN decision 25), which also stops DNS rebinding.

use http::{Request, header};

use crate::error::{Code, Failure};

/// Checks `Host` and authority: exactly one, and of `ours`.
pub(crate) fn check<B>(ours: &[String], request: &Request<B>) -> Result<(), Failure> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Failure::new(Code::BadHeader, "The Host header is given twice"));
    }
    let host = host.and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let named = match (host, authority) {
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
            return Err(Failure::new(
                Code::BadHeader,
                "The Host header and the request line name different hosts",
            ));
        }
        (Some(named), _) | (None, Some(named)) => named,
        (None, None) => return Err(Failure::new(Code::BadHeader, "A Host header is needed")),
    };
    if ours.iter().any(|ours| ours.eq_ignore_ascii_case(named)) {
        return Ok(());
    }
    Err(Failure::new(Code::WrongHost, "This server does not answer for the host that the request names"))
}
