//! What the store needs to know of every kind of object.

use std::borrow::Cow;

use gatepost_oauth::{Client, User, VaultSecret};
use gatepost_rest::definition::{Id, Module, Privilege, PublicEntry, Role, Schema};
use gatepost_sources::definition::{Credential, RemoteServer, RestSource};

/// The kinds of catalog objects, each stored as one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Schema,
    Module,
    Role,
    Privilege,
    PublicEntry,
    Client,
    RemoteServer,
    Credential,
    RestSource,
    VaultSecret,
    User,
}

impl ObjectKind {
    const ALL: [Self; 11] = [
        Self::Schema,
        Self::Module,
        Self::Role,
        Self::Privilege,
        Self::PublicEntry,
        Self::Client,
        Self::RemoteServer,
        Self::Credential,
        Self::RestSource,
        Self::VaultSecret,
        Self::User,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Module => "module",
            Self::Role => "role",
            Self::Privilege => "privilege",
            Self::PublicEntry => "public entry",
            Self::Client => "client",
            Self::RemoteServer => "remote server",
            Self::Credential => "credential",
            Self::RestSource => "REST source",
            Self::VaultSecret => "secret",
            Self::User => "user",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An object that is found by its name.
pub trait Named {
    /// The schema it belongs to; schemas and users belong to 0.
    fn schema_id(&self) -> Id;

    /// Unique among the objects of this kind in the schema.
    fn name(&self) -> Cow<'_, str>;
}

/// An object as the store sees it.
pub(crate) trait Object: Named + Clone {
    const KIND: ObjectKind;

    /// The object as history keeps it.
    fn for_history(&self) -> Self {
        self.clone()
    }
}

impl Named for Schema {
    fn schema_id(&self) -> Id {
        0
    }

    fn name(&self) -> Cow<'_, str> {
        self.name.as_str().into()
    }
}

impl Object for Schema {
    const KIND: ObjectKind = ObjectKind::Schema;
}

macro_rules! named {
    ($($type:ident: $name:ident),+) => {$(
        impl Named for $type {
            fn schema_id(&self) -> Id {
                self.schema_id
            }

            fn name(&self) -> Cow<'_, str> {
                self.$name.as_str().into()
            }
        }
    )+};
}
named!(
    Module: name,
    Role: name,
    Privilege: name,
    PublicEntry: pattern,
    Client: name,
    RemoteServer: name,
    Credential: name,
    RestSource: name
);

macro_rules! objects {
    ($($type:ident),+) => {$(
        impl Object for $type {
            const KIND: ObjectKind = ObjectKind::$type;
        }
    )+};
}
objects!(Module, Role, Privilege, PublicEntry, RemoteServer, Credential, RestSource);

impl Object for Client {
    const KIND: ObjectKind = ObjectKind::Client;

    fn for_history(&self) -> Self {
        Self { secrets: Vec::new(), ..self.clone() }
    }
}

impl Named for VaultSecret {
    fn schema_id(&self) -> Id {
        self.schema_id
    }

    /// The object that it is the secret of has one secret at most.
    fn name(&self) -> Cow<'_, str> {
        self.owner_id.to_string().into()
    }
}

impl Object for VaultSecret {
    const KIND: ObjectKind = ObjectKind::VaultSecret;

    fn for_history(&self) -> Self {
        Self { sealed: String::new(), ..self.clone() }
    }
}

impl Named for User {
    fn schema_id(&self) -> Id {
        0
    }

    fn name(&self) -> Cow<'_, str> {
        self.name.as_str().into()
    }
}

impl Object for User {
    const KIND: ObjectKind = ObjectKind::User;

    fn for_history(&self) -> Self {
        Self { password: String::new(), ..self.clone() }
    }
}
