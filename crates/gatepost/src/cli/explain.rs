//! `gatepost explain`: the decision about a request, with all its reasons.

use anyhow::{Context as _, bail};
use clap::Args;
use gatepost_rest::access::{Principal, RequestMethod, Verdict};
use gatepost_rest::path::RequestPath;

use super::Place;
use super::terminal::say;
use crate::app::principals::KnownClient;
use crate::audit::explain::explain;

/// Say whether a client may make a request, and why.
///
/// Exits with 0 when the request is allowed and with 1 when it is refused.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost explain --as hr_app GET /ords/hr/hr/employees/7369")]
pub(super) struct Explain {
    #[command(flatten)]
    place: Place,
    /// The client, by its name or client id; without it, a caller without a token.
    #[arg(long = "as", value_name = "CLIENT")]
    client: Option<String>,
    /// The method.
    #[arg(value_name = "METHOD")]
    method: String,
    /// The path as a caller sends it, or a URL.
    #[arg(value_name = "PATH")]
    path: String,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let snapshot = app.snapshot();
        let sent = self.path.strip_prefix(app.base_url.as_ref()).unwrap_or(&self.path);
        let path =
            RequestPath::parse(sent.split(['?', '#']).next().unwrap_or_default()).context("the path")?;
        let [context, alias, ..] = path.segments() else { bail!("the path has no schema alias") };
        if context.as_ref() != &app.config.server.context[1..] {
            bail!("the path does not begin with {}", app.config.server.context);
        }
        let Some(schema) = snapshot.schema(alias) else { bail!("no enabled schema has the alias `{alias}`") };
        let known = self.client.as_deref().map(|wanted| {
            let mut clients = snapshot.catalog.clients_of(schema.schema.id);
            let found = clients.find(|client| client.name == wanted || client.client_id == wanted);
            let found = found.and_then(|client| snapshot.principals.find(client.id));
            found.with_context(|| format!("schema {} has no client `{wanted}`", schema.schema.name))
        });
        let known = known.transpose()?;
        let principal = known.map_or(Principal::Anonymous, |known| Principal::Client {
            access: &known.access,
            narrowed: None,
        });
        let method: http::Method = self.method.to_ascii_uppercase().parse().context("the method")?;
        let tail = path.below(2);
        let explained = explain(schema, tail, RequestMethod::from(&method), &principal);
        say(format_args!("schema {}, {}", schema.schema.name, describe(known.map(AsRef::as_ref))))?;
        match explained.template {
            Some(template) => say(format_args!(
                "route: module {}, template {}",
                template.module.name,
                template.template().pattern
            ))?,
            None => say("route: none; nothing is published at this path")?,
        }
        for (number, reason) in explained.reasons.iter().enumerate() {
            say(format_args!("{:>3}. {reason}", number + 1))?;
        }
        let disabled = known.is_some_and(|known| !known.client.enabled);
        if disabled {
            bail!("refused: the client is disabled, so no token of it opens anything");
        }
        match &explained.verdict {
            Verdict::Allow(_) => Ok(()),
            Verdict::Refuse(_) => bail!("refused: {}", schema.rules.describe(&explained.verdict)),
        }
    }
}

fn describe(known: Option<&KnownClient>) -> String {
    known.map_or_else(
        || "a caller without a token".to_owned(),
        |known| format!("client {} ({})", known.client.name, known.client.client_id),
    )
}
