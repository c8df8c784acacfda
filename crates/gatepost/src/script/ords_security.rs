//! Package `ORDS_SECURITY`, the newer spelling for clients: secrets are returned once, and two can be valid at a time
//! (ORDS Developer's Guide, package `ORDS_SECURITY`).
//!
//! Most calls have two forms: one by `p_client_key`, a record of package `ORDS_TYPES`, and one by name.

use gatepost_oauth::Client;
use gatepost_plsql::Value;
use secrecy::{ExposeSecret as _, SecretString};

use super::client_secrets::{self, Filter, SecretWish};
use super::clients::{
    change_client, delete_client, grant_client_role, import_client, named_client, read_new_client,
    rename_client, revoke_client_role, update_client,
};
use super::oauth::{CREATE_JWT_PROFILE, jwt_profile};
use super::refusal::Refusal;
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, CallResult, Parameter, Signature, boolean, number, record, text};

/// The calls of this package.
pub(super) static CALLS: [Signature; 19] = [
    call("REGISTER_CLIENT", CallResult::Either, &[&REGISTER_CLIENT], register_client),
    call("IMPORT_CLIENT", CallResult::Either, &[&IMPORT_CLIENT], import),
    call(
        "REGISTER_CLIENT_SECRET",
        CallResult::Either,
        &[
            &[record("p_client_key"), record("p_client_secret"), REVOKE_EXISTING, REVOKE_SESSIONS],
            &[text("p_name"), text("p_client_secret"), REVOKE_EXISTING, REVOKE_SESSIONS],
        ],
        register_client_secret,
    ),
    call(
        "ROTATE_CLIENT_SECRET",
        CallResult::Function,
        &[
            &[record("p_client_key"), REVOKE_EXISTING, REVOKE_SESSIONS],
            &[text("p_name"), REVOKE_EXISTING, REVOKE_SESSIONS],
        ],
        rotate_client_secret,
    ),
    call(
        "REVOKE_CLIENT_SECRETS",
        CallResult::Either,
        &[&[record("p_client_key"), record("p_filter").or_constant(DEFAULT), REVOKE_SESSIONS]],
        revoke_client_secrets,
    ),
    call(
        "REVOKE_CLIENT_SECRET",
        CallResult::Procedure,
        &[&[text("p_name"), text("p_client_secret").or_null(), REVOKE_SESSIONS]],
        revoke_client_secret,
    ),
    call("UPDATE_CLIENT", CallResult::Procedure, &[&UPDATE_BY_KEY, &UPDATE_BY_NAME], update_client),
    call(
        "UPDATE_CLIENT_PRIVILEGES",
        CallResult::Procedure,
        &[&[record("p_client_key"), text("p_privilege_names")], &[text("p_name"), text("p_privilege_names")]],
        update_client,
    ),
    call(
        "UPDATE_CLIENT_TOKEN_DURATION",
        CallResult::Procedure,
        &[
            &[record("p_client_key"), TOKEN_DURATION, REFRESH_DURATION, CODE_DURATION],
            &[text("p_name"), TOKEN_DURATION, REFRESH_DURATION, CODE_DURATION],
        ],
        update_client,
    ),
    call(
        "UPDATE_CLIENT_LOGO",
        CallResult::Procedure,
        &[
            &[record("p_client_key"), text("p_content_type"), text("p_logo")],
            &[text("p_name"), text("p_content_type"), text("p_logo")],
        ],
        |_, _| Err(Refusal::not_available("logos of clients (ORDS_SECURITY.UPDATE_CLIENT_LOGO)")),
    ),
    call(
        "RENAME_CLIENT",
        CallResult::Procedure,
        &[&[record("p_client_key"), text("p_new_name")], &[text("p_name"), text("p_new_name")]],
        rename_client,
    ),
    call(
        "DELETE_CLIENT",
        CallResult::Procedure,
        &[&[record("p_client_key")], &[text("p_name")]],
        delete_client,
    ),
    call("GRANT_CLIENT_ROLE", CallResult::Procedure, &[&ROLE_BY_KEY, &ROLE_BY_NAME], grant_client_role),
    call("REVOKE_CLIENT_ROLE", CallResult::Procedure, &[&ROLE_BY_KEY, &ROLE_BY_NAME], revoke_client_role),
    call(
        "VERIFY_CLIENT",
        CallResult::Function,
        &[&[text("p_client_id"), text("p_client_secret").or_null()]],
        |_, _| {
            Err(Refusal::not_available("ORDS_SECURITY.VERIFY_CLIENT")
                .help("a token request tells whether id and secret belong together"))
        },
    ),
    call("CREATE_JWT_PROFILE", CallResult::Procedure, &[&CREATE_JWT_PROFILE], jwt_profile),
    call("DELETE_JWT_PROFILE", CallResult::Procedure, &[&[]], jwt_profile),
    call("ROTATE_SECURITY_KEYS", CallResult::Procedure, &[&[]], security_keys),
    call("ROTATE_ALL_SECURITY_KEYS", CallResult::Procedure, &[&[]], security_keys),
];

const fn call(
    name: &'static str,
    result: CallResult,
    forms: &'static [&'static [Parameter]],
    run: fn(&mut Scope<'_>, &Bound) -> Result<Value, Refusal>,
) -> Signature {
    Signature { name, forms, run, result }
}

const SKIP: &str = "ORDS_CONSTANTS.OAUTH_CLIENT_SECRET_SKIP";
const DEFAULT: &str = "ORDS_CONSTANTS.OAUTH_CLIENT_SECRET_DEFAULT";
const REVOKE_EXISTING: Parameter = boolean("p_revoke_existing").or(false);
const REVOKE_SESSIONS: Parameter = boolean("p_revoke_sessions").or(false);
const TOKEN_DURATION: Parameter = number("p_token_duration").or_null();
const REFRESH_DURATION: Parameter = number("p_refresh_duration").or_null();
const CODE_DURATION: Parameter = number("p_code_duration").or_null();
const ROLE_BY_KEY: [Parameter; 2] = [record("p_client_key"), text("p_role_name")];
const ROLE_BY_NAME: [Parameter; 2] = [text("p_client_name").formerly("p_name"), text("p_role_name")];

const REGISTER_CLIENT: [Parameter; 12] = [
    text("p_name"),
    text("p_grant_type"),
    text("p_description").or_null(),
    record("p_client_secret").or_constant(SKIP),
    text("p_privilege_names").or_null(),
    text("p_origins_allowed").or_null(),
    text("p_redirect_uri").or_null(),
    text("p_support_email").or_null(),
    text("p_support_uri").or_null(),
    TOKEN_DURATION,
    REFRESH_DURATION,
    CODE_DURATION,
];

const IMPORT_CLIENT: [Parameter; 12] = [
    text("p_name"),
    text("p_grant_type"),
    text("p_description").or_null(),
    text("p_client_id").or_null(),
    text("p_privilege_names").or_null(),
    text("p_origins_allowed").or_null(),
    text("p_redirect_uri").or_null(),
    text("p_support_email").or_null(),
    text("p_support_uri").or_null(),
    TOKEN_DURATION,
    REFRESH_DURATION,
    CODE_DURATION,
];

const UPDATE_BY_KEY: [Parameter; 11] = update_form(record("p_client_key"));
const UPDATE_BY_NAME: [Parameter; 11] = update_form(text("p_name"));

const fn update_form(key: Parameter) -> [Parameter; 11] {
    [
        key,
        text("p_new_name").or_null(),
        text("p_description").or_null(),
        text("p_privilege_names").or_null(),
        text("p_origins_allowed").or_null(),
        text("p_redirect_uri").or_null(),
        text("p_support_email").or_null(),
        text("p_support_uri").or_null(),
        TOKEN_DURATION,
        REFRESH_DURATION,
        CODE_DURATION,
    ]
}

/// Without `p_client_secret` the client has no secret until one is registered.
fn register_client(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let wish = bound.record("p_client_secret").map(SecretWish::read).transpose()?.flatten();
    if let Some(wish) = &wish
        && wish.chosen.is_none()
        && !wish.stored
        && !scope.wants_value
    {
        return Err(Refusal::wrong("nobody would see the new secret")
            .help("take the result: l_client := ORDS_SECURITY.REGISTER_CLIENT(…)")
            .at_argument("p_client_secret"));
    }
    let mut client = read_new_client(scope, bound)?;
    let now_ms = scope.working.now_ms;
    let made = wish.map(|wish| client_secrets::make(scope, wish)).transpose()?;
    let made = made.map(|made| {
        let slot = client_secrets::set(&mut client, &made, now_ms);
        (made, slot)
    });
    let result =
        client_secrets::credentials_value(&client, made.as_ref().map(|(made, slot)| (made, *slot, now_ms)));
    scope.working.put_client(client);
    Ok(result)
}

fn import(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let (client, _) = import_client(scope, bound)?;
    Ok(client_secrets::key_value(&client))
}

fn register_client_secret(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let wish = if let Some(record) = bound.record("p_client_secret") {
        SecretWish::read(record)?.unwrap_or_default()
    } else {
        let chosen = SecretString::from(bound.required_text("p_client_secret")?);
        SecretWish { chosen: Some(chosen), ..SecretWish::default() }
    };
    if wish.chosen.is_none() && !wish.stored && !scope.wants_value {
        return Err(Refusal::wrong("nobody would see the new secret")
            .help("give one in p_client_secret, or take the result of ORDS_SECURITY.ROTATE_CLIENT_SECRET")
            .at_argument("p_client_secret"));
    }
    let (client, made, slot) = add_secret(scope, bound, wish)?;
    Ok(client_secrets::credentials_value(&client, Some((&made, slot, scope.working.now_ms))))
}

/// Makes a secret beside the existing one. By key the credentials come back, by name the secret alone.
fn rotate_client_secret(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let (client, made, slot) = add_secret(scope, bound, SecretWish::default())?;
    if bound.record("p_client_key").is_some() {
        return Ok(client_secrets::credentials_value(&client, Some((&made, slot, scope.working.now_ms))));
    }
    Ok(Value::text(made.text.expose_secret()))
}

fn add_secret(
    scope: &mut Scope<'_>,
    bound: &Bound,
    wish: SecretWish,
) -> Result<(Client, client_secrets::MadeSecret, u8), Refusal> {
    let mut client = named_client(scope, bound)?.clone();
    let made = client_secrets::make(scope, wish)?;
    if bound.is_true("p_revoke_existing") {
        client.secrets.clear();
    }
    let slot = client_secrets::set(&mut client, &made, scope.working.now_ms);
    save(scope, client.clone(), bound)?;
    Ok((client, made, slot))
}

/// Keeps the changed client; `p_revoke_sessions` revokes its tokens.
fn save(scope: &mut Scope<'_>, mut client: Client, bound: &Bound) -> Result<(), Refusal> {
    if bound.is_true("p_revoke_sessions") {
        client.new_generation(scope.new_generation());
    }
    let name = client.name.clone();
    change_client(scope, &name, |kept| *kept = client)?;
    Ok(())
}

fn revoke_client_secrets(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let filter = Filter::read(bound.record("p_filter"))?;
    let slots = revoke(scope, bound, &filter)?;
    Ok(client_secrets::slots_value(&slots))
}

fn revoke_client_secret(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let value = bound.text("p_client_secret").map(SecretString::from);
    let filter = value.map_or(Filter::Oldest, Filter::Value);
    let slots = revoke(scope, bound, &filter)?;
    if slots.is_empty() {
        let rule = "the client has no such secret";
        return Err(Refusal::invalid("p_client_secret", rule));
    }
    Ok(NOTHING)
}

fn revoke(scope: &mut Scope<'_>, bound: &Bound, filter: &Filter) -> Result<Vec<u8>, Refusal> {
    let mut client = named_client(scope, bound)?.clone();
    let slots = client_secrets::revoke(scope, &mut client, filter);
    save(scope, client, bound)?;
    Ok(slots)
}

fn security_keys(_: &mut Scope<'_>, _: &Bound) -> Result<Value, Refusal> {
    Err(Refusal::not_available("ORDS_SECURITY_ADMIN.ROTATE_SECURITY_KEYS")
        .help("the keys are in the key file, outside the catalog"))
}
