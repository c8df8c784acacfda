//! How a section of the configuration is written down: once, with its defaults and its reference page.

/// One key, for the reference page.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name within the section.
    pub name: &'static str,
    /// Its default, as TOML writes it.
    pub default: String,
    /// What it means.
    pub help: String,
}

/// Declares a section: a struct with documented keys and defaults that refuses unknown keys, and the list of its
/// keys. A key of type `Option` is absent by default.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $section:ident {
            $($(#[doc = $help:literal])+ $key:ident: $type:ty = $default:expr,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $section {
            $($(#[doc = $help])+ pub $key: $type,)+
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $section {
            /// The keys of this section, for the reference page.
            pub fn keys() -> Vec<crate::config::section::Key> {
                let defaults = Self::default();
                vec![$(crate::config::section::Key {
                    name: stringify!($key),
                    default: crate::config::section::to_toml(&defaults.$key),
                    help: [$($help),+].concat().trim().to_owned(),
                },)+]
            }
        }
    };
}
pub(crate) use section;

/// A default as TOML writes it; empty for a key that is absent by default.
pub(super) fn to_toml<T: serde::Serialize>(value: &T) -> String {
    toml::Value::try_from(value).map(|value| value.to_string()).unwrap_or_default()
}
