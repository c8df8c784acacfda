//! What is refused, and what its author reads.

use super::host::{Host, developer, options, output};
use crate::script::ScriptOptions;

/// A schema with a module, a role, a privilege and a client.
pub(super) const SHOP: &str = "
declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.define_module('shop.v1', '/shop/');
  ords.define_template('shop.v1', 'orders/:id');
  ords.define_handler(p_module_name => 'shop.v1', p_pattern => 'orders/:id', p_source_type => 'json/item',
    p_source => 'select 1 as id where 1 = :id');
  ords.create_role('shop.reader');
  l_roles(1) := 'shop.reader';
  l_modules(1) := 'shop.v1';
  ords.define_privilege('shop.read', l_roles, l_patterns, l_modules, 'Shop', 'read the shop');
  oauth.create_client(p_name => 'till', p_grant_type => 'client_credentials', p_privilege_names => 'shop.read');
  oauth.grant_client_role('till', 'shop.reader');
end;
/
";

pub(super) fn shop() -> Host {
    let host = Host::hr();
    host.ok(SHOP);
    host
}

#[test]
fn misspelt_names_are_found_before_anything_runs_and_cannot_be_swallowed() {
    let host = shop();
    for (body, wanted) in [
        ("ord.create_role('x');", "there is no package ord"),
        ("ords.defin_module('m', '/m/');", "did you mean `DEFINE_MODULE`?"),
        ("ords.define_module(p_modul_name => 'm', p_base_path => '/m/');", "did you mean `p_module_name`?"),
        ("create_client(p_name => 'x');", "did you mean `oauth.create_client`?"),
        ("gatepost.allow_publik('/x');", "did you mean `ALLOW_PUBLIC`?"),
        ("ords.define_module('m');", "argument p_base_path is missing"),
        ("ords.create_role('a', 'b');", "too many arguments, at most 1"),
        ("ords.create_role('a', p_role_name => 'b');", "p_role_name is given twice"),
        ("ords.enable_schema(p_enabled => 'yes');", "p_enabled must be TRUE or FALSE, not a text"),
        ("ords.define_module('m', '/m/', p_items_per_page => 'many');", "p_items_per_page must be a number"),
        ("ords.define_privilege('p', 'shop.reader');", "p_roles must be an array (OWA.VC_ARR), not a text"),
    ] {
        let rendered = host.refused_block(body);
        assert!(rendered.contains(wanted), "{body}\n{rendered}");
        let swallowed = format!("begin {body} exception when others then null; end;");
        assert!(host.refused_block(&swallowed).contains(wanted), "{swallowed}");
    }
}

#[test]
fn refusal_points_at_the_argument() {
    let host = shop();
    let script = "begin\n  oauth.create_client(\n    p_name => 'x',\n    p_grant_type => 'client_credentials',\n    \
                  p_privilege_names => 'shop.raed');\nend;\n/\n";
    let rendered = host.refused(script);
    let wanted = "privilege `shop.raed` does not exist\nline 5, column 5:\n      p_privilege_names => 'shop.raed');\n      \
                  ^\ndid you mean `shop.read`?\n";
    assert!(rendered.ends_with(wanted), "{rendered}");
}

#[test]
fn broken_rules_of_definitions() {
    let host = shop();
    let long = "x".repeat(4001);
    let long_comment = format!("ords.define_module('m', '/m/', p_comments => '{long}');");
    for (body, wanted) in [
        ("ords.define_module('m', '/oauth/');", "belongs to Gatepost"),
        ("ords.define_module('other', 'shop');", "base path `/shop/` is used by module `shop.v1`"),
        ("ords.define_module('m', '/m/', -1);", "-1 is not a possible count"),
        ("ords.define_module('m', '/m/', 2.5);", "not a whole number"),
        ("ords.define_module('m', '/m/', p_status => 'DRAFT');", "PUBLISHED, NOT_PUBLISHED"),
        (long_comment.as_str(), "at most 4000"),
        ("ords.define_module('', '/m/');", "p_module_name: a value is needed"),
        ("ords.define_template('shop.v2', 'x');", "did you mean `shop.v1`?"),
        ("ords.define_template('shop.v1', 'x', 10);", "not between 0 and 9"),
        ("ords.define_template('shop.v1', 'x', 0, 'QUERY');", "needs a query"),
        ("ords.define_template('shop.v1', 'x', 0, 'WEAK');", "HASH, QUERY, NONE"),
        (
            "ords.define_handler('shop.v1', 'orders/:ids', p_source => 'select 1');",
            "did you mean `orders/:id`?",
        ),
        ("ords.define_handler('shop.v1', 'orders/:id', 'PULL', p_source => 'select 1');", "GET, POST, PUT"),
        ("ords.define_handler('shop.v1', 'orders/:id', p_source => '');", "p_source: a value is needed"),
        (
            "ords.define_handler('shop.v1', 'orders/:id', p_source_type => 'x', p_source => 'y');",
            "not one of",
        ),
        (
            "ords.define_handler('shop.v1', 'orders/:id', p_source => 'x', p_mle_env_name => 'e');",
            "inside Oracle only",
        ),
        ("ords.define_parameter('shop.v1', 'orders/:id', 'PUT', 'x');", "handler `PUT` does not exist"),
        ("ords.define_parameter('shop.v1', 'orders/:id', 'GET', 'Authorization');", "carries credentials"),
        ("ords.set_module_origins_allowed('shop.v1', 'app.example');", "is not an origin"),
        ("gatepost.set_module_reads('shop.v1', 'STANDBY');", "`STANDBY` is not one of REPLICA, PRIMARY"),
        ("gatepost.set_module_reads('shop.v1', null);", "a value is needed"),
        ("gatepost.set_module_reads('shop.v9', 'PRIMARY');", "did you mean `shop.v1`?"),
        ("ords.create_service('shop.v1', '/x/', 'y', p_source => 'select 1');", "exists already"),
        ("ords.delete_template('shop.v1', 'x');", "template `x` does not exist"),
        ("ords.delete_handler('shop.v1', 'orders/:id', 'POST');", "handler `POST` does not exist"),
        ("ords.rename_module('shop.v1', p_new_base_path => '/_/');", "belongs to Gatepost"),
        ("ords.set_module_privilege('shop.v1', 'shop.wread');", "did you mean `shop.read`?"),
    ] {
        let rendered = host.refused_block(body);
        assert!(rendered.contains(wanted), "{body}\n{rendered}");
    }
}

#[test]
fn broken_rules_of_locks_and_clients() {
    let host = shop();
    for (body, wanted) in [
        ("ords.delete_role('nobody');", "role `nobody` does not exist"),
        ("ords.rename_role('shop.reader', '');", "p_new_name: a value is needed"),
        ("ords.delete_privilege('shop.raed');", "did you mean `shop.read`?"),
        ("ords.create_privilege('shop.read', 'shop.reader');", "exists already"),
        ("ords.create_privilege('two words', 'shop.reader');", "OAuth scope"),
        ("ords.create_privilege_mapping('shop.read', 'shop/*');", "slash"),
        ("ords.delete_privilege_mapping('shop.read', '/shop/*');", "pattern `/shop/*` does not exist"),
        ("gatepost.allow_public('demo');", "slash"),
        ("gatepost.allow_public('/demo/*', 'GET,HAED');", "p_methods"),
        ("gatepost.allow_public('/demo/*', ' , ');", "name at least one method"),
        ("gatepost.deny_public('/demo/*');", "does not exist"),
        ("gatepost.set_client_status('till', 'OFF');", "ENABLED, DISABLED"),
        ("oauth.create_client('till', 'client_credentials');", "client `till` exists already"),
        ("oauth.create_client('x', 'password');", "client_credentials, authorization_code, implicit"),
        ("oauth.create_client('x', 'implicit');", "p_description: needed for grant type implicit"),
        (
            "oauth.create_client('x', 'authorization_code', p_description => 'd');",
            "p_redirect_uri: needed for grant type authorization_code",
        ),
        (
            "oauth.create_client('x', 'authorization_code', p_description => 'd', p_redirect_uri => 'http://a.example/');",
            "for localhost only",
        ),
        (
            "oauth.create_client('x', 'authorization_code', p_description => 'd', p_redirect_uri => 'https://a/#f');",
            "fragment",
        ),
        ("oauth.create_client('x', 'client_credentials', p_code_duration => 60);", "only for grant type"),
        ("oauth.create_client('x', 'client_credentials', p_token_duration => 0);", "0 seconds"),
        ("oauth.grant_client_role('til', 'shop.reader');", "did you mean `till`?"),
        ("oauth.grant_client_role('till', 'shop.raeder');", "did you mean `shop.reader`?"),
        ("oauth.grant_client_role('till', 'nobody');", "ORDS.CREATE_ROLE"),
        ("oauth.rename_client('till', p_new_name => '');", "a value is needed"),
        ("oauth.update_client_secret('till', 'too short');", "at least 20 characters"),
        ("oauth.import_client('x', 'has:colon', 'client_credentials');", "colon"),
        ("ords_security.revoke_client_role('till', 'nobody');", "does not exist"),
        ("ords_security.delete_client(ords_types.oauth_client_key(p_name => 'nobody'));", "does not exist"),
        ("ords_security.revoke_client_secret('till', 'not the secret of it');", "has no such secret"),
    ] {
        let rendered = host.refused_block(body);
        assert!(rendered.contains(wanted), "{body}\n{rendered}");
    }
}

#[test]
fn secrets_that_nobody_would_see_are_refused() {
    let host = shop();
    for body in [
        "ords_security.rotate_client_secret(p_name => 'till');",
        "ords_security.register_client('x', 'client_credentials', \
         p_client_secret => ords_types.oauth_client_secret());",
    ] {
        let rendered = host.refused_block(body);
        assert!(
            rendered.contains("assign its result") || rendered.contains("nobody would see"),
            "{rendered}"
        );
    }
}

#[test]
fn what_is_not_built_says_so() {
    let host = shop();
    for body in [
        "ords.enable_object(p_object => 'EMP');",
        "ords.set_property('restEnabledSql.active', 'true');",
        "ords.unset_property('restEnabledSql.active');",
        "ords.drop_rest_for_object('EMP');",
        "ords.set_session_defaults('HR');",
        "ords.enable_schema(p_url_mapping_type => 'BASE_URL', p_url_mapping_pattern => 'http://x/');",
        "oauth.update_logo('till', 'image/png', 'x');",
        "oauth.modify_approval_status('APPROVED', 'a', 'b', 1);",
        "oauth.create_jwt_profile('i', 'a', 'https://k.example/');",
        "oauth.delete_jwt_profile;",
        "ords_security.create_jwt_profile('i', 'a', 'https://k.example/');",
        "ords_security.delete_jwt_profile;",
        "ords_security.update_client_logo('till', 'image/png', 'x');",
        "ords_security_admin.rotate_security_keys('hr');",
        "ords_security_admin.rotate_all_security_keys('hr');",
        "declare c varchar2(9); begin c := ords_security.verify_client('x'); end;",
    ] {
        let rendered = host.refused_block(body);
        assert!(rendered.contains("not available yet"), "{body}\n{rendered}");
    }
}

#[test]
fn schemas_are_for_administrators() {
    let host = shop();
    let dev = developer();
    for body in [
        "ords.enable_schema(p_schema => 'SALES');",
        "ords.drop_rest_for_schema('SALES');",
        "ords_admin.create_role('hr', 'x');",
        "oauth_admin.delete_client('hr', 'till');",
        "ords_security_admin.delete_client('hr', 'till');",
    ] {
        let rendered = host.refused_with(&format!("begin {body} end;"), &dev);
        assert!(rendered.contains("administrators"), "{body}\n{rendered}");
    }
    let unknown = ScriptOptions { schema: Some("sales".into()), ..dev };
    let rendered = host.refused_with("begin ords.enable_schema; end;", &unknown);
    assert!(rendered.contains("an administrator enables it first"), "{rendered}");
}

#[test]
fn alias_of_another_schema_is_refused() {
    let host = shop();
    let rendered =
        host.refused_block("ords.enable_schema(p_schema => 'SALES', p_url_mapping_pattern => 'hr');");
    assert!(rendered.contains("the URL mapping `hr` is used by schema `hr`"), "{rendered}");
    let caught = "begin begin ords.enable_schema(p_schema => 'SALES', p_url_mapping_pattern => 'hr');
                  exception when others then dbms_output.put_line(sqlcode); end; end;";
    assert_eq!(output(&host.ok(caught)), ["-20049"]);
}

#[test]
fn script_without_schema_says_what_to_do() {
    let host = shop();
    let nowhere = ScriptOptions { schema: None, ..options() };
    for script in ["begin ords.create_role('x'); end;", "begin ords.enable_schema; end;", "select 1"] {
        assert!(host.refused_with(script, &nowhere).contains("--schema NAME"), "{script}");
    }
    let misspelt = ScriptOptions { schema: Some("hrr".into()), ..options() };
    assert!(host.refused_with("begin ords.create_role('x'); end;", &misspelt).contains("schema `hrr`"));
}

#[test]
fn public_entry_never_comes_to_light_by_the_way() {
    let host = shop();
    host.block("gatepost.allow_public('/shop/*');");
    for body in [
        "ords.delete_privilege('shop.read');",
        "ords.delete_module('shop.v1');",
        "ords.rename_module('shop.v1', p_new_base_path => '/store/');",
        "declare r owa.vc_arr; begin r(1) := 'shop.reader'; ords.define_privilege('shop.read', r); end;",
    ] {
        let rendered = host.refused_block(body);
        assert!(rendered.contains("would come to light"), "{body}\n{rendered}");
    }
    host.block("gatepost.deny_public('/shop/*'); ords.delete_privilege('shop.read');");
}

#[test]
fn a_locked_module_is_not_moved_into_the_open() {
    let host = shop();
    let module = "ords.define_module('pay', '/pay/'); ords.define_template('pay', 'all/'); \
                  ords.define_handler('pay', 'all/', 'GET', 'json/collection', 'select 1 as x');";
    host.block(&format!(
        "declare r owa.vc_arr; p owa.vc_arr; begin r(1) := 'shop.reader'; p(1) := '/pay/*'; {module} \
         ords.define_privilege('pay.read', r, p); gatepost.allow_public('/demo/*'); end;"
    ));
    let moved = module.replace("'/pay/'", "'/demo/pay/'");
    for body in ["ords.rename_module('pay', p_new_base_path => '/demo/pay/');", &moved] {
        let rendered = host.refused_block(body);
        assert!(rendered.contains("would be open to everybody below /demo/pay/"), "{body}\n{rendered}");
    }
    host.block(
        "gatepost.deny_public('/demo/*'); ords.rename_module('pay', p_new_base_path => '/demo/pay/');",
    );
}

#[test]
fn deleted_role_does_not_widen_a_privilege() {
    let host = shop();
    let rendered = host.refused_block("ords.delete_role('shop.reader');");
    assert!(rendered.contains("every client that lists `shop.read` would be admitted"), "{rendered}");
    host.block("ords.delete_role('shop.reader'); ords.delete_privilege('shop.read');");
    assert!(host.client("till").roles.is_empty());
    assert!(host.client("till").privileges.is_empty());
}

#[test]
fn failed_block_takes_no_effect_and_ends_the_script() {
    let host = shop();
    let script = "begin ords.create_role('one'); end;\n/\nbegin ords.create_role('two'); \
                  ords.delete_role('nobody'); end;\n/\nbegin ords.create_role('three'); end;\n/\n";
    let (result, _) = host.script(script);
    let failure = result.unwrap_err();
    assert_eq!(failure.diagnostic.position.line, 3);
    let names = host.rows("select name from user_ords_roles order by id");
    assert_eq!(names, [["shop.reader"], ["one"]]);
}
