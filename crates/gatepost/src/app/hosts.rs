//! The hosts that requests may name.

/// The hosts that are ours: that of the public URL, with and without the scheme's port; without a public URL the
/// names of loopback.
pub(super) fn ours(public_url: Option<&str>, listen: std::net::SocketAddr) -> Vec<String> {
    let Some(url) = public_url else {
        let port = listen.port();
        let mut hosts = vec![listen.to_string()];
        if listen.ip().is_loopback() {
            hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        return hosts;
    };
    let (scheme, host) = url.split_once("://").unwrap_or(("", url));
    let host = host.trim_end_matches('/');
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let mut hosts = vec![host.to_owned()];
    match host.strip_suffix(default_port) {
        Some(bare) => hosts.push(bare.to_owned()),
        None if !host.rsplit(']').next().unwrap_or(host).contains(':') => {
            hosts.push(format!("{host}{default_port}"));
        }
        None => {}
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn the_public_url_names_the_host_with_and_without_its_port() {
        let listen = "127.0.0.1:9".parse().unwrap();
        assert_eq!(ours(Some("https://a.example"), listen), ["a.example", "a.example:443"]);
        assert_eq!(ours(Some("https://a.example:443"), listen), ["a.example:443", "a.example"]);
        assert_eq!(ours(Some("http://a.example:8080/"), listen), ["a.example:8080"]);
        assert!(ours(None, listen).contains(&"localhost:9".to_owned()));
        assert_eq!(ours(None, "10.0.0.1:9".parse().unwrap()), ["10.0.0.1:9"]);
    }
}
