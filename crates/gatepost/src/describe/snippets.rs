//! One request, written for other programs: with the client's id in it, and the secret in a variable.

use std::fmt::Write as _;

use gatepost_store::data::ValueType;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::json_schema::sample;
use super::operation::binds_members;
use super::postman::plain;
use super::{Door, Operation, Place, Services};

/// Where snippets take the secret from.
pub const SECRET_VARIABLE: &str = "CLIENT_SECRET";

/// Finds the token in the answer of a token endpoint.
const TOKEN_OF_ANSWER: &str = r#"sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p'"#;

/// What a snippet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A shell with curl.
    Curl,
    /// A shell with `HTTPie`.
    Httpie,
    /// JavaScript's `fetch`, as a module of Node.js.
    JavaScript,
    /// Python with `requests`.
    Python,
    /// The bytes of the request.
    Http,
    /// A Postman collection of the token request and this one.
    Postman,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Curl, Self::Httpie, Self::JavaScript, Self::Python, Self::Http, Self::Postman];

    /// The name in URLs and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Httpie => "httpie",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Http => "http",
            Self::Postman => "postman",
        }
    }

    /// The name that people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Httpie => "HTTPie",
            Self::JavaScript => "JavaScript fetch",
            Self::Python => "Python requests",
            Self::Http => "Raw HTTP",
            Self::Postman => "Postman",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }
}

/// A request to write down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Headers, without Authorization.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// Where the token comes from; none: there is no token.
    pub token: Option<TokenSource>,
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSource {
    /// The token endpoint.
    pub url: String,
    /// The client.
    pub client_id: String,
}

impl Request {
    /// A request for an operation, with a value of each needed parameter's type.
    pub fn sample(services: &Services, operation: &Operation, client_id: &str) -> Self {
        let mut path = operation.path.clone();
        for parameter in operation.parameters.iter().filter(|parameter| parameter.place == Place::Path) {
            let value = plain(&sample(&parameter.kind));
            let value = utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string();
            path = path.replace(&format!("{{{}}}", parameter.name), &value);
        }
        let token = (operation.door != Door::Public)
            .then(|| TokenSource { url: services.token_url.clone(), client_id: client_id.to_owned() });
        let (headers, body) = operation.body.as_ref().map_or_else(Default::default, |body| {
            let media_type = body.media_types.first().cloned().unwrap_or_else(|| "text/plain".to_owned());
            let text = if binds_members(&media_type) {
                let object: Map<String, Value> =
                    body.members.iter().map(|member| (member.name.clone(), sample(&member.kind))).collect();
                Value::Object(object).to_string()
            } else {
                plain(&sample(&ValueType::Text))
            };
            (vec![("Content-Type".to_owned(), media_type)], Some(text))
        });
        Self {
            method: operation.method.as_str().to_owned(),
            url: format!("{}{path}", services.base_url),
            headers,
            body,
            token,
        }
    }

    /// The request in a language.
    pub fn written_for(&self, language: Language) -> String {
        match language {
            Language::Curl => self.curl(),
            Language::Httpie => self.httpie(),
            Language::JavaScript => self.javascript(),
            Language::Python => self.python(),
            Language::Http => self.http(),
            Language::Postman => self.postman(),
        }
    }

    fn curl(&self) -> String {
        let mut text = String::new();
        if let Some(token) = &self.token {
            let user = shell_with_secret(&token.client_id);
            let url = shell(&token.url);
            let _ = writeln!(
                text,
                "token=$(curl --silent --show-error --fail --user {user} --data grant_type=client_credentials {url} |\n  \
                 {TOKEN_OF_ANSWER})"
            );
        }
        let _ = write!(text, "curl --silent --show-error --fail --request {}", shell(&self.method));
        if self.token.is_some() {
            text.push_str(" \\\n  --header \"Authorization: Bearer $token\"");
        }
        for (name, value) in &self.headers {
            let _ = write!(text, " \\\n  --header {}", shell(&format!("{name}: {value}")));
        }
        if let Some(body) = &self.body {
            let _ = write!(text, " \\\n  --data-raw {}", shell(body));
        }
        let _ = writeln!(text, " \\\n  {}", shell(&self.url));
        text
    }

    fn httpie(&self) -> String {
        let mut text = String::new();
        if let Some(token) = &self.token {
            let user = shell_with_secret(&token.client_id);
            let url = shell(&token.url);
            let _ = writeln!(
                text,
                "token=$(http --ignore-stdin --check-status --auth {user} --form POST {url} \
                 grant_type=client_credentials |\n  {TOKEN_OF_ANSWER})"
            );
        }
        let body = self.body.as_ref().map_or(String::new(), |body| format!(" --raw {}", shell(body)));
        let (method, url) = (shell(&self.method), shell(&self.url));
        let _ = write!(text, "http --ignore-stdin --check-status{body} {method} {url}");
        if self.token.is_some() {
            text.push_str(" \\\n  \"Authorization:Bearer $token\"");
        }
        for (name, value) in &self.headers {
            let _ = write!(text, " \\\n  {}", shell(&format!("{name}:{value}")));
        }
        text.push('\n');
        text
    }

    fn javascript(&self) -> String {
        let mut text = String::new();
        if let Some(token) = &self.token {
            let (url, id) = (quoted(&token.url), quoted(&token.client_id));
            let _ = write!(
                text,
                "const credentials = btoa({id} + \":\" + process.env.{SECRET_VARIABLE});\n\
                 const issued = await fetch({url}, {{\n  method: \"POST\",\n  headers: {{ Authorization: `Basic \
                 ${{credentials}}` }},\n  body: new URLSearchParams({{ grant_type: \"client_credentials\" }}),\n}});\n\
                 if (!issued.ok) throw new Error(`no token: ${{issued.status}}`);\n\
                 const token = (await issued.json()).access_token;\n\n"
            );
        }
        let _ = write!(
            text,
            "const answer = await fetch({}, {{\n  method: {},\n",
            quoted(&self.url),
            quoted(&self.method)
        );
        text.push_str("  headers: {\n");
        if self.token.is_some() {
            text.push_str("    Authorization: `Bearer ${token}`,\n");
        }
        for (name, value) in &self.headers {
            let _ = writeln!(text, "    {}: {},", quoted(name), quoted(value));
        }
        text.push_str("  },\n");
        if let Some(body) = &self.body {
            let _ = writeln!(text, "  body: {},", quoted(body));
        }
        text.push_str("});\nconsole.log(await answer.text());\n");
        text
    }

    fn python(&self) -> String {
        let mut text = String::new();
        if let Some(token) = &self.token {
            let (url, id) = (quoted(&token.url), quoted(&token.client_id));
            let _ = write!(
                text,
                "import os\n\nimport requests\n\nissued = requests.post(\n    {url},\n    auth=({id}, \
                 os.environ[\"{SECRET_VARIABLE}\"]),\n    data={{\"grant_type\": \"client_credentials\"}},\n    \
                 timeout=30,\n)\nissued.raise_for_status()\ntoken = issued.json()[\"access_token\"]\n\n"
            );
        } else {
            text.push_str("import requests\n\n");
        }
        let (method, url) = (quoted(&self.method), quoted(&self.url));
        let _ = write!(text, "answer = requests.request(\n    {method},\n    {url},\n    headers={{\n");
        if self.token.is_some() {
            text.push_str("        \"Authorization\": f\"Bearer {token}\",\n");
        }
        for (name, value) in &self.headers {
            let _ = writeln!(text, "        {}: {},", quoted(name), quoted(value));
        }
        text.push_str("    },\n");
        if let Some(body) = &self.body {
            let _ = writeln!(text, "    data={}.encode(),", quoted(body));
        }
        text.push_str("    timeout=30,\n)\nanswer.raise_for_status()\nprint(answer.text)\n");
        text
    }

    fn http(&self) -> String {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let mut text = format!("{} {path} HTTP/1.1\nHost: {host}\n", one_line(&self.method));
        if self.token.is_some() {
            text.push_str("Authorization: Bearer <access token>\n");
        }
        for (name, value) in &self.headers {
            let _ = writeln!(text, "{}: {}", one_line(name), one_line(value));
        }
        if let Some(body) = &self.body {
            let _ = write!(text, "Content-Length: {}\n\n{body}", body.len());
        } else {
            text.push('\n');
        }
        text
    }

    fn postman(&self) -> String {
        let headers: Vec<Value> =
            self.headers.iter().map(|(name, value)| json!({"key": name, "value": value})).collect();
        let mut request = json!({"method": self.method, "header": headers, "url": {"raw": self.url}});
        if let Some(body) = &self.body {
            request["body"] = json!({"mode": "raw", "raw": body});
        }
        let item = json!({"name": format!("{} {}", self.method, self.url), "request": request});
        let collection = super::postman::collection_of_one(&item, self.token.as_ref());
        serde_json::to_string_pretty(&collection).unwrap_or_default()
    }
}

/// A word of a shell.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `id:$CLIENT_SECRET` as a word of a shell.
fn shell_with_secret(client_id: &str) -> String {
    format!("{}:\"${SECRET_VARIABLE}\"", shell(client_id))
}

/// A text in quotes, for JavaScript and Python: JSON's escapes are theirs.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            method: "POST".into(),
            url: "https://api.test/ords/hr/it's?a=1&b=$(x)".into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Some(r#"{"name":"O'Hara \"x\""}"#.into()),
            token: Some(TokenSource {
                url: "https://api.test/ords/hr/oauth/token".into(),
                client_id: "abc..".into(),
            }),
        }
    }

    #[test]
    fn what_a_caller_wrote_stays_a_word_of_the_shell() {
        let text = request().written_for(Language::Curl);
        assert!(text.contains(r"'https://api.test/ords/hr/it'\''s?a=1&b=$(x)'"), "{text}");
        assert!(text.contains(r#"--user abc..:"$CLIENT_SECRET""#), "{text}");
        assert!(text.contains("--header 'Content-Type: application/json'"), "{text}");
        assert!(request().written_for(Language::Httpie).contains(r"O'\''Hara"));
    }

    #[test]
    fn raw_http_has_no_line_that_a_value_made() {
        let mut forged = request();
        forged.headers.push(("X-Note".into(), "a\r\nX-Forged: b".into()));
        let text = forged.written_for(Language::Http);
        assert!(text.starts_with("POST /ords/hr/it's?a=1&b=$(x) HTTP/1.1\nHost: api.test\n"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("X-Forged")), "{text}");
    }

    #[test]
    fn nothing_asks_for_a_token_that_is_not_needed() {
        let open = Request { token: None, ..request() };
        for language in Language::ALL {
            let text = open.written_for(language);
            assert!(!text.contains("oauth/token") && !text.contains(SECRET_VARIABLE), "{text}");
            assert_eq!(Language::parse(language.name()), Some(language));
        }
    }
}
