//! What each call makes, changes and deletes.

use gatepost_rest::definition::{
    EtagType, Method, ParameterAccess, ParameterSource, ParameterType, ReadsFrom, Role, SourceType,
};

use super::host::{Host, developer, notes, options};
use super::refusals::shop;
use crate::script::{ScriptOptions, package_members};

#[test]
fn defaults_are_those_of_ords() {
    let host = Host::hr();
    host.block(
        "ords.define_module('m', 'a/b');
         ords.define_template('m', '/x/:id');
         ords.define_handler('m', 'x/:id', p_source => 'select 1');
         ords.define_parameter('m', 'x/:id', 'GET', 'If-Match');",
    );
    let module = host.module("m");
    assert_eq!((module.base_path.as_str(), module.items_per_page, module.published), ("/a/b/", 25, true));
    let template = &module.templates[0];
    assert_eq!((template.pattern.as_str(), template.priority), ("x/:id", 0));
    assert_eq!(template.etag_type, EtagType::Hash);
    let handler = &template.handlers[0];
    assert_eq!((handler.method, handler.source_type), (Method::Get, SourceType::CollectionFeed));
    assert_eq!((handler.items_per_page, handler.mimes_allowed.len()), (None, 0));
    let parameter = &handler.parameters[0];
    assert_eq!(
        (parameter.source, parameter.kind, parameter.access),
        (ParameterSource::Header, ParameterType::String, ParameterAccess::In)
    );
    assert_eq!(parameter.bind_variable_name, None);
}

#[test]
fn what_is_defined_again_keeps_its_id_and_loses_its_children() {
    let host = shop();
    let before = host.module("shop.v1");
    host.block("ords.define_handler('shop.v1', 'orders/:id', p_source => 'select 2');");
    let module = host.module("shop.v1");
    let handler = &module.templates[0].handlers[0];
    assert_eq!(handler.id, before.templates[0].handlers[0].id);
    assert_eq!(handler.source, "select 2");

    host.block("ords.define_template('shop.v1', 'orders/:id', 3, 'NONE', p_comments => 'c');");
    let module = host.module("shop.v1");
    assert_eq!(module.templates[0].id, before.templates[0].id);
    assert!(module.templates[0].handlers.is_empty());

    host.now_ms.set(host.now_ms.get() + 5_000);
    host.block("ords.define_module('shop.v1', '/shop2/', 0, 'NOT_PUBLISHED', 'c');");
    let module = host.module("shop.v1");
    assert_eq!(module.id, before.id);
    assert!(module.templates.is_empty() && !module.published);
    assert_eq!(module.audit.created_on_ms + 5_000, module.audit.updated_on_ms);
    assert_eq!(host.privilege("shop.read").modules, [module.id], "the lock stays on the module");

    host.block("ords.define_template('shop.v1', 'orders/:id');");
    assert!(host.module("shop.v1").templates[0].id > before.templates[0].handlers[0].id);
}

#[test]
fn services_in_one_call() {
    let host = Host::hr();
    host.block(
        "ords.create_service('s', '/s/', 'x', 'POST', 'plsql/block', 'begin null; end;', 5, 'NOT_PUBLISHED',
           'QUERY', 'select 1', 'application/json, text/csv', 'mc', 'tc', 'hc');",
    );
    let before = host.module("s");
    assert_eq!(before.items_per_page, 5);
    assert_eq!(before.comments.as_deref(), Some("mc"));
    let template = &before.templates[0];
    assert_eq!((template.etag_type, template.comments.as_deref()), (EtagType::Query, Some("tc")));
    assert_eq!(template.handlers[0].mimes_allowed, ["application/json", "text/csv"]);
    assert_eq!(template.handlers[0].comments.as_deref(), Some("hc"));
    host.block("ords.define_service(p_module_name => 's', p_base_path => '/s/', p_pattern => 'x', p_source => 'select 1');");
    let after = host.module("s");
    assert_eq!(after.id, before.id);
    assert!(after.templates[0].id > before.templates[0].id);
    assert_eq!(after.templates[0].handlers.len(), 1);
}

#[test]
fn modules_change_without_losing_templates() {
    let host = shop();
    host.block(
        "ords.publish_module('shop.v1', 'NOT_PUBLISHED');
         ords.rename_module('shop.v1', p_new_name => 'shop.v2', p_base_path => '/v2/');
         ords.set_module_origins_allowed('shop.v2', 'https://App.example, http://localhost:8000');",
    );
    let module = host.module("shop.v2");
    assert!(!module.published);
    assert_eq!((module.base_path.as_str(), module.templates.len()), ("/v2/", 1));
    assert_eq!(module.origins_allowed, ["https://app.example", "http://localhost:8000"]);
    host.block("ords.publish_module('shop.v2'); ords.set_module_origins_allowed('shop.v2', '');");
    assert!(host.module("shop.v2").published && host.module("shop.v2").origins_allowed.is_empty());
}

#[test]
fn a_module_reads_from_replicas_unless_it_says_otherwise_and_keeps_that_when_it_is_defined_again() {
    let host = shop();
    let reads_from = || host.module("shop.v1").reads_from;
    assert_eq!(reads_from(), ReadsFrom::Replica);
    host.block("gatepost.set_module_reads('shop.v1', 'primary');");
    assert_eq!((reads_from(), host.module("shop.v1").templates.len()), (ReadsFrom::Primary, 1));
    host.block("ords.define_module('shop.v1', '/v1/');");
    assert_eq!(reads_from(), ReadsFrom::Primary);
    host.block("gatepost.set_module_reads(p_module_name => 'shop.v1', p_from => 'REPLICA');");
    assert_eq!(reads_from(), ReadsFrom::Replica);
    host.block("gatepost.set_module_reads('shop.v1', 'PRIMARY'); ords.delete_module('shop.v1'); ords.define_module('shop.v1', '/v1/');");
    assert_eq!(reads_from(), ReadsFrom::Replica);
}

#[test]
fn deletions() {
    let host = shop();
    host.block("ords.delete_handler('shop.v1', '/orders/:id', 'get');");
    assert!(host.module("shop.v1").templates[0].handlers.is_empty());
    host.block("ords.delete_template('shop.v1', 'orders/:id');");
    assert!(host.module("shop.v1").templates.is_empty());
    host.block("ords.delete_module('shop.v1');");
    assert!(host.current().modules.is_empty() && host.privilege("shop.read").modules.is_empty());
    let events = host.block("ords.delete_module('shop.v1');");
    assert!(notes(&events).contains("nothing to delete"));
}

#[test]
fn parameters_are_replaced_by_name_and_binds_are_unique() {
    let host = shop();
    let define = |rest: &str| format!("ords.define_parameter('shop.v1', 'orders/:id', 'GET', {rest});");
    host.block(&define("'limit', 'lim', 'URI', 'INT'"));
    let first = host.module("shop.v1").templates[0].handlers[0].parameters[0].id;
    host.block(&define("'limit', 'lim2', 'URI', 'LONG', 'IN', 'c'"));
    let parameters = &host.module("shop.v1").templates[0].handlers[0].parameters;
    assert_eq!((parameters.len(), parameters[0].id), (1, first));
    assert_eq!((parameters[0].kind, parameters[0].comments.as_deref()), (ParameterType::Long, Some("c")));
    let rendered = host.refused_block(&define("'other', 'LIM2', 'URI'"));
    assert!(rendered.contains("is taken by parameter `limit`"), "{rendered}");
}

#[test]
fn privileges_in_all_forms() {
    let host = shop();
    host.ok("declare r owa.vc_arr; p owa.vc_arr; begin
           r(1) := 'shop.reader'; p(1) := '/shop/a'; p(7) := '/shop/b'; p(8) := '';
           ords.define_privilege('two', r, p, 'L', 'D', 'C');
           ords.define_privilege('roles', r, 'L');
           ords.create_privilege('older', 'shop.reader', 'L');
           ords.create_privilege('many', r);
           ords.create_privilege_mapping('older', '/old/*');
           ords.create_privilege_mapping('older', p);
           ords.delete_privilege_mapping('older', '/shop/a');
           ords.rename_privilege('many', 'more');
           ords.rename_role('shop.reader', 'reader');
         end;");
    let two = host.privilege("two");
    assert_eq!(two.patterns, ["/shop/a", "/shop/b"]);
    assert_eq!((two.label.as_deref(), two.comments.as_deref()), (Some("L"), Some("C")));
    assert_eq!(host.privilege("roles").label.as_deref(), Some("L"));
    assert_eq!(host.privilege("older").patterns, ["/old/*", "/shop/b"]);
    assert_eq!(host.privilege("more").roles, two.roles);
    assert_eq!(host.rows("select name from user_ords_roles"), [["reader"]]);
    host.ok("declare r owa.vc_arr; begin ords.define_privilege('two', r); end;");
    let again = host.privilege("two");
    assert_eq!(again.id, two.id);
    assert!(again.roles.is_empty() && again.patterns.is_empty() && again.label.is_none());
}

#[test]
fn module_privilege_replaces_the_earlier_one() {
    let host = shop();
    host.block(
        "ords.create_privilege('other', 'shop.reader'); ords.set_module_privilege('shop.v1', 'other');",
    );
    assert!(host.privilege("shop.read").modules.is_empty());
    assert_eq!(host.privilege("other").modules, [host.module("shop.v1").id]);
}

#[test]
fn roles_of_ords_and_gatepost_are_made_when_first_named() {
    let host = shop();
    let events = host.ok("declare r owa.vc_arr; p owa.vc_arr; begin
           r(1) := 'SODA Developer'; r(2) := 'oracle.dbtools.autorest.any.schema'; p(1) := '/soda/*';
           ords.define_privilege('oracle.soda.privilege.developer', r, p);
           oauth.grant_client_role('till', 'gatepost.introspect');
         end;");
    assert!(notes(&events).contains("role `SODA Developer` is built into ORDS"));
    assert_eq!(host.privilege("oracle.soda.privilege.developer").roles.len(), 2);
    let catalog = host.current();
    let introspect = catalog.roles.values().find(|role| role.name == Role::INTROSPECT).unwrap();
    assert!(host.client("till").roles.contains(&introspect.id));
}

#[test]
fn public_entries() {
    let host = Host::hr();
    host.block("gatepost.allow_public('/demo/*');");
    host.block("gatepost.allow_public('/demo/*', 'post, GET,post');");
    assert_eq!(host.rows("select pattern, methods from user_ords_public"), [["/demo/*", "GET,POST"]]);
    host.block("gatepost.deny_public('/demo/*', 'GET');");
    assert_eq!(host.rows("select methods from user_ords_public"), [["POST"]]);
    host.block("gatepost.deny_public('/demo/*');");
    assert!(host.current().public_entries.is_empty());
}

#[test]
fn schemas_are_enabled_renamed_and_emptied() {
    let host = shop();
    host.block(
        "ords.enable_schema(p_schema => 'SALES', p_url_mapping_pattern => 'sell', p_auto_rest_auth => true);",
    );
    let sales = host.current().schema_by_name("sales").unwrap().clone();
    assert!(sales.enabled && sales.auto_rest_auth);
    host.block("ords.set_url_mapping('SALES', 'BASE_PATH', 'vend'); ords.enable_schema(false, 'sales');");
    let again = host.current().schema_by_name("sales").unwrap().clone();
    assert_eq!((again.id, again.enabled, again.auto_rest_auth), (sales.id, false, true));
    assert_eq!(again.alias, "sales", "the documented default of p_url_mapping_pattern");
    host.block("ords.drop_rest_for_schema;");
    let catalog = host.current();
    assert!(catalog.modules.is_empty() && catalog.clients.is_empty() && catalog.privileges.is_empty());
    assert!(catalog.roles.is_empty() && !host.schema().enabled);
    let next = catalog.next_id;
    host.block("ords.enable_schema; ords.create_role('r');");
    assert!(host.current().roles.keys().all(|id| *id >= next), "ids of deleted objects are not used again");
}

#[test]
fn first_enabled_schema_becomes_the_current_one() {
    let host = Host::empty();
    let nowhere = ScriptOptions { schema: None, ..options() };
    let script = "begin ords.enable_schema(p_schema => 'SHOP'); ords.create_role('a'); end;\n/\n\
                  begin ords.enable_schema(p_schema => 'OTHER'); ords.create_role('b'); end;\n/\n";
    host.script_with(script, &nowhere).0.unwrap();
    let catalog = host.current();
    let shop = catalog.schema_by_name("shop").unwrap().id;
    assert_eq!(catalog.roles_of(shop).count(), 2);
}

#[test]
fn developer_works_in_an_existing_schema() {
    let host = shop();
    let (result, _) = host.script_with(
        "begin ords.enable_schema(p_url_mapping_pattern => 'people'); ords.create_role('x'); end;",
        &developer(),
    );
    result.unwrap();
    assert_eq!(host.commits.borrow().last().unwrap().author, "dev");
}

#[test]
fn admin_packages_name_the_schema_first() {
    let host = shop();
    host.block(
        "ords.enable_schema(p_schema => 'SALES');
         ords_admin.create_role('SALES', 'sales.reader');
         ords_admin.define_module(p_schema => 'SALES', p_module_name => 'm', p_base_path => '/m/');
         oauth_admin.create_client(p_schema => 'SALES', p_name => 'c', p_grant_type => 'client_credentials');
         ords_security_admin.grant_client_role('SALES', 'c', 'sales.reader');
         ords_admin.enable_schema(p_schema => 'THIRD');",
    );
    let catalog = host.current();
    let sales = catalog.schema_by_name("sales").unwrap().id;
    assert_eq!(catalog.modules_of(sales).count(), 1);
    assert_eq!(catalog.clients_of(sales).next().unwrap().roles.len(), 1);
    assert!(catalog.schema_by_name("third").is_some());
    assert!(host.refused_block("ords_admin.create_role('x');").contains("argument p_role_name is missing"));
}

#[test]
fn clients_change() {
    let host = shop();
    host.block(
        "oauth.create_client('web', 'authorization_code', 'Web', 'A page', 'https://web.example',
           'https://web.example/cb', 'a@web.example', 'https://web.example/help', 'shop.read', 60, 120, 30);",
    );
    let client = host.client("web");
    assert_eq!(client.redirect_uri.as_deref(), Some("https://web.example/cb"));
    assert_eq!(client.origins_allowed, ["https://web.example"]);
    assert_eq!((client.token_duration_seconds, client.code_duration_seconds), (Some(60), Some(30)));
    host.block("oauth.update_client(p_name => 'web', p_description => 'Another', p_origins_allowed => '', p_suppor_uri => 'u');");
    let changed = host.client("web");
    assert_eq!(changed.description.as_deref(), Some("Another"));
    assert!(changed.origins_allowed.is_empty());
    assert_eq!(changed.support_uri.as_deref(), Some("u"));
    assert_eq!(changed.privileges, client.privileges, "what the call does not name stays");
    host.block(
        "ords_security.update_client(p_name => 'web', p_new_name => 'page', p_privilege_names => '');
         ords_security.update_client_token_duration('page', 10, 20, null);
         ords_security.update_client_privileges(ords_types.oauth_client_key(p_name => 'page'), 'shop.read');
         ords_security.rename_client(ords_types.oauth_client_key(p_name => 'page'), 'site');
         ords_security.grant_client_role(ords_types.oauth_client_key(p_name => 'site'), 'shop.reader');
         gatepost.set_client_owner('site', 'Owner');",
    );
    let site = host.client("site");
    assert_eq!(
        (site.id, site.token_duration_seconds, site.code_duration_seconds),
        (client.id, Some(10), None)
    );
    assert_eq!((site.roles.len(), site.privileges.len(), site.owner.as_deref()), (1, 1, Some("Owner")));
    host.block("oauth.revoke_client_role('site', 'shop.reader'); oauth.delete_client('site');");
    assert_eq!(host.current().clients.len(), 1);
}

#[test]
fn disabling_and_revoking_replace_the_generation() {
    let host = shop();
    let first = host.client("till").generation;
    host.block("gatepost.set_client_status('till', 'DISABLED');");
    let second = host.client("till").generation;
    assert!(first != second && !host.client("till").enabled);
    host.block("gatepost.set_client_status('till', 'ENABLED');");
    assert_eq!(host.client("till").generation, second);
    host.block("gatepost.revoke_client_tokens('till');");
    assert_ne!(host.client("till").generation, second);
}

#[test]
fn narrower_lock_is_reported() {
    let host = shop();
    let (report, _) = host.script(
        "declare r owa.vc_arr; p owa.vc_arr; begin ords.create_role('guest'); r(1) := 'guest';
         p(1) := '/shop/orders/*'; ords.define_privilege('guests', r, p); end;",
    );
    let report = report.unwrap();
    assert!(report.narrower[0].contains("`guest`"), "{report}");
}

#[test]
fn members_are_listed_with_their_defaults() {
    let members = package_members();
    let member = |name: &str| members.iter().find(|member| member.name == name).unwrap();
    assert_eq!(
        member("ORDS.PUBLISH_MODULE").forms,
        ["p_module_name VARCHAR2, p_status VARCHAR2 => 'PUBLISHED'"]
    );
    assert_eq!(member("ORDS_ADMIN.CREATE_ROLE").forms, ["p_schema VARCHAR2, p_role_name VARCHAR2"]);
    assert!(member("ORDS.source_type_plsql").forms.is_empty());
    assert_eq!(member("ORDS.DEFINE_PRIVILEGE").forms.len(), 3);
    let host = Host::hr();
    let events = host.ok("begin dbms_output.put_line(ords.installed_version); end;");
    assert!(super::host::output(&events)[0].starts_with("Gatepost "));
}
