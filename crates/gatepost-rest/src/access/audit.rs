//! What an auditor asks of a set of rules, rather than of one request.

use std::collections::HashMap;
use std::fmt;

use super::AccessRules;
use super::locks::{Lock, Rules};
use crate::cover::{Breadth, Cover, CoverIndex};
use crate::definition::Id;

/// A narrow lock that admits somebody whom a wider lock on the same paths refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrower {
    /// The narrow pattern.
    pub pattern: String,
    /// Names of its privileges.
    pub privileges: Vec<String>,
    /// The wide pattern.
    pub wider_pattern: String,
    /// Names of its privileges.
    pub wider_privileges: Vec<String>,
    /// Names of roles that only the narrow one admits.
    pub roles: Vec<String>,
    /// Names of privileges without roles that only the narrow one has: clients that list them are admitted.
    pub listed: Vec<String>,
}

impl fmt::Display for Narrower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &[String]| format!("`{}`", names.join("`, `"));
        let mut admitted = Vec::new();
        if !self.roles.is_empty() {
            admitted.push(format!("holders of {}", quoted(&self.roles)));
        }
        if !self.listed.is_empty() {
            admitted.push(format!("clients that list {}", quoted(&self.listed)));
        }
        write!(
            f,
            "`{}` (privilege {}) decides before the wider `{}` (privilege {}) and admits {}, whom that one alone \
             would refuse.",
            self.pattern,
            quoted(&self.privileges),
            self.wider_pattern,
            quoted(&self.wider_privileges),
            admitted.join(" and ")
        )
    }
}

/// The locks of one set of paths: alternative doors.
struct Group<'a> {
    lock: &'a Lock,
    /// Indexes of the doors, sorted.
    doors: Vec<usize>,
}

impl AccessRules {
    /// Every pair of locks of which the narrower admits somebody whom the wider refuses.
    pub fn widened_by(&self) -> Vec<Narrower> {
        let groups = groups(&self.rules);
        let index = CoverIndex::of(groups.iter().map(|group| &group.lock.cover));
        let mut found = Vec::new();
        for narrow in &groups {
            let near = index.near([&narrow.lock.cover]);
            let wider = near.iter().map(|number| &groups[*number]).filter(|wide| {
                wide.lock.breadth > narrow.lock.breadth && wide.lock.cover.overlaps(&narrow.lock.cover)
            });
            found.extend(wider.filter_map(|wide| self.compare(narrow, wide)));
        }
        found
    }

    fn compare(&self, narrow: &Group<'_>, wide: &Group<'_>) -> Option<Narrower> {
        let doors = &self.rules.doors;
        let names =
            |group: &Group<'_>| group.doors.iter().map(|door| doors[*door].name.to_string()).collect();
        let wide_admits = |role: &Id| wide.doors.iter().any(|door| doors[*door].roles.contains(role));
        let mut roles: Vec<Id> =
            narrow.doors.iter().flat_map(|door| doors[*door].roles.iter().copied()).collect();
        roles.retain(|role| !wide_admits(role));
        roles.sort_unstable();
        roles.dedup();
        let only_narrow = narrow.doors.iter().filter(|door| !wide.doors.contains(door));
        let listed: Vec<String> = only_narrow
            .map(|door| &doors[*door])
            .filter(|door| door.roles.is_empty())
            .map(|door| door.name.to_string())
            .collect();
        (!roles.is_empty() || !listed.is_empty()).then(|| Narrower {
            pattern: narrow.lock.cover.to_string(),
            privileges: names(narrow),
            wider_pattern: wide.lock.cover.to_string(),
            wider_privileges: names(wide),
            roles: self.role_names(&roles),
            listed,
        })
    }
}

fn groups(rules: &Rules) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    // Equal covers are as wide and begin alike.
    let mut alike: HashMap<(Breadth, String), Vec<usize>> = HashMap::new();
    for lock in &rules.locks {
        let alike = alike.entry((lock.breadth, lock.cover.beginning())).or_default();
        if let Some(number) = alike.iter().find(|number| groups[**number].lock.cover.equals(&lock.cover)) {
            groups[*number].doors.push(lock.door);
        } else {
            alike.push(groups.len());
            groups.push(Group { lock, doors: vec![lock.door] });
        }
    }
    for group in &mut groups {
        group.doors.sort_unstable();
        group.doors.dedup();
    }
    groups
}

impl Rules {
    /// The locks and then the seals that can meet one of these covers.
    fn near<'a>(
        &'a self,
        covers: impl IntoIterator<Item = &'a Cover> + Clone,
    ) -> impl Iterator<Item = &'a Lock> {
        let locks = self.near.locks.near(covers.clone()).into_iter().map(|number| &self.locks[number]);
        let seals = self.near.seals.near(covers).into_iter().map(|number| &self.seals[number]);
        locks.chain(seals)
    }
}

/// A public entry that would open paths which a privilege locked before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedEntry {
    /// The public entry.
    pub entry: Id,
    /// Its pattern.
    pub pattern: String,
    /// The name of the privilege that locked paths of it before.
    pub privilege: String,
    /// The pattern by which it did.
    pub privilege_pattern: String,
}

impl fmt::Display for ExposedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, privilege, privilege_pattern, .. } = self;
        write!(
            f,
            "Public entry `{pattern}` would come to light: privilege `{privilege}` locks `{privilege_pattern}`, and \
             without that, paths there would be open to everybody. Remove the entry first: \
             GATEPOST.DENY_PUBLIC(p_pattern => '{}').",
            pattern.replace('\'', "''")
        )
    }
}

/// Public entries in both sets of rules for which a path that was locked may no longer be. Taking a privilege
/// away must open nothing by itself, so a change that this reports is refused.
///
/// Sound, not exact: a lock counts as still there only if one lock of `after` contains it or the entry.
pub fn uncovered_public(before: &AccessRules, after: &AccessRules) -> Vec<ExposedEntry> {
    let (old, new) = (&before.rules, &after.rules);
    let mut exposed = Vec::new();
    for entry in &new.openings {
        if old.openings.binary_search_by_key(&entry.id, |earlier| earlier.id).is_err() {
            continue;
        }
        let held = |lost: &Lock| {
            let covers = [&lost.cover, &entry.cover];
            new.near(covers).any(|lock| covers.iter().any(|cover| lock.cover.contains(cover)))
        };
        for lost in old.near([&entry.cover]).filter(|lock| lock.cover.overlaps(&entry.cover) && !held(lock)) {
            exposed.push(ExposedEntry {
                entry: entry.id,
                pattern: entry.cover.to_string(),
                privilege: old.doors[lost.door].name.to_string(),
                privilege_pattern: lost.written().to_owned(),
            });
        }
    }
    exposed
}
