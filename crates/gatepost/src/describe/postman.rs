//! The model as a Postman collection v2.1: it runs as it is, once `client_id` and `client_secret` are given.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json_schema::sample;
use super::openapi::title;
use super::operation::binds_members;
use super::snippets::TokenSource;
use super::{DescribedModule, Door, Operation, OperationBody, Place, Services};

const COLLECTION_SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// Variables that are there without any path parameter of that name.
const OF_CLIENT: [&str; 3] = ["client_id", "client_secret", "access_token"];

/// Keeps the token for the requests that follow.
const KEEP_TOKEN: [&str; 7] = [
    "const answer = pm.response.json();",
    "pm.test(\"a token is issued\", () => {",
    "    pm.response.to.have.status(200);",
    "    pm.expect(answer.token_type.toLowerCase()).to.eql(\"bearer\");",
    "    pm.expect(answer.access_token).to.be.a(\"string\");",
    "});",
    "pm.collectionVariables.set(\"access_token\", answer.access_token || \"\");",
];

/// The Postman collection of services.
pub fn postman(services: &Services) -> Value {
    let mut variables = BTreeMap::new();
    let folders: Vec<Value> = services.modules.iter().map(|module| folder(module, &mut variables)).collect();
    let own = [("base_url", &services.base_url), ("token_url", &services.token_url)];
    let mut known: Vec<Value> = own.into_iter().map(|(key, value)| variable(key, value)).collect();
    known.extend(OF_CLIENT.map(|key| variable(key, "")));
    known.extend(variables.iter().map(|(key, value)| variable(key, value)));
    let mut items = vec![token_request()];
    items.extend(folders);
    json!({
        "info": {"name": title(services), "version": services.version, "schema": COLLECTION_SCHEMA},
        "auth": {"type": "oauth2", "oauth2": collection_auth()},
        "variable": known,
        "item": items,
    })
}

/// A collection of one request, with the one for its token in front of it.
pub(super) fn collection_of_one(item: &Value, token: Option<&TokenSource>) -> Value {
    let info = json!({"name": item["name"], "schema": COLLECTION_SCHEMA});
    let Some(token) = token else { return json!({"info": info, "item": [item]}) };
    let mut known = vec![variable("token_url", &token.url)];
    known.extend(OF_CLIENT.map(|key| {
        let value = if key == "client_id" { token.client_id.as_str() } else { "" };
        variable(key, value)
    }));
    json!({
        "info": info,
        "auth": {"type": "oauth2", "oauth2": collection_auth()},
        "variable": known,
        "item": [token_request(), item],
    })
}

fn variable(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value})
}

fn collection_auth() -> Value {
    let settings = [
        ("grant_type", "client_credentials"),
        ("accessTokenUrl", "{{token_url}}"),
        ("clientId", "{{client_id}}"),
        ("clientSecret", "{{client_secret}}"),
        ("client_authentication", "header"),
        ("accessToken", "{{access_token}}"),
        ("tokenType", "Bearer"),
        ("addTokenTo", "header"),
    ];
    settings.iter().map(|(key, value)| text(key, value)).collect()
}

fn token_request() -> Value {
    json!({
        "name": "Get a token",
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": KEEP_TOKEN}}],
        "request": {
            "method": "POST",
            "auth": {
                "type": "basic",
                "basic": [text("username", "{{client_id}}"), text("password", "{{client_secret}}")],
            },
            "header": [],
            "body": {
                "mode": "urlencoded",
                "urlencoded": [text("grant_type", "client_credentials")],
            },
            "url": {"raw": "{{token_url}}", "host": ["{{token_url}}"]},
        },
    })
}

fn folder(module: &DescribedModule, variables: &mut BTreeMap<String, String>) -> Value {
    let items = module.operations.iter().map(|operation| item(operation, variables));
    let mut folder = json!({"name": module.name, "item": items.collect::<Vec<_>>()});
    if let Some(comments) = &module.comments {
        folder["description"] = json!(comments);
    }
    folder
}

fn item(operation: &Operation, variables: &mut BTreeMap<String, String>) -> Value {
    let headers = operation.parameters.iter().filter(|parameter| parameter.place == Place::Header);
    let mut headers: Vec<Value> = headers
        .map(|parameter| {
            let mut header = text(&parameter.name, &plain(&sample(&parameter.kind)));
            header["disabled"] = json!(true);
            header
        })
        .collect();
    let mut request = json!({"method": operation.method.as_str(), "url": url(operation, variables)});
    if let Some(body) = &operation.body {
        let (media_type, body) = request_body(body);
        headers.extend(media_type.map(|media_type| text("Content-Type", &media_type)));
        request["body"] = body;
    }
    request["header"] = json!(headers);
    if operation.door == Door::Public {
        request["auth"] = json!({"type": "noauth"});
    }
    let name = format!("{} {}", operation.method.as_str(), operation.path);
    if let Some(summary) = &operation.summary {
        request["description"] = json!(summary);
    }
    json!({"name": name, "request": request})
}

/// The URL: a segment that is one parameter is a path variable of Postman's, others hold `{{name}}`.
fn url(operation: &Operation, variables: &mut BTreeMap<String, String>) -> Value {
    let mut raw = "{{base_url}}".to_owned();
    let (mut path, mut path_variables) = (Vec::new(), Vec::new());
    for segment in operation.path.trim_start_matches('/').split('/') {
        let mut shown = segment.to_owned();
        let parameters = operation.parameters.iter().filter(|parameter| parameter.place == Place::Path);
        for parameter in parameters {
            let written = format!("{{{}}}", parameter.name);
            if !segment.contains(&written) {
                continue;
            }
            let variable = variable_name(&parameter.name);
            variables.entry(variable.clone()).or_insert_with(|| plain(&sample(&parameter.kind)));
            if segment == written {
                shown = format!(":{}", parameter.name);
                path_variables.push(text(&parameter.name, &format!("{{{{{variable}}}}}")));
            } else {
                shown = shown.replace(&written, &format!("{{{{{variable}}}}}"));
            }
        }
        raw.push('/');
        raw.push_str(&shown);
        path.push(shown);
    }
    let query = operation.parameters.iter().filter(|parameter| parameter.place == Place::Query);
    let query: Vec<Value> = query
        .map(|parameter| {
            let mut pair = text(&parameter.name, &plain(&sample(&parameter.kind)));
            // Values that callers may leave out: Postman shows them, and sends those that are ticked.
            pair["disabled"] = json!(true);
            if let Some(comments) = &parameter.comments {
                pair["description"] = json!(comments);
            }
            pair
        })
        .collect();
    json!({
        "raw": raw,
        "host": ["{{base_url}}"],
        "path": path,
        "query": query,
        "variable": path_variables,
    })
}

fn variable_name(parameter: &str) -> String {
    let taken = OF_CLIENT.contains(&parameter) || matches!(parameter, "base_url" | "token_url");
    if taken { format!("path_{parameter}") } else { parameter.to_owned() }
}

/// The content type and the body of a request, with a value of each member's type.
fn request_body(body: &OperationBody) -> (Option<String>, Value) {
    let first = body.media_types.first().cloned();
    let members = first.as_deref().is_some_and(binds_members) && !body.members.is_empty();
    if members && first.as_deref() == Some("application/x-www-form-urlencoded") {
        let fields = body.members.iter().map(|member| text(&member.name, &plain(&sample(&member.kind))));
        return (None, json!({"mode": "urlencoded", "urlencoded": fields.collect::<Vec<_>>()}));
    }
    let raw = if members {
        let object: Map<String, Value> =
            body.members.iter().map(|member| (member.name.clone(), sample(&member.kind))).collect();
        serde_json::to_string_pretty(&object).unwrap_or_default()
    } else if first.as_deref().is_some_and(binds_members) {
        "{}".to_owned()
    } else {
        String::new()
    };
    (first, json!({"mode": "raw", "raw": raw}))
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value, "type": "string"})
}

/// A value as URLs and headers have it.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
