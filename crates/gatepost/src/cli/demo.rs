//! `gatepost demo`: tables, definitions and clients of the tutorial, made once, served on loopback, and described
//! in `demo.json` for programs that want to call it.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use gatepost_oauth::Verification;
use gatepost_rest::sql::Dialect;
use gatepost_store::data::SessionValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::data_url::Wanted;
use super::demo_sources::{self, Sources};
use super::new_folder::Places;
use super::serve::{bind, serve};
use super::terminal::{say, tell};
use super::{
    catalog_url, data_url, init, key_source, load_config, new_folder, start_logging, url_argument, user,
};
use crate::app::clock::Clock;
use crate::app::key_file::write_private;
use crate::app::people::{By, PeopleError};
use crate::app::{App, Open};
use crate::config::CONFIG_FILE;
use crate::console::Console;
use crate::script::{self, Event, ScriptOptions};

pub(super) const SCHEMA: &str = "hr";
const TABLES: &str = include_str!("../../../../examples/hr/tables.sql");
const TABLES_POSTGRES: &str = include_str!("../../../../examples/hr/tables-postgres.sql");
const ROWS: &str = include_str!("../../../../examples/hr/rows.sql");
const DEFINITIONS: &str = include_str!("../../../../examples/hr/definitions.sql");
const CLIENTS: &str = include_str!("../../../../examples/hr/clients.sql");
const CLIENT: &str = "hr_app";
const LIMITED_CLIENT: &str = "limited_app";
/// Who signs in to the console.
const ADMINISTRATOR: &str = "admin";

/// Generated employees start here.
const FIRST_GENERATED: u64 = 100_000;
const GENERATED_AT_ONCE: usize = 100_000;

const HEAD: &str = "# A sample installation, made by `gatepost demo`. It is served on loopback only.\ndemo = true\n\n\
     # Its second half calls its first half.\n[egress]\nallow_loopback = true\n";

/// Make a sample installation and serve it on loopback.
///
/// Schema hr with the tables emp and dept, a locked module, a public one, a role, a privilege and two clients; schema
/// intranet, which calls the locked module with a client of its own. The
/// folder is kept: starting again goes on with it.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The folder of the sample.
    #[arg(long, value_name = "DIR", default_value = "./gatepost-demo")]
    data: PathBuf,
    /// Add this many generated employees.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rows: u64,
    /// Where the catalog is: `postgres://…`; without it, a SQLite file in the folder. A login that may make logins is
    /// used once, to make the catalog's own.
    #[arg(long, value_name = "URL", value_parser = url_argument::read)]
    catalog_url: Option<String>,
    /// Where the data is: `postgres://…`; without it, a SQLite file in the folder. A login that may make logins is used
    /// once, to make those of the data.
    #[arg(long, value_name = "URL", value_parser = url_argument::read)]
    data_url: Option<String>,
}

/// What `DIR/demo.json` tells.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    base_url: String,
    token_url: String,
    protected_url: String,
    item_url: String,
    public_url: String,
    client_id: String,
    client_secret: String,
    limited_client_id: String,
    limited_client_secret: String,
    /// Rows that come through the consumer half, and how to get a token for them.
    #[serde(default)]
    source_rows_url: String,
    #[serde(default)]
    source_token_url: String,
    #[serde(default)]
    source_client_id: String,
    #[serde(default)]
    source_client_secret: String,
    /// The console, and who signs in there. The password is empty when the person has set another one.
    #[serde(default)]
    console_url: String,
    #[serde(default)]
    admin_user: String,
    #[serde(default)]
    admin_password: String,
}

/// A client of the demo and the secret that `demo.json` told last time.
pub(super) struct Known<'a> {
    pub(super) schema: &'a str,
    pub(super) client: &'a str,
    pub(super) secret: Option<&'a String>,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<()> {
        ensure!(self.listen.ip().is_loopback(), "the demo listens on loopback only");
        // Before anything is made.
        let socket = bind(self.listen)?;
        let (catalog, data) = (self.catalog_url.as_deref(), self.data_url.as_deref());
        if !self.data.join(CONFIG_FILE).exists() {
            let places = Places { schema: SCHEMA, data, wanted: Wanted::Empty, catalog };
            new_folder::make(&self.data, HEAD, places)?;
        }
        let mut config = load_config(&self.data, None)?;
        catalog_url::check_same(&config, catalog)?;
        data_url::check_same(&config, SCHEMA, data)?;
        if !config.demo {
            bail!(
                "{} holds an installation that is no demo; serve it with `gatepost serve`",
                self.data.display()
            );
        }
        data_url::make_missing_schema(&config, SCHEMA)?;
        config.server.listen = socket.local_addr()?;
        start_logging(&config);
        let keys = key_source(&config);
        let app = Arc::new(App::open(config, keys, Clock::System, Open::Create)?);
        make_sample(&app, self.rows)?;
        let file = self.data.join("demo.json");
        let known = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Description>(&text).ok());
        let secret = |client, secret: fn(&Description) -> &String| {
            let secret = known.as_ref().map(secret);
            known_or_new_secret(&app, &Known { schema: SCHEMA, client, secret })
        };
        let secrets = [
            secret(CLIENT, |known| &known.client_secret)?,
            secret(LIMITED_CLIENT, |known| &known.limited_client_secret)?,
        ];
        let sources = demo_sources::make(&app, known.as_ref().map(|known| &known.source_client_secret))?;
        let password = administrator(&app, known.as_ref().map(|known| &known.admin_password))?;
        serve(&app, socket, |app, console| {
            let console_url = console.map(Console::url).unwrap_or_default();
            let description = describe(app, secrets, sources, password, console_url)?;
            write_private(&file, &serde_json::to_vec_pretty(&description)?)
                .with_context(|| file.display().to_string())?;
            print(&description, &file);
            Ok(())
        })
    }
}

/// Makes what is missing; what a person changed meanwhile stays.
fn make_sample(app: &App, rows: u64) -> anyhow::Result<()> {
    let dialect = app.dialect(SCHEMA);
    if app.snapshot().catalog.schema_by_name(SCHEMA).is_none() {
        init::run_script(app, SCHEMA, DEFINITIONS, "demo")?;
    }
    let (tables, known) = match dialect {
        Dialect::Sqlite => (TABLES, "select count(*) from sqlite_schema where name in ('emp', 'dept')"),
        Dialect::Postgres => {
            (TABLES_POSTGRES, "select num_nonnulls(to_regclass('emp'), to_regclass('dept')) as tables")
        }
    };
    if first_integer(&query(app, SCHEMA, known)?) != Some(2) {
        init::run_script(app, SCHEMA, &format!("{tables}{ROWS}"), "demo")?;
    }
    let clients = app.snapshot().catalog.clients.values().any(|client| client.name == CLIENT);
    if !clients {
        init::run_script(app, SCHEMA, CLIENTS, "demo")?;
    }
    let generated = first_integer(&query(
        app,
        SCHEMA,
        &format!("select count(*) from emp where empno >= {FIRST_GENERATED}"),
    )?);
    if rows > generated.unwrap_or(0) as u64 {
        tell(format_args!("Making {rows} employees …"));
        init::run_script(app, SCHEMA, &generator(dialect, rows), "demo")?;
    }
    Ok(())
}

/// A script of short transactions, so that none meets a time limit.
fn generator(dialect: Dialect, rows: u64) -> String {
    let mut script = String::new();
    for first in (0..rows).step_by(GENERATED_AT_ONCE) {
        let last = rows.min(first + GENERATED_AT_ONCE as u64) - 1;
        let (numbers, ignore, date) = match dialect {
            Dialect::Sqlite => (
                format!(
                    "with recursive n(i) as (select {first} union all select i + 1 from n where i < {last})"
                ),
                "from n where true",
                "date('2000-01-01', '+' || (i % 9000) || ' days')",
            ),
            Dialect::Postgres => (
                format!("with n(i) as (select * from generate_series({first}::bigint, {last}))"),
                "from n",
                "date '2000-01-01' + (i % 9000)::int",
            ),
        };
        let _ = writeln!(
            script,
            "{numbers}
             insert into emp (empno, ename, job, mgr, hiredate, sal, comm, deptno)
             select {FIRST_GENERATED} + i, 'EMP' || i,
                    case i % 3 when 0 then 'CLERK' when 1 then 'SALESMAN' else 'ANALYST' end, 7839,
                    {date}, (100000 + i * 37 % 400000) / 100.0, case i % 3 when 1 then i % 1000 end, 10 * (1 + i % 4)
             {ignore} on conflict (empno) do nothing;"
        );
    }
    if dialect == Dialect::Postgres {
        script.push_str("select setval(pg_get_serial_sequence('emp', 'empno'), max(empno)) from emp;\n");
    }
    script
}

/// The rows of the last query of a script, or what it printed last.
pub(super) fn query(app: &App, schema: &str, text: &str) -> anyhow::Result<Vec<Vec<SessionValue>>> {
    let options = ScriptOptions {
        schema: Some(schema.to_owned()),
        author: "demo".into(),
        administrator: true,
        row_limit: None,
        source: "demo".into(),
        dry_run: false,
    };
    let mut found = Vec::new();
    let outcome = script::run(app, text, &options, &mut |event| match event {
        Event::Rows { rows, .. } => found = rows,
        Event::Output(line) => found = vec![vec![SessionValue::Text(line)]],
        _ => {}
    });
    outcome.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    Ok(found)
}

fn first_integer(rows: &[Vec<SessionValue>]) -> Option<i64> {
    match rows.first()?.first()? {
        SessionValue::Integer(number) => Some(*number),
        _ => None,
    }
}

/// The secret that `demo.json` told last time, if it still opens; else the one that can still be read; else a new
/// one.
pub(super) fn known_or_new_secret(app: &App, known: &Known<'_>) -> anyhow::Result<String> {
    let (schema, name) = (known.schema, known.client);
    let client = app.snapshot().catalog.clients.values().find(|client| client.name == name).cloned();
    let client =
        client.with_context(|| format!("client {name} is gone; delete the demo's folder to start over"))?;
    let opens = |secret: &String| {
        let secret = SecretString::from(secret.clone());
        client.verify_secret(&secret, &app.ring(), &|_| false) == Verification::Match
    };
    if let Some(secret) = known.secret.filter(|secret| opens(secret)) {
        return Ok(secret.clone());
    }
    let shown =
        query(app, schema, &format!("select client_secret from user_ords_clients where name = '{name}'"))?;
    if let Some([SessionValue::Text(secret)]) = shown.first().map(Vec::as_slice)
        && opens(secret)
    {
        return Ok(secret.clone());
    }
    let rotated = query(
        app,
        schema,
        &format!(
            "begin dbms_output.put_line(ords_security.rotate_client_secret(p_name => '{name}', p_revoke_existing => true)); end;"
        ),
    )?;
    match rotated.first().map(Vec::as_slice) {
        Some([SessionValue::Text(secret)]) => Ok(secret.clone()),
        _ => bail!("client {name} got no new secret"),
    }
}

/// Makes the user of the console when there is none. Returns the password, while it is one that was made here. One that
/// was lost with `demo.json` is made anew, as long as no person touched the user.
fn administrator(app: &App, known: Option<&String>) -> anyhow::Result<String> {
    let password = user::random_password();
    let by = By { author: "demo", source: "demo" };
    let user = app.snapshot().catalog.user_by_name(ADMINISTRATOR).cloned();
    let made = match user {
        None => app.first_user(ADMINISTRATOR, password.clone(), by),
        Some(user) => {
            let known = known.filter(|known| user.password_matches(&SecretString::from(known.as_str())));
            if known.is_some() || user.updated_by != by.author {
                return Ok(known.cloned().unwrap_or_default());
            }
            app.set_password(ADMINISTRATOR, &password, by)
        }
    };
    match made {
        Ok(_) => Ok(password.expose_secret().to_owned()),
        // The person made others and removed this one.
        Err(PeopleError::SetUp) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

fn describe(
    app: &App,
    secrets: [String; 2],
    sources: Sources,
    admin_password: String,
    console_url: String,
) -> anyhow::Result<Description> {
    let base_url = app.issuer(SCHEMA);
    let snapshot = app.snapshot();
    let client_id = |name: &str| {
        let client = snapshot.catalog.clients.values().find(|client| client.name == name);
        client.map(|client| client.client_id.clone()).context("a client of the demo is gone")
    };
    let [client_secret, limited_client_secret] = secrets;
    Ok(Description {
        token_url: format!("{base_url}/oauth/token"),
        protected_url: format!("{base_url}/hr/employees/"),
        item_url: format!("{base_url}/hr/employees/7839"),
        public_url: format!("{base_url}/demo/departments/"),
        base_url,
        client_id: client_id(CLIENT)?,
        client_secret,
        limited_client_id: client_id(LIMITED_CLIENT)?,
        limited_client_secret,
        source_rows_url: sources.rows_url,
        source_token_url: sources.token_url,
        source_client_id: sources.client_id,
        source_client_secret: sources.client_secret,
        console_url,
        admin_user: ADMINISTRATOR.into(),
        admin_password,
    })
}

fn print(demo: &Description, file: &Path) {
    let password = match demo.admin_password.as_str() {
        "" => "the password that you set",
        password => password,
    };
    // A server goes on without anybody who reads this; programs read the file.
    let _ = say(format_args!(
        "Gatepost demo: schema hr, tables emp and dept, one locked module, one public.

1. Without a token the door is shut (401):
   curl -i {protected}
2. A client gets a token for its id and secret:
   curl -u {id}:{secret} \\
        -d grant_type=client_credentials {token}
3. With the token it opens (200):
   curl -H \"Authorization: Bearer ACCESS_TOKEN\" {protected}
4. What is public says so itself:
   curl {public}
5. The other half: schema intranet calls the locked API with its own client:
   gatepost source test hr_employees --schema intranet --data {folder}

The console:                   {console}
Sign in as {user} with:        {password}

Definitions, clients and data: gatepost sql --data {folder} --schema hr
Why is a door shut?            gatepost explain --data {folder} --as limited_app GET /ords/hr/hr/employees/
The same for programs:         {file}
Ready. Ctrl-C stops it; the folder stays.",
        protected = demo.protected_url,
        id = demo.client_id,
        secret = demo.client_secret,
        token = demo.token_url,
        public = demo.public_url,
        console = demo.console_url,
        user = demo.admin_user,
        folder = file.parent().unwrap_or(Path::new(".")).display(),
        file = file.display(),
    ));
}
