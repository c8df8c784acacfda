//! Views over what locks a schema's services and who is admitted.

use gatepost_oauth::{Client, ClientSecret, open_reveal};
use gatepost_rest::definition::{Method, Privilege, Schema};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::services::enabled;
use super::{Dictionary, View, audited, list};
use crate::script::timestamp;

/// What stands in place of a secret that cannot or may not be read (newer ORDS shows the same).
const HIDDEN: &str = "********";

pub(super) const ROLES: View = View {
    name: "user_ords_roles",
    columns: &["id", "name", "schema_id", "created_by", "created_on", "updated_by", "updated_on"],
    rows: |dictionary, schema| {
        let roles = dictionary.catalog.roles_of(schema.id);
        roles
            .map(|role| audited(vec![json!(role.id), json!(role.name), json!(schema.id)], &role.audit))
            .collect()
    },
};

pub(super) const PRIVILEGES: View = View {
    name: "user_ords_privileges",
    columns: &[
        "id",
        "label",
        "name",
        "comments",
        "description",
        "schema_id",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        let row = |privilege: &Privilege| {
            let columns = vec![
                json!(privilege.id),
                json!(privilege.label),
                json!(privilege.name),
                json!(privilege.comments),
                json!(privilege.description),
                json!(schema.id),
            ];
            audited(columns, &privilege.audit)
        };
        dictionary.catalog.privileges_of(schema.id).map(|privilege| row(privilege)).collect()
    },
};

pub(super) const PRIVILEGE_ROLES: View = View {
    name: "user_ords_privilege_roles",
    columns: &["privilege_id", "privilege_name", "role_id", "role_name"],
    rows: |dictionary, schema| {
        let named = |privilege: &Privilege| {
            let roles = privilege.roles.iter().filter_map(|id| dictionary.catalog.roles.get(id));
            let row =
                |name: &str, id| vec![json!(privilege.id), json!(privilege.name), json!(id), json!(name)];
            roles.map(|role| row(&role.name, role.id)).collect::<Vec<_>>()
        };
        dictionary.catalog.privileges_of(schema.id).flat_map(|privilege| named(privilege)).collect()
    },
};

pub(super) const PRIVILEGE_MODULES: View = View {
    name: "user_ords_privilege_modules",
    columns: &["privilege_id", "privilege_name", "module_id", "module_name"],
    rows: |dictionary, schema| {
        let named = |privilege: &Privilege| {
            let modules = privilege.modules.iter().filter_map(|id| dictionary.catalog.modules.get(id));
            let row =
                |name: &str, id| vec![json!(privilege.id), json!(privilege.name), json!(id), json!(name)];
            modules.map(|module| row(&module.name, module.id)).collect::<Vec<_>>()
        };
        dictionary.catalog.privileges_of(schema.id).flat_map(|privilege| named(privilege)).collect()
    },
};

pub(super) const PRIVILEGE_MAPPINGS: View = View {
    name: "user_ords_privilege_mappings",
    columns: &["privilege_id", "name", "pattern", "created_by", "created_on", "updated_by", "updated_on"],
    rows: |dictionary, schema| {
        let mut rows = Vec::new();
        for privilege in dictionary.catalog.privileges_of(schema.id) {
            for pattern in &privilege.patterns {
                let columns = vec![json!(privilege.id), json!(privilege.name), json!(pattern)];
                rows.push(audited(columns, &privilege.audit));
            }
        }
        rows
    },
};

pub(super) const PUBLIC: View = View {
    name: "user_ords_public",
    columns: &["id", "pattern", "methods", "created_by", "created_on", "updated_by", "updated_on"],
    rows: |dictionary, schema| {
        let entries = dictionary.catalog.public_entries_of(schema.id);
        let methods =
            |methods: &[Method]| methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(",");
        entries
            .map(|entry| {
                let columns = vec![json!(entry.id), json!(entry.pattern), json!(methods(&entry.methods))];
                audited(columns, &entry.audit)
            })
            .collect()
    },
};

pub(super) const CLIENTS: View = View {
    name: "user_ords_clients",
    columns: &[
        "id",
        "name",
        "description",
        "auth_flow",
        "response_type",
        "client_id",
        "client_secret",
        "secret_issued_on",
        "client_secret_2",
        "secret_2_issued_on",
        "owner",
        "redirect_uri",
        "support_email",
        "support_uri",
        "origins_allowed",
        "token_duration",
        "refresh_duration",
        "code_duration",
        "status",
        "schema_id",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        dictionary.catalog.clients_of(schema.id).map(|client| dictionary.client_row(client, schema)).collect()
    },
};

pub(super) const CLIENT_ROLES: View = View {
    name: "user_ords_client_roles",
    columns: &["client_id", "client_name", "role_id", "role_name"],
    rows: |dictionary, schema| {
        let named = |client: &Client| {
            let roles = client.roles.iter().filter_map(|id| dictionary.catalog.roles.get(id));
            let row = |name: &str, id| vec![json!(client.id), json!(client.name), json!(id), json!(name)];
            roles.map(|role| row(&role.name, role.id)).collect::<Vec<_>>()
        };
        dictionary.catalog.clients_of(schema.id).flat_map(|client| named(client)).collect()
    },
};

pub(super) const CLIENT_PRIVILEGES: View = View {
    name: "user_ords_client_privileges",
    columns: &["client_id", "client_name", "privilege_id", "name"],
    rows: |dictionary, schema| {
        let named = |client: &Client| {
            let privileges = client.privileges.iter().filter_map(|id| dictionary.catalog.privileges.get(id));
            let row = |name: &str, id| vec![json!(client.id), json!(client.name), json!(id), json!(name)];
            privileges.map(|privilege| row(&privilege.name, privilege.id)).collect::<Vec<_>>()
        };
        dictionary.catalog.clients_of(schema.id).flat_map(|client| named(client)).collect()
    },
};

impl Dictionary {
    fn client_row(&self, client: &Client, schema: &Schema) -> Vec<Value> {
        let slot = |number: u8| client.secrets.iter().find(|secret| secret.slot == number);
        let issued = |number: u8| slot(number).map(|secret| timestamp(secret.issued_on_ms));
        vec![
            json!(client.id),
            json!(client.name),
            json!(client.description),
            json!(client.grant_type.auth_flow()),
            Value::Null,
            json!(client.client_id),
            json!(slot(1).map(|secret| self.shown(secret))),
            json!(issued(1)),
            json!(slot(2).map(|secret| self.shown(secret))),
            json!(issued(2)),
            json!(client.owner),
            json!(client.redirect_uri),
            json!(client.support_email),
            json!(client.support_uri),
            list(&client.origins_allowed),
            json!(client.token_duration_seconds),
            json!(client.refresh_duration_seconds),
            json!(client.code_duration_seconds),
            json!(enabled(client.enabled)),
            json!(schema.id),
            json!(client.created_by),
            json!(timestamp(client.created_on_ms)),
            json!(client.updated_by),
            json!(timestamp(client.updated_on_ms)),
        ]
    }

    /// A secret as the viewer may see it: in the clear only while a copy is kept, and only by its maker and
    /// administrators.
    fn shown(&self, secret: &ClientSecret) -> String {
        let Some(copy) = &secret.reveal else { return HIDDEN.into() };
        if !self.viewer.administrator && copy.made_by != self.viewer.name {
            return HIDDEN.into();
        }
        open_reveal(copy, &self.key_ring, self.now_ms)
            .map_or_else(|| HIDDEN.into(), |secret| secret.expose_secret().to_owned())
    }
}
