//! Package OAUTH, the older spelling for clients: a secret is made at once and stays readable for a while
//! (ORDS Developer's Guide, package OAUTH).

use gatepost_plsql::Value;
use secrecy::SecretString;

use super::client_secrets::{self, SecretWish};
use super::clients::{
    IsNew, change_client, delete_client, grant_client_role, import_client, named_client, read_new_client,
    rename_client, revoke_client_role, update_client,
};
use super::refusal::Refusal;
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, Parameter, Signature, boolean, number, procedure, text};

/// The calls of this package.
pub(super) static CALLS: [Signature; 13] = [
    procedure("CREATE_CLIENT", &[&CREATE_CLIENT], create_client),
    procedure("UPDATE_CLIENT", &[&UPDATE_CLIENT], update_client),
    procedure("RENAME_CLIENT", &[&[text("p_name"), text("p_new_name")]], rename_client),
    procedure("DELETE_CLIENT", &[&[text("p_name")]], delete_client),
    procedure("GRANT_CLIENT_ROLE", &[&[text("p_client_name"), text("p_role_name")]], grant_client_role),
    procedure("REVOKE_CLIENT_ROLE", &[&[text("p_client_name"), text("p_role_name")]], revoke_client_role),
    procedure(
        "UPDATE_CLIENT_SECRET",
        &[&[text("p_name"), text("p_client_secret"), boolean("p_revoke_sessions").or(false)]],
        update_client_secret,
    ),
    procedure(
        "ROTATE_CLIENT_SECRET",
        &[&[text("p_name"), boolean("p_revoke_existing").or(true), boolean("p_revoke_sessions").or(false)]],
        rotate_client_secret,
    ),
    procedure("IMPORT_CLIENT", &[&IMPORT_CLIENT], import),
    procedure("UPDATE_LOGO", &[&[text("p_name"), text("p_content_type"), text("p_logo")]], |_, _| {
        Err(Refusal::not_available("logos of clients (OAUTH.UPDATE_LOGO)"))
    }),
    procedure(
        "MODIFY_APPROVAL_STATUS",
        &[&[text("p_status"), text("p_updated_by"), text("p_approval_user"), number("p_approval_id")]],
        |_, _| Err(Refusal::not_available("approvals of users (OAUTH.MODIFY_APPROVAL_STATUS)")),
    ),
    procedure("CREATE_JWT_PROFILE", &[&CREATE_JWT_PROFILE], jwt_profile),
    procedure("DELETE_JWT_PROFILE", &[&[]], jwt_profile),
];

const CREATE_CLIENT: [Parameter; 13] = [
    text("p_name"),
    text("p_grant_type"),
    text("p_owner").or_null(),
    text("p_description").or_null(),
    text("p_origins_allowed").or_null().formerly("p_allowed_origins"),
    text("p_redirect_uri").or_null(),
    text("p_support_email").or_null(),
    text("p_support_uri").or_null().formerly("p_suppor_uri"),
    text("p_privilege_names").or_null(),
    number("p_token_duration").or_null(),
    number("p_refresh_duration").or_null(),
    number("p_code_duration").or_null(),
    text("p_token_endpoint_auth_method").or_null(),
];

const UPDATE_CLIENT: [Parameter; 10] = [
    text("p_name"),
    text("p_description").or_null(),
    text("p_origins_allowed").or_null().formerly("p_allowed_origins"),
    text("p_redirect_uri").or_null(),
    text("p_support_email").or_null(),
    text("p_support_uri").or_null().formerly("p_suppor_uri"),
    text("p_privilege_names").or_null(),
    number("p_token_duration").or_null(),
    number("p_refresh_duration").or_null(),
    number("p_code_duration").or_null(),
];

const IMPORT_CLIENT: [Parameter; 13] = [
    text("p_name"),
    text("p_client_id"),
    text("p_grant_type"),
    text("p_owner").or_null(),
    text("p_description").or_null(),
    text("p_origins_allowed").or_null(),
    text("p_redirect_uri").or_null(),
    text("p_support_email").or_null(),
    text("p_support_uri").or_null(),
    text("p_privilege_names").or_null(),
    number("p_token_duration").or_null(),
    number("p_refresh_duration").or_null(),
    number("p_code_duration").or_null(),
];

/// The parameters of `CREATE_JWT_PROFILE`, the same in package `ORDS_SECURITY`.
pub(super) const CREATE_JWT_PROFILE: [Parameter; 7] = [
    text("p_issuer"),
    text("p_audience"),
    text("p_jwk_url"),
    text("p_description").or_null(),
    number("p_allowed_skew").or_null(),
    number("p_allowed_age").or_null(),
    text("p_role_claim_name").or_null(),
];

/// JWT profiles are refused until they exist.
pub(super) fn jwt_profile(_: &mut Scope<'_>, _: &Bound) -> Result<Value, Refusal> {
    Err(Refusal::not_available("JWT profiles"))
}

fn create_client(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    if let Some(method) = bound.text("p_token_endpoint_auth_method")
        && !matches!(method.to_ascii_lowercase().as_str(), "client_secret_basic" | "client_secret_post")
    {
        let rule = format!("`{method}` is not one of client_secret_basic, client_secret_post");
        return Err(Refusal::invalid("p_token_endpoint_auth_method", rule));
    }
    let mut client = read_new_client(scope, bound)?;
    let made = client_secrets::make(scope, SecretWish::readable())?;
    client_secrets::set(&mut client, &made, scope.working.now_ms);
    scope.working.put_client(client);
    Ok(NOTHING)
}

/// The only secret of the client from now on is the chosen one.
fn update_client_secret(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let name = named_client(scope, bound)?.name.clone();
    let chosen = SecretString::from(bound.required_text("p_client_secret")?);
    let wish = SecretWish { chosen: Some(chosen), ..SecretWish::default() };
    replace_secret(scope, &name, wish, RevokeExisting::All, bound.is_true("p_revoke_sessions"))
}

fn rotate_client_secret(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let name = named_client(scope, bound)?.name.clone();
    let existing =
        if bound.is_true("p_revoke_existing") { RevokeExisting::All } else { RevokeExisting::Keep };
    replace_secret(scope, &name, SecretWish::readable(), existing, bound.is_true("p_revoke_sessions"))
}

/// Whether the secrets that a client has stay valid beside a new one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RevokeExisting {
    All,
    Keep,
}

fn replace_secret(
    scope: &mut Scope<'_>,
    name: &str,
    wish: SecretWish,
    existing: RevokeExisting,
    revoke_sessions: bool,
) -> Result<Value, Refusal> {
    let made = client_secrets::make(scope, wish)?;
    let generation = scope.new_generation();
    let now_ms = scope.working.now_ms;
    change_client(scope, name, |client| {
        if existing == RevokeExisting::All {
            client.secrets.clear();
        }
        client_secrets::set(client, &made, now_ms);
        if revoke_sessions {
            client.new_generation(generation);
        }
    })
}

/// Puts a client back; it gets a new secret, because secrets are never exported.
fn import(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let (mut client, is_new) = import_client(scope, bound)?;
    if is_new == IsNew::New {
        let made = client_secrets::make(scope, SecretWish::readable())?;
        client_secrets::set(&mut client, &made, scope.working.now_ms);
        scope.working.put_client(client);
    }
    Ok(NOTHING)
}
