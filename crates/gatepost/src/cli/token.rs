//! `gatepost token`: an access token from any token endpoint, for scripts and tries.

use std::io::{self, Read as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::terminal::say;

const SECRET_VARIABLE: &str = "GATEPOST_CLIENT_SECRET";

/// Get an access token with the client credentials grant.
///
/// The secret comes from variable `GATEPOST_CLIENT_SECRET` or from standard input, never from an argument: arguments
/// can be seen by others.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  curl -H \"Authorization: Bearer $(gatepost token --url http://127.0.0.1:8080/ords/hr/oauth/token --client-id ID < secret)\" …")]
pub(super) struct Token {
    /// The token endpoint.
    #[arg(long, value_name = "TOKEN_URL")]
    url: String,
    /// The client id.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// Scopes to ask for, separated by spaces.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Print the whole answer instead of the token alone.
    #[arg(long)]
    json: bool,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let secret = read_secret()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(self.request(&secret))?;
        if self.json {
            say(answer)?;
            return Ok(());
        }
        let Some(token) = answer.get("access_token").and_then(serde_json::Value::as_str) else {
            bail!("the answer of {} holds no access token", self.url);
        };
        say(token)?;
        Ok(())
    }

    async fn request(&self, secret: &SecretString) -> anyhow::Result<serde_json::Value> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let response = client
            .post(&self.url)
            .basic_auth(&self.client_id, Some(secret.expose_secret()))
            .form(&form)
            .send()
            .await
            .with_context(|| format!("calling {}", self.url))?;
        let status = response.status();
        let answer: serde_json::Value =
            response.json().await.with_context(|| format!("{} answered {status}, not JSON", self.url))?;
        if !status.is_success() {
            let text =
                |member: &str| answer.get(member).and_then(serde_json::Value::as_str).unwrap_or_default();
            bail!("{} answered {status}: {} {}", self.url, text("error"), text("error_description"));
        }
        Ok(answer)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a secret may come from the environment, never from an argument"
)]
fn read_secret() -> anyhow::Result<SecretString> {
    if let Ok(secret) = std::env::var(SECRET_VARIABLE) {
        return Ok(secret.into());
    }
    let mut text = String::new();
    io::stdin().lock().take(4_096).read_to_string(&mut text).context("the secret")?;
    let secret = text.trim();
    if secret.is_empty() {
        bail!("no secret on standard input and none in {SECRET_VARIABLE}");
    }
    Ok(secret.to_owned().into())
}
