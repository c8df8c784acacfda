//! Views over what a schema publishes.

use gatepost_rest::definition::{Handler, Module, Schema, Template};
use serde_json::{Value, json};

use super::{Dictionary, View, audited, list};

pub(super) const SCHEMAS: View = View {
    name: "user_ords_schemas",
    columns: &[
        "id",
        "parsing_schema",
        "type",
        "pattern",
        "status",
        "auto_rest_auth",
        "ops_allowed",
        "pre_hook",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |_, schema| {
        let columns = vec![
            json!(schema.id),
            json!(schema.name.to_uppercase()),
            json!("BASE_PATH"),
            json!(schema.alias),
            json!(enabled(schema.enabled)),
            json!(enabled(schema.auto_rest_auth)),
            Value::Null,
            Value::Null,
        ];
        vec![audited(columns, &schema.audit)]
    },
};

pub(super) const MODULES: View = View {
    name: "user_ords_modules",
    columns: &[
        "id",
        "name",
        "uri_prefix",
        "items_per_page",
        "status",
        "comments",
        "pre_hook",
        "origins_allowed",
        "schema_id",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
        "reads_from",
    ],
    rows: |dictionary, schema| {
        let row = |module: &Module| {
            let columns = vec![
                json!(module.id),
                json!(module.name),
                json!(module.base_path),
                json!(module.items_per_page),
                json!(published(module)),
                json!(module.comments),
                Value::Null,
                list(&module.origins_allowed),
                json!(schema.id),
            ];
            let mut columns = audited(columns, &module.audit);
            columns.push(json!(module.reads_from.as_str()));
            columns
        };
        dictionary.catalog.modules_of(schema.id).map(|module| row(module)).collect()
    },
};

pub(super) const TEMPLATES: View = View {
    name: "user_ords_templates",
    columns: &[
        "id",
        "module_id",
        "uri_template",
        "priority",
        "etag_type",
        "etag_query",
        "comments",
        "schema_id",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        let row = |(module, template): (&Module, &Template)| {
            let columns = vec![
                json!(template.id),
                json!(module.id),
                json!(template.pattern),
                json!(template.priority),
                json!(template.etag_type.as_str()),
                json!(template.etag_query),
                json!(template.comments),
                json!(schema.id),
            ];
            audited(columns, &template.audit)
        };
        templates(dictionary, schema).map(row).collect()
    },
};

pub(super) const HANDLERS: View = View {
    name: "user_ords_handlers",
    columns: &[
        "id",
        "template_id",
        "source_type",
        "method",
        "mimes_allowed",
        "items_per_page",
        "source",
        "comments",
        "schema_id",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        let row = |(_, template, handler): (&Module, &Template, &Handler)| {
            let columns = vec![
                json!(handler.id),
                json!(template.id),
                json!(handler.source_type.as_str()),
                json!(handler.method.as_str()),
                list(&handler.mimes_allowed),
                json!(handler.items_per_page),
                json!(handler.source),
                json!(handler.comments),
                json!(schema.id),
            ];
            audited(columns, &handler.audit)
        };
        handlers(dictionary, schema).map(row).collect()
    },
};

pub(super) const PARAMETERS: View = View {
    name: "user_ords_parameters",
    columns: &[
        "id",
        "handler_id",
        "name",
        "bind_variable_name",
        "source_type",
        "access_method",
        "param_type",
        "comments",
        "schema_id",
        "created_by",
        "created_on",
        "updated_by",
        "updated_on",
    ],
    rows: |dictionary, schema| {
        let mut rows = Vec::new();
        for (_, _, handler) in handlers(dictionary, schema) {
            for parameter in &handler.parameters {
                let columns = vec![
                    json!(parameter.id),
                    json!(handler.id),
                    json!(parameter.name),
                    json!(parameter.bind_variable_name),
                    json!(parameter.source.as_str()),
                    json!(parameter.access.as_str()),
                    json!(parameter.kind.as_str()),
                    json!(parameter.comments),
                    json!(schema.id),
                ];
                rows.push(audited(columns, &parameter.audit));
            }
        }
        rows
    },
};

pub(super) const SERVICES: View = View {
    name: "user_ords_services",
    columns: &[
        "schema_id",
        "module_id",
        "module_name",
        "base_path",
        "status",
        "template_id",
        "uri_template",
        "priority",
        "handler_id",
        "method",
        "source_type",
        "items_per_page",
        "source",
    ],
    rows: |dictionary, schema| {
        let row = |(module, template, handler): (&Module, &Template, &Handler)| {
            vec![
                json!(schema.id),
                json!(module.id),
                json!(module.name),
                json!(module.base_path),
                json!(published(module)),
                json!(template.id),
                json!(template.pattern),
                json!(template.priority),
                json!(handler.id),
                json!(handler.method.as_str()),
                json!(handler.source_type.as_str()),
                json!(handler.items_per_page.unwrap_or(module.items_per_page)),
                json!(handler.source),
            ]
        };
        handlers(dictionary, schema).map(row).collect()
    },
};

fn templates<'a>(
    dictionary: &'a Dictionary,
    schema: &Schema,
) -> impl Iterator<Item = (&'a Module, &'a Template)> {
    let modules = dictionary.catalog.modules_of(schema.id);
    modules.flat_map(|module| module.templates.iter().map(move |template| (module.as_ref(), template)))
}

fn handlers<'a>(
    dictionary: &'a Dictionary,
    schema: &Schema,
) -> impl Iterator<Item = (&'a Module, &'a Template, &'a Handler)> {
    templates(dictionary, schema).flat_map(|(module, template)| {
        template.handlers.iter().map(move |handler| (module, template, handler))
    })
}

fn published(module: &Module) -> &'static str {
    if module.published { "PUBLISHED" } else { "NOT_PUBLISHED" }
}

/// How the views write a switch.
pub(super) fn enabled(on: bool) -> &'static str {
    if on { "ENABLED" } else { "DISABLED" }
}
