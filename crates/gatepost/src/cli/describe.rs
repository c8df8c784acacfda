//! `gatepost describe`.

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

use super::Place;
use super::terminal::print;
use crate::describe::{Seen, describe, find_module, openapi, postman};

/// Print what a schema publishes as a document for callers: OpenAPI 3.1, or a Postman collection.
///
/// Parameters, bodies and answers have the names and types that the prepared statements have, and scopes are the
/// privileges that open an operation. Only published modules are described. There is no secret in it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  gatepost describe --data shop --schema shop > openapi.json
  gatepost describe --data shop --schema shop --format postman > shop.postman_collection.json
  newman run shop.postman_collection.json --env-var client_id=… --env-var client_secret=…")]
pub(super) struct Describe {
    #[command(flatten)]
    place: Place,
    /// The schema.
    #[arg(long, value_name = "NAME")]
    schema: String,
    /// Only this module, by its name or its base path.
    #[arg(long, value_name = "NAME")]
    module: Option<String>,
    /// The kind of document.
    #[arg(long, value_enum, default_value_t = Format::Openapi)]
    format: Format,
    /// Scheme, host and port that callers use, where `server.public_url` does not say it.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// OpenAPI 3.1, as JSON.
    Openapi,
    /// A Postman collection v2.1.
    Postman,
}

impl Describe {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let app = self.place.open()?;
        let snapshot = app.snapshot();
        let name = self.schema.to_ascii_lowercase();
        let Some(schema) = snapshot.schemas().find(|schema| schema.schema.name == name) else {
            let known: Vec<_> = snapshot.schemas().map(|schema| schema.schema.name.as_str()).collect();
            bail!("there is no enabled schema `{}`; there are: {}", self.schema, known.join(", "));
        };
        let module = self.module.as_deref().map(|wanted| {
            find_module(schema, wanted)
                .with_context(|| format!("schema {name} has no published module `{wanted}`"))
        });
        let module = module.transpose()?.map(AsRef::as_ref);
        let mut services = describe(&app, schema, module, Seen::Everything)?;
        if let Some(server) = &self.server {
            services.move_to(&app.base_url, server.trim_end_matches('/'));
        }
        let document = match self.format {
            Format::Openapi => openapi(&services),
            Format::Postman => postman(&services),
        };
        let mut text = serde_json::to_string_pretty(&document)?;
        text.push('\n');
        Ok(print(text)?)
    }
}
