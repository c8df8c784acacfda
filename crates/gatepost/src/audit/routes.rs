//! What a schema publishes and what can open it, found with the rules that requests are judged by.

use std::sync::Arc;

use gatepost_rest::access::{AccessRules, Admission, Principal, RequestMethod, Verdict};
use gatepost_rest::definition::{Id, Method, Module, Schema, Template};
use gatepost_rest::path::RequestPath;
use gatepost_rest::pattern::Pattern;
use gatepost_store::catalog::Catalog;

/// A handler, the rows of a REST source, or a catalog. Some of its paths may be closed by narrower locks.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// The method and the path below the alias, with its parameters: `GET /hr/employees/:id`.
    pub(super) name: String,
    /// The public entries that open it.
    pub(super) entries: Vec<Id>,
    /// Whether it is open because nothing covers it.
    pub(super) uncovered: bool,
    /// The privileges that lock it.
    pub(super) privileges: Vec<Id>,
}

impl Route {
    /// Whether somebody without a token gets in.
    pub(super) fn is_public(&self) -> bool {
        self.uncovered || !self.entries.is_empty()
    }
}

/// Everything that a schema of the catalog publishes.
pub(super) fn routes(catalog: &Catalog, schema: &Schema, rules: &AccessRules) -> Vec<Route> {
    let modules = catalog.modules_of(schema.id).filter(|module| module.published);
    let mut found: Vec<Route> = modules.flat_map(|module| of_module(rules, module)).collect();
    found.extend(
        catalog
            .rest_sources_of(schema.id)
            .filter_map(|source| of_path(rules, schema, &format!("sources/{}", source.name))),
    );
    // Clients see in them what they may call; only who sees everything is worth a look.
    let catalogs = ["open-api-catalog", "metadata-catalog"].into_iter();
    found.extend(catalogs.filter_map(|name| of_path(rules, schema, name)).filter(Route::is_public));
    found
}

fn of_module(rules: &AccessRules, module: &Arc<Module>) -> Vec<Route> {
    module.templates.iter().flat_map(|template| of_template(rules, &module.base_path, template)).collect()
}

fn of_template(rules: &AccessRules, base_path: &str, template: &Template) -> Vec<Route> {
    // A template whose pattern cannot be read answers nothing.
    let Ok(pattern) = Pattern::parse(&template.pattern) else { return Vec::new() };
    let locks = rules.locks_of_template(base_path, &pattern);
    let of_handler = |method: Method| {
        let entries: Vec<Id> =
            if locks.may_be_public() { locks.public_entries(method).collect() } else { Vec::new() };
        Route {
            name: format!("{} {base_path}{}", method.as_str(), template.pattern),
            uncovered: locks.may_be_public() && entries.is_empty() && locks.open_if_uncovered(),
            entries,
            privileges: locks.privileges().collect(),
        }
    };
    template.handlers.iter().map(|handler| of_handler(handler.method)).collect()
}

/// What no module has, rows of a source and catalogs, is judged by its path, as requests for it are.
fn of_path(rules: &AccessRules, schema: &Schema, name: &str) -> Option<Route> {
    let path = RequestPath::parse(&format!("/{}/{name}/", schema.alias)).ok()?;
    let path = path.below(1);
    let route =
        Route { name: format!("GET /{name}/"), privileges: rules.privileges_of(path), ..Route::default() };
    let method = RequestMethod::Handler(Method::Get);
    Some(match rules.decide(None, path, method, &Principal::Anonymous, &mut ()) {
        Verdict::Allow(Admission::Public { entry }) => Route { entries: vec![entry], ..route },
        Verdict::Allow(_) => Route { uncovered: true, ..route },
        Verdict::Refuse(_) => route,
    })
}
