//! Who reaches what, of any catalog: to tell what a change opens and closes before it is made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use gatepost_rest::access::{AccessRules, Unprotected};
use gatepost_rest::definition::{Id, Schema};
use gatepost_store::catalog::Catalog;

use super::routes::routes;
use crate::app::principals::Principals;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Everybody, without a token.
    Anybody,
    /// A client, by its name.
    Client(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("anybody"),
            Self::Client(name) => write!(f, "client {name}"),
        }
    }
}

/// A door that a change opens to somebody or closes to him.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DoorChange {
    /// To whom.
    pub who: Who,
    /// Whether it opens.
    pub opens: bool,
    /// The method and the path below the alias, with its parameters: `GET /hr/employees/:id`.
    pub route: String,
}

/// What can open a route. A route is a template or a source: some of its paths may be closed by narrower locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Doors {
    public: bool,
    privileges: BTreeSet<Id>,
}

/// Who reaches what in a schema.
#[derive(Debug, Default)]
pub struct Reach {
    routes: BTreeMap<String, Doors>,
    /// The enabled clients that a privilege admits.
    admitted: HashMap<Id, BTreeSet<String>>,
}

impl Reach {
    /// What a schema of a catalog comes to; nothing is reached in one that is not enabled.
    pub fn of(catalog: &Catalog, schema: &Schema, unprotected: Unprotected) -> Self {
        let mut reach = Self::default();
        if !schema.enabled {
            return reach;
        }
        let rules = AccessRules::build(
            schema.id,
            &catalog.modules_of(schema.id).cloned().collect::<Vec<_>>(),
            &catalog.privileges_of(schema.id).cloned().collect::<Vec<_>>(),
            &catalog.roles_of(schema.id).cloned().collect::<Vec<_>>(),
            &catalog.public_entries_of(schema.id).cloned().collect::<Vec<_>>(),
            unprotected,
        );
        for route in routes(catalog, schema, &rules) {
            let doors =
                Doors { public: route.is_public(), privileges: route.privileges.into_iter().collect() };
            reach.routes.insert(route.name, doors);
        }
        let principals = Principals::build(catalog, &Principals::default());
        for client in catalog.clients_of(schema.id).filter(|client| client.enabled) {
            let Some(known) = principals.find(client.id) else { continue };
            for privilege in rules.openable(&known.access) {
                reach.admitted.entry(privilege).or_default().insert(client.name.clone());
            }
        }
        reach
    }

    /// How many routes are open to everybody.
    pub fn public_count(&self) -> usize {
        self.routes.values().filter(|doors| doors.public).count()
    }

    /// Every route with those who reach it.
    pub fn by_route(&self) -> impl Iterator<Item = (&str, BTreeSet<Who>)> {
        self.routes.iter().map(|(route, doors)| (route.as_str(), self.callers(doors)))
    }

    /// The routes that a privilege locks.
    pub fn routes_of_privilege(&self, privilege: Id) -> impl Iterator<Item = &str> {
        let locked = move |doors: &Doors| doors.privileges.contains(&privilege);
        self.routes.iter().filter(move |(_, doors)| locked(doors)).map(|(route, _)| route.as_str())
    }

    fn callers(&self, doors: &Doors) -> BTreeSet<Who> {
        if doors.public {
            return BTreeSet::from([Who::Anybody]);
        }
        let names = doors.privileges.iter().filter_map(|privilege| self.admitted.get(privilege)).flatten();
        names.map(|name| Who::Client(name.clone())).collect()
    }

    /// What opens and what closes on the way from this to `after`, by caller and route.
    pub fn changes_to(&self, after: &Self) -> Vec<DoorChange> {
        let nothing = Doors::default();
        let routes: BTreeSet<&String> = self.routes.keys().chain(after.routes.keys()).collect();
        let mut changes = Vec::new();
        for route in routes {
            let [old, new] = [self, after].map(|reach| reach.routes.get(route).unwrap_or(&nothing));
            let same = |privilege: &Id| self.admitted.get(privilege) == after.admitted.get(privilege);
            if old == new && (old.public || old.privileges.iter().all(same)) {
                continue;
            }
            let (old, new) = (self.callers(old), after.callers(new));
            let change = |who: &Who, opens| DoorChange { who: who.clone(), opens, route: route.clone() };
            // Who is let in with everybody gains and loses nothing of his own.
            let counts =
                |who: &&Who, others: &BTreeSet<Who>| **who == Who::Anybody || !others.contains(&Who::Anybody);
            changes.extend(new.difference(&old).filter(|who| counts(who, &old)).map(|who| change(who, true)));
            changes
                .extend(old.difference(&new).filter(|who| counts(who, &new)).map(|who| change(who, false)));
        }
        changes.sort();
        changes
    }
}
