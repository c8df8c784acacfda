//! OAuth clients as packages OAUTH, `ORDS_SECURITY` and GATEPOST make and change them: the rules that are the same
//! however the call is spelled.

use gatepost_oauth::{Client, GrantType, new_client_id};
use gatepost_plsql::Value;
use gatepost_rest::definition::Id;

use super::ords_privileges::role_or_built_in;
use super::origins;
use super::refusal::Refusal;
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, free_text};
use super::working::{Working, find_client, find_privilege};

/// Reads the description of a client that does not exist yet. It has no secret.
pub(super) fn read_new_client(scope: &mut Scope<'_>, bound: &Bound) -> Result<Client, Refusal> {
    let schema_id = scope.schema_id()?;
    let name = bound.required_text("p_name")?;
    check_client_name("p_name", name)?;
    if scope.working.catalog.clients.named(schema_id, name).is_some() {
        return Err(Refusal::exists("client", name).at_argument("p_name"));
    }
    let grant = bound.required_text("p_grant_type")?;
    let grant_type = GrantType::parse(grant).ok_or_else(|| {
        let rule = format!("`{grant}` is not one of client_credentials, authorization_code, implicit");
        Refusal::invalid("p_grant_type", rule)
    })?;
    let client_id = match bound.text("p_client_id") {
        Some(id) => check_client_id(&scope.working.catalog, schema_id, id)?,
        None => new_client_id(scope.random()),
    };
    let mut client = Client {
        id: scope.working.catalog.take_id(),
        schema_id,
        name: name.to_owned(),
        client_id,
        grant_type,
        owner: free_text(bound, "p_owner", 255)?,
        description: None,
        support_email: None,
        support_uri: None,
        redirect_uri: None,
        origins_allowed: Vec::new(),
        privileges: Vec::new(),
        roles: Vec::new(),
        token_duration_seconds: None,
        refresh_duration_seconds: None,
        code_duration_seconds: None,
        enabled: true,
        generation: scope.new_generation(),
        secrets: Vec::new(),
        created_by: scope.working.author.clone(),
        created_on_ms: scope.working.now_ms,
        updated_by: scope.working.author.clone(),
        updated_on_ms: scope.working.now_ms,
    };
    overwrite(&mut client, scope.working, bound)?;
    if grant_type == GrantType::Implicit {
        let text = format!("client `{name}`: grant type implicit is kept as written and never gives a token");
        scope.working.note(text);
    }
    Ok(client)
}

/// Overwrites the fields that the call names; the others stay.
pub(super) fn overwrite(client: &mut Client, working: &Working, bound: &Bound) -> Result<(), Refusal> {
    if bound.was_given("p_description") {
        client.description = free_text(bound, "p_description", 4000)?;
    }
    if bound.was_given("p_support_email") {
        client.support_email = free_text(bound, "p_support_email", 255)?;
    }
    if bound.was_given("p_support_uri") {
        client.support_uri = free_text(bound, "p_support_uri", 255)?;
    }
    if bound.was_given("p_redirect_uri") {
        client.redirect_uri = free_text(bound, "p_redirect_uri", 4000)?;
        client.redirect_uri.as_deref().map_or(Ok(()), check_redirect_uri)?;
    }
    if bound.was_given("p_origins_allowed") {
        client.origins_allowed = origins::parse(bound.text("p_origins_allowed").unwrap_or_default())?;
    }
    if bound.was_given("p_privilege_names") {
        let names = bound.text("p_privilege_names").unwrap_or_default();
        client.privileges = read_privileges(working, client.schema_id, names)?;
    }
    if bound.was_given("p_token_duration") {
        client.token_duration_seconds = duration(bound, "p_token_duration")?;
    }
    if bound.was_given("p_refresh_duration") {
        client.refresh_duration_seconds = duration(bound, "p_refresh_duration")?;
    }
    if bound.was_given("p_code_duration") {
        client.code_duration_seconds = duration(bound, "p_code_duration")?;
    }
    if client.grant_type != GrantType::ClientCredentials {
        let grant = client.grant_type.as_str();
        let rule = format!("needed for grant type {grant}");
        if client.description.is_none() {
            return Err(Refusal::invalid("p_description", rule));
        }
        if client.redirect_uri.is_none() {
            return Err(Refusal::invalid("p_redirect_uri", rule));
        }
    }
    if client.code_duration_seconds.is_some() && client.grant_type != GrantType::AuthorizationCode {
        return Err(Refusal::invalid("p_code_duration", "only for grant type authorization_code"));
    }
    Ok(())
}

fn duration(bound: &Bound, name: &'static str) -> Result<Option<u32>, Refusal> {
    match bound.count(name)? {
        Some(0) => Err(Refusal::invalid(name, "a lifetime of 0 seconds opens nothing")),
        seconds => Ok(seconds),
    }
}

/// Checks a client name: 1 to 255 characters, none of them a control character.
pub(super) fn check_client_name(argument: &'static str, name: &str) -> Result<(), Refusal> {
    if name.chars().any(char::is_control) {
        return Err(Refusal::invalid(argument, "control characters are not allowed in a name"));
    }
    if name.chars().count() > 255 {
        return Err(Refusal::invalid(argument, "at most 255 characters are allowed"));
    }
    Ok(())
}

/// Checks a client id that comes from elsewhere (RFC 6749 appendix A.1; a colon would end it in Basic credentials).
fn check_client_id(
    catalog: &gatepost_store::catalog::Catalog,
    schema: Id,
    id: &str,
) -> Result<String, Refusal> {
    let argument = "p_client_id";
    if id.len() > 255 || !id.bytes().all(|byte| matches!(byte, b'!'..=b'~') && byte != b':') {
        return Err(Refusal::invalid(
            argument,
            "up to 255 printable ASCII characters without space and colon",
        ));
    }
    if catalog.clients_of(schema).any(|client| client.client_id == id) {
        return Err(Refusal::exists("client id", id).at_argument(argument));
    }
    Ok(id.to_owned())
}

/// Checks a redirect URI: absolute, without fragment and wildcard; plain http on the user's own machine only
/// (RFC 6749 section 3.1.2; RFC 9700 section 2.1; RFC 8252 section 7).
fn check_redirect_uri(uri: &str) -> Result<(), Refusal> {
    let refuse = |rule: &str| Err(Refusal::invalid("p_redirect_uri", rule));
    if uri.contains(['#', '*']) || uri.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return refuse("fragment, wildcard and spaces are not allowed");
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return refuse("not an absolute URI") };
    let lower = scheme.to_ascii_lowercase();
    match lower.as_str() {
        "https" if rest.starts_with("//") && rest.len() > 2 => Ok(()),
        "http" => {
            let host =
                rest.strip_prefix("//").unwrap_or_default().split(['/', '?']).next().unwrap_or_default();
            let name = host.rsplit_once(':').filter(|_| !host.ends_with(']')).map_or(host, |(name, _)| name);
            if matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
                return Ok(());
            }
            refuse("plain http is allowed for localhost only")
        }
        // A private scheme of an installed app has a dot in it (RFC 8252 section 7.1).
        scheme if scheme.contains('.') => Ok(()),
        _ => refuse("an https URI, or http on localhost, or a private scheme such as com.example.app"),
    }
}

/// Reads a comma-separated list of privilege names. Ids sorted.
pub(super) fn read_privileges(working: &Working, schema: Id, names: &str) -> Result<Vec<Id>, Refusal> {
    let mut ids = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let found = find_privilege(&working.catalog, schema, name);
        let id = found.map_err(|refusal| refusal.at_argument("p_privilege_names"))?.id;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// The client that the arguments mean, by `p_client_key`, `p_name` or `p_client_name`.
pub(super) fn named_client<'a>(scope: &'a Scope<'_>, bound: &Bound) -> Result<&'a Client, Refusal> {
    let schema = scope.schema_id()?;
    let catalog = &scope.working.catalog;
    if let Some(key) = bound.record("p_client_key") {
        let field = |name: &str| key.get(name).filter(|value| !value.is_null()).and_then(Value::to_text);
        let (id, name, client_id) = (field("id"), field("name"), field("client_id"));
        if id.is_none() && name.is_none() && client_id.is_none() {
            return Err(Refusal::invalid("p_client_key", "id, name or client_id is needed"));
        }
        let is_meant = |client: &&std::sync::Arc<Client>| {
            id.as_ref().is_none_or(|id| client.id.to_string() == *id)
                && name.as_ref().is_none_or(|name| client.name == *name)
                && client_id.as_ref().is_none_or(|client_id| client.client_id == *client_id)
        };
        let shown = name.clone().or_else(|| client_id.clone()).or_else(|| id.clone()).unwrap_or_default();
        let found = catalog.clients_of(schema).find(is_meant);
        return found.map(AsRef::as_ref).ok_or_else(|| Refusal::not_found("client", &shown, []));
    }
    let name = match bound.text("p_name").or_else(|| bound.text("p_client_name")) {
        Some(name) => name,
        None => bound.required_text("p_name")?,
    };
    find_client(catalog, schema, name).map(AsRef::as_ref)
}

/// Changes a client and notes who did.
pub(super) fn change_client(
    scope: &mut Scope<'_>,
    name: &str,
    change: impl FnOnce(&mut Client),
) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let (author, now_ms) = (scope.working.author.clone(), scope.working.now_ms);
    let client = scope.working.client_mut(schema, name)?;
    change(client);
    client.updated_by = author;
    client.updated_on_ms = now_ms;
    Ok(NOTHING)
}

/// `UPDATE_CLIENT` and its smaller forms.
pub(super) fn update_client(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let mut client = named_client(scope, bound)?.clone();
    let old_name = client.name.clone();
    overwrite(&mut client, scope.working, bound)?;
    if let Some(new_name) = bound.text("p_new_name") {
        check_new_name(scope, &old_name, new_name)?;
        new_name.clone_into(&mut client.name);
    }
    change_client(scope, &old_name, |kept| *kept = client)
}

/// `RENAME_CLIENT`.
pub(super) fn rename_client(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let old_name = named_client(scope, bound)?.name.clone();
    let new_name = bound.required_text("p_new_name")?;
    check_new_name(scope, &old_name, new_name)?;
    change_client(scope, &old_name, |client| new_name.clone_into(&mut client.name))
}

fn check_new_name(scope: &Scope<'_>, old_name: &str, new_name: &str) -> Result<(), Refusal> {
    check_client_name("p_new_name", new_name)?;
    let schema = scope.schema_id()?;
    if old_name != new_name && scope.working.catalog.clients.named(schema, new_name).is_some() {
        return Err(Refusal::exists("client", new_name).at_argument("p_new_name"));
    }
    Ok(())
}

/// `DELETE_CLIENT`: the client goes with its secrets and grants, and no token of it opens anything.
pub(super) fn delete_client(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let id = named_client(scope, bound)?.id;
    scope.working.catalog.clients.remove(&id);
    Ok(NOTHING)
}

/// `GRANT_CLIENT_ROLE`.
pub(super) fn grant_client_role(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = named_client(scope, bound)?.name.clone();
    let role = role_or_built_in(scope.working, schema, bound.required_text("p_role_name")?)
        .map_err(|refusal| refusal.at_argument("p_role_name"))?;
    change_client(scope, &name, |client| {
        if !client.roles.contains(&role) {
            client.roles.push(role);
            client.roles.sort_unstable();
        }
    })
}

/// `REVOKE_CLIENT_ROLE`.
pub(super) fn revoke_client_role(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let client = named_client(scope, bound)?;
    let name = client.name.clone();
    let role_name = bound.required_text("p_role_name")?;
    let role = scope.working.role(schema, role_name).map_err(|refusal| refusal.at_argument("p_role_name"))?;
    if !client.roles.contains(&role) {
        let held = client.roles.iter().filter_map(|id| scope.working.catalog.roles.get(id));
        let what = format!("client `{name}`: granted role");
        return Err(Refusal::not_found(&what, role_name, held.map(|role| role.name.as_str())));
    }
    change_client(scope, &name, |client| client.roles.retain(|held| *held != role))
}

/// Puts a client with a known id back: a new one, or the one that has this name and this id already.
pub(super) fn import_client(scope: &mut Scope<'_>, bound: &Bound) -> Result<(Client, IsNew), Refusal> {
    let schema = scope.schema_id()?;
    let named = bound.text("p_name").and_then(|name| scope.working.catalog.clients.named(schema, name));
    let same = |client: &&std::sync::Arc<Client>| bound.text("p_client_id") == Some(&client.client_id);
    let Some(before) = named.filter(same).cloned() else {
        let client = read_new_client(scope, bound)?;
        scope.working.put_client(client.clone());
        return Ok((client, IsNew::New));
    };
    let mut client = (*before).clone();
    let grant = bound.required_text("p_grant_type")?;
    if GrantType::parse(grant) != Some(client.grant_type) {
        let rule = format!("client `{}` has grant type {}", client.name, client.grant_type.as_str());
        return Err(Refusal::invalid("p_grant_type", rule));
    }
    overwrite(&mut client, scope.working, bound)?;
    client.updated_by.clone_from(&scope.working.author);
    client.updated_on_ms = scope.working.now_ms;
    scope.working.put_client(client.clone());
    Ok((client, IsNew::Known))
}

/// Whether an imported client was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsNew {
    /// It was not.
    New,
    /// It was; its secrets and grants stay.
    Known,
}
