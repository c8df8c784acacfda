//! The decision about one request.

use super::locks::{Candidates, Door, Lock, Opening, Origin};
use super::reason::{Held, Reason, Trace};
use super::{
    AccessRules, Admission, ClientAccess, Principal, Refusal, RequestMethod, TemplateLocks, Unprotected,
    Verdict,
};
use crate::definition::Id;
use crate::path::PathTail;

impl AccessRules {
    /// Decides whether a request may pass, and notes why.
    ///
    /// `path` is what follows the schema alias. `locks` are those of the template that the router chose for
    /// this very path; without a template the path alone is judged.
    pub fn decide(
        &self,
        locks: Option<&TemplateLocks>,
        path: PathTail<'_>,
        method: RequestMethod,
        principal: &Principal<'_>,
        trace: &mut impl Trace,
    ) -> Verdict {
        trace.note(|| Reason::Request { method, path: path.to_string() });
        let candidates = self.candidates(locks);
        let verdict = self.judge(candidates, path, method, principal, trace);
        trace.note(|| Reason::Verdict {
            allowed: matches!(verdict, Verdict::Allow(_)),
            text: self.describe(&verdict),
        });
        verdict
    }

    /// The privileges that decide about a path to which no template leads; each is a door.
    pub fn privileges_of(&self, path: PathTail<'_>) -> Vec<Id> {
        let doors = self.deciding_doors(self.candidates(None), path);
        doors.into_iter().flatten().map(|door| door.id).collect()
    }

    fn judge(
        &self,
        candidates: &Candidates,
        path: PathTail<'_>,
        method: RequestMethod,
        principal: &Principal<'_>,
        trace: &mut impl Trace,
    ) -> Verdict {
        let seals = candidates.seals.iter().map(|seal| (seal, &self.rules.seals[seal.index]));
        if let Some((_, seal)) = seals.into_iter().find(|(seal, lock)| seal.applies(&lock.cover, path)) {
            let door = &self.rules.doors[seal.door];
            trace.note(|| Reason::Sealed {
                privilege: door.name.to_string(),
                pattern: seal.written().to_owned(),
            });
            return Verdict::Refuse(match principal {
                Principal::Anonymous => Refusal::Anonymous,
                Principal::Client { .. } => Refusal::Sealed { privilege: door.id },
            });
        }
        let Some(doors) = self.deciding_doors(candidates, path) else {
            trace.note(|| Reason::Uncovered);
            return self.judge_uncovered(candidates, path, method, principal, trace);
        };
        self.note_covers(path, trace);
        match principal {
            Principal::Anonymous => {
                trace.note(|| Reason::Anonymous);
                Verdict::Refuse(Refusal::Anonymous)
            }
            Principal::Client { access, narrowed } => self.judge_client(&doors, access, *narrowed, trace),
        }
    }

    /// The doors of the narrowest locks that cover the path.
    fn deciding_doors<'a>(
        &'a self,
        candidates: &'a Candidates,
        path: PathTail<'a>,
    ) -> Option<impl Iterator<Item = &'a Door> + Clone> {
        let lock = |index: usize| &self.rules.locks[index];
        let first =
            candidates.locks.iter().position(|found| found.applies(&lock(found.index).cover, path))?;
        let breadth = lock(candidates.locks[first].index).breadth;
        let same =
            candidates.locks[first..].iter().take_while(move |found| lock(found.index).breadth == breadth);
        let matching = same.filter(move |found| found.applies(&lock(found.index).cover, path));
        Some(matching.map(move |found| &self.rules.doors[lock(found.index).door]))
    }

    fn judge_client<'a>(
        &self,
        doors: &(impl Iterator<Item = &'a Door> + Clone),
        client: &ClientAccess,
        narrowed: Option<&[Id]>,
        trace: &mut impl Trace,
    ) -> Verdict {
        trace.note(|| self.describe_client(client, narrowed));
        let within_token = |door: &Door| narrowed.is_none_or(|ids| ids.binary_search(&door.id).is_ok());
        for door in doors.clone() {
            let admission = door.admits(client);
            trace.note(|| self.describe_door(door, admission, within_token(door)));
            if let Some(admission) = admission.filter(|_| within_token(door)) {
                return Verdict::Allow(admission);
            }
        }
        let ids = |doors: &mut dyn Iterator<Item = &Door>| {
            let mut ids: Vec<Id> = doors.map(|door| door.id).collect();
            ids.sort_unstable();
            ids.dedup();
            ids.into_boxed_slice()
        };
        let needed = ids(&mut doors.clone().filter(|door| door.admits(client).is_some()));
        if !needed.is_empty() {
            return Verdict::Refuse(Refusal::NarrowedToken { needed });
        }
        let privileges = ids(&mut doors.clone());
        Verdict::Refuse(if doors.clone().all(|door| door.roles.is_empty()) {
            Refusal::NotListed { privileges }
        } else {
            Refusal::MissingRole { privileges }
        })
    }

    fn judge_uncovered(
        &self,
        candidates: &Candidates,
        path: PathTail<'_>,
        method: RequestMethod,
        principal: &Principal<'_>,
        trace: &mut impl Trace,
    ) -> Verdict {
        for candidate in &candidates.openings {
            let entry = &self.rules.openings[candidate.index];
            if !candidate.applies(&entry.cover, path) {
                continue;
            }
            let opens = entry.opens(method);
            trace.note(|| Reason::PublicEntry {
                pattern: entry.cover.to_string(),
                methods: entry.methods.to_vec(),
                opens,
            });
            if opens {
                return Verdict::Allow(Admission::Public { entry: entry.id });
            }
        }
        let known = method != RequestMethod::Other || matches!(principal, Principal::Client { .. });
        if self.rules.unprotected == Unprotected::Public && known {
            return Verdict::Allow(Admission::Unprotected);
        }
        Verdict::Refuse(Refusal::NoPrivilege)
    }

    /// Notes every lock and public entry that matches the path, whether it decides or not.
    fn note_covers<T: Trace>(&self, path: PathTail<'_>, trace: &mut T) {
        if !T::ACTIVE {
            return;
        }
        let matching = || self.rules.locks.iter().filter(|lock| lock.cover.matches(path));
        let deciding = matching().next().map(|lock| lock.breadth);
        for lock in matching() {
            let module = match &lock.origin {
                Origin::Module(name) => Some(name.to_string()),
                Origin::Pattern(_) => None,
            };
            let door = &self.rules.doors[lock.door];
            let decides = deciding == Some(lock.breadth);
            trace.note(|| Reason::Covered {
                privilege: door.name.to_string(),
                pattern: lock.cover.to_string(),
                module,
                decides,
            });
        }
        let beaten = self.rules.openings.iter().filter(|entry| entry.cover.matches(path));
        for entry in beaten {
            trace.note(|| Reason::PublicEntryBeaten { pattern: entry.cover.to_string() });
        }
    }

    fn describe_client(&self, client: &ClientAccess, narrowed: Option<&[Id]>) -> Reason {
        Reason::Client {
            name: client.name.to_string(),
            roles: self.role_names(&client.roles),
            lists: self.privilege_names(&client.privileges),
            narrowed: narrowed.map(|ids| self.privilege_names(ids)),
        }
    }

    fn describe_door(&self, door: &Door, admission: Option<Admission>, within_token: bool) -> Reason {
        let held = match admission {
            None => Held::Nothing,
            Some(Admission::Role { role, .. }) => Held::Role(self.rules.role_name(role)),
            Some(_) => Held::Listing,
        };
        Reason::Door {
            privilege: door.name.to_string(),
            roles: self.role_names(&door.roles),
            held,
            within_token,
        }
    }

    pub(super) fn role_names(&self, ids: &[Id]) -> Vec<String> {
        ids.iter().map(|id| self.rules.role_name(*id)).collect()
    }

    pub(super) fn privilege_names(&self, ids: &[Id]) -> Vec<String> {
        let name = |id: &Id| {
            let door = self.rules.doors.iter().find(|door| door.id == *id);
            door.map_or_else(|| format!("#{id}"), |door| door.name.to_string())
        };
        ids.iter().map(name).collect()
    }
}

impl Opening {
    fn opens(&self, method: RequestMethod) -> bool {
        matches!(method, RequestMethod::Handler(method) if self.methods.contains(&method))
    }
}

impl Lock {
    /// What stands in the definition.
    pub(super) fn written(&self) -> &str {
        match &self.origin {
            Origin::Pattern(text) => text,
            Origin::Module(_) => self.cover.as_str(),
        }
    }
}
