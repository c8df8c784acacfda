//! Where a test keeps its catalog.

use crate::postgres::cluster;

/// A kind of catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// The URL of a new, empty place; none for the file that an installation has anyway.
    pub(crate) fn url(self, name: &str) -> Option<String> {
        (self == Self::Postgres).then(|| cluster().database(name))
    }

    /// The same as a section of `gatepost.toml`.
    pub(crate) fn section(self, name: &str) -> String {
        self.url(name).map_or(String::new(), |url| format!("\n[catalog]\nurl = \"{url}\"\n"))
    }
}

/// Runs each of these once with the catalog in SQLite and once in PostgreSQL.
macro_rules! on_both_catalogs {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::backend::Backend::Sqlite).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::backend::Backend::Postgres).await;
            })+
        }
    };
}
pub(crate) use on_both_catalogs;
