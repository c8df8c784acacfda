//! The model as an OpenAPI 3.1 document.

use gatepost_rest::definition::Method;
use serde_json::{Map, Value, json};

use super::json_schema::{complete, properties, row, value};
use super::operation::binds_members;
use super::{Answer, Door, Member, Operation, OperationBody, OperationParameter, Place, RowLinks, Services};

/// The name of the security scheme.
const SCHEME: &str = "oauth2";

/// The OpenAPI document of services.
pub fn openapi(services: &Services) -> Value {
    let mut paths = Map::new();
    for operation in services
        .modules
        .iter()
        .flat_map(|module| module.operations.iter().map(|operation| (module.name.as_str(), operation)))
    {
        let (module, operation) = operation;
        let path = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = describe(module, operation);
    }
    let tags = services.modules.iter().map(|module| match &module.comments {
        Some(comments) => json!({"name": module.name, "description": comments}),
        None => json!({"name": module.name}),
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title(services),
            "version": services.version,
        },
        "servers": [{"url": services.base_url}],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": components(services),
    })
}

/// The schema's name, with the module's when there is one only.
pub(super) fn title(services: &Services) -> String {
    match services.modules.as_slice() {
        [module] if module.name != services.schema => format!("{} {}", services.schema, module.name),
        _ => services.schema.clone(),
    }
}

fn describe(module: &str, operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [module],
        "security": security(&operation.door),
        "responses": responses(operation),
    });
    if let Some(summary) = &operation.summary {
        described["summary"] = json!(summary);
    }
    if let Some(note) = note(operation) {
        described["description"] = json!(note);
    }
    if !operation.parameters.is_empty() {
        described["parameters"] = operation.parameters.iter().map(parameter).collect();
    }
    if let Some(body) = &operation.body {
        described["requestBody"] = request_body(body);
    }
    described
}

/// What the parts of a document have no place for.
fn note(operation: &Operation) -> Option<&'static str> {
    match (&operation.answer, &operation.door) {
        (Answer::NotRunnable { waits: true }, _) => {
            Some("It waits for a REST source and answers 503 until then.")
        }
        (Answer::NotRunnable { waits: false }, _) => {
            Some("Its source cannot run on this server; it answers 501.")
        }
        (_, Door::Closed) => Some("No privilege opens it to anybody."),
        _ => None,
    }
}

/// One privilege suffices, so each is an alternative.
fn security(door: &Door) -> Value {
    match door {
        Door::Public => json!([]),
        Door::Closed => json!([{SCHEME: []}]),
        Door::Privileges(_) => {
            let scopes = door.scopes();
            if scopes.is_empty() {
                return json!([{SCHEME: []}]);
            }
            scopes.iter().map(|scope| json!({SCHEME: [scope]})).collect()
        }
    }
}

fn parameter(parameter: &OperationParameter) -> Value {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    let mut schema = value(&parameter.kind);
    if parameter.counts {
        schema["minimum"] = json!(0);
    }
    let mut described = json!({
        "name": parameter.name,
        "in": place,
        "required": parameter.place == Place::Path,
        "schema": schema,
    });
    if let Some(comments) = &parameter.comments {
        described["description"] = json!(comments);
    }
    described
}

fn request_body(body: &OperationBody) -> Value {
    if body.media_types.is_empty() {
        return json!({"content": {"*/*": {}}});
    }
    let content = |media_type: &String| {
        let members = binds_members(media_type) && !body.members.is_empty();
        let content = if members {
            json!({"schema": {"type": "object", "properties": properties(&body.members)}})
        } else {
            json!({})
        };
        (media_type.clone(), content)
    };
    json!({"content": body.media_types.iter().map(content).collect::<Map<_, _>>()})
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    if let Some((status, response)) = success(operation) {
        responses.insert(status.to_owned(), response);
    }
    let mut failure = |status: &str, name: &str| {
        responses.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
    };
    if operation.door != Door::Public {
        failure("401", "Unauthorized");
        failure("403", "Forbidden");
    }
    if !operation.parameters.is_empty() || operation.body.is_some() {
        failure("400", "BadRequest");
    }
    match &operation.answer {
        Answer::Row(..) | Answer::Media => failure("404", "NotFound"),
        Answer::NotRunnable { waits } => failure(if *waits { "503" } else { "501" }, "Problem"),
        _ => {}
    }
    failure("default", "Problem");
    Value::Object(responses)
}

fn success(operation: &Operation) -> Option<(&'static str, Value)> {
    let json_of = |description: &str, schema: Value| json!({"description": description, "content": {"application/json": {"schema": schema}}});
    let answer = match &operation.answer {
        Answer::Collection(members, links) => json_of("A page of rows.", collection(members, *links)),
        Answer::Legacy(members, links) => json_of("A page of rows.", legacy(members, *links)),
        Answer::Row(members, links) => json_of("The row.", row(members, *links)),
        Answer::Csv => json!({
            "description": "All rows.",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }),
        Answer::Media => json!({"description": "What the row holds.", "content": {"*/*": {}}}),
        Answer::Change(members) => json_of("The change was made.", change(members)),
        Answer::Block { sets_status: true, .. } => {
            return Some(("2XX", block(operation.method, &operation.answer)?));
        }
        Answer::Block { .. } => block(operation.method, &operation.answer)?,
        Answer::NotRunnable { .. } => return None,
    };
    Some(("200", answer))
}

fn block(method: Method, answer: &Answer) -> Option<Value> {
    let Answer::Block { members, forwards, .. } = answer else { return None };
    let description = if method == Method::Get { "What was asked for." } else { "It was done." };
    if *forwards {
        return Some(json!({"description": description, "content": {"*/*": {}}}));
    }
    if members.is_empty() {
        return Some(json!({"description": description}));
    }
    let schema = complete(&properties(members));
    Some(json!({"description": description, "content": {"application/json": {"schema": schema}}}))
}

fn collection(members: &[Member], links: RowLinks) -> Value {
    let count = || json!({"type": "integer", "minimum": 0});
    json!({
        "type": "object",
        "required": ["items", "hasMore", "limit", "offset", "count", "links"],
        "properties": {
            "items": {"type": "array", "items": row(members, links)},
            "hasMore": {"type": "boolean"},
            "limit": count(),
            "offset": count(),
            "count": count(),
            "links": {"type": "array", "items": {"$ref": "#/components/schemas/Link"}},
        },
    })
}

fn legacy(members: &[Member], links: RowLinks) -> Value {
    let reference = || json!({"$ref": "#/components/schemas/Reference"});
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": {"type": "array", "items": row(members, links)},
            "first": reference(),
            "next": reference(),
            "previous": reference(),
        },
    })
}

/// Without returned rows their number, with one the row, with several all of them.
fn change(members: &[Member]) -> Value {
    let counted = json!({
        "type": "object",
        "required": ["rowsAffected"],
        "properties": {"rowsAffected": {"type": "integer", "minimum": 0}},
    });
    if members.is_empty() {
        return counted;
    }
    let one = row(members, RowLinks::None);
    let several = json!({
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": one.clone()}},
    });
    json!({"anyOf": [one, several, counted]})
}

fn components(services: &Services) -> Value {
    let scopes: Map<String, Value> =
        services.scopes.iter().map(|scope| (scope.name.clone(), json!(scope.description))).collect();
    let problem = |description: &str| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        json!({"description": description, "content": {"application/problem+json": {"schema": schema}}})
    };
    json!({
        "schemas": {
            "Problem": problem_schema(),
            "Link": complete_text(&["rel", "href"]),
            "Reference": complete_text(&["$ref"]),
        },
        "responses": {
            "BadRequest": problem("A parameter or the body is not what it has to be."),
            "Unauthorized": problem("There is no token, or it does not count."),
            "Forbidden": problem("The client may not do this; `scope` of WWW-Authenticate says what is needed."),
            "NotFound": problem("There is no such row."),
            "Problem": problem("It failed."),
        },
        "securitySchemes": {
            SCHEME: {
                "type": "oauth2",
                "flows": {"clientCredentials": {"tokenUrl": services.token_url, "scopes": scopes}},
            },
        },
    })
}

fn complete_text(names: &[&str]) -> Value {
    let texts: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    complete(&texts)
}

/// As `docs/reference/errors.md` has it.
fn problem_schema() -> Value {
    let text = || json!({"type": "string"});
    complete(&Map::from_iter([
        ("code".to_owned(), text()),
        ("title".to_owned(), text()),
        ("message".to_owned(), text()),
        ("type".to_owned(), text()),
        ("instance".to_owned(), text()),
        ("status".to_owned(), json!({"type": "integer"})),
        ("detail".to_owned(), text()),
        ("o:errorCode".to_owned(), text()),
    ]))
}
