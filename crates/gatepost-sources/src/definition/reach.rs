//! How far a secret reaches: the URLs that it may be sent to, over all sources of a schema. An edit that takes it
//! further, by whatever object, costs the secret; so an author who cannot read it cannot lead it to a host of theirs.

use std::collections::BTreeSet;

use super::{Credential, RemoteServer, RestSource, SecretReference};

/// The URLs that a credential may be sent to at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretReach(BTreeSet<String>);

impl SecretReach {
    /// The reach of `credential` in a schema with these sources and servers.
    ///
    /// With a valid-for list it is that list, whatever sources do. Without one it is the base URLs and token endpoints
    /// of the sources that use it.
    pub fn of<'a>(
        credential: &Credential,
        sources: impl IntoIterator<Item = &'a RestSource>,
        find_server: impl Fn(&str) -> Option<&'a RemoteServer>,
    ) -> Self {
        if !credential.valid_for.is_empty() {
            return Self(credential.valid_for.iter().cloned().collect());
        }
        let mut urls = BTreeSet::new();
        for source in sources {
            let Some(auth) = source.auth.as_ref().filter(|auth| auth.credential == credential.name) else {
                continue;
            };
            let api = find_server(&source.server);
            urls.extend(api.map(|server| server.base_url.clone()));
            let token_server = auth.server.as_deref().map_or(api, &find_server);
            urls.extend(token_server.and_then(|server| auth.token_url(server, None)));
        }
        Self(urls)
    }

    /// The URLs.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Nothing may be sent anywhere. No secret should be set then: the first source would decide where it goes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first URL of `after` that `before` does not have. A reach that becomes empty counts as well, because the
    /// next source would fill it.
    pub fn widened(before: &Self, after: &Self) -> Option<String> {
        if after.is_empty() && !before.is_empty() {
            return Some("(any URL that the next source names)".into());
        }
        after.0.difference(&before.0).next().cloned()
    }

    /// Whether a sealed secret of this credential has to go when its reach changes so.
    pub fn costs_the_secret(credential: &Credential, before: &Self, after: &Self) -> bool {
        credential.secret == SecretReference::Vault && Self::widened(before, after).is_some()
    }
}
