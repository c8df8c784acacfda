//! Every call of packages ORDS, OAUTH, `ORDS_SECURITY` and GATEPOST, and what it leaves behind.

use reqwest::StatusCode;

use crate::client::{Credentials, get};
use crate::process::{Shop, eventually_async, eventually_status, unthrottled};
use crate::server::TestServer;

/// Runs steps one after the other: a block's statements, a query, and the rows it must give.
#[track_caller]
fn walk(shop: &Shop, steps: &[(&str, &str, &[&str])]) {
    for (statements, query, wanted) in steps {
        let outcome = shop.script(&format!("begin\n{statements}\nend;\n/\n"));
        assert_eq!(outcome.code, Some(0), "{statements}\n{}", outcome.stderr);
        assert_eq!(shop.lines(query), *wanted, "{statements}\n{query}");
    }
}

const MODULES: &str =
    "select name, uri_prefix, items_per_page, status, comments from user_ords_modules order by name";
const TEMPLATES: &str =
    "select uri_template, priority, etag_type, etag_query, comments from user_ords_templates order by 1";
const HANDLERS: &str =
    "select uri_template, method, source_type, source from user_ords_services order by 1, 2";
const PARAMETERS: &str = "select name, bind_variable_name, source_type, param_type, access_method
                            from user_ords_parameters order by 1";

#[test]
fn modules() {
    let shop = Shop::new("calls-modules");
    walk(
        &shop,
        &[
            ("ords.define_module('m', 'm');", MODULES, &["m,/m/,25,PUBLISHED,"]),
            (
                "ords.define_module(p_module_name => 'm', p_base_path => '/m2/', p_items_per_page => 0, p_status => 'NOT_PUBLISHED', p_comments => 'c');",
                MODULES,
                &["m,/m2/,0,NOT_PUBLISHED,c"],
            ),
            ("ords.publish_module('m');", MODULES, &["m,/m2/,0,PUBLISHED,c"]),
            (
                "ords.publish_module(p_module_name => 'm', p_status => 'NOT_PUBLISHED');",
                MODULES,
                &["m,/m2/,0,NOT_PUBLISHED,c"],
            ),
            ("ords.rename_module('m', 'n');", MODULES, &["n,/m2/,0,NOT_PUBLISHED,c"]),
            (
                "ords.rename_module(p_module_name => 'n', p_new_name => 'm', p_new_base_path => '/m/');",
                MODULES,
                &["m,/m/,0,NOT_PUBLISHED,c"],
            ),
            (
                "ords.rename_module('m', null, '/q/'); ords.rename_module('m', p_base_path => '/m/');",
                MODULES,
                &["m,/m/,0,NOT_PUBLISHED,c"],
            ),
            (
                "ords.set_module_origins_allowed('m', 'https://a.example,https://b.example');",
                "select origins_allowed from user_ords_modules",
                &["\"https://a.example,https://b.example\""],
            ),
            (
                "ords.set_module_origins_allowed('m', '');",
                "select origins_allowed from user_ords_modules",
                &[""],
            ),
        ],
    );
}

#[test]
fn templates_handlers_and_parameters() {
    let shop = Shop::new("calls-resources");
    walk(
        &shop,
        &[
            ("ords.define_module('m', '/m/');", MODULES, &["m,/m/,25,PUBLISHED,"]),
            ("ords.define_template('m', 'a/:id');", TEMPLATES, &["a/:id,0,HASH,,"]),
            (
                "ords.define_template('m', 'b', 5, 'QUERY', 'select 1', 'two');",
                TEMPLATES,
                &["a/:id,0,HASH,,", "b,5,QUERY,select 1,two"],
            ),
            (
                "ords.define_handler('m', 'a/:id', p_source => 'select 1 as a');",
                HANDLERS,
                &["a/:id,GET,json/collection,select 1 as a"],
            ),
            (
                "ords.define_handler('m', 'a/:id', 'DELETE', ords.source_type_plsql, 'begin null; end;', p_items_per_page => 3, p_mimes_allowed => 'text/csv', p_comments => 'c');",
                "select method, items_per_page, mimes_allowed, comments from user_ords_handlers order by 1",
                &["DELETE,3,text/csv,c", "GET,,,"],
            ),
            ("ords.define_parameter('m', 'a/:id', 'GET', 'X-A');", PARAMETERS, &["X-A,,HEADER,STRING,IN"]),
            (
                "ords.define_parameter('m', 'a/:id', 'GET', 'X-A', 'xa', 'HEADER', 'INT', 'IN', 'c'); ords.define_parameter('m', 'a/:id', 'GET', 'id', 'id', 'URI', 'INT');",
                PARAMETERS,
                &["X-A,xa,HEADER,INT,IN", "id,id,URI,INT,IN"],
            ),
            // Defining again replaces with all children.
            ("ords.define_handler('m', 'a/:id', p_source => 'select 2 as a');", PARAMETERS, &[]),
            (
                "null;",
                HANDLERS,
                &["a/:id,DELETE,plsql/block,begin null; end;", "a/:id,GET,json/collection,select 2 as a"],
            ),
            ("ords.define_template('m', 'a/:id', 1);", HANDLERS, &[]),
            ("null;", TEMPLATES, &["a/:id,1,HASH,,", "b,5,QUERY,select 1,two"]),
            ("ords.define_module('m', '/m/');", TEMPLATES, &[]),
            (
                "ords.define_service(p_module_name => 's', p_base_path => 's', p_pattern => 'x', p_source => 'select 1 as a', p_items_per_page => 5, p_module_comments => 'mc', p_template_comments => 'tc', p_handler_comments => 'hc');",
                HANDLERS,
                &["x,GET,json/collection,select 1 as a"],
            ),
            ("null;", MODULES, &["m,/m/,25,PUBLISHED,", "s,/s/,5,PUBLISHED,mc"]),
            (
                "null;",
                "select t.comments, h.comments from user_ords_templates t join user_ords_handlers h on h.template_id = t.id",
                &["tc,hc"],
            ),
            (
                "ords.define_service('s', 's', 'y', 'POST', 'plsql/block', 'begin null; end;');",
                HANDLERS,
                &["y,POST,plsql/block,begin null; end;"],
            ),
            (
                "ords.create_service(p_module_name => 't', p_base_path => 't', p_pattern => 'z', p_source => 'select 1 as a');",
                "select count(*) from user_ords_services",
                &["2"],
            ),
            (
                "ords.delete_handler('s', 'y', 'POST');",
                "select module_name from user_ords_services where method is not null",
                &["t"],
            ),
            (
                "ords.define_handler('s', 'y', p_source => 'select 1 as a'); ords.delete_template('s', 'y');",
                HANDLERS,
                &["z,GET,json/collection,select 1 as a"],
            ),
            (
                "ords.delete_module('t'); ords.delete_module('never there');",
                MODULES,
                &["m,/m/,25,PUBLISHED,", "s,/s/,25,PUBLISHED,"],
            ),
        ],
    );
}

#[test]
fn roles_and_privileges() {
    let shop = Shop::new("calls-privileges");
    let roles = "select name from user_ords_roles order by name";
    let mappings = "select name, pattern from user_ords_privilege_mappings order by 1, 2";
    let whole = "select p.name, p.label, p.description, p.comments,
        (select string_agg(role_name, ',' order by role_name) from user_ords_privilege_roles r where r.privilege_id = p.id) as roles,
        (select string_agg(module_name, ',') from user_ords_privilege_modules m where m.privilege_id = p.id) as modules
        from user_ords_privileges p order by p.name";
    let privilege = |arguments: &str| {
        format!(
            "declare r owa.vc_arr; q owa.vc_arr; m owa.vc_arr; n owa.vc_arr; begin
               r(1) := 'reader'; q(1) := '/m/*'; q(2) := '/n/*'; m(1) := 'm'; ords.define_privilege({arguments}); end;"
        )
    };
    walk(
        &shop,
        &[
            (
                "ords.create_role('reader'); ords.create_role(p_role_name => 'writer'); ords.create_role('reader');",
                roles,
                &["reader", "writer"],
            ),
            ("ords.rename_role('writer', 'author');", roles, &["author", "reader"]),
            ("ords.define_module('m', '/m/');", whole, &[]),
            (&privilege("'p', r, q, m, 'l', 'd', 'c'"), whole, &["p,l,d,c,reader,m"]),
            ("null;", mappings, &["p,/m/*", "p,/n/*"]),
            // Arrays replace what was there, empty ones included.
            (
                &privilege("p_privilege_name => 'p', p_roles => r, p_patterns => n, p_label => 'l2'"),
                whole,
                &["p,l2,,,reader,"],
            ),
            ("null;", mappings, &[]),
            (&privilege("'p', r, 'l3', 'd3'"), whole, &["p,l3,d3,,reader,"]),
            ("ords.create_privilege('old', 'author', 'l');", whole, &["old,l,,,author,", "p,l3,d3,,reader,"]),
            (
                "ords.create_privilege_mapping('old', '/old/*'); ords.create_privilege_mapping(p_privilege_name => 'old', p_pattern => '/old2/*');",
                mappings,
                &["old,/old/*", "old,/old2/*"],
            ),
            (
                "declare q owa.vc_arr; begin q(1) := '/a'; q(2) := '/b'; ords.create_privilege_mapping('old', q); end;",
                mappings,
                &["old,/a", "old,/b", "old,/old/*", "old,/old2/*"],
            ),
            (
                "ords.delete_privilege_mapping('old', '/a'); ords.delete_privilege_mapping('old', '/b');",
                mappings,
                &["old,/old/*", "old,/old2/*"],
            ),
            (
                "ords.rename_privilege('old', 'new');",
                "select name from user_ords_privileges order by 1",
                &["new", "p"],
            ),
            (
                "ords.set_module_privilege('m', 'p');",
                "select privilege_name, module_name from user_ords_privilege_modules",
                &["p,m"],
            ),
            (
                "ords.set_module_privilege('m', 'new');",
                "select privilege_name, module_name from user_ords_privilege_modules",
                &["new,m"],
            ),
            ("ords.delete_privilege('new');", "select name from user_ords_privileges", &["p"]),
            ("ords.delete_role('author');", roles, &["reader"]),
            (
                "declare v varchar2(99); begin v := ords.installed_version; dbms_output.put_line(v); end;",
                roles,
                &["reader"],
            ),
        ],
    );
}

#[test]
fn schemas() {
    let shop = Shop::new("calls-schemas");
    let schema = "select parsing_schema, pattern, status, auto_rest_auth from user_ords_schemas";
    walk(
        &shop,
        &[
            ("ords.enable_schema;", schema, &["SHOP,shop,ENABLED,DISABLED"]),
            (
                "ords.enable_schema(p_enabled => true, p_schema => 'SHOP', p_url_mapping_type => 'BASE_PATH', p_url_mapping_pattern => 'store', p_auto_rest_auth => true);",
                schema,
                &["SHOP,store,ENABLED,ENABLED"],
            ),
            ("ords.set_url_mapping('SHOP', 'BASE_PATH', 'shop');", schema, &["SHOP,shop,ENABLED,ENABLED"]),
            ("ords.enable_schema(p_enabled => false);", schema, &["SHOP,shop,DISABLED,ENABLED"]),
            ("ords_admin.enable_schema(p_schema => 'shop');", schema, &["SHOP,shop,ENABLED,ENABLED"]),
            (
                "ords_admin.create_role('shop', 'r'); ords_admin.define_module(p_schema => 'SHOP', p_module_name => 'm', p_base_path => 'm');",
                "select (select count(*) from user_ords_roles), (select count(*) from user_ords_modules)",
                &["1,1"],
            ),
            (
                "gatepost.allow_public('/m/*'); oauth.create_client('c', 'client_credentials'); ords.drop_rest_for_schema('SHOP');",
                "select (select count(*) from user_ords_roles), (select count(*) from user_ords_modules), (select count(*) from user_ords_clients), (select count(*) from user_ords_public)",
                &["0,0,0,0"],
            ),
            ("ords.enable_schema(p_url_mapping_pattern => 'shop');", schema, &["SHOP,shop,ENABLED,ENABLED"]),
        ],
    );
}

#[test]
fn public_entries() {
    let shop = Shop::new("calls-public");
    let entries = "select pattern, methods from user_ords_public order by 1";
    walk(
        &shop,
        &[
            ("gatepost.allow_public('/a/*');", entries, &["/a/*,GET"]),
            (
                "gatepost.allow_public(p_pattern => '/a/*', p_methods => 'POST, GET');",
                entries,
                &["/a/*,\"GET,POST\""],
            ),
            ("gatepost.deny_public('/a/*', 'POST');", entries, &["/a/*,GET"]),
            ("gatepost.allow_public('/b'); gatepost.deny_public('/a/*');", entries, &["/b,GET"]),
        ],
    );
}

/// A role, privileges and a locked module.
const LOCKED: &str = "
declare r owa.vc_arr; q owa.vc_arr; m owa.vc_arr; begin
  ords.define_service(p_module_name => 'm', p_base_path => '/m/', p_pattern => 'x', p_source => 'select 1 as one');
  ords.create_role('reader');
  r(1) := 'reader'; m(1) := 'm';
  ords.define_privilege('m.read', r, q, m);
  ords.define_privilege('other', r, q, q);
end;
/
";

#[test]
fn clients_in_the_older_spelling() {
    let shop = Shop::new("calls-oauth");
    shop.script(LOCKED).ok();
    let client = "select name, auth_flow, owner, description, redirect_uri, support_email, support_uri, origins_allowed,
                         token_duration, refresh_duration, code_duration from user_ords_clients order by name";
    let privileges = "select client_name, name from user_ords_client_privileges order by 1, 2";
    let roles = "select client_name, role_name from user_ords_client_roles order by 1, 2";
    walk(
        &shop,
        &[
            (
                "oauth.create_client(p_name => 'c', p_grant_type => 'client_credentials', p_owner => 'o', p_description => 'd',
                   p_origins_allowed => 'https://a.example', p_support_email => 'a@b.c', p_support_uri => 'https://s.example',
                   p_privilege_names => 'm.read,other', p_token_duration => 60);",
                client,
                &["c,CLIENT_CRED,o,d,,a@b.c,https://s.example,https://a.example,60,,"],
            ),
            ("null;", privileges, &["c,m.read", "c,other"]),
            (
                "oauth.create_client('w', 'authorization_code', p_description => 'd', p_redirect_uri => 'https://a.example/cb',
                   p_privilege_names => '', p_refresh_duration => 3600, p_code_duration => 60, p_token_endpoint_auth_method => 'client_secret_post');
                 oauth.create_client('i', 'implicit', p_description => 'd', p_redirect_uri => 'https://a.example/cb', p_privilege_names => '');",
                "select name, auth_flow from user_ords_clients order by name",
                &["c,CLIENT_CRED", "i,IMPLICIT", "w,AUTH_CODE"],
            ),
            ("oauth.delete_client('i'); oauth.delete_client(p_name => 'w');", "select name from user_ords_clients", &["c"]),
            (
                "oauth.update_client(p_name => 'c', p_description => 'd2', p_origins_allowed => '', p_redirect_uri => null,
                   p_support_email => 'x@y.z', p_suppor_uri => 'https://t.example', p_privilege_names => 'other');",
                client,
                &["c,CLIENT_CRED,o,d2,,x@y.z,https://t.example,,60,,"],
            ),
            ("null;", privileges, &["c,other"]),
            ("oauth.rename_client('c', 'd');", "select name from user_ords_clients", &["d"]),
            ("oauth.grant_client_role('d', 'reader'); oauth.grant_client_role(p_client_name => 'd', p_role_name => 'reader');", roles, &["d,reader"]),
            ("oauth.revoke_client_role('d', 'reader');", roles, &[]),
            ("oauth.import_client('imported', 'known-id..', 'client_credentials', p_privilege_names => 'm.read');", "select client_id, substr(client_secret, 1, 6) from user_ords_clients where name = 'imported'", &["known-id..,gp_cs_"]),
            ("oauth_admin.create_client(p_schema => 'shop', p_name => 'adm', p_grant_type => 'client_credentials'); oauth_admin.delete_client('shop', 'adm');", "select count(*) from user_ords_clients", &["2"]),
            ("gatepost.set_client_owner('d', 'o2'); gatepost.set_client_status('d', 'DISABLED');", "select owner, status from user_ords_clients where name = 'd'", &["o2,DISABLED"]),
            ("gatepost.set_client_status('d', 'enabled'); gatepost.revoke_client_tokens('d');", "select owner, status from user_ords_clients where name = 'd'", &["o2,ENABLED"]),
        ],
    );
    let secret = |shop: &Shop| shop.lines("select client_secret from user_ords_clients where name = 'd'");
    let before = secret(&shop);
    shop.script("begin oauth.rotate_client_secret('d'); end;").ok();
    let rotated = secret(&shop);
    assert!(rotated != before && rotated[0].starts_with("gp_cs_"), "{rotated:?}");
    shop.script("begin oauth.update_client_secret('d', 'a chosen secret of twenty'); end;").ok();
    assert_eq!(secret(&shop), ["********"]);
}

#[test]
fn clients_in_the_newer_spelling() {
    let shop = Shop::new("calls-security");
    shop.script(LOCKED).ok();
    let client = "select name, description, support_email, support_uri, origins_allowed, token_duration,
                         (select string_agg(name, ',') from user_ords_client_privileges p where p.client_id = c.id) as privileges
                    from user_ords_clients c order by name";
    let roles = "select client_name, role_name from user_ords_client_roles order by 1, 2";
    let key = "declare k ords_types.t_client_key := ords_types.oauth_client_key(p_name => 'c'); begin";
    walk(
        &shop,
        &[
            (
                "ords_security.register_client(p_name => 'c', p_grant_type => 'client_credentials', p_privilege_names => 'm.read', p_token_duration => 60);",
                client,
                &["c,,,,,60,m.read"],
            ),
            (
                "ords_security.update_client(p_name => 'c', p_description => 'd', p_privilege_names => 'other', p_origins_allowed => 'https://a.example', p_redirect_uri => null, p_support_email => 'a@b.c', p_support_uri => 'https://s.example', p_token_duration => 61, p_refresh_duration => null, p_code_duration => null);",
                client,
                &["c,d,a@b.c,https://s.example,https://a.example,61,other"],
            ),
            (
                &format!(
                    "{key} ords_security.update_client(p_client_key => k, p_new_name => 'c2', p_description => 'd2', p_origins_allowed => '', p_redirect_uri => null, p_support_email => null, p_support_uri => null); end;"
                ),
                "select name, description, support_email from user_ords_clients",
                &["c2,d2,"],
            ),
            ("ords_security.rename_client('c2', 'c');", "select name from user_ords_clients", &["c"]),
            (
                &format!(
                    "{key} ords_security.rename_client(k, 'e'); end; ords_security.rename_client(p_name => 'e', p_new_name => 'c');"
                ),
                "select name from user_ords_clients",
                &["c"],
            ),
            (
                "ords_security.update_client_privileges('c', 'm.read');",
                "select name from user_ords_client_privileges",
                &["m.read"],
            ),
            (
                &format!("{key} ords_security.update_client_privileges(k, 'other,m.read'); end;"),
                "select name from user_ords_client_privileges order by 1",
                &["m.read", "other"],
            ),
            (
                "ords_security.update_client_token_duration('c', 120, null, null);",
                "select token_duration from user_ords_clients",
                &["120"],
            ),
            (
                &format!(
                    "{key} ords_security.update_client_token_duration(p_client_key => k, p_token_duration => 90, p_refresh_duration => null, p_code_duration => null); end;"
                ),
                "select token_duration from user_ords_clients",
                &["90"],
            ),
            ("ords_security.grant_client_role('c', 'reader');", roles, &["c,reader"]),
            (&format!("{key} ords_security.revoke_client_role(k, 'reader'); end;"), roles, &[]),
            (
                &format!(
                    "{key} ords_security.grant_client_role(p_client_key => k, p_role_name => 'reader'); end;"
                ),
                roles,
                &["c,reader"],
            ),
            ("ords_security.revoke_client_role(p_client_name => 'c', p_role_name => 'reader');", roles, &[]),
            (
                "declare k ords_types.t_client_key; begin k := ords_security.import_client('imp', 'client_credentials', p_client_id => 'their-id'); dbms_output.put_line(k.client_id || k.name || k.id); end;",
                "select client_id from user_ords_clients where name = 'imp'",
                &["their-id"],
            ),
            (
                "ords_security.import_client(p_name => 'imp2', p_grant_type => 'client_credentials'); ords_security.delete_client('imp2'); ords_security.delete_client(ords_types.oauth_client_key(p_client_id => 'their-id'));",
                "select name from user_ords_clients",
                &["c"],
            ),
            (
                "ords_security_admin.register_client(p_schema => 'shop', p_name => 'adm', p_grant_type => 'client_credentials'); ords_security_admin.delete_client(p_schema => 'shop', p_name => 'adm');",
                "select name from user_ords_clients",
                &["c"],
            ),
        ],
    );
}

#[test]
fn what_does_not_exist_yet_is_refused_by_its_name() {
    let shop = Shop::new("calls-later");
    shop.script("begin oauth.create_client('c', 'client_credentials'); end;").ok();
    for call in [
        "ords.enable_object(p_object => 'EMP');",
        "ords.drop_rest_for_object('EMP');",
        "ords.set_property('a', 'b');",
        "ords.unset_property('a');",
        "oauth.update_logo('c', 'image/png', 'x');",
        "oauth.modify_approval_status('a', 'b', 'c', 1);",
        "oauth.create_jwt_profile('i', 'a', 'https://x.example/jwks');",
        "oauth.delete_jwt_profile;",
        "ords_security.update_client_logo('c', 'image/png', 'x');",
        "declare v varchar2(9); begin v := ords_security.verify_client('c'); end;",
        "ords_security.create_jwt_profile('i', 'a', 'https://x.example/jwks');",
        "ords_security.delete_jwt_profile();",
        "ords_security_admin.rotate_security_keys('shop');",
        "ords.enable_schema(p_url_mapping_type => 'BASE_URL');",
    ] {
        let message = shop.script(&format!("begin {call} end;")).refused();
        assert!(message.contains("not available") || message.contains("later release"), "{call}\n{message}");
        assert!(message.contains("line 1, column "), "{message}");
    }
}

/// The lines that a block wrote.
fn written(shop: &Shop, block: &str) -> Vec<String> {
    let printed = shop.script(block).ok();
    printed.lines().take_while(|line| !line.starts_with("block at line")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_two_slots_rotate_and_go_on_the_wire() {
    let shop = Shop::new("calls-secrets");
    shop.script(LOCKED).ok();
    let made = written(
        &shop,
        "declare c ords_types.t_client_credentials; begin
           c := ords_security.register_client('c', 'client_credentials', p_privilege_names => 'm.read',
                  p_client_secret => ords_types.oauth_client_secret());
           ords_security.grant_client_role('c', 'reader');
           dbms_output.put_line(c.client_key.client_id); dbms_output.put_line(c.client_secret.secret);
           dbms_output.put_line(c.client_secret.slot);
         end;",
    );
    assert_eq!(made[2], "1");
    let mut serve = shop.command("serve", &["--listen", "127.0.0.1:0"]);
    unthrottled(&mut serve);
    let server = TestServer::spawn(shop.0.path(), serve);
    let with = |secret: &str| Credentials { id: made[0].clone(), secret: secret.to_owned() };
    let works = async |secret: &str| with(secret).request(&server, "shop", &[]).await.0 == StatusCode::OK;
    let until = async |secret: &str, wanted: bool| {
        eventually_async("the secret is taken, or refused", async || works(secret).await == wanted).await;
    };
    let first = made[1].clone();
    let token = with(&first).token(&server, "shop").await;
    let url = server.url("shop/m/x");
    assert_eq!(get(&url, Some(&token)).await.status(), StatusCode::OK);

    // By name the secret comes back, both are good, and the tokens stay.
    let rotate = "begin dbms_output.put_line(ords_security.rotate_client_secret(p_name => 'c')); end;";
    let second = written(&shop, rotate)[0].clone();
    until(&second, true).await;
    assert!(works(&first).await);
    // A third one takes the place of the oldest.
    let third = written(&shop, rotate)[0].clone();
    until(&third, true).await;
    until(&first, false).await;
    assert!(works(&second).await);
    assert_eq!(get(&url, Some(&token)).await.status(), StatusCode::OK);
    // A chosen one by name, in place of all others, with the end of all tokens.
    let chosen = "chosen by a person, long enough";
    shop.script(&format!("begin ords_security.register_client_secret('c', '{chosen}', true, true); end;"))
        .ok();
    until(chosen, true).await;
    assert!(!works(&second).await && !works(&third).await);
    eventually_status(401, async || get(&url, Some(&token)).await).await;
    // By key with a slot; one revoked by value, the other as the oldest, then both slots.
    let block = |statements: &str| {
        format!(
            "declare k ords_types.t_client_key := ords_types.oauth_client_key(p_name => 'c');
               c ords_types.t_client_credentials; n number; begin {statements} end;"
        )
    };
    let fourth = written(
        &shop,
        &block("c := ords_security.rotate_client_secret(k); dbms_output.put_line(c.client_secret.secret);"),
    )[0]
    .clone();
    until(&fourth, true).await;
    shop.script(&format!("begin ords_security.revoke_client_secret('c', '{chosen}'); end;")).ok();
    until(chosen, false).await;
    assert!(works(&fourth).await);
    shop.script("begin ords_security.revoke_client_secret('c'); end;").ok();
    until(&fourth, false).await;
    let stored = block(
        "c := ords_security.register_client_secret(k, ords_types.oauth_client_secret(p_slot => 2, p_stored => true)); dbms_output.put_line(c.client_secret.slot);",
    );
    assert_eq!(written(&shop, &stored), ["2"]);
    let shown = shop.lines("select client_secret_2 from user_ords_clients");
    until(&shown[0], true).await;
    let gone = block(
        "n := ords_security.revoke_client_secrets(k, ords_types.oauth_client_secret(p_slot => 3)); dbms_output.put_line(n);",
    );
    assert_eq!(written(&shop, &gone), ["2"]);
    until(&shown[0], false).await;
    let none = block("n := ords_security.revoke_client_secrets(k); dbms_output.put_line(nvl(n, -1));");
    assert_eq!(written(&shop, &none), ["-1"]);
}
