//! Locks and openings of a schema, and which of them a template can meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AccessRules, Admission, ClientAccess, Unprotected};
use crate::cover::{Breadth, Cover, CoverIndex};
use crate::definition::{Id, Method, Module, Privilege, PublicEntry, Role};
use crate::path::PathTail;
use crate::pattern::Pattern;

/// What the definitions of a schema come to.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) doors: Vec<Door>,
    /// The narrowest first.
    pub(super) locks: Vec<Lock>,
    /// Around patterns of privileges that cannot be read.
    pub(super) seals: Vec<Lock>,
    pub(super) openings: Vec<Opening>,
    /// What is near what, among the three.
    pub(super) near: Near,
    pub(super) unprotected: Unprotected,
    /// Sorted.
    role_names: Vec<(Id, Box<str>)>,
}

/// Indexes over the locks, the seals and the openings.
#[derive(Debug, Default)]
pub(super) struct Near {
    pub(super) locks: CoverIndex,
    pub(super) seals: CoverIndex,
    pub(super) openings: CoverIndex,
}

/// A privilege: what opens it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) id: Id,
    pub(super) name: Box<str>,
    pub(super) roles: Box<[Id]>,
}

/// One cover of a privilege.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) cover: Cover,
    pub(super) breadth: Breadth,
    /// Index into the doors.
    pub(super) door: usize,
    pub(super) origin: Origin,
}

/// What a lock comes from.
#[derive(Debug)]
pub(super) enum Origin {
    Pattern(Box<str>),
    /// By name.
    Module(Box<str>),
}

/// One public entry.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) id: Id,
    pub(super) cover: Cover,
    pub(super) methods: Box<[Method]>,
}

impl Door {
    /// How the client opens it, if it does.
    pub(super) fn admits(&self, client: &ClientAccess) -> Option<Admission> {
        if self.roles.is_empty() {
            return client.lists(self.id).then_some(Admission::Listed { privilege: self.id });
        }
        let role = self.roles.iter().copied().find(|role| client.holds(*role))?;
        Some(Admission::Role { privilege: self.id, role })
    }
}

impl Rules {
    pub(super) fn new(unprotected: Unprotected) -> Self {
        Self {
            doors: Vec::new(),
            locks: Vec::new(),
            seals: Vec::new(),
            openings: Vec::new(),
            near: Near::default(),
            unprotected,
            role_names: Vec::new(),
        }
    }

    pub(super) fn add_roles<'a>(&mut self, roles: impl Iterator<Item = &'a Arc<Role>>) {
        self.role_names = roles.map(|role| (role.id, role.name.as_str().into())).collect();
        self.role_names.sort_unstable();
    }

    pub(super) fn add_privilege(&mut self, privilege: &Privilege, modules: &BTreeMap<Id, &Module>) {
        let door = self.doors.len();
        self.doors.push(Door {
            id: privilege.id,
            name: privilege.name.as_str().into(),
            roles: privilege.roles.as_slice().into(),
        });
        for text in &privilege.patterns {
            let origin = Origin::Pattern(text.as_str().into());
            match Cover::parse("p_patterns", text) {
                Ok(cover) => self.locks.push(Lock::new(cover, door, origin)),
                Err(_) => self.seals.push(Lock::new(Cover::around(text), door, origin)),
            }
        }
        let mut protected: Vec<Id> = privilege.modules.clone();
        protected.sort_unstable();
        protected.dedup();
        for module in protected.iter().filter_map(|id| modules.get(id)) {
            let origin = Origin::Module(module.name.as_str().into());
            self.locks.push(Lock::new(Cover::module(&module.base_path), door, origin));
        }
    }

    pub(super) fn add_public_entry(&mut self, entry: &PublicEntry) {
        if let Ok(cover) = Cover::parse("p_pattern", &entry.pattern) {
            self.openings.push(Opening { id: entry.id, cover, methods: entry.methods.as_slice().into() });
        }
    }

    /// Puts everything in order, once all is there.
    pub(super) fn sort(&mut self) {
        let doors = &self.doors;
        self.locks.sort_by_key(|lock| (lock.breadth, doors[lock.door].id));
        self.openings.sort_by_key(|opening| opening.id);
        self.near = Near {
            locks: CoverIndex::of(self.locks.iter().map(|lock| &lock.cover)),
            seals: CoverIndex::of(self.seals.iter().map(|seal| &seal.cover)),
            openings: CoverIndex::of(self.openings.iter().map(|opening| &opening.cover)),
        };
    }

    pub(super) fn role_name(&self, role: Id) -> String {
        match self.role_names.binary_search_by_key(&role, |(id, _)| *id) {
            Ok(place) => self.role_names[place].1.to_string(),
            Err(_) => format!("#{role}"),
        }
    }

    pub(super) fn everything(&self) -> Candidates {
        let all = |count: usize| (0..count).map(|index| Candidate { index, always: false }).collect();
        Candidates {
            seals: all(self.seals.len()),
            locks: all(self.locks.len()),
            openings: all(self.openings.len()),
        }
    }
}

impl Lock {
    fn new(cover: Cover, door: usize, origin: Origin) -> Self {
        Self { breadth: cover.breadth(), cover, door, origin }
    }
}

/// Which seals, locks and openings may match; the others cannot.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) seals: Box<[Candidate]>,
    /// The narrowest first.
    pub(super) locks: Box<[Candidate]>,
    pub(super) openings: Box<[Candidate]>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) index: usize,
    /// Whether it matches every path in question, so that none needs to be looked at.
    always: bool,
}

impl Candidate {
    pub(super) fn applies(self, cover: &Cover, path: PathTail<'_>) -> bool {
        self.always || cover.matches(path)
    }
}

/// The locks and public entries that a template can meet: all that may decide about requests that the router
/// gives to it. Belongs to the rules that made it; with other rules the path alone is judged.
#[derive(Clone, Debug)]
pub struct TemplateLocks {
    rules: Arc<Rules>,
    candidates: Arc<Candidates>,
}

impl AccessRules {
    /// What can lock or open the routes of a template. Where a lock always matches, wider ones are left out;
    /// where all that remain always match, a request is judged without looking at its path.
    pub fn locks_of_template(&self, base_path: &str, pattern: &Pattern) -> TemplateLocks {
        let forms = Cover::of_template(base_path, pattern);
        let meet = |index: usize, cover: &Cover| {
            let meets = forms.iter().any(|form| cover.overlaps(form));
            meets.then(|| Candidate { index, always: forms.iter().all(|form| cover.contains(form)) })
        };
        let rules = &self.rules;
        let mut locks: Vec<Candidate> = Vec::new();
        let mut decided: Option<Breadth> = None;
        for index in rules.near.locks.near(&forms) {
            let lock = &rules.locks[index];
            if decided.is_some_and(|breadth| breadth != lock.breadth) {
                break;
            }
            let Some(candidate) = meet(index, &lock.cover) else { continue };
            if candidate.always {
                decided = Some(lock.breadth);
            }
            locks.push(candidate);
        }
        let seals = rules.near.seals.near(&forms).into_iter();
        let seals = seals.filter_map(|index| meet(index, &rules.seals[index].cover));
        let openings = rules.near.openings.near(&forms).into_iter();
        let openings = openings.filter_map(|index| meet(index, &rules.openings[index].cover));
        // What is always locked is never public.
        let openings = openings.filter(|_| decided.is_none());
        let candidates =
            Candidates { seals: seals.collect(), locks: locks.into(), openings: openings.collect() };
        TemplateLocks { rules: Arc::clone(rules), candidates: Arc::new(candidates) }
    }

    /// The candidates that these locks name, if they were made by these rules.
    pub(super) fn candidates<'a>(&'a self, locks: Option<&'a TemplateLocks>) -> &'a Candidates {
        match locks {
            Some(locks) if Arc::ptr_eq(&locks.rules, &self.rules) => &locks.candidates,
            _ => &self.everything,
        }
    }
}

impl TemplateLocks {
    /// Whether some requests to the template can be let in without a token: a public entry can match where no
    /// privilege does.
    pub fn may_be_public(&self) -> bool {
        let unprotected = self.rules.unprotected == Unprotected::Public;
        let locked = self.candidates.locks.iter().chain(&self.candidates.seals).any(|lock| lock.always);
        !locked && (unprotected || !self.candidates.openings.is_empty())
    }

    /// The public entries that can let in a request with this method, by id.
    pub fn public_entries(&self, method: Method) -> impl Iterator<Item = Id> {
        let openings = self.candidates.openings.iter().map(|opening| &self.rules.openings[opening.index]);
        openings.filter(move |opening| opening.methods.contains(&method)).map(|opening| opening.id)
    }

    /// The privileges that can decide about a request to the template, by id; some may be here twice.
    pub fn privileges(&self) -> impl Iterator<Item = Id> {
        let locks = self.candidates.locks.iter().map(|lock| &self.rules.locks[lock.index]);
        locks.map(|lock| self.rules.doors[lock.door].id)
    }

    /// Whether what neither a privilege nor a public entry covers is open to everybody.
    pub fn open_if_uncovered(&self) -> bool {
        self.rules.unprotected == Unprotected::Public
    }

    /// Whether every request to the template is covered by some privilege.
    pub fn always_locked(&self) -> bool {
        self.candidates.locks.iter().chain(&self.candidates.seals).any(|lock| lock.always)
    }
}
