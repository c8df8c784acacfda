//! What a configuration says of read replicas.

use std::collections::HashSet;

use gatepost_store::catalog::{CatalogPlace, PlaceOptions, redact};
use gatepost_store::data::DataLocation;

use super::{Config, ConfigError, SchemaStorage};

/// Replicas that a schema may have.
const REPLICAS_MAX: usize = 32;

impl Config {
    /// Checks what can be known of replicas without asking them.
    pub(super) fn check_replicas(&self, name: &str, storage: &SchemaStorage) -> Result<(), ConfigError> {
        let refuse = |key: &str, why: &str| Err(ConfigError(format!("schemas.{name}.{key}: {why}")));
        if !(100..=600_000).contains(&storage.replica_max_lag_ms) {
            return refuse("replica_max_lag_ms", "it must be from 100 to 600000");
        }
        if storage.replica_urls.is_empty() {
            return Ok(());
        }
        if storage.replica_urls.len() > REPLICAS_MAX {
            return refuse("replica_urls", &format!("at most {REPLICAS_MAX}"));
        }
        let DataLocation::Postgres(postgres) = self.data_location(name)? else {
            return refuse("replica_urls", "only data on PostgreSQL has replicas");
        };
        let mut known = HashSet::new();
        for url in &postgres.replica_urls {
            let place = match CatalogPlace::parse(url, &PlaceOptions::in_folder(&self.folder)) {
                Ok(CatalogPlace::Postgres(place)) => place,
                Ok(CatalogPlace::Sqlite(_)) => {
                    return refuse("replica_urls", &format!("`{}` is not postgres://…", redact(url)));
                }
                Err(error) => return refuse("replica_urls", &error.to_string()),
            };
            if place.servers() != 1 {
                let why = format!("`{}` names several servers; each has a URL of its own", redact(url));
                return refuse("replica_urls", &why);
            }
            if !known.insert(place.to_string()) {
                return refuse("replica_urls", &format!("`{}` is there twice", redact(url)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config, String> {
        let config = Config::parse(text, []).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn replicas_that_cannot_be_right_are_refused() {
        let data = "data = \"postgres://a:s3cret@h/b\"";
        for (text, word) in [
            (format!("{data}\nreplica_max_lag_ms = 99"), "replica_max_lag_ms"),
            (format!("{data}\nreplica_max_lag_ms = 600001"), "replica_max_lag_ms"),
            ("replica_urls = [\"postgres://a@r/b\"]".into(), "only data on PostgreSQL"),
            (
                "data = \"sqlite:x.db\"\nreplica_urls = [\"postgres://a@r/b\"]".into(),
                "only data on PostgreSQL",
            ),
            (format!("{data}\nreplica_urls = [\"sqlite:x.db\"]"), "replica_urls"),
            (format!("{data}\nreplica_urls = [\"file:missing\"]"), "missing"),
            (format!("{data}\nreplica_urls = [\"postgres://a:s3cret@r,q/b\"]"), "several servers"),
            (format!("{data}\nreplica_urls = [\"postgres://a:s3cret@r/b?sslmode=require\"]"), "verify-full"),
            (
                format!("{data}\nreplica_urls = [\"postgres://a:s3cret@r/b\", \"postgres://c@r:5432/b\"]"),
                "twice",
            ),
        ] {
            let error = parse(&format!("[schemas.hr]\n{text}")).unwrap_err();
            assert!(error.contains("schemas.hr.") || error.contains("missing"), "{error}");
            assert!(error.contains(word) && !error.contains("s3cret"), "{word}: {error}");
        }
        let good = "replica_urls = [\"postgres://a@r/b\", \"postgres://a@q/b\"]\nreplica_max_lag_ms = 250";
        parse(&format!("[schemas.hr]\n{data}\n{good}")).unwrap();
    }
}
