//! `gatepost export`: the script makes the same catalog on an empty server.

use crate::folder::Folder;
use crate::process::{Shop, call, finish};
use crate::server::TestServer;

/// Loads a script into an empty installation and exports it from there.
fn through_an_empty_server(script: &str, schema: &str) -> String {
    let empty = Shop::new("export-target");
    finish(&mut empty.command("sql", &[]), script).ok();
    empty.run("export", &["--schema", schema]).ok()
}

#[test]
fn the_demo_comes_back_byte_for_byte() {
    let folder = Folder::new("export-demo");
    drop(TestServer::demo(&folder));
    let dir = folder.path().to_str().unwrap();
    let script = call(&["export", "--data", dir, "--schema", "HR"]).ok();
    for wanted in ["ords.enable_schema(", "'employees/:id'", "gatepost.allow_public(", "'limited_app'"] {
        assert!(script.contains(wanted), "{wanted}");
    }
    let demo = std::fs::read_to_string(folder.path().join("demo.json")).unwrap();
    let demo: serde_json::Value = serde_json::from_str(&demo).unwrap();
    for secret in ["client_secret", "limited_client_secret"] {
        assert!(!script.contains(demo[secret].as_str().unwrap()));
    }
    assert_eq!(through_an_empty_server(&script, "hr"), script);
}

/// Everything that a definition can hold, in the spellings that break writers of scripts.
const NASTY: &str = r#"
declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr; l_none owa.vc_arr;
begin
  ords.enable_schema(p_url_mapping_pattern => 'sh-op_1', p_auto_rest_auth => true);
  ords.define_module('it''s "quoted"', '/Ünïcode/π/', 0, 'NOT_PUBLISHED', q'[it's; a /* comment */ -- or not]');
  ords.set_module_origins_allowed('it''s "quoted"', 'https://a.example,http://localhost:3000');
  gatepost.set_module_reads('it''s "quoted"', 'PRIMARY');
  ords.define_template('it''s "quoted"', 'a/:b/:c', 9, 'QUERY', 'select max(x) from t where b = :b', '&name @file /');
  ords.define_handler('it''s "quoted"', 'a/:b/:c', 'GET', 'json/item',
    'select ''a''''b'' as "Quoted ""Name""", :b as b' || chr(10) || '  from t -- /' || chr(10) || '/' || chr(10) ||
    'where c = :c' || chr(13) || chr(10) || chr(9) || 'and 1 = 1', 7, null, 'end;' || chr(10) || '/');
  ords.define_parameter('it''s "quoted"', 'a/:b/:c', 'GET', 'X-Trace', 'trace', 'HEADER', 'INT', 'IN', 'é');
  ords.define_parameter('it''s "quoted"', 'a/:b/:c', 'GET', 'X-Out', 'out', 'HEADER', 'STRING', 'OUT');
  ords.define_handler('it''s "quoted"', 'a/:b/:c', 'DELETE', 'plsql/block',
    'begin delete from t where b = :b; :status_code := 204; end;', p_mimes_allowed => 'application/json,text/csv');
  ords.define_template('it''s "quoted"', 'z');
  ords.define_template('it''s "quoted"', 'a');
  ords.define_module('b', '/b/');
  ords.define_module('B', '/B/');
  ords.create_role('role with spaces');
  ords.create_role('ROLE');
  ords.create_role('unused''');
  l_roles(1) := 'role with spaces'; l_roles(2) := 'ROLE';
  l_patterns(1) := '/b/*'; l_patterns(2) := '/Ünïcode/π/a/*'; l_patterns(3) := '/b/x/';
  l_modules(1) := 'b'; l_modules(2) := 'it''s "quoted"';
  ords.define_privilege('p.all', l_roles, l_patterns, l_modules, 'La''bel', 'Line' || chr(10) || 'two', '--');
  ords.define_privilege('p.none', l_none, l_none, l_none);
  ords.define_privilege('p.clients', l_none, l_patterns, l_none);
  gatepost.allow_public('/open/:id', 'GET,POST');
  gatepost.allow_public('/o''pen/*', 'DELETE');
  oauth.create_client(p_name => 'c''1', p_grant_type => 'client_credentials', p_owner => 'O''Hara & Söhne',
    p_description => 'end;' || chr(10) || '/', p_privilege_names => 'p.clients,p.all', p_token_duration => 60);
  oauth.grant_client_role('c''1', 'ROLE');
  oauth.grant_client_role('c''1', 'role with spaces');
  oauth.create_client(p_name => 'web', p_grant_type => 'authorization_code', p_description => 'd',
    p_redirect_uri => 'https://app.example/cb?x=''1''', p_origins_allowed => 'https://app.example',
    p_support_email => 'a@b.example', p_support_uri => 'https://s.example', p_refresh_duration => 600,
    p_code_duration => 30, p_privilege_names => '');
  gatepost.set_client_status('web', 'DISABLED');
end;
/
"#;

#[test]
fn a_nasty_catalog_comes_back_byte_for_byte() {
    let shop = Shop::new("export-nasty");
    shop.script(NASTY).ok();
    let script = shop.export();
    assert_eq!(through_an_empty_server(&script, "shop"), script);
    // It also loads over what it was made from, and changes nothing there.
    let clients = "select client_id, auth_flow, owner, status from user_ords_clients order by name";
    let before = shop.lines(clients);
    finish(&mut shop.command("sql", &[]), &script).ok();
    assert_eq!(shop.export(), script);
    assert_eq!(shop.lines(clients), before);
    // Line ends of Windows mean the same.
    let windows = script.replace('\n', "\r\n");
    assert_eq!(through_an_empty_server(&windows, "shop"), script);
}

#[test]
fn a_schema_that_does_not_exist_is_answered_with_those_that_do() {
    let shop = Shop::new("export-unknown");
    let message = shop.run("export", &["--schema", "shp"]).refused();
    assert!(message.contains("no schema `shp`") && message.contains("shop"), "{message}");
}
