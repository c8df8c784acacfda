//! The views.

use gatepost_store::data::DictionarySource;

use super::host::{Host, options};
use super::refusals::shop;
use crate::script::{Dictionary, ScriptHost as _, Viewer};

fn dictionary(host: &Host) -> Dictionary {
    Dictionary {
        catalog: (*host.current()).clone(),
        schema: Some(host.schema()),
        viewer: Viewer { name: options().author, administrator: true },
        runs: Vec::new(),
        key_ring: host.key_ring(),
        now_ms: host.now_ms(),
    }
}

#[test]
fn every_row_has_as_many_values_as_its_view_has_columns() {
    let host = shop();
    host.block(
        "gatepost.allow_public('/demo/*');
         ords.create_privilege_mapping('shop.read', '/shop/*');
         ords.define_parameter('shop.v1', 'orders/:id', 'GET', 'x', 'y');",
    );
    let dictionary = dictionary(&host);
    let mut filled = 0;
    for view in dictionary.views() {
        let rows: Vec<Vec<serde_json::Value>> =
            serde_json::from_str(&dictionary.rows_json(view.name)).unwrap();
        for row in &rows {
            assert_eq!(row.len(), view.columns.len(), "{}", view.name);
        }
        filled += usize::from(!rows.is_empty());
    }
    assert_eq!(filled, 16);
}

#[test]
fn every_view_can_be_queried() {
    let host = shop();
    let names: Vec<&str> = dictionary(&host).views().iter().map(|view| view.name).collect();
    for name in names {
        host.ok(&format!("select * from {name}"));
    }
}

#[test]
fn views_join_as_in_ords() {
    let host = shop();
    let rows = host.rows(
        "select m.uri_prefix, t.uri_template, h.method, h.source_type, m.created_on
         from user_ords_modules m join user_ords_templates t on t.module_id = m.id
         join user_ords_handlers h on h.template_id = t.id",
    );
    assert_eq!(rows, [["/shop/", "orders/:id", "GET", "json/item", "2026-01-01T00:00:00Z"]]);
    let roles = host.rows(
        "select c.name, r.role_name from user_ords_clients c join user_ords_client_roles r on r.client_id = c.id",
    );
    assert_eq!(roles, [["till", "shop.reader"]]);
    let schema = host.rows("select parsing_schema, pattern, status from user_ords_schemas");
    assert_eq!(schema, [["HR", "hr", "ENABLED"]]);
}

#[test]
fn other_schemas_are_not_shown() {
    let host = shop();
    host.block("ords.enable_schema(p_schema => 'SALES'); ords_admin.create_role('SALES', 'secret.role');");
    assert_eq!(host.rows("select name from user_ords_roles"), [["shop.reader"]]);
    let nobody = Dictionary { schema: None, ..dictionary(&host) };
    assert_eq!(nobody.rows_json("user_ords_roles"), "[]");
    assert_eq!(nobody.rows_json("no_such_view"), "[]");
}
