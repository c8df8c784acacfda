//! Who changes where a credential's secret may go must give the secret again (ADR 0014). Otherwise an author who cannot
//! read it could lead it to a host of theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatepost_rest::definition::Id;
use gatepost_sources::definition::{Credential, RemoteServer, SecretReach};
use gatepost_store::catalog::Catalog;

use super::refusal::Refusal;
use super::scope::Scope;
use super::working::Working;

/// The credential whose secret the call itself gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// None.
    Nothing,
    /// This one.
    SecretOf(Id),
}

/// Where the secrets of a schema may go at one time, by credential.
struct Reaches(BTreeMap<Id, Reach>);

/// Where a credential's secret may go.
struct Reach {
    credential: Arc<Credential>,
    urls: SecretReach,
    /// The servers behind these URLs.
    servers: Vec<Arc<RemoteServer>>,
}

impl Reaches {
    fn of(catalog: &Catalog, schema: Id) -> Self {
        let reach = |credential: &Arc<Credential>| {
            let urls = reach_of(catalog, credential);
            let servers = servers_in(catalog, schema, &urls);
            (credential.id, Reach { credential: Arc::clone(credential), urls, servers })
        };
        Self(catalog.credentials_of(schema).map(reach).collect())
    }
}

/// Where a credential's secret may go.
pub(super) fn reach_of(catalog: &Catalog, credential: &Credential) -> SecretReach {
    let schema = credential.schema_id;
    let sources = catalog.rest_sources_of(schema).map(AsRef::as_ref);
    let server =
        |name: &str| catalog.remote_servers_of(schema).find(|server| server.name == name).map(AsRef::as_ref);
    SecretReach::of(credential, sources, server)
}

/// The servers that a secret may be sent to.
fn servers_in(catalog: &Catalog, schema: Id, reach: &SecretReach) -> Vec<Arc<RemoteServer>> {
    let is_in = |server: &&Arc<RemoteServer>| {
        reach.urls().any(|url| url.starts_with(&server.base_url) || server.base_url.starts_with(url))
    };
    catalog.remote_servers_of(schema).filter(is_in).cloned().collect()
}

/// Makes a change, and takes the secret from each credential that could be sent somewhere else, or in another form, after
/// it. The author is told.
pub(super) fn keep_secrets_home(
    scope: &mut Scope<'_>,
    schema: Id,
    given: Given,
    change: impl FnOnce(&mut Working) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let before = Reaches::of(&scope.working.catalog, schema);
    change(scope.working)?;
    let after = Reaches::of(&scope.working.catalog, schema);
    for (id, Reach { credential, urls, servers }) in &after.0 {
        let Some(old) = before.0.get(id) else { continue };
        if given == Given::SecretOf(*id) {
            continue;
        }
        let reason = Credential::redirects_secret(&old.credential, credential).map(str::to_owned);
        let widened = || {
            SecretReach::costs_the_secret(credential, &old.urls, urls)
                .then(|| SecretReach::widened(&old.urls, urls))
                .flatten()
        };
        let stood_in = || {
            servers.iter().find_map(|server| {
                let old = old.servers.iter().find(|old| old.id == server.id)?;
                RemoteServer::redirects_secret(old, server).map(|field| format!("{}.{field}", server.name))
            })
        };
        if let Some(reason) = reason.or_else(widened).or_else(stood_in) {
            take_secret(scope, credential, &reason);
        }
    }
    Ok(())
}

fn take_secret(scope: &mut Scope<'_>, credential: &Arc<Credential>, reason: &str) {
    let random = scope.new_generation();
    let catalog = &mut scope.working.catalog;
    let Some(secret) = catalog.vault_secret_of(credential.id).map(|secret| secret.id) else { return };
    catalog.vault_secrets.remove(&secret);
    if let Some(credential) = catalog.credentials.get_mut(&credential.id) {
        Arc::make_mut(credential).new_generation(random);
    }
    scope.working.note(format!(
        "credential `{}` has no secret any more, because it could now be sent elsewhere ({reason}): set it again with \
         GATEPOST.SET_CREDENTIAL_SECRET",
        credential.name
    ));
}
