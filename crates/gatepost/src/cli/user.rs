//! `gatepost user`: the people who may sign in to the console.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand, ValueEnum};
use gatepost_oauth::{User as Person, UserKind};
use gatepost_store::data::SessionValue;
use secrecy::{ExposeSecret as _, SecretString};

use super::terminal::{Unwritten, say};
use super::{Place, sql, table};
use crate::app::App;
use crate::app::clock::{random_bytes, rfc3339};
use crate::app::people::{By, NewUser, UserChange};

/// Make, change, list and remove those who may sign in to the console.
///
/// Passwords come from the terminal without being shown, from standard input when that is no terminal, or are made here:
/// never from an argument, which others can see.
#[derive(Debug, Args)]
pub(super) struct User {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a user.
    Add(Add),
    /// Show all users.
    List(List),
    /// Give a user another password and end all sign-ins of the user.
    Password(Password),
    /// Change what a user may do.
    Change(Change),
    /// Remove a user with all that was kept for the user.
    Remove(Named),
    /// Show where a user is signed in, or end it.
    SignIns(SignIns),
}

#[derive(Debug, Args)]
struct Named {
    #[command(flatten)]
    place: Place,
    /// The user's name.
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  gatepost user add ada --kind developer --schema hr --data gatepost-demo --generate")]
struct Add {
    #[command(flatten)]
    named: Named,
    /// What the user may do.
    #[arg(long, value_enum, default_value_t = Kind::Administrator)]
    kind: Kind,
    /// A schema that a developer or viewer works in; may be given several times.
    #[arg(long = "schema", value_name = "NAME")]
    schemas: Vec<String>,
    /// Make a password and print it once.
    #[arg(long)]
    generate: bool,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Password {
    #[command(flatten)]
    named: Named,
    /// Make a password and print it once.
    #[arg(long)]
    generate: bool,
}

#[derive(Debug, Args)]
struct Change {
    #[command(flatten)]
    named: Named,
    /// What the user may do from now on.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// The schemas that a developer or viewer works in from now on; may be given several times.
    #[arg(long = "schema", value_name = "NAME", conflicts_with = "no_schema")]
    schemas: Vec<String>,
    /// No schema from now on.
    #[arg(long)]
    no_schema: bool,
    /// The user may not sign in any more, and is signed out everywhere.
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// The user may sign in again.
    #[arg(long)]
    enable: bool,
}

#[derive(Debug, Args)]
struct SignIns {
    #[command(flatten)]
    named: Named,
    /// End all of them.
    #[arg(long)]
    end: bool,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Everything.
    Administrator,
    /// Definitions and SQL of the assigned schemas.
    Developer,
    /// Definitions and source reports of the assigned schemas, to read.
    Viewer,
    /// Definitions, logs, audit and explanations, to read.
    Auditor,
}

impl From<Kind> for UserKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Administrator => Self::Administrator,
            Kind::Developer => Self::Developer,
            Kind::Viewer => Self::Viewer,
            Kind::Auditor => Self::Auditor,
        }
    }
}

impl User {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Add(action) => action.run(),
            Action::List(action) => list(&action.place.open()?),
            Action::Password(action) => action.run(),
            Action::Change(action) => action.run(),
            Action::Remove(action) => action.remove(),
            Action::SignIns(action) => action.run(),
        }
    }
}

impl Add {
    fn run(self) -> anyhow::Result<()> {
        let app = self.named.place.open()?;
        let (password, shown) = new_password(self.generate)?;
        let (name, kind) = (self.named.name, self.kind.into());
        let user =
            by_terminal(|by| app.create_user(&NewUser { name, kind, schemas: self.schemas, password }, by))?;
        say(format_args!("user {} is made: {}", user.name, user.kind.as_str()))?;
        tell_password(shown.as_ref())
    }
}

impl Password {
    fn run(self) -> anyhow::Result<()> {
        let app = self.named.place.open()?;
        let name = &self.named.name;
        let (password, shown) = new_password(self.generate)?;
        by_terminal(|by| app.set_password(name, &password, by))?;
        say(format_args!("user {name} has another password and is signed out everywhere"))?;
        tell_password(shown.as_ref())
    }
}

impl Change {
    fn run(self) -> anyhow::Result<()> {
        let enabled = match (self.enable, self.disable) {
            (false, false) => None,
            (enable, _) => Some(enable),
        };
        let schemas = (self.no_schema || !self.schemas.is_empty()).then_some(self.schemas);
        let change = UserChange { kind: self.kind.map(UserKind::from), schemas, enabled };
        if change == UserChange::default() {
            bail!("nothing to change: give --kind, --schema, --no-schema, --enable or --disable");
        }
        let app = self.named.place.open()?;
        let user = by_terminal(|by| app.change_user(&self.named.name, &change, by))?;
        Ok(say(format_args!("user {}: {}", user.name, describe(&app, &user)))?)
    }
}

impl Named {
    fn remove(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        by_terminal(|by| app.delete_user(&self.name, by))?;
        Ok(say(format_args!("user {} is removed", self.name))?)
    }
}

impl SignIns {
    fn run(self) -> anyhow::Result<()> {
        let app = self.named.place.open()?;
        let name = &self.named.name;
        let user = app.snapshot().catalog.user_by_name(name).cloned();
        let user = user.with_context(|| format!("there is no user {name}"))?;
        let sign_ins = app.list_sign_ins(&user)?;
        if self.end {
            app.end_sign_ins(&user)?;
            return Ok(say(format_args!("{} sign-ins of {name} are ended", sign_ins.len()))?);
        }
        let columns = ["made", "last used", "ends", "address", "browser"].map(str::to_owned);
        let row = |sign_in: gatepost_store::catalog::SignIn| {
            let times = [sign_in.made_on_ms, sign_in.seen_on_ms, sign_in.expires_on_ms].map(rfc3339);
            times.into_iter().chain([sign_in.address, sign_in.user_agent]).map(SessionValue::Text).collect()
        };
        let rows: Vec<_> = sign_ins.into_iter().map(row).collect();
        Ok(table::write(&mut io::stdout().lock(), &columns, &rows).map_err(Unwritten::from)?)
    }
}

fn list(app: &App) -> anyhow::Result<()> {
    let columns = ["name", "kind", "schemas", "state", "made", "password set"].map(str::to_owned);
    let catalog = &app.snapshot().catalog;
    let row = |user: &Person| {
        let state = if user.enabled { "enabled" } else { "disabled" };
        let (made, set) = (rfc3339(user.created_on_ms), rfc3339(user.password_set_on_ms));
        let cells =
            [user.name.clone(), user.kind.as_str().into(), schemas_of(app, user), state.into(), made, set];
        cells.map(SessionValue::Text).to_vec()
    };
    let rows: Vec<_> = catalog.users.values().map(|user| row(user)).collect();
    Ok(table::write(&mut io::stdout().lock(), &columns, &rows).map_err(Unwritten::from)?)
}

fn describe(app: &App, user: &Person) -> String {
    let state = if user.enabled { "enabled" } else { "disabled" };
    format!("{}, schemas: {}, {state}", user.kind.as_str(), schemas_of(app, user))
}

fn schemas_of(app: &App, user: &Person) -> String {
    if !user.kind.has_assigned_schemas() {
        return "all".into();
    }
    let catalog = &app.snapshot().catalog;
    let names = user.schemas.iter().filter_map(|id| catalog.schemas.get(id));
    let names: Vec<&str> = names.map(|schema| schema.name.as_str()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn by_terminal<T, E: Into<anyhow::Error>>(work: impl FnOnce(By<'_>) -> Result<T, E>) -> anyhow::Result<T> {
    let author = sql::terminal_user();
    work(By { author: &author, source: "user" }).map_err(Into::into)
}

/// A password that nobody has to think up.
pub(super) fn random_password() -> SecretString {
    URL_SAFE_NO_PAD.encode(random_bytes::<18>()).into()
}

/// The new password, and the same to be shown if it was made here.
fn new_password(generate: bool) -> anyhow::Result<(SecretString, Option<SecretString>)> {
    if generate {
        let password = random_password();
        return Ok((password.clone(), Some(password)));
    }
    if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("New password: ").context("the password")?;
        let again = rpassword::prompt_password("The same again: ").context("the password")?;
        if password != again {
            bail!("the two passwords differ");
        }
        return Ok((password.into(), None));
    }
    let mut text = String::new();
    io::stdin().lock().take(4_096).read_to_string(&mut text).context("the password")?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("no password on standard input; give it there, or let --generate make one");
    }
    Ok((line.to_owned().into(), None))
}

fn tell_password(password: Option<&SecretString>) -> anyhow::Result<()> {
    if let Some(password) = password {
        say(format_args!("password: {}", password.expose_secret()))?;
    }
    Ok(())
}
