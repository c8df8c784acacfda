//! `gatepost audit`: what is open, and what is worth a look.

use serde_json::Value;

use crate::process::{Shop, call, finish};

fn findings(shop: &Shop, variables: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
    let mut command = shop.command("audit", &["--json", "--schema", "shop"]);
    let outcome = finish(command.envs(variables.iter().copied()), "");
    let all: Vec<Value> = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|_| panic!("{}{}", outcome.stdout, outcome.stderr));
    (outcome.code, all)
}

#[track_caller]
fn one<'f>(all: &'f [Value], check: &str) -> &'f Value {
    let mut found = all.iter().filter(|finding| finding["check"] == check);
    let first = found.next().unwrap_or_else(|| panic!("{check} is not among {all:#?}"));
    assert!(found.next().is_none(), "{check} twice in {all:#?}");
    first
}

const SERVICES: &str = "begin
  ords.define_service(p_module_name => 'open', p_base_path => '/open/', p_pattern => 'rows', p_source => 'select 1 as n');
  ords.define_service(p_module_name => 'shut', p_base_path => '/shut/', p_pattern => 'rows', p_source => 'select 1 as n');
end;
/
";

#[test]
fn only_what_is_open_without_a_token_counts_as_a_door() {
    let shop = Shop::new("audit-doors");
    let run = |script: &str| drop(finish(&mut shop.command("sql", &["--schema", "shop"]), script).ok());
    run(SERVICES);
    assert!(
        call(&["audit", "--data", shop.dir(), "--schema", "nowhere"])
            .refused()
            .contains("no schema `nowhere`")
    );
    let (code, all) = findings(&shop, &[]);
    assert_eq!((code, all.len()), (Some(0), 0), "{all:#?}");
    assert!(call(&["audit", "--data", shop.dir()]).ok().contains("nothing to look at"));

    run("begin gatepost.allow_public('/open/*'); gatepost.allow_public('/later/*'); end;");
    let (code, all) = findings(&shop, &[]);
    assert_eq!(code, Some(1));
    let door = one(&all, "public-read");
    assert_eq!((&door["severity"], &door["schema"]), (&Value::from("open_door"), &Value::from("shop")));
    assert_eq!(door["evidence"], serde_json::json!(["GET /open/rows"]));
    assert_eq!(door["fix"], "GATEPOST.DENY_PUBLIC(p_pattern => '/open/*')");
    assert_eq!(one(&all, "public-nothing")["severity"], "notice");
    let text = call(&["audit", "--data", shop.dir()]);
    assert!(
        text.stdout.contains("open door: schema shop, public entry /open/* (public-read)"),
        "{}",
        text.stdout
    );
    assert!(text.refused().contains("one door is open"));

    // A privilege on the same module wins over the entry.
    run("declare l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
         begin
           gatepost.deny_public('/later/*');
           ords.create_role('reader'); l_roles(1) := 'reader'; l_modules(1) := 'open';
           ords.define_privilege('open.read', l_roles, l_patterns, l_modules);
         end;");
    let (code, all) = findings(&shop, &[]);
    assert_eq!(code, Some(0), "{all:#?}");
    assert!(one(&all, "public-nothing")["object"].as_str().unwrap().contains("/open/*"));
    assert!(one(&all, "privilege-nobody")["object"].as_str().unwrap().contains("open.read"));
    assert!(one(&all, "role-nobody")["object"].as_str().unwrap().contains("reader"));

    // As ORDS does it, everything without a lock is open.
    let (code, all) = findings(&shop, &[("GATEPOST_ACCESS_UNPROTECTED", "public")]);
    assert_eq!(code, Some(1));
    let open = ["GET /shut/rows", "GET /open-api-catalog/", "GET /metadata-catalog/"];
    assert_eq!(one(&all, "unprotected")["evidence"], serde_json::json!(open));
    assert_eq!(one(&all, "unprotected-public")["severity"], "warning");

    // The fix that was named, as it was named.
    run("begin gatepost.allow_public('/shut/*', 'GET,POST'); end;");
    let (_, all) = findings(&shop, &[]);
    let fix = one(&all, "public-write")["fix"].as_str().unwrap().to_owned();
    run(&format!("begin {fix}; end;"));
    assert_eq!(findings(&shop, &[]).0, Some(0));
}

#[test]
fn clients_secrets_and_origins_are_looked_at_and_no_secret_is_told() {
    let shop = Shop::new("audit-clients");
    let script = format!(
        "{SERVICES}
         declare
           l_roles owa.vc_arr; l_wide owa.vc_arr; l_narrow owa.vc_arr; l_modules owa.vc_arr; l_secret varchar2(200);
         begin
           ords.set_module_origins_allowed('open', '*');
           ords.create_role('few'); ords.create_role('many');
           l_roles(1) := 'few'; l_wide(1) := '/shut/*';
           ords.define_privilege('shut.few', l_roles, l_wide, l_modules);
           l_roles(1) := 'many'; l_narrow(1) := '/shut/rows';
           ords.define_privilege('shut.many', l_roles, l_narrow, l_modules);
           oauth.create_client('idle', 'client_credentials');
           oauth.create_client('busy', 'client_credentials');
           oauth.grant_client_role('busy', 'few'); oauth.grant_client_role('busy', 'many');
           oauth.rotate_client_secret('busy', p_revoke_existing => false);
         end;"
    );
    finish(&mut shop.command("sql", &["--schema", "shop"]), &script).ok();
    let secrets = finish(
        &mut shop.command(
            "sql",
            &["--schema", "shop", "--format", "json", "-c", "select client_secret from user_ords_clients"],
        ),
        "",
    );
    let secrets: Vec<Value> = serde_json::from_str(&secrets.ok()).unwrap();

    let (code, all) = findings(&shop, &[("GATEPOST_OAUTH_TOKEN_ORIGINS", "[\"*\"]")]);
    assert_eq!(code, Some(0), "{all:#?}");
    assert!(one(&all, "client-opens-nothing")["object"].as_str().unwrap().contains("idle"));
    assert_eq!(one(&all, "secret-two")["evidence"].as_array().unwrap().len(), 2);
    let narrower = one(&all, "lock-narrower");
    assert_eq!(
        (&narrower["object"], &narrower["evidence"][0]),
        (&"pattern /shut/rows".into(), &"role many".into())
    );
    let origins: Vec<&Value> = all
        .iter()
        .filter(|finding| finding["check"] == "origin-any")
        .map(|finding| &finding["object"])
        .collect();
    assert_eq!(origins, ["oauth.token_origins", "module open"]);
    assert!(all.iter().all(|finding| finding["check"] != "secret-old"));

    let told = shop.run("audit", &["--json", "--secret-days", "0"]).stdout;
    assert_eq!(told.matches("\"secret-old\"").count(), 2);
    for secret in secrets.iter().map(|row| row["client_secret"].as_str().unwrap()) {
        assert!(secret.starts_with("gp_cs_") && !told.contains(secret));
    }
}
