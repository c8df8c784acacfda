//! The `user_ords_*` views have the columns that ORDS documents (`ords.md` 3.2 of the design's reference).

use crate::backend::no_table;
use crate::process::Shop;

const AUDIT: [&str; 4] = ["created_by", "created_on", "updated_by", "updated_on"];

/// View, columns, and whether the four audit columns follow.
const VIEWS: [(&str, &str, bool); 20] = [
    (
        "user_ords_schemas",
        "id, parsing_schema, type, pattern, status, auto_rest_auth, ops_allowed, pre_hook",
        false,
    ),
    (
        "user_ords_modules",
        "id, name, uri_prefix, items_per_page, status, comments, pre_hook, origins_allowed, schema_id",
        true,
    ),
    (
        "user_ords_templates",
        "id, module_id, uri_template, priority, etag_type, etag_query, comments, schema_id",
        true,
    ),
    (
        "user_ords_handlers",
        "id, template_id, source_type, method, mimes_allowed, items_per_page, source, comments, schema_id",
        true,
    ),
    (
        "user_ords_parameters",
        "id, handler_id, name, bind_variable_name, source_type, access_method, param_type, comments, schema_id",
        true,
    ),
    (
        "user_ords_enabled_objects",
        "id, schema_id, parsing_schema, parsing_object, object_alias, type, status, auto_rest_auth, ops_allowed, type_path, pre_hook",
        false,
    ),
    ("user_ords_roles", "id, name, schema_id", true),
    ("user_ords_privileges", "id, label, name, comments, description, schema_id", true),
    ("user_ords_privilege_roles", "privilege_id, privilege_name, role_id, role_name", false),
    ("user_ords_privilege_modules", "privilege_id, privilege_name, module_id, module_name", false),
    ("user_ords_privilege_mappings", "privilege_id, name, pattern", true),
    (
        "user_ords_clients",
        "id, name, description, auth_flow, client_id, client_secret, redirect_uri, support_email, support_uri, status",
        true,
    ),
    ("user_ords_client_roles", "client_id, client_name, role_id, role_name", false),
    ("user_ords_client_privileges", "client_id, client_name, privilege_id, name", false),
    ("user_ords_approvals", "id", false),
    ("user_ords_pending_approvals", "id", false),
    ("user_ords_jwt_profile", "issuer, audience, jwk_url, description, allowed_skew, allowed_age", false),
    ("user_ords_properties", "key, value", false),
    ("user_ords_services", "module_name, uri_template, method, source", false),
    ("user_ords_public", "pattern, methods", true),
];

/// One of everything.
const SHOP: &str = "
declare
  l_roles owa.vc_arr; l_patterns owa.vc_arr; l_modules owa.vc_arr;
begin
  ords.define_module('shop.v1', 'v1', 10, 'PUBLISHED', 'a comment');
  ords.set_module_origins_allowed('shop.v1', 'https://a.example');
  ords.define_template('shop.v1', 'items/:id', 3, p_comments => 'one item');
  ords.define_handler('shop.v1', 'items/:id', 'GET', 'json/item', 'select 1 as one');
  ords.define_parameter('shop.v1', 'items/:id', 'GET', 'X-Trace', 'trace', 'HEADER', 'STRING', 'IN');
  ords.create_role('reader');
  l_roles(1) := 'reader'; l_patterns(1) := '/v1/*'; l_modules(1) := 'shop.v1';
  ords.define_privilege('shop.read', l_roles, l_patterns, l_modules, 'Label', 'Description', 'Comment');
  gatepost.allow_public('/open/*');
  oauth.create_client('till', 'client_credentials', p_owner => 'me', p_description => 'd',
    p_support_email => 'a@b.example', p_privilege_names => 'shop.read');
  oauth.grant_client_role('till', 'reader');
end;
/
";

#[test]
fn every_view_has_the_documented_columns() {
    let shop = Shop::new("dictionary");
    shop.script(SHOP).ok();
    for (view, columns, has_audit) in VIEWS {
        let audit = AUDIT.iter().filter(|_| has_audit).copied();
        let columns: Vec<&str> = columns.split(", ").chain(audit).collect();
        let head = |sql: &str| {
            let mut command = shop.command("sql", &["--schema", "shop", "--format", "csv", "-c", sql]);
            let printed = crate::process::finish(&mut command, "").ok();
            printed.lines().next().unwrap_or_default().trim_end().to_owned()
        };
        let all = head(&format!("select * from {view}"));
        for column in &columns {
            assert!(all.split(',').any(|name| name == *column), "{view}.{column} is missing: {all}");
        }
        assert_eq!(
            head(&format!("select {} from {}", columns.join(", "), view.to_uppercase())),
            columns.join(",")
        );
    }
    let missing = shop.script("select * from user_ords_modulez").refused();
    assert!(missing.contains(&no_table("user_ords_modulez")), "{missing}");
}

#[test]
fn the_views_show_what_was_defined_and_join() {
    let shop = Shop::new("dictionary-rows");
    shop.script(SHOP).ok();
    for (query, wanted) in [
        (
            "select parsing_schema, type, pattern, status from user_ords_schemas",
            "SHOP,BASE_PATH,shop,ENABLED",
        ),
        (
            "select name, uri_prefix, items_per_page, status, comments, origins_allowed from user_ords_modules",
            "shop.v1,/v1/,10,PUBLISHED,a comment,https://a.example",
        ),
        (
            "select uri_template, priority, etag_type, comments from user_ords_templates",
            "items/:id,3,HASH,one item",
        ),
        ("select method, source_type, source from user_ords_handlers", "GET,json/item,select 1 as one"),
        (
            "select name, bind_variable_name, source_type, param_type, access_method from user_ords_parameters",
            "X-Trace,trace,HEADER,STRING,IN",
        ),
        (
            "select m.name || t.uri_template || h.method || p.name
               from user_ords_modules m join user_ords_templates t on t.module_id = m.id
               join user_ords_handlers h on h.template_id = t.id
               join user_ords_parameters p on p.handler_id = h.id",
            "shop.v1items/:idGETX-Trace",
        ),
        (
            "select r.name, p.name, p.label, p.description, p.comments
               from user_ords_privileges p join user_ords_privilege_roles pr on pr.privilege_id = p.id
               join user_ords_roles r on r.id = pr.role_id",
            "reader,shop.read,Label,Description,Comment",
        ),
        ("select name, pattern from user_ords_privilege_mappings", "shop.read,/v1/*"),
        ("select privilege_name, module_name from user_ords_privilege_modules", "shop.read,shop.v1"),
        (
            "select c.name, c.auth_flow, c.status, r.role_name, p.name
               from user_ords_clients c join user_ords_client_roles r on r.client_id = c.id
               join user_ords_client_privileges p on p.client_id = c.id",
            "till,CLIENT_CRED,ENABLED,reader,shop.read",
        ),
        ("select pattern, methods from user_ords_public", "/open/*,GET"),
        ("select substr(client_secret, 1, 6) from user_ords_clients", "gp_cs_"),
        ("select substr(version, 1, 9) from ords_version", "Gatepost "),
        ("select created_by, updated_by from user_ords_roles", "tester,tester"),
    ] {
        assert_eq!(shop.lines(query), [wanted], "{query}");
    }
}

#[test]
fn a_handler_does_not_see_the_views() {
    let shop = Shop::new("dictionary-handler");
    let outcome = shop.script(
        "begin
           ords.define_service(p_module_name => 'leak', p_base_path => '/leak/', p_pattern => 'clients',
             p_source => 'select * from user_ords_clients');
         end;",
    );
    assert!(outcome.stderr.contains("user_ords_clients"), "the report is silent: {}", outcome.stderr);
    outcome.ok();
}
