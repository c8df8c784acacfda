//! TLS by the program itself, and what `serve` refuses beyond loopback.

use std::path::Path;

use rcgen::{CertifiedKey, KeyPair};
use reqwest::{Certificate, StatusCode, Version};

use crate::client::get;
use crate::folder::Folder;
use crate::process::{Shop, call, eventually, eventually_async, finish};
use crate::server::{TestServer, gatepost};

/// A self-signed certificate for loopback.
fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// Moves files over the ones in use, as renewal tools do.
fn install(folder: &Path, name: &str, text: &str) {
    let new = folder.join("new.pem");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, folder.join(name)).unwrap();
}

fn install_both(folder: &Path, certified: &CertifiedKey<KeyPair>) {
    install(folder, "key.pem", &certified.signing_key.serialize_pem());
    install(folder, "cert.pem", &certified.cert.pem());
}

/// A new connection that trusts this certificate only.
fn trusting(certified: &CertifiedKey<KeyPair>) -> reqwest::ClientBuilder {
    let trusted = Certificate::from_pem(certified.cert.pem().as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([trusted])
}

async fn is_served(server: &TestServer, certified: &CertifiedKey<KeyPair>) -> bool {
    let url = format!("{}/healthz", server.base_url);
    trusting(certified).build().unwrap().get(url).send().await.is_ok()
}

fn shop(name: &str, certified: &CertifiedKey<KeyPair>) -> Shop {
    let shop = Shop::new(name);
    install_both(shop.0.path(), certified);
    let file = shop.0.path().join("gatepost.toml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    config.push_str("\n[tls]\ncertificate_file = \"cert.pem\"\nprivate_key_file = \"key.pem\"\n");
    std::fs::write(file, config).unwrap();
    shop.script(
        "begin
           ords.define_service(p_module_name => 'v1', p_base_path => '/v1/', p_pattern => 'one',
             p_source => 'select 1 as one');
           gatepost.allow_public('/v1/*');
         end;",
    )
    .ok();
    shop
}

#[tokio::test]
async fn https_is_served_with_both_versions_of_http_and_says_so_to_browsers() {
    let certified = certificate();
    let shop = shop("tls", &certified);
    let server = TestServer::serve(shop.0.path());
    assert!(server.base_url.starts_with("https://127.0.0.1:"), "{}", server.base_url);
    let url = server.url("shop/v1/one");
    for (builder, version) in [
        (trusting(&certified).http1_only(), Version::HTTP_11),
        (trusting(&certified), Version::HTTP_2),
        (trusting(&certified).max_tls_version(reqwest::tls::Version::TLS_1_2), Version::HTTP_2),
    ] {
        let answer = builder.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));
        assert!(answer.headers()["strict-transport-security"].to_str().unwrap().starts_with("max-age="));
        assert!(answer.text().await.unwrap().contains(&format!("\"{url}\"")), "links name https");
    }
    let locked = trusting(&certified).build().unwrap().get(server.url("shop/none")).send().await.unwrap();
    assert_eq!(locked.status(), StatusCode::UNAUTHORIZED);
    assert!(locked.headers().contains_key("strict-transport-security"));
    let plain = crate::client::http().get(url.replace("https:", "http:")).send().await;
    assert!(plain.is_err(), "plain HTTP is not answered where TLS is spoken");
}

#[tokio::test]
async fn a_certificate_that_changes_on_disk_is_served_and_a_bad_one_is_not() {
    let (first, second, third) = (certificate(), certificate(), certificate());
    let shop = shop("tls-renewal", &first);
    let folder = shop.0.path();
    let server = TestServer::serve(folder);
    assert!(is_served(&server, &first).await && !is_served(&server, &second).await);

    install_both(folder, &second);
    eventually_async("the second is served", async || is_served(&server, &second).await).await;
    assert!(!is_served(&server, &first).await);

    install(folder, "cert.pem", "no certificate");
    eventually("the bad one is reported", || server.log_text().contains("is not used"));
    assert!(is_served(&server, &second).await);
    // A certificate whose key has not arrived yet.
    install(folder, "cert.pem", &third.cert.pem());
    eventually("the key is missed", || server.log_text().contains("do not belong together"));
    assert!(is_served(&server, &second).await);
    install(folder, "key.pem", &third.signing_key.serialize_pem());
    eventually_async("the third is served", async || is_served(&server, &third).await).await;
}

#[tokio::test]
async fn plain_http_says_nothing_of_transport_security() {
    let shop = Shop::new("plain");
    let server = TestServer::serve(shop.0.path());
    let answer = get(&format!("{}/healthz", server.base_url), None).await;
    assert!(!answer.headers().contains_key("strict-transport-security"));
}

#[test]
fn serving_beyond_loopback_asks_for_a_lock_and_a_name() {
    let shop = Shop::new("beyond");
    let serve = |listen: &str, variables: &[(&str, &str)]| {
        let mut command = shop.command("serve", &["--listen", listen]);
        finish(command.envs(variables.iter().copied()), "").refused()
    };
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let message = serve(listen, &[]);
        assert!(message.contains("server.public_url is needed beyond loopback"), "{message}");
        let message = serve(listen, &[("GATEPOST_SERVER_PUBLIC_URL", "https://api.example.com")]);
        assert!(message.contains("plain HTTP beyond loopback is refused"), "{message}");
    }
    let one = [("GATEPOST_TLS_CERTIFICATE_FILE", "cert.pem")];
    assert!(serve("127.0.0.1:0", &one).contains("belong together"));
    let both = [("GATEPOST_TLS_CERTIFICATE_FILE", "cert.pem"), ("GATEPOST_TLS_PRIVATE_KEY_FILE", "key.pem")];
    let message = serve("127.0.0.1:0", &both);
    assert!(message.contains("certificate ") && message.contains("cert.pem"), "{message}");
}

#[test]
fn a_certificate_that_does_not_fit_its_key_refuses_to_start() {
    let (first, second) = (certificate(), certificate());
    let shop = shop("tls-misfit", &first);
    install(shop.0.path(), "key.pem", &second.signing_key.serialize_pem());
    let message = shop.run("serve", &["--listen", "127.0.0.1:0"]).refused();
    assert!(message.contains("do not belong together"), "{message}");
}

#[test]
fn a_demo_stays_on_loopback() {
    let folder = Folder::new("demo-beyond");
    drop(TestServer::demo(&folder));
    let dir = folder.path().to_str().unwrap();
    let mut serve = gatepost(&["serve", "--data", dir, "--listen", "0.0.0.0:0"]);
    serve
        .env("GATEPOST_SERVER_PUBLIC_URL", "https://api.example.com")
        .env("GATEPOST_SERVER_PLAIN_HTTP", "true");
    let message = finish(&mut serve, "").refused();
    assert!(message.contains("this folder is a demo"), "{message}");
    let message = call(&["demo", "--data", dir, "--listen", "0.0.0.0:0"]).refused();
    assert!(message.contains("the demo listens on loopback only"), "{message}");
}
