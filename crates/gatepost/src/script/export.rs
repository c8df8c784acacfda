//! A schema as a definition script: one block that makes the same schema on an empty server (ORDS Developer's Guide,
//! package `ORDS_EXPORT`). No ids, no dates, no secrets; names in order, so that two exports can be compared.

use std::fmt::{Display, Write as _};

use gatepost_oauth::Client;
use gatepost_rest::definition::{
    Handler, Id, Method, Module, Parameter, Privilege, PublicEntry, ReadsFrom, Schema, Template,
};
use gatepost_sources::definition::amount::write_duration;
use gatepost_sources::definition::{
    Credential, Document, Oauth2Client, RemoteServer, RestSource, SecretReference, SignIn,
};
use gatepost_store::catalog::Catalog;

/// Writes the definition script of a schema.
pub fn export(catalog: &Catalog, schema: &Schema) -> String {
    let mut script = Script::default();
    script.text.push_str(
        "-- Definitions of a schema, for `gatepost sql`. Client secrets are never exported.\nset define off\n\ndeclare\n  \
         l_roles    owa.vc_arr;\n  l_patterns owa.vc_arr;\n  l_modules  owa.vc_arr;\nbegin\n",
    );
    script.schema(schema);
    let mut modules: Vec<&Module> = catalog.modules_of(schema.id).map(AsRef::as_ref).collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    for module in modules {
        script.module(module);
    }
    let mut roles: Vec<&str> = catalog.roles_of(schema.id).map(|role| role.name.as_str()).collect();
    roles.sort_unstable();
    for role in roles {
        script.call("ords.create_role", &[("p_role_name", text(role))]);
    }
    let mut privileges: Vec<&Privilege> = catalog.privileges_of(schema.id).map(AsRef::as_ref).collect();
    privileges.sort_by(|a, b| a.name.cmp(&b.name));
    for privilege in privileges {
        script.privilege(catalog, privilege);
    }
    let mut entries: Vec<&PublicEntry> = catalog.public_entries_of(schema.id).map(AsRef::as_ref).collect();
    entries.sort_by(|a, b| a.pattern.cmp(&b.pattern));
    for entry in entries {
        script.public_entry(entry);
    }
    let mut clients: Vec<&Client> = catalog.clients_of(schema.id).map(AsRef::as_ref).collect();
    clients.sort_by(|a, b| a.name.cmp(&b.name));
    for client in clients {
        script.client(catalog, client);
    }
    script.calls_to_others(
        catalog.remote_servers_of(schema.id).map(AsRef::as_ref).collect(),
        catalog.credentials_of(schema.id).map(AsRef::as_ref).collect(),
        catalog.rest_sources_of(schema.id).map(AsRef::as_ref).collect(),
    );
    script.text.push_str("\n  commit;\nend;\n/\n");
    script.text
}

/// Writes the block that defines what a document does.
pub fn write_document(document: &Document) -> String {
    let mut script = Script::default();
    script.text.push_str("begin\n");
    script.calls_to_others(
        document.servers.iter().collect(),
        document.credentials.iter().collect(),
        document.sources.iter().collect(),
    );
    script.text.push_str("\nend;\n/\n");
    script.text
}

/// A block of definitions as its text grows: what an export is made of, and what the forms of the console write.
#[derive(Debug, Default)]
pub struct Script {
    text: String,
    /// Whether a call uses the lists `l_roles`, `l_patterns`, `l_modules`.
    lists: bool,
}

impl Script {
    /// The calls so far as one block.
    pub fn into_block(self) -> String {
        let declared = if self.lists {
            "declare\n  l_roles    owa.vc_arr;\n  l_patterns owa.vc_arr;\n  l_modules  owa.vc_arr;\n"
        } else {
            ""
        };
        format!("{declared}begin\n{}\nend;\n/\n", self.text.trim_matches('\n'))
    }

    /// The calls of another one after these.
    pub fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.lists |= other.lists;
    }

    /// A line of its own.
    pub fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "  {line}");
    }

    /// A call with its arguments as SQL writes them.
    pub fn call(&mut self, name: &str, arguments: &[(&str, String)]) {
        self.text.push('\n');
        let arguments: Vec<String> =
            arguments.iter().map(|(name, value)| format!("    {name} => {value}")).collect();
        self.line(format_args!("{name}(\n{});", arguments.join(",\n")));
    }

    /// The schema itself.
    pub fn schema(&mut self, schema: &Schema) {
        self.call(
            "ords.enable_schema",
            &[
                ("p_enabled", boolean(schema.enabled)),
                ("p_schema", text(&schema.name)),
                ("p_url_mapping_type", text("BASE_PATH")),
                ("p_url_mapping_pattern", text(&schema.alias)),
                ("p_auto_rest_auth", boolean(schema.auto_rest_auth)),
            ],
        );
    }

    /// A module with everything in it.
    pub fn module(&mut self, module: &Module) {
        let status = if module.published { "PUBLISHED" } else { "NOT_PUBLISHED" };
        self.call(
            "ords.define_module",
            &[
                ("p_module_name", text(&module.name)),
                ("p_base_path", text(&module.base_path)),
                ("p_items_per_page", module.items_per_page.to_string()),
                ("p_status", text(status)),
                ("p_comments", optional(module.comments.as_deref())),
            ],
        );
        if !module.origins_allowed.is_empty() {
            self.call(
                "ords.set_module_origins_allowed",
                &[
                    ("p_module_name", text(&module.name)),
                    ("p_origins_allowed", text(&module.origins_allowed.join(","))),
                ],
            );
        }
        if module.reads_from != ReadsFrom::default() {
            self.call(
                "gatepost.set_module_reads",
                &[("p_module_name", text(&module.name)), ("p_from", text(module.reads_from.as_str()))],
            );
        }
        for template in &module.templates {
            self.template(module, template);
        }
    }

    /// A template with its handlers.
    pub fn template(&mut self, module: &Module, template: &Template) {
        self.call(
            "ords.define_template",
            &[
                ("p_module_name", text(&module.name)),
                ("p_pattern", text(&template.pattern)),
                ("p_priority", template.priority.to_string()),
                ("p_etag_type", text(template.etag_type.as_str())),
                ("p_etag_query", optional(template.etag_query.as_deref())),
                ("p_comments", optional(template.comments.as_deref())),
            ],
        );
        for handler in &template.handlers {
            self.handler(module, template, handler);
        }
    }

    /// A handler with its parameters.
    pub fn handler(&mut self, module: &Module, template: &Template, handler: &Handler) {
        let mimes = handler.mimes_allowed.join(",");
        self.call(
            "ords.define_handler",
            &[
                ("p_module_name", text(&module.name)),
                ("p_pattern", text(&template.pattern)),
                ("p_method", text(handler.method.as_str())),
                ("p_source_type", text(handler.source_type.as_str())),
                ("p_items_per_page", number(handler.items_per_page)),
                ("p_mimes_allowed", optional(Some(mimes.as_str()).filter(|mimes| !mimes.is_empty()))),
                ("p_comments", optional(handler.comments.as_deref())),
                ("p_source", text(&handler.source)),
            ],
        );
        for parameter in &handler.parameters {
            self.parameter(module, template, handler, parameter);
        }
    }

    fn parameter(&mut self, module: &Module, template: &Template, handler: &Handler, parameter: &Parameter) {
        self.call(
            "ords.define_parameter",
            &[
                ("p_module_name", text(&module.name)),
                ("p_pattern", text(&template.pattern)),
                ("p_method", text(handler.method.as_str())),
                ("p_name", text(&parameter.name)),
                ("p_bind_variable_name", optional(parameter.bind_variable_name.as_deref())),
                ("p_source_type", text(parameter.source.as_str())),
                ("p_param_type", text(parameter.kind.as_str())),
                ("p_access_method", text(parameter.access.as_str())),
                ("p_comments", optional(parameter.comments.as_deref())),
            ],
        );
    }

    /// A privilege with what it asks for and what it covers.
    pub fn privilege(&mut self, catalog: &Catalog, privilege: &Privilege) {
        self.text.push('\n');
        let roles = names(&privilege.roles, |id| catalog.roles.get(&id).map(|role| role.name.as_str()));
        let modules = names(&privilege.modules, |id| catalog.modules.get(&id).map(|m| m.name.as_str()));
        let patterns: Vec<&str> = privilege.patterns.iter().map(String::as_str).collect();
        self.list("l_roles", &roles);
        self.list("l_patterns", &patterns);
        self.list("l_modules", &modules);
        self.call(
            "ords.define_privilege",
            &[
                ("p_privilege_name", text(&privilege.name)),
                ("p_roles", "l_roles".into()),
                ("p_patterns", "l_patterns".into()),
                ("p_modules", "l_modules".into()),
                ("p_label", optional(privilege.label.as_deref())),
                ("p_description", optional(privilege.description.as_deref())),
                ("p_comments", optional(privilege.comments.as_deref())),
            ],
        );
    }

    /// Fills one of the lists `l_roles`, `l_patterns`, `l_modules` for the next call.
    pub fn list(&mut self, name: &str, elements: &[&str]) {
        self.lists = true;
        self.line(format_args!("{name}.delete;"));
        for (index, element) in elements.iter().enumerate() {
            self.line(format_args!("{name}({}) := {};", index + 1, text(element)));
        }
    }

    /// A pattern that is open to anybody.
    pub fn public_entry(&mut self, entry: &PublicEntry) {
        let methods: Vec<&str> = entry.methods.iter().copied().map(Method::as_str).collect();
        self.call(
            "gatepost.allow_public",
            &[("p_pattern", text(&entry.pattern)), ("p_methods", text(&methods.join(",")))],
        );
    }

    /// A client without its secrets.
    pub fn client(&mut self, catalog: &Catalog, client: &Client) {
        let privilege = |id| catalog.privileges.get(&id).map(|privilege| privilege.name.as_str());
        let privileges = names(&client.privileges, privilege).join(",");
        let origins = client.origins_allowed.join(",");
        let unless_empty = |list: &str| optional(Some(list).filter(|list| !list.is_empty()));
        self.call(
            "ords_security.import_client",
            &[
                ("p_name", text(&client.name)),
                ("p_grant_type", text(client.grant_type.as_str())),
                ("p_description", optional(client.description.as_deref())),
                ("p_client_id", text(&client.client_id)),
                ("p_privilege_names", unless_empty(&privileges)),
                ("p_origins_allowed", unless_empty(&origins)),
                ("p_redirect_uri", optional(client.redirect_uri.as_deref())),
                ("p_support_email", optional(client.support_email.as_deref())),
                ("p_support_uri", optional(client.support_uri.as_deref())),
                ("p_token_duration", number(client.token_duration_seconds)),
                ("p_refresh_duration", number(client.refresh_duration_seconds)),
                ("p_code_duration", number(client.code_duration_seconds)),
            ],
        );
        let role = |id| catalog.roles.get(&id).map(|role| role.name.as_str());
        for role in names(&client.roles, role) {
            self.call(
                "ords_security.grant_client_role",
                &[("p_client_name", text(&client.name)), ("p_role_name", text(role))],
            );
        }
        if let Some(owner) = &client.owner {
            self.call(
                "gatepost.set_client_owner",
                &[("p_name", text(&client.name)), ("p_owner", text(owner))],
            );
        }
        if !client.enabled {
            self.call(
                "gatepost.set_client_status",
                &[("p_name", text(&client.name)), ("p_status", text("DISABLED"))],
            );
        }
    }
}

impl Script {
    /// Remote servers, credentials and sources, each kind by name.
    fn calls_to_others(
        &mut self,
        mut servers: Vec<&RemoteServer>,
        mut credentials: Vec<&Credential>,
        mut sources: Vec<&RestSource>,
    ) {
        servers.sort_by(|a, b| a.name.cmp(&b.name));
        for server in servers {
            self.remote_server(server);
        }
        credentials.sort_by(|a, b| a.name.cmp(&b.name));
        for credential in credentials {
            self.credential(credential);
        }
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        for source in sources {
            self.rest_source(source);
        }
    }

    /// A REST source.
    pub fn rest_source(&mut self, source: &RestSource) {
        let definition = [("p_name", text(&source.name)), ("p_definition", text(&source.to_toml()))];
        self.call("gatepost.define_rest_source", &definition);
    }

    /// A remote server.
    pub fn remote_server(&mut self, server: &RemoteServer) {
        self.call(
            "gatepost.define_remote_server",
            &[
                ("p_name", text(&server.name)),
                ("p_base_url", text(&server.base_url)),
                ("p_kind", text(server.kind.as_str())),
                ("p_tls_ca", optional(server.tls_ca.as_deref())),
                ("p_comments", optional(server.comments.as_deref())),
            ],
        );
    }

    /// A credential without its secret: whoever loads the script sets it.
    pub fn credential(&mut self, credential: &Credential) {
        let mut arguments =
            vec![("p_name", text(&credential.name)), ("p_type", text(credential.sign_in.type_name()))];
        match &credential.sign_in {
            SignIn::Basic { username } => arguments.push(("p_username", text(username))),
            SignIn::Bearer => {}
            SignIn::Header { header: name } | SignIn::Query { parameter: name } => {
                arguments.push(("p_parameter_name", text(name)));
            }
            SignIn::Oauth2ClientCredentials(client) => oauth2_arguments(client, &mut arguments),
        }
        match &credential.secret {
            SecretReference::Vault => {}
            SecretReference::Env(name) => arguments.push(("p_secret_env", text(name))),
            SecretReference::File(path) => arguments.push(("p_secret_file", text(path))),
        }
        let valid_for = credential.valid_for.join(" ");
        arguments.push(("p_valid_for", optional(Some(valid_for.as_str()).filter(|urls| !urls.is_empty()))));
        arguments.push(("p_comments", optional(credential.comments.as_deref())));
        self.call("gatepost.define_credential", &arguments);
    }
}

fn oauth2_arguments(client: &Oauth2Client, arguments: &mut Vec<(&str, String)>) {
    let scope = client.scope.join(" ");
    let parameters = serde_json::json!(client.token_params).to_string();
    let given = |text: &str, nothing: &str| (text != nothing).then(|| text.to_owned());
    arguments.extend([
        ("p_client_id", text(&client.client_id)),
        ("p_scope", optional(given(&scope, "").as_deref())),
        ("p_client_auth", text(client.client_auth.as_str())),
        ("p_token_params", optional(given(&parameters, "{}").as_deref())),
        ("p_default_expires_in", text(&write_duration(client.default_expires_in_ms))),
        ("p_refresh_early", text(&write_duration(client.refresh_early_ms))),
    ]);
}

/// The names behind ids, in order.
fn names<'a>(ids: &[Id], name: impl Fn(Id) -> Option<&'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = ids.iter().filter_map(|id| name(*id)).collect();
    names.sort_unstable();
    names
}

/// A text literal. Line breaks stay as they are; carriage returns are spelled out, because the lexer reads a line
/// break of either kind as one character.
pub fn text(text: &str) -> String {
    let quoted = text.replace('\'', "''").replace('\r', "' || chr(13) || '");
    format!("'{quoted}'")
}

/// A text literal, or null.
pub fn optional(value: Option<&str>) -> String {
    value.map_or_else(|| "null".into(), text)
}

/// A number, or null.
pub fn number(value: Option<u32>) -> String {
    value.map_or_else(|| "null".into(), |number| number.to_string())
}

/// A boolean literal.
pub fn boolean(value: bool) -> String {
    if value { "true".into() } else { "false".into() }
}
