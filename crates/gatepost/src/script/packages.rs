//! The packages by name: from a call in a script to the function that runs it.

use gatepost_plsql::{Argument, Call, Position, Value, nearest};
use gatepost_rest::definition::Schema;

use super::host::ScriptHost;
use super::refusal::{Refusal, code};
use super::scope::Scope;
use super::signature::{Bound, CallResult, Signature};
use super::working::Working;
use super::{
    credentials, gatepost, oauth, ords, ords_modules, ords_privileges, ords_resources, ords_security,
    ords_types, sources,
};

/// A package.
pub(super) struct Package {
    name: &'static str,
    calls: &'static [&'static [Signature]],
    /// Whether every call takes `p_schema` first and is reserved to administrators.
    pub(super) admin: bool,
}

static PACKAGES: [Package; 9] = [
    Package { name: "ORDS", calls: &ORDS, admin: false },
    Package { name: "ORDS_ADMIN", calls: &ORDS, admin: true },
    Package { name: "OAUTH", calls: &[&oauth::CALLS], admin: false },
    Package { name: "OAUTH_ADMIN", calls: &[&oauth::CALLS], admin: true },
    Package { name: "ORDS_SECURITY", calls: &[&ords_security::CALLS], admin: false },
    Package { name: "ORDS_SECURITY_ADMIN", calls: &[&ords_security::CALLS], admin: true },
    Package { name: "ORDS_TYPES", calls: &[&ords_types::CALLS], admin: false },
    Package { name: "ORDS_CONSTANTS", calls: &[], admin: false },
    Package {
        name: "GATEPOST",
        calls: &[&gatepost::CALLS, &sources::CALLS, &credentials::CALLS],
        admin: false,
    },
];

static ORDS: [&[Signature]; 4] =
    [&ords::CALLS, &ords_modules::CALLS, &ords_resources::CALLS, &ords_privileges::CALLS];

/// A call or constant that scripts can name, for help and autocompletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageMember {
    /// `ORDS.DEFINE_MODULE`.
    pub name: String,
    /// The parameter lists that it accepts, with defaults; empty for a constant.
    pub forms: Vec<String>,
}

/// All calls and constants, by package.
pub fn package_members() -> Vec<PackageMember> {
    let mut members = Vec::new();
    for package in &PACKAGES {
        for signature in package.signatures() {
            let forms = signature.describe().into_iter();
            let forms = forms.map(|form| match (package.admin, form.as_str()) {
                (false, _) => form,
                (true, "") => "p_schema VARCHAR2".into(),
                (true, form) if form.contains("p_schema ") => form.into(),
                (true, form) => format!("p_schema VARCHAR2, {form}"),
            });
            let name = format!("{}.{}", package.name, signature.name);
            members.push(PackageMember { name, forms: forms.collect() });
        }
    }
    for package in ["ORDS", "ORDS_CONSTANTS"] {
        for constant in ords_types::constants(package) {
            members.push(PackageMember { name: format!("{package}.{constant}"), forms: Vec::new() });
        }
    }
    members
}

/// All calls, with their packages.
pub(super) fn all() -> impl Iterator<Item = &'static Signature> {
    PACKAGES.iter().flat_map(Package::signatures)
}

impl Package {
    fn signatures(&self) -> impl Iterator<Item = &'static Signature> {
        self.calls.iter().flat_map(|calls| calls.iter())
    }
}

/// Finds a call by its package and name, in any letter case.
pub(super) fn find(package: &str, name: &str) -> Result<(&'static Package, &'static Signature), Refusal> {
    let wanted = package.to_ascii_uppercase();
    let found = PACKAGES.iter().find(|package| package.name == wanted).ok_or_else(|| {
        Refusal::wrong(format!("there is no package {package}"))
            .suggest(nearest(&wanted, PACKAGES.iter().map(|package| package.name)))
    })?;
    let wanted = name.to_ascii_uppercase();
    let signature = found.signatures().find(|signature| signature.name == wanted).ok_or_else(|| {
        let calls = found.signatures().map(|signature| signature.name);
        let known = calls.chain(ords_types::constants(found.name));
        Refusal::wrong(format!("package {} has no {wanted}", found.name)).suggest(nearest(&wanted, known))
    })?;
    Ok((found, signature))
}

/// Checks that a call and the parameters that it names exist, before anything runs.
pub(super) fn check_call<'a>(
    package: Option<&str>,
    name: &str,
    arguments: impl Iterator<Item = (Option<&'a str>, Position)>,
) -> Result<(), Refusal> {
    let Some(package) = package else { return Err(without_package(name)) };
    let (found, signature) = find(package, name)?;
    for (argument, position) in arguments {
        if let Some(argument) = argument {
            signature.check_parameter(argument, found.admin).map_err(|refusal| refusal.at(position))?;
        }
    }
    Ok(())
}

/// A call without a package: probably one of ours.
fn without_package(name: &str) -> Refusal {
    let refusal = Refusal::wrong(format!("there is no procedure or function {name}"));
    let mut all = PACKAGES.iter().filter(|package| !package.admin);
    let full_name = all.find_map(|package| {
        let mut signatures = package.signatures();
        let signature = signatures.find(|signature| signature.name.eq_ignore_ascii_case(name))?;
        Some(format!("{}.{}", package.name, signature.name).to_lowercase())
    });
    refusal.suggest(full_name)
}

/// The value of a constant.
pub(super) fn constant(package: &str, name: &str) -> Option<Value> {
    ords_types::constant(&package.to_ascii_uppercase(), name)
}

/// Runs one call on the working catalog.
pub(super) fn run(working: &mut Working, host: &dyn ScriptHost, call: &Call) -> Result<Value, Refusal> {
    let Some(package) = &call.package else { return Err(without_package(&call.name)) };
    let (package, signature) = find(package, &call.name)?;
    if package.admin && !working.administrator {
        let message = format!("package {} is reserved to administrators", package.name);
        return Err(Refusal::raised(code::ADMINISTRATORS_ONLY, message));
    }
    if signature.result == CallResult::Function && !call.wants_value {
        return Err(Refusal::wrong(format!(
            "{}.{} is a function: assign its result to a variable",
            package.name, signature.name
        )));
    }
    if signature.result == CallResult::Procedure && call.wants_value {
        return Err(Refusal::wrong(format!("{}.{} has no result", package.name, signature.name)));
    }
    let bound = signature.bind(&call.arguments, package.admin)?;
    let target = target(working, package, &bound)?;
    let mut scope = Scope { working, host, target, wants_value: call.wants_value };
    (signature.run)(&mut scope, &bound).map_err(|refusal| place(refusal, &call.arguments))
}

fn target(working: &Working, package: &Package, bound: &Bound) -> Result<Option<String>, Refusal> {
    if !package.admin {
        return Ok(working.current.clone());
    }
    let name = bound.required_text("p_schema")?;
    Ok(Some(Schema::check_name(name.trim_matches('"'))?))
}

/// Points a refusal at the argument that it names.
fn place(refusal: Refusal, arguments: &[Argument]) -> Refusal {
    let Some(at) = refusal.argument else { return refusal };
    let is_meant = |argument: &&Argument| argument.name.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(at));
    match arguments.iter().find(is_meant).map(|argument| argument.position) {
        Some(position) if refusal.position.is_none() => refusal.at(position),
        _ => refusal,
    }
}
