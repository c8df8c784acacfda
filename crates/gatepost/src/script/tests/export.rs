//! Export and load again.

use gatepost_store::catalog::Catalog;

use super::host::{Host, options};
use super::refusals::shop;
use super::sources::intranet;
use crate::script::{ScriptOptions, export};

fn exported(host: &Host) -> String {
    export(&host.current(), &host.schema())
}

/// Loads an export on an empty server.
fn loaded(script: &str) -> Host {
    let host = Host::empty();
    let nowhere = ScriptOptions { schema: None, ..options() };
    let (result, _) = host.script_with(script, &nowhere);
    if let Err(failure) = result {
        panic!("{failure}\n{script}");
    }
    host
}

/// Puts nasty texts into every field that takes any text.
fn nasty() -> Host {
    let host = shop();
    let text = "it''s' || chr(13) || '\n/' || chr(13) || '\n'' || '' &amp; &x; \\ {é😀}\t''quoted''\n/\n.\nend;\n/\n-- x /* y";
    host.ok(&format!(
        "declare r owa.vc_arr; p owa.vc_arr; m owa.vc_arr; begin
           ords.enable_schema(true, 'HR', 'BASE_PATH', 'people', true);
           ords.define_module('it''s é', '/é/x/', 0, 'NOT_PUBLISHED', '{text}');
           ords.set_module_origins_allowed('it''s é', 'https://a.example,http://localhost:8000');
           gatepost.set_module_reads('it''s é', 'PRIMARY');
           ords.define_template('it''s é', '.', 9, 'QUERY', '{text}', '{text}');
           ords.define_template('it''s é', 'a/:b,:c');
           ords.define_handler('it''s é', '.', 'POST', 'plsql/block', '{text}', 7, 'a/b,c/d', '{text}');
           ords.define_handler('it''s é', '.', 'GET', 'csv/query', 'select ''''''/'''''' from t');
           ords.define_parameter('it''s é', '.', 'POST', 'X-ORDS-STATUS-CODE', 'status', 'HEADER', 'INT', 'OUT', '{text}');
           ords.define_parameter('it''s é', '.', 'POST', 'un''bound');
           ords.create_role('role''s');
           ords.create_role('unused');
           ords.define_privilege('no.roles', r, p, m, '{label}', '{text}', '{text}');
           r(1) := 'role''s'; r(2) := 'shop.reader'; p(1) := '/é/*'; p(2) := '/x/:id'; m(1) := 'it''s é'; m(2) := 'shop.v1';
           ords.define_privilege('all', r, p, m);
           gatepost.allow_public('/demo/*', 'PUT,GET');
           oauth.create_client('a''b', 'authorization_code', 'o''wner', '{text}', 'https://a.example',
             'https://a.example/cb?x=''y''', 'a@b', 'https://help', 'all,no.roles', 1, 2, 3);
           oauth.grant_client_role('a''b', 'role''s');
           gatepost.set_client_status('a''b', 'DISABLED');
         end;",
        label = "l''abel"
    ));
    host
}

#[test]
fn export_loads_on_an_empty_server_and_exports_the_same() {
    for host in [Host::hr(), shop(), nasty(), intranet()] {
        let first = exported(&host);
        let again = loaded(&first);
        assert_eq!(first, exported(&again));
    }
}

#[test]
fn texts_survive_to_the_byte() {
    let host = nasty();
    let again = loaded(&exported(&host));
    let (before, after) = (host.module("it's é"), again.module("it's é"));
    assert!(before.templates[0].handlers[0].source.contains("\r\n/\r\n"));
    assert_eq!(before.comments, after.comments);
    let sources = |module: &gatepost_rest::definition::Module| {
        module.templates.iter().flat_map(|t| &t.handlers).map(|h| h.source.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sources(&before), sources(&after));
    assert_eq!(host.client("a'b").client_id, again.client("a'b").client_id);
    assert!(!again.client("a'b").enabled && again.client("a'b").secrets.is_empty());
}

#[test]
fn export_loads_on_the_same_server_and_changes_nothing_that_counts() {
    let host = nasty();
    let first = exported(&host);
    let client = host.client("till");
    host.ok(&first);
    assert_eq!(first, exported(&host));
    let again = host.client("till");
    assert_eq!((client.id, &client.secrets, client.generation), (again.id, &again.secrets, again.generation));
}

#[test]
fn export_holds_no_secret_no_id_and_no_date() {
    let host = nasty();
    let text = exported(&host);
    assert!(!text.contains("gp_cs_") && !text.contains("2026"));
    let catalog: Catalog = (*host.current()).clone();
    for id in catalog.modules.keys().chain(catalog.clients.keys()) {
        assert!(!text.contains(&id.to_string()));
    }
}

#[test]
fn export_reads_like_a_script_of_ords() {
    let host = Host::hr();
    host.block("ords.create_role('r');");
    let text = exported(&host);
    let wanted = "declare
  l_roles    owa.vc_arr;
  l_patterns owa.vc_arr;
  l_modules  owa.vc_arr;
begin

  ords.enable_schema(
    p_enabled => true,
    p_schema => 'hr',
    p_url_mapping_type => 'BASE_PATH',
    p_url_mapping_pattern => 'hr',
    p_auto_rest_auth => false);

  ords.create_role(
    p_role_name => 'r');

  commit;
end;
/
";
    assert!(text.ends_with(wanted), "{text}");
}
