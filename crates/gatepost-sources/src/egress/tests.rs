use super::*;

fn judge(policy: &EgressPolicy, url: &str) -> Result<(), EgressRule> {
    policy.judge_url(&Url::parse(url).unwrap()).map_err(|denied| denied.rule)
}

fn default() -> EgressPolicy {
    EgressPolicy::default()
}

/// Everything open that an operator can open, but for loopback.
fn wide() -> EgressPolicy {
    EgressPolicy {
        allow_cidr: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        ..EgressPolicy::default()
    }
}

#[test]
fn every_spelling_of_a_forbidden_address_is_refused() {
    use EgressRule::{FutureUse, LinkLocal, Loopback, Metadata, Multicast, Private, Reserved, Unspecified};
    for (host, rule) in [
        ("127.0.0.1", Loopback),
        ("127.255.255.254", Loopback),
        ("2130706433", Loopback),
        ("0x7f000001", Loopback),
        ("0x7f.1", Loopback),
        ("0177.0.0.1", Loopback),
        ("017700000001", Loopback),
        ("127.1", Loopback),
        ("127.0.1", Loopback),
        ("%31%32%37.0.0.1", Loopback),
        ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", Loopback),
        ("127\u{3002}0\u{3002}0\u{3002}1", Loopback),
        ("127.0.0.1.", Loopback),
        ("localhost", Loopback),
        ("LOCALHOST", Loopback),
        ("localhost.", Loopback),
        ("a.localhost", Loopback),
        ("[::1]", Loopback),
        ("[0:0:0:0:0:0:0:1]", Loopback),
        ("[::ffff:127.0.0.1]", Loopback),
        ("[::ffff:7f00:1]", Loopback),
        ("[::127.0.0.1]", Loopback),
        ("[::ffff:0:127.0.0.1]", Loopback),
        ("[64:ff9b::127.0.0.1]", Loopback),
        ("[2002:7f00:1::]", Loopback),
        ("[2001:0:102:304:0:0:80ff:fffe]", Loopback),
        ("[2001:0:7f00:1:0:0:fefd:fcfb]", Loopback),
        ("[2606:4700::5efe:7f00:1]", Loopback),
        ("0.0.0.0", Unspecified),
        ("0", Unspecified),
        ("0.1.2.3", Unspecified),
        ("[::]", Unspecified),
        ("[::ffff:0.0.0.0]", Unspecified),
        ("169.254.169.254", Metadata),
        ("0xa9fea9fe", Metadata),
        ("2852039166", Metadata),
        ("169.254.43518", Metadata),
        ("[::ffff:169.254.169.254]", Metadata),
        ("[64:ff9b::a9fe:a9fe]", Metadata),
        ("[2002:a9fe:a9fe::1]", Metadata),
        ("169.254.170.2", Metadata),
        ("100.100.100.200", Metadata),
        ("[fd00:ec2::254]", Metadata),
        ("metadata.google.internal", Metadata),
        ("Metadata.Google.Internal.", Metadata),
        ("169.254.1.1", LinkLocal),
        ("[fe80::1]", LinkLocal),
        ("[febf::1]", LinkLocal),
        ("224.0.0.1", Multicast),
        ("255.255.255.255", Multicast),
        ("[ff02::1]", Multicast),
        ("240.0.0.1", FutureUse),
        ("10.0.0.1", Private),
        ("172.16.0.1", Private),
        ("172.31.255.255", Private),
        ("192.168.1.1", Private),
        ("100.64.0.1", Private),
        ("198.18.0.1", Private),
        ("[fc00::1]", Private),
        ("[fd12:3456::1]", Private),
        ("[::ffff:10.0.0.1]", Private),
        ("[2002:a00:1::1]", Private),
        ("192.0.2.1", Reserved),
        ("198.51.100.1", Reserved),
        ("203.0.113.1", Reserved),
        ("192.88.99.1", Reserved),
        ("[2001:db8::1]", Reserved),
        ("[100::1]", Reserved),
        ("[64:ff9b:1::1]", Reserved),
        ("[fec0::1]", Reserved),
        ("[4000::1]", Reserved),
    ] {
        assert_eq!(judge(&default(), &format!("https://{host}/")), Err(rule), "{host}");
    }
}

#[test]
fn what_can_never_be_allowed_stays_forbidden() {
    for host in [
        "169.254.169.254",
        "169.254.1.1",
        "100.100.100.200",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "240.0.0.1",
        "[ff02::1]",
        "[fe80::1]",
        "127.0.0.1",
        "[::1]",
        "localhost",
        "metadata.google.internal",
    ] {
        assert!(judge(&wide(), &format!("https://{host}/")).is_err(), "{host}");
    }
    let named = EgressPolicy { allow_hosts: vec!["metadata.google.internal".into()], ..wide() };
    assert_eq!(judge(&named, "https://metadata.google.internal/"), Err(EgressRule::Metadata));
    let loopback = EgressPolicy { allow_loopback: true, ..wide() };
    assert_eq!(judge(&loopback, "https://169.254.169.254/"), Err(EgressRule::Metadata));
    assert_eq!(judge(&loopback, "https://0.0.0.0/"), Err(EgressRule::Unspecified));
}

#[test]
fn a_name_is_judged_again_by_each_of_its_addresses() {
    let policy = default();
    assert_eq!(judge(&policy, "https://hr.example.com/"), Ok(()));
    for address in ["127.0.0.1", "10.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254"] {
        assert!(policy.judge_address(address.parse().unwrap()).is_err(), "{address}");
    }
    for address in ["93.184.216.34", "2606:4700:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"] {
        assert_eq!(policy.judge_address(address.parse().unwrap()), Ok(()), "{address}");
    }
}

#[test]
fn private_ranges_open_one_by_one() {
    let policy = EgressPolicy { allow_cidr: vec!["10.20.0.0/16".parse().unwrap()], ..default() };
    assert_eq!(judge(&policy, "https://10.20.3.4/"), Ok(()));
    assert_eq!(judge(&policy, "https://[::ffff:10.20.3.4]/"), Ok(()));
    assert_eq!(judge(&policy, "https://10.21.0.1/"), Err(EgressRule::Private));
}

#[test]
fn ports_and_plain_http_are_listed() {
    let mut policy = default();
    assert_eq!(judge(&policy, "https://h.example:8443/"), Err(EgressRule::Port));
    assert_eq!(judge(&policy, "http://h.example/"), Err(EgressRule::PlainHttp));
    assert_eq!(judge(&policy, "http://h.example:443/"), Err(EgressRule::PlainHttp));
    policy.allow_ports.push(8443);
    assert_eq!(judge(&policy, "https://h.example:8443/"), Ok(()));
    assert_eq!(judge(&policy, "http://h.example:8443/"), Err(EgressRule::PlainHttp));
    policy.allow_plain_http = vec!["h.example:8080".into(), "[fd12::1]:80".into()];
    policy.allow_cidr = vec!["fd12::/16".parse().unwrap()];
    assert_eq!(judge(&policy, "http://h.example:8080/"), Ok(()));
    assert_eq!(judge(&policy, "http://H.EXAMPLE.:8080/"), Ok(()));
    assert_eq!(judge(&policy, "http://h.example/"), Err(EgressRule::PlainHttp));
    assert_eq!(judge(&policy, "https://h.example:8080/"), Err(EgressRule::Port));
    assert_eq!(judge(&policy, "http://[fd12::1]/"), Ok(()));
    assert_eq!(judge(&policy, "http://[fd12::2]/"), Err(EgressRule::PlainHttp));
}

#[test]
fn loopback_is_one_switch() {
    let policy = EgressPolicy { allow_loopback: true, ..default() };
    for url in [
        "http://127.0.0.1:8080/",
        "http://localhost:8080/",
        "http://[::1]:8080/",
        "https://[::ffff:127.0.0.1]:1/",
    ] {
        assert_eq!(judge(&policy, url), Ok(()), "{url}");
    }
    assert_eq!(judge(&policy, "http://h.example:8080/"), Err(EgressRule::PlainHttp));
    // A name that only resolves to loopback gets no plain HTTP by it.
    assert_eq!(policy.judge_address("127.0.0.1".parse().unwrap()), Ok(()));
}

#[test]
fn this_program_does_not_call_itself() {
    let own: SocketAddr = "10.20.0.5:8443".parse().unwrap();
    let policy = EgressPolicy {
        allow_cidr: vec!["10.20.0.0/16".parse().unwrap()],
        allow_ports: vec![443, 8443],
        own_listeners: vec![own],
        ..default()
    };
    assert_eq!(judge(&policy, "https://10.20.0.5:8443/"), Err(EgressRule::OwnListener));
    assert_eq!(judge(&policy, "https://[::ffff:10.20.0.5]:8443/"), Err(EgressRule::OwnListener));
    assert_eq!(judge(&policy, "https://10.20.0.5/"), Ok(()));
    assert_eq!(policy.judge_socket(own).unwrap_err().rule, EgressRule::OwnListener);
    let policy = EgressPolicy { allow_loopback: true, ..policy };
    assert_eq!(policy.judge_socket(own), Ok(()));
}

#[test]
fn listed_hosts_shut_out_all_others() {
    let policy = EgressPolicy {
        allow_hosts: vec!["hr.example.com".into(), "*.example.org".into(), "b\u{fc}cher.example".into()],
        ..default()
    };
    for url in [
        "https://hr.example.com/",
        "https://HR.example.com./",
        "https://a.b.example.org/",
        "https://b\u{fc}cher.example/",
    ] {
        assert_eq!(judge(&policy, url), Ok(()), "{url}");
    }
    for url in [
        "https://x.hr.example.com/",
        "https://hr.example.com.evil.example/",
        "https://example.org/",
        "https://evilexample.org/",
        "https://93.184.216.34/",
    ] {
        assert_eq!(judge(&policy, url), Err(EgressRule::Host), "{url}");
    }
}

#[test]
fn other_schemes_and_users_are_refused() {
    assert_eq!(judge(&default(), "ftp://h.example/"), Err(EgressRule::Scheme));
    assert_eq!(judge(&default(), "file:///etc/passwd"), Err(EgressRule::Scheme));
    assert_eq!(judge(&default(), "https://user@h.example/"), Err(EgressRule::UserInfo));
    assert_eq!(judge(&default(), "https://:pw@h.example/"), Err(EgressRule::UserInfo));
}

#[test]
fn a_refusal_names_the_rule_and_the_remedy() {
    let denied = default().judge_address("10.0.0.1".parse().unwrap()).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "10.0.0.1 is denied by rule private; the operator can allow it with egress.allow_cidr"
    );
    let denied = default().judge_address("169.254.169.254".parse().unwrap()).unwrap_err();
    assert_eq!(denied.to_string(), "169.254.169.254 is denied by rule metadata; it cannot be allowed");
}
