//! Package GATEPOST: credentials for other people's APIs and their secrets (ADR 0014).

use std::collections::BTreeMap;

use gatepost_oauth::{VaultOwner, VaultSecret};
use gatepost_plsql::Value;
use gatepost_rest::definition::Id;
use gatepost_sources::definition::amount::parse_duration;
use gatepost_sources::definition::{ClientAuth, Credential, Oauth2Client, SecretReference, SignIn};
use secrecy::SecretString;

use super::refusal::{Refusal, code};
use super::scope::{NOTHING, Scope};
use super::secret_reach::{Given, keep_secrets_home, reach_of};
use super::signature::{Bound, Signature, free_text, procedure, text};
use super::sources::{audit_after, read_word, refuse, refuse_if_used};

/// The calls.
pub(super) static CALLS: [Signature; 3] = [
    procedure(
        "DEFINE_CREDENTIAL",
        &[&[
            text("p_name"),
            text("p_type"),
            text("p_client_id").or_null(),
            text("p_secret").or_null(),
            text("p_valid_for").or_null(),
            text("p_scope").or_null(),
            text("p_client_auth").or_null(),
            text("p_token_params").or_null(),
            text("p_default_expires_in").or_null(),
            text("p_refresh_early").or_null(),
            text("p_username").or_null(),
            text("p_parameter_name").or_null(),
            text("p_secret_env").or_null(),
            text("p_secret_file").or_null(),
            text("p_comments").or_null(),
        ]],
        define_credential,
    ),
    procedure(
        "SET_CREDENTIAL_SECRET",
        &[&[text("p_name"), text("p_secret").or_null()]],
        set_credential_secret,
    ),
    procedure("DROP_CREDENTIAL", &[&[text("p_name")]], drop_credential),
];

/// The arguments that stand for the keys of the TOML form.
const ARGUMENTS: [(&str, &str); 14] = [
    ("name", "p_name"),
    ("type", "p_type"),
    ("client_id", "p_client_id"),
    ("username", "p_username"),
    ("header", "p_parameter_name"),
    ("parameter", "p_parameter_name"),
    ("scope", "p_scope"),
    ("client_auth", "p_client_auth"),
    ("token_params", "p_token_params"),
    ("default_expires_in", "p_default_expires_in"),
    ("refresh_early", "p_refresh_early"),
    ("secret", "p_secret_env"),
    ("valid_for", "p_valid_for"),
    ("comments", "p_comments"),
];

fn define_credential(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let credential = Credential {
        secret: read_reference(bound)?,
        valid_for: words(bound.text("p_valid_for")),
        comments: free_text(bound, "p_comments", 4_000)?,
        ..Credential::new(bound.required_text("p_name")?, read_sign_in(bound)?)
    };
    let credential = credential.checked().map_err(|broken| refuse(&ARGUMENTS, &broken))?;
    let secret = bound.text("p_secret").map(SecretString::from);
    put_credential(scope, schema, credential, secret.as_ref())?;
    Ok(NOTHING)
}

/// Puts a checked credential, new or changed, into the catalog, with its secret if that is given.
pub(super) fn put_credential(
    scope: &mut Scope<'_>,
    schema: Id,
    mut credential: Credential,
    secret: Option<&SecretString>,
) -> Result<(), Refusal> {
    let catalog = &mut scope.working.catalog;
    let before = catalog.credentials_of(schema).find(|known| known.name == credential.name).cloned();
    credential.id = before.as_ref().map_or_else(|| catalog.take_id(), |before| before.id);
    credential.schema_id = schema;
    credential.generation = before.as_ref().map_or(0, |before| before.generation);
    credential.new_generation(scope.new_generation());
    credential.audit = audit_after(scope.working, before.as_ref().map(|before| &before.audit));
    let id = credential.id;
    let given = if secret.is_some() { Given::SecretOf(id) } else { Given::Nothing };
    keep_secrets_home(scope, schema, given, |working| {
        let references_other = credential.secret != SecretReference::Vault;
        working.catalog.credentials.insert(id, credential.into());
        if references_other {
            working.catalog.vault_secrets.retain(|_, secret| secret.owner_id != id);
        }
        Ok(())
    })?;
    match secret {
        Some(secret) => set_secret(scope, schema, id, secret),
        None => Ok(()),
    }
}

/// Sets the secret, or takes it away with NULL. Tokens that were fetched with the old one are forgotten.
fn set_credential_secret(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let id = find(scope, schema, bound.required_text("p_name")?)?;
    let random = scope.new_generation();
    let audit = {
        let before = &scope.working.catalog.credentials[&id];
        audit_after(scope.working, Some(&before.audit))
    };
    let catalog = &mut scope.working.catalog;
    if let Some(credential) = catalog.credentials.get_mut(&id) {
        let credential = std::sync::Arc::make_mut(credential);
        credential.new_generation(random);
        credential.audit = audit;
    }
    catalog.vault_secrets.retain(|_, secret| secret.owner_id != id);
    if let Some(secret) = bound.text("p_secret") {
        set_secret(scope, schema, id, &SecretString::from(secret))?;
    }
    Ok(NOTHING)
}

fn set_secret(scope: &mut Scope<'_>, schema: Id, id: Id, secret: &SecretString) -> Result<(), Refusal> {
    let credential = &scope.working.catalog.credentials[&id];
    if credential.secret != SecretReference::Vault {
        let rule = "this credential takes its secret from the operator's environment or file";
        return Err(Refusal::invalid("p_secret", rule));
    }
    if reach_of(&scope.working.catalog, credential).is_empty() {
        let rule =
            "say first where it may be sent: p_valid_for => 'https://…', or define the source that uses it";
        return Err(Refusal::invalid("p_secret", rule));
    }
    let catalog = &mut scope.working.catalog;
    let known = catalog.vault_secret_of(id).map(|secret| secret.id);
    let record = known.unwrap_or_else(|| catalog.take_id());
    let set = (scope.working.author.clone(), scope.working.now_ms);
    let owner = VaultOwner { schema_id: schema, id };
    let ring = scope.host.key_ring();
    let sealed = VaultSecret::seal(record, owner, secret, &ring, scope.random(), (&set.0, set.1))
        .map_err(|error| Refusal::raised(code::INVALID_VALUE, error.to_string()).at_argument("p_secret"))?;
    scope.working.catalog.vault_secrets.insert(record, sealed.into());
    Ok(())
}

fn drop_credential(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_name")?;
    let id = find(scope, schema, name)?;
    let catalog = &mut scope.working.catalog;
    refuse_if_used(catalog, schema, &format!("credential `{name}`"), |source| {
        source.auth.as_ref().is_some_and(|auth| auth.credential == name)
    })?;
    catalog.credentials.remove(&id);
    catalog.vault_secrets.retain(|_, secret| secret.owner_id != id);
    Ok(NOTHING)
}

fn find(scope: &Scope<'_>, schema: Id, name: &str) -> Result<Id, Refusal> {
    let all = || scope.working.catalog.credentials_of(schema);
    all().find(|credential| credential.name == name).map(|credential| credential.id).ok_or_else(|| {
        Refusal::not_found("credential", name, all().map(|it| it.name.as_str())).at_argument("p_name")
    })
}

fn read_sign_in(bound: &Bound) -> Result<SignIn, Refusal> {
    let at = (0..SignIn::TYPES.len()).collect::<Vec<_>>();
    let kind = read_word("p_type", bound.required_text("p_type")?, &at, |at| SignIn::TYPES[at])?;
    let kind = SignIn::TYPES[kind];
    let own: &[&'static str] = match kind {
        "basic" => &["p_username"],
        "header" | "query" => &["p_parameter_name"],
        "oauth2_client_credentials" => &[
            "p_client_id",
            "p_scope",
            "p_client_auth",
            "p_token_params",
            "p_default_expires_in",
            "p_refresh_early",
        ],
        _ => &[],
    };
    let others =
        ["p_username", "p_parameter_name", "p_client_id", "p_scope", "p_client_auth", "p_token_params"];
    if let Some(wrong) = others.into_iter().find(|name| bound.text(name).is_some() && !own.contains(name)) {
        return Err(Refusal::invalid(wrong, format!("a credential of type {kind} has none")));
    }
    Ok(match kind {
        "basic" => SignIn::Basic { username: bound.required_text("p_username")?.into() },
        "bearer" => SignIn::Bearer,
        "header" => SignIn::Header { header: bound.required_text("p_parameter_name")?.into() },
        "query" => SignIn::Query { parameter: bound.required_text("p_parameter_name")?.into() },
        _ => SignIn::Oauth2ClientCredentials(read_oauth2(bound)?),
    })
}

fn read_oauth2(bound: &Bound) -> Result<Oauth2Client, Refusal> {
    let usual = Oauth2Client::default();
    let duration = |name: &'static str, usual: u64| match bound.text(name) {
        None => Ok(usual),
        Some(text) => parse_duration(text)
            .ok_or_else(|| Refusal::invalid(name, format!("`{text}` is no duration such as 30s or 5m"))),
    };
    let client_auth = bound
        .text("p_client_auth")
        .map(|word| read_word("p_client_auth", word, ClientAuth::ALL, ClientAuth::as_str));
    let token_params = match bound.text("p_token_params") {
        None => BTreeMap::new(),
        Some(json) => serde_json::from_str(json).map_err(|_| {
            Refusal::invalid("p_token_params", "a JSON object of texts is needed: {\"audience\": \"…\"}")
        })?,
    };
    Ok(Oauth2Client {
        client_id: bound.required_text("p_client_id")?.into(),
        scope: words(bound.text("p_scope")),
        client_auth: client_auth.transpose()?.unwrap_or(usual.client_auth),
        token_params,
        default_expires_in_ms: duration("p_default_expires_in", usual.default_expires_in_ms)?,
        refresh_early_ms: duration("p_refresh_early", usual.refresh_early_ms)?,
    })
}

fn read_reference(bound: &Bound) -> Result<SecretReference, Refusal> {
    match (bound.text("p_secret_env"), bound.text("p_secret_file")) {
        (None, None) => Ok(SecretReference::Vault),
        (Some(name), None) => Ok(SecretReference::Env(name.into())),
        (None, Some(path)) => Ok(SecretReference::File(path.into())),
        (Some(_), Some(_)) => Err(Refusal::invalid("p_secret_file", "p_secret_env is given as well")),
    }
}

/// Texts separated by blanks, line breaks or commas.
fn words(list: Option<&str>) -> Vec<String> {
    let list = list.unwrap_or_default();
    list.split([' ', ',', '\n', '\r', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
