//! No secret and no token is written anywhere, however much is logged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;

use crate::client::Credentials;
use crate::hidden::Hidden;
use crate::process::{Shop, finish};
use crate::server::{TestServer, gatepost};

const CHOSEN: &str = "chosen-by-a-person-and-long-enough";
const WRONG: &str = "wrong-but-somebody-may-use-it-elsewhere";

/// A locked module and four clients: with a secret that can be read, a chosen one, one made once, and a rotated one.
const SERVICES: &str = "
declare
  r owa.vc_arr; q owa.vc_arr; m owa.vc_arr;
  made ords_types.t_client_credentials;
begin
  ords.define_service(p_module_name => 'm', p_base_path => '/m/', p_pattern => 'x', p_source => 'select 1 as one');
  ords.create_role('reader');
  r(1) := 'reader'; m(1) := 'm';
  ords.define_privilege('m.read', r, q, m);
  oauth.create_client('readable', 'client_credentials', p_privilege_names => 'm.read');
  oauth.create_client('chosen', 'client_credentials', p_privilege_names => 'm.read');
  oauth.update_client_secret('chosen', '{chosen}');
  made := ords_security.register_client('once', 'client_credentials',
            p_client_secret => ords_types.oauth_client_secret());
  dbms_output.put_line(made.client_secret.secret);
  oauth.create_client('rotated', 'client_credentials');
  oauth.rotate_client_secret('rotated', p_revoke_existing => false);
  oauth.grant_client_role('readable', 'reader');
  oauth.grant_client_role('chosen', 'reader');
end;
/
";

/// Speaks HTTP/1.1 or HTTP/2 over TLS; whose certificate it is does not matter here.
fn client_speaking(version: http::Version) -> reqwest::Client {
    let builder = reqwest::Client::builder().tls_danger_accept_invalid_certs(true);
    let builder = if version == http::Version::HTTP_2 { builder } else { builder.http1_only() };
    builder.build().unwrap()
}

/// Posts a form to an endpoint of OAuth.
async fn post(
    server: &TestServer,
    endpoint: &str,
    basic: Option<&Credentials>,
    form: &[(&str, &str)],
) -> (StatusCode, String) {
    let mut request =
        client_speaking(http::Version::HTTP_2).post(server.url(&format!("shop/oauth/{endpoint}"))).form(form);
    if let Some(client) = basic {
        request = request.basic_auth(&client.id, Some(&client.secret));
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// Calls in every way, good and bad, with this client.
async fn use_client(server: &TestServer, client: &Credentials, hidden: &mut Hidden) {
    let grant = ("grant_type", "client_credentials");
    let (id, secret) = (("client_id", client.id.as_str()), ("client_secret", client.secret.as_str()));
    let basic = STANDARD.encode(format!("{}:{}", client.id, client.secret));
    hidden.add("a Basic value", &basic);
    let token_of = |answer: (StatusCode, String)| {
        assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
        let answer: serde_json::Value = serde_json::from_str(&answer.1).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let by_basic = token_of(post(server, "token", Some(client), &[grant]).await);
    let by_body = token_of(post(server, "token", None, &[grant, id, secret]).await);
    for token in [&by_basic, &by_body] {
        hidden.add("a token", token);
    }
    let wrong = Credentials { secret: WRONG.to_owned(), ..client.clone() };
    let refused = [
        post(server, "token", Some(&wrong), &[grant]).await,
        post(server, "token", Some(client), &[grant, id, secret]).await,
        post(server, "token", Some(client), &[("grant_type", "password"), ("password", WRONG)]).await,
        post(server, "token", Some(client), &[grant, ("scope", "no.such")]).await,
    ];
    assert!(refused.iter().all(|answer| answer.0.is_client_error()), "{refused:?}");

    let url = server.url("shop/m/x");
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let client = client_speaking(version);
        client.get(&url).bearer_auth(&by_basic).send().await.unwrap();
        client.get(format!("{url}?access_token={by_basic}&client_secret={}", secret.1)).send().await.unwrap();
        let broken = format!("{}x", &by_basic[..by_basic.len() - 2]);
        client.get(&url).bearer_auth(broken).send().await.unwrap();
        client.get(&url).basic_auth(id.1, Some(secret.1)).send().await.unwrap();
        client.get(&url).header("cookie", format!("session={by_basic}")).send().await.unwrap();
        client.post(&url).bearer_auth(&by_basic).body(by_body.clone()).send().await.unwrap();
    }
    assert_eq!(post(server, "introspect", Some(client), &[("token", &by_body)]).await.0, StatusCode::OK);
    assert_eq!(post(server, "revoke", Some(client), &[("token", &by_body)]).await.0, StatusCode::OK);
    assert_eq!(post(server, "introspect", Some(client), &[("token", &by_body)]).await.0, StatusCode::OK);
    client_speaking(http::Version::HTTP_11).get(&url).bearer_auth(&by_body).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_written_by_a_server_that_logs_everything() {
    let shop = Shop::new("secrecy");
    let mut hidden = Hidden::default();
    let sql = |script: &str| {
        let mut command = shop.command("sql", &["--schema", "shop"]);
        finish(command.env("GATEPOST_LOG_LEVEL", "trace"), script)
    };
    let outcome = sql(&SERVICES.replace("{chosen}", CHOSEN));
    assert!(!outcome.stderr.contains(CHOSEN) && !outcome.stdout.contains(CHOSEN));
    let printed = outcome.ok();
    let once = printed.lines().next().unwrap();
    let clients = shop.rows("select name, client_id, client_secret, client_secret_2 from user_ords_clients");
    let client = |name: &str, secret: Option<&str>| {
        let row = clients.iter().find(|row| row["name"] == name).unwrap();
        let shown = row["client_secret"].as_str().unwrap_or_default();
        let id = row["client_id"].as_str().unwrap().to_owned();
        Credentials { id, secret: secret.unwrap_or(shown).to_owned() }
    };
    let used = [client("readable", None), client("chosen", Some(CHOSEN)), client("once", Some(once))];
    for client in &used {
        hidden.add("a secret", &client.secret);
    }
    let rotated = clients.iter().find(|row| row["name"] == "rotated").unwrap();
    hidden.add("a rotated secret", rotated["client_secret"].as_str().unwrap());
    hidden.add("a rotated secret", rotated["client_secret_2"].as_str().unwrap());
    hidden.add("a wrong secret", WRONG);
    let keys = std::fs::read_to_string(shop.0.path().join("keys.toml")).unwrap();
    for value in
        keys.lines().filter_map(|line| line.split_once(" = ")).map(|(_, value)| value.trim_matches('"'))
    {
        if value.len() >= 40 {
            hidden.add("a key", value);
        }
    }

    let mut serve = gatepost(&["serve", "--listen", "127.0.0.1:0", "--data", shop.dir()]);
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    shop.0.write("cert.pem", &certified.cert.pem());
    shop.0.write("key.pem", &certified.signing_key.serialize_pem());
    serve.env("GATEPOST_TLS_CERTIFICATE_FILE", "cert.pem").env("GATEPOST_TLS_PRIVATE_KEY_FILE", "key.pem");
    serve.env("GATEPOST_LOG_LEVEL", "trace");
    let server = TestServer::spawn(shop.0.path(), serve);
    for client in &used {
        use_client(&server, client, &mut hidden).await;
    }
    // A failing script that holds a secret, and a commit that makes the server look.
    let failed = sql(
        "begin oauth.update_client_secret('chosen', 'a-second-secret-that-is-not-kept'); raise_application_error(-20001, 'no'); end;",
    );
    failed.refused();
    hidden.add("a secret of a failed block", "a-second-secret-that-is-not-kept");
    sql("begin ords.create_role('late'); end;").ok();
    let printed = server.printed();
    let log = server.log.clone();
    assert_eq!(server.stop().code(), Some(0));

    let log = std::fs::read(log).unwrap();
    assert!(log.len() > 10_000, "the server logged at trace level");
    hidden.assert_absent("the server's standard error", &log);
    hidden.assert_absent("the server's standard output", printed.as_bytes());
    hidden.assert_absent_from_stores(&shop.0);
    for (name, arguments) in [
        ("export", &["--schema", "shop"][..]),
        ("log", &["--limit", "1000"]),
        ("log", &["--changes", "--limit", "1000"]),
        ("keys", &["list"]),
    ] {
        let mut command = shop.command(name, arguments);
        let outcome = finish(command.env("GATEPOST_LOG_LEVEL", "trace"), "");
        hidden.assert_absent(name, outcome.stderr.as_bytes());
        hidden.assert_absent(name, outcome.ok().as_bytes());
    }
}

#[test]
fn files_that_a_killed_server_leaves_hold_nothing_either() {
    let shop = Shop::new("secrecy-killed");
    shop.script(&SERVICES.replace("{chosen}", CHOSEN)).ok();
    let server = TestServer::serve(shop.0.path());
    let mut hidden = Hidden::default();
    hidden.add("a chosen secret", CHOSEN);
    for name in ["readable", "rotated"] {
        hidden.add("a secret", &Credentials::by_name(&server, "shop", name).secret);
    }
    server.kill();
    hidden.assert_absent_from_stores(&shop.0);
}
