//! Why a request was let in or not, as sentences.

use std::fmt;

use super::{AccessRules, Admission, Refusal, RequestMethod, Verdict};
use crate::definition::Method;

/// Takes notes while a request is judged.
pub trait Trace {
    /// Whether notes are kept at all.
    const ACTIVE: bool;

    /// Keeps a reason, or does not even make it.
    fn note(&mut self, reason: impl FnOnce() -> Reason);
}

/// Keeps nothing and costs nothing.
impl Trace for () {
    const ACTIVE: bool = false;

    fn note(&mut self, _reason: impl FnOnce() -> Reason) {}
}

/// Keeps the whole chain, in the order of judgement; the verdict comes last.
impl Trace for Vec<Reason> {
    const ACTIVE: bool = true;

    fn note(&mut self, reason: impl FnOnce() -> Reason) {
        self.push(reason());
    }
}

/// One step of a decision. Prints as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// What is asked for.
    Request {
        /// The method.
        method: RequestMethod,
        /// The decoded path below the schema alias.
        path: String,
    },
    /// A pattern that cannot be read closes the path.
    Sealed {
        /// The privilege's name.
        privilege: String,
        /// The pattern, as it stands in the definition.
        pattern: String,
    },
    /// A privilege covers the path.
    Covered {
        /// Its name.
        privilege: String,
        /// The pattern that matches.
        pattern: String,
        /// The module that the pattern stands for.
        module: Option<String>,
        /// Whether it is of the narrowest breadth, so that the privilege decides.
        decides: bool,
    },
    /// No privilege covers the path.
    Uncovered,
    /// There was no token.
    Anonymous,
    /// Who calls.
    Client {
        /// Its name.
        name: String,
        /// Roles it holds.
        roles: Vec<String>,
        /// Privileges it lists.
        lists: Vec<String>,
        /// Privileges that its token is limited to.
        narrowed: Option<Vec<String>>,
    },
    /// A privilege that decides was tried.
    Door {
        /// Its name.
        privilege: String,
        /// The roles that open it; none: it opens to clients that list it.
        roles: Vec<String>,
        /// What the client has to show for it.
        held: Held,
        /// Whether the token may open it.
        within_token: bool,
    },
    /// A public entry matches the path, which no privilege covers.
    PublicEntry {
        /// Its pattern.
        pattern: String,
        /// The methods it opens.
        methods: Vec<Method>,
        /// Whether the request's method is one of them.
        opens: bool,
    },
    /// A public entry matches the path, but so does a privilege.
    PublicEntryBeaten {
        /// Its pattern.
        pattern: String,
    },
    /// The decision.
    Verdict {
        /// Whether the request may pass.
        allowed: bool,
        /// Why, in one sentence.
        text: String,
    },
}

/// What a client has to show for a privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing that opens it.
    Nothing,
    /// This role.
    Role(String),
    /// It lists the privilege.
    Listing,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { method, path } => {
                let method = match method {
                    RequestMethod::Handler(method) => method.as_str(),
                    RequestMethod::Other => "A method that no handler has",
                };
                write!(f, "{method} on `{path}`.")
            }
            Self::Sealed { privilege, pattern } => {
                let pattern = pattern.escape_debug();
                write!(
                    f,
                    "Privilege `{privilege}` has a pattern that cannot be read, `{pattern}`: what it may have meant \
                     is closed to everybody."
                )
            }
            Self::Covered { privilege, pattern, module, decides } => {
                let module = module.as_ref().map_or(String::new(), |name| format!(" (module `{name}`)"));
                let role = if *decides {
                    "nothing narrower matches, so it decides"
                } else {
                    "a narrower pattern decides"
                };
                write!(f, "Privilege `{privilege}` covers it by `{pattern}`{module}; {role}.")
            }
            Self::Uncovered => f.write_str("No privilege covers it."),
            Self::Anonymous => f.write_str("The caller has no token."),
            Self::Client { name, roles, lists, narrowed } => {
                let (roles, lists) = (names("the role", roles), names("the privilege", lists));
                write!(f, "Client `{name}` holds {roles} and lists {lists}")?;
                match narrowed {
                    None => f.write_str("."),
                    Some(narrowed) => {
                        write!(f, "; its token is limited to {}.", names("the privilege", narrowed))
                    }
                }
            }
            Self::Door { privilege, roles, held, within_token } => {
                fmt_door(f, privilege, roles, held, *within_token)
            }
            Self::PublicEntry { pattern, methods, opens } => {
                let methods: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
                let (methods, negation) = (methods.join(", "), if *opens { "" } else { "not " });
                write!(f, "Public entry `{pattern}` opens {methods}, {negation}this method.")
            }
            Self::PublicEntryBeaten { pattern } => {
                write!(f, "Public entry `{pattern}` matches too, but never beats a privilege.")
            }
            Self::Verdict { allowed, text } => {
                write!(f, "{}: {text}", if *allowed { "Allowed" } else { "Refused" })
            }
        }
    }
}

fn fmt_door(
    f: &mut fmt::Formatter<'_>,
    privilege: &str,
    roles: &[String],
    held: &Held,
    within_token: bool,
) -> fmt::Result {
    if roles.is_empty() {
        write!(f, "Privilege `{privilege}` has no roles and opens to clients that list it")?;
    } else {
        write!(f, "Privilege `{privilege}` opens to holders of {}", names("the role", roles))?;
    }
    match held {
        Held::Nothing if roles.is_empty() => f.write_str(": this one does not"),
        Held::Nothing => f.write_str(": the client holds none"),
        Held::Role(role) => write!(f, ": the client holds `{role}`"),
        Held::Listing => f.write_str(": this one does"),
    }?;
    f.write_str(if *held != Held::Nothing && !within_token {
        ", but the token does not cover it."
    } else {
        "."
    })
}

/// "no role", "the role `a`", "the roles `a`, `b`".
fn names(noun: &str, names: &[String]) -> String {
    let bare = noun.trim_start_matches("the ");
    match names {
        [] => format!("no {bare}"),
        [one] => format!("{noun} `{one}`"),
        several => format!("{noun}s `{}`", several.join("`, `")),
    }
}

impl AccessRules {
    /// A verdict as a sentence, with the names of what it is about.
    pub fn describe(&self, verdict: &Verdict) -> String {
        let privileges = |ids: &[u64]| names("the privilege", &self.privilege_names(ids));
        match verdict {
            Verdict::Allow(Admission::Public { .. }) => "the route is public.".into(),
            Verdict::Allow(Admission::Unprotected) => {
                "nothing covers it, and [access] unprotected is \"public\".".into()
            }
            Verdict::Allow(Admission::Role { privilege, role }) => {
                format!("role `{}` opens {}.", self.rules.role_name(*role), privileges(&[*privilege]))
            }
            Verdict::Allow(Admission::Listed { privilege }) => {
                format!("the client lists {}.", privileges(&[*privilege]))
            }
            Verdict::Refuse(Refusal::Anonymous) => "it is locked, and there is no token.".into(),
            Verdict::Refuse(Refusal::NoPrivilege) => {
                "what no privilege covers is closed, unless a public entry opens it.".into()
            }
            Verdict::Refuse(Refusal::MissingRole { privileges: ids }) => {
                format!("the client holds no role that opens {}.", privileges(ids))
            }
            Verdict::Refuse(Refusal::NotListed { privileges: ids }) => {
                format!("the client does not list {}.", privileges(ids))
            }
            Verdict::Refuse(Refusal::NarrowedToken { needed }) => {
                format!("the token is limited to other privileges; it would need {}.", privileges(needed))
            }
            Verdict::Refuse(Refusal::Sealed { privilege }) => {
                format!("{} has a pattern that cannot be read; correct it.", privileges(&[*privilege]))
            }
        }
    }
}
