//! Who looks at a page, and what the person may do (DESIGN decision 26).

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use gatepost_oauth::{User, UserKind};
use gatepost_rest::definition::Schema;
use gatepost_store::catalog::SignIn;
use http::request::Parts;
use maud::{Markup, html};
use secrecy::SecretString;

use super::fields::CSRF_FIELD;
use super::refused::Refused;
use super::{Caller, Console, cookie};
use crate::app::snapshot::Snapshot;
use crate::script::ScriptOptions;

/// Something that a page lets a person do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// See definitions: modules, locks, clients without their secrets.
    ReadDefinitions,
    /// Change definitions and run SQL.
    Define,
    /// See rows of REST sources.
    ReadSources,
    /// See the access log, the audit trail, usage and findings.
    ReadLogs,
    /// Call as a client, users, settings.
    Administer,
}

impl Act {
    /// What it takes, for those who may not.
    fn needs(self) -> &'static str {
        match self {
            Self::ReadDefinitions | Self::ReadSources => "a user that this schema is assigned to",
            Self::Define => "an administrator, or a developer of this schema",
            Self::ReadLogs => "an administrator or an auditor",
            Self::Administer => "an administrator",
        }
    }
}

/// The one place that says what each kind of person may do.
fn allows(kind: UserKind, act: Act) -> bool {
    match kind {
        UserKind::Administrator => true,
        UserKind::Developer => matches!(act, Act::ReadDefinitions | Act::Define | Act::ReadSources),
        UserKind::Viewer => matches!(act, Act::ReadDefinitions | Act::ReadSources),
        UserKind::Auditor => matches!(act, Act::ReadDefinitions | Act::ReadLogs),
    }
}

/// The person who is signed in.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    pub(super) user: Arc<User>,
    pub(super) sign_in: SignIn,
    pub(super) console: Console,
    pub(super) theme: Option<&'static str>,
    pub(super) caller: Caller,
    /// Whether htmx asks for a part of the page.
    pub(super) partial: bool,
    csrf: String,
    last_schema: Option<String>,
}

impl SignedIn {
    /// Whether the person may; the answer to those who may not.
    pub(super) fn may(&self, act: Act) -> Result<(), Refused> {
        if self.can(act) { Ok(()) } else { Err(Refused::NotAllowed(act.needs())) }
    }

    /// The same as a question: for buttons.
    pub(super) fn can(&self, act: Act) -> bool {
        allows(self.user.kind, act)
    }

    /// The password was given again within the last minutes; else the person is asked and comes back to `back`.
    pub(super) fn confirmed(&self, back: &str) -> Result<(), Refused> {
        if self.console.app().is_confirmed(&self.sign_in) {
            Ok(())
        } else {
            Err(Refused::ConfirmFirst(back.to_owned()))
        }
    }

    /// The hidden field that every form carries.
    pub(super) fn csrf_field(&self) -> Markup {
        html! { input type="hidden" name=(CSRF_FIELD) value=(self.csrf); }
    }

    /// The schemas that the person sees, by name.
    pub(super) fn schemas(&self, snapshot: &Snapshot) -> Vec<Arc<Schema>> {
        let all = snapshot.catalog.schemas.values().filter(|schema| self.user.sees_schema(schema.id));
        let mut schemas: Vec<Arc<Schema>> = all.cloned().collect();
        schemas.sort_by(|one, other| one.name.cmp(&other.name));
        schemas
    }

    /// The schema that the person looked at last, else the first.
    pub(super) fn schema(&self, snapshot: &Snapshot) -> Option<Arc<Schema>> {
        let schemas = self.schemas(snapshot);
        let last = schemas.iter().find(|schema| Some(schema.name.as_str()) == self.last_schema.as_deref());
        last.or(schemas.first()).cloned()
    }

    /// How a script of this person runs.
    pub(super) fn script_options(&self, schema: &str) -> ScriptOptions {
        ScriptOptions {
            schema: Some(schema.to_owned()),
            author: self.user.name.clone(),
            administrator: self.user.kind == UserKind::Administrator,
            row_limit: None,
            source: "console".into(),
            dry_run: false,
        }
    }
}

impl FromRequestParts<Console> for SignedIn {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Refused> {
        let token = cookie::sign_in(&parts.headers, console.is_secure()).ok_or(Refused::NotSignedIn)?;
        let caller = parts.extensions.get::<Caller>().cloned().ok_or(Refused::NotSignedIn)?;
        let csrf = cookie::csrf_token(token);
        let token = SecretString::from(token);
        let found = console.blocking(move |app| app.find_sign_in(&token)).await?.map_err(Refused::failed)?;
        let (user, sign_in) = found.ok_or(Refused::NotSignedIn)?;
        Ok(Self {
            user,
            sign_in,
            console: console.clone(),
            theme: cookie::theme(&parts.headers),
            partial: parts.headers.contains_key("hx-request"),
            last_schema: cookie::schema(&parts.headers).map(str::to_owned),
            caller,
            csrf,
        })
    }
}

/// A page of one schema, which the person sees: `/console/s/{schema}/…`.
#[derive(Clone, Debug)]
pub(super) struct InSchema {
    pub(super) signed_in: SignedIn,
    pub(super) schema: Arc<Schema>,
    pub(super) snapshot: Arc<Snapshot>,
}

impl InSchema {
    /// The path of a page of this schema.
    pub(super) fn path(&self, page: &str) -> String {
        path(&self.schema.name, page)
    }
}

/// The path of a page of a schema.
pub(super) fn path(schema: &str, page: &str) -> String {
    format!("{}s/{}/{page}", super::PATH, super::ui::encode(schema))
}

impl std::ops::Deref for InSchema {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.signed_in
    }
}

impl FromRequestParts<Console> for InSchema {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Refused> {
        let signed_in = SignedIn::from_request_parts(parts, console).await?;
        let parameters =
            RawPathParams::from_request_parts(parts, console).await.map_err(|_| Refused::NotFound)?;
        let name = parameters.iter().find(|(name, _)| *name == "schema").map(|(_, value)| value);
        let snapshot = arc_swap::Guard::into_inner(console.app().snapshot());
        let schema = name.and_then(|name| snapshot.catalog.schema_by_name(name)).cloned();
        // Who may not see a schema does not learn whether it exists.
        let schema = schema.filter(|schema| signed_in.user.sees_schema(schema.id));
        Ok(Self { schema: schema.ok_or(Refused::NotFound)?, signed_in, snapshot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_may_what_decision_26_says() {
        use Act::{Administer, Define, ReadDefinitions, ReadLogs, ReadSources};
        let all = [ReadDefinitions, Define, ReadSources, ReadLogs, Administer];
        let may = |kind| all.into_iter().filter(|act| allows(kind, *act)).collect::<Vec<_>>();
        assert_eq!(may(UserKind::Administrator), all);
        assert_eq!(may(UserKind::Developer), [ReadDefinitions, Define, ReadSources]);
        assert_eq!(may(UserKind::Viewer), [ReadDefinitions, ReadSources]);
        assert_eq!(may(UserKind::Auditor), [ReadDefinitions, ReadLogs]);
    }
}
