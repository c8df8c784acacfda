//! From what a schema publishes to the model of its operations.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use gatepost_oauth::Scopes;
use gatepost_rest::access::{Admission, Principal, RequestMethod, Verdict};
use gatepost_rest::definition::{Handler, Id, Method, Module, Template};
use gatepost_rest::path::RequestPath;
use gatepost_rest::pattern::{Pattern, UriTemplate};
use gatepost_store::data::{DataStore, Description};
use jiff::Timestamp;

use super::operation::{self, Prepared};
use super::{Answer, DescribedModule, DescribedScope, Door, Operation, Seen, Services, TooSlow};
use crate::app::published::{PublishedHandler, PublishedSchema, PublishedTemplate};

/// Stands for the values of path parameters when a path is judged: no literal of a lock is like it.
const SOME_VALUE: &str = "~";

/// What documents are made from.
pub(super) struct Builder<'a> {
    pub(super) schema: &'a PublishedSchema,
    pub(super) seen: Seen<'a>,
    pub(super) data: Option<DataStore>,
    pub(super) until: Instant,
}

/// One shape of path, with the template that answers there.
struct Route<'a> {
    template: &'a PublishedTemplate,
    path: String,
    uri: UriTemplate,
    judged: RequestPath,
}

impl Builder<'_> {
    pub(super) fn services(&self, modules: &[&Arc<Module>]) -> Result<Services, TooSlow> {
        let mut ids = HashSet::new();
        let described =
            modules.iter().map(|module| self.module(module, &mut ids)).collect::<Result<Vec<_>, _>>()?;
        let described: Vec<_> =
            described.into_iter().filter(|module| !module.operations.is_empty()).collect();
        let changed_ms = modules.iter().map(|module| module.audit.updated_on_ms).max().unwrap_or_default();
        let changed = Timestamp::from_millisecond(changed_ms).unwrap_or_default();
        Ok(Services {
            version: changed.strftime("%Y.%m.%d").to_string(),
            scopes: self.scopes(&described),
            modules: described,
            ..self.nothing()
        })
    }

    /// The services of a schema without modules.
    pub(super) fn nothing(&self) -> Services {
        Services {
            schema: self.schema.schema.name.clone(),
            base_url: self.schema.issuer.clone(),
            token_url: format!("{}/oauth/token", self.schema.issuer),
            version: String::new(),
            modules: Vec::new(),
            scopes: Vec::new(),
        }
    }

    /// Whether the viewer sees anything of a module.
    pub(super) fn shows_something(&self, module: &Arc<Module>) -> bool {
        let templates = 0..module.templates.len();
        templates
            .flat_map(|index| self.routes(module, index))
            .any(|route| route.template.methods().any(|method| self.shows(&route, method)))
    }

    pub(super) fn operation_of(
        &self,
        template: &PublishedTemplate,
        method: Method,
    ) -> Result<Option<Operation>, TooSlow> {
        let routes = self.routes(&template.module, template.index);
        let fullest = routes.iter().max_by_key(|route| route.uri.names.len());
        fullest.map_or(Ok(None), |route| self.operation(route, method, &mut HashSet::new()))
    }

    /// Every handler of a module at each shape of its path, as the viewer may see it, until `take` has enough.
    pub(super) fn each(
        &self,
        module: &Arc<Module>,
        take: &mut impl FnMut(Method, &str, &dyn Fn(&Principal<'_>) -> Verdict) -> bool,
    ) -> bool {
        for index in 0..module.templates.len() {
            for route in self.routes(module, index) {
                for method in route.template.methods() {
                    if !take(method, &route.path, &|principal| self.decide(&route, method, principal)) {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn module(&self, module: &Arc<Module>, ids: &mut HashSet<String>) -> Result<DescribedModule, TooSlow> {
        let mut operations = Vec::new();
        for index in 0..module.templates.len() {
            for route in self.routes(module, index) {
                for method in route.template.methods().filter(|method| self.shows(&route, *method)) {
                    operations.extend(self.operation(&route, method, ids)?);
                }
            }
        }
        Ok(DescribedModule {
            name: module.name.clone(),
            base_path: module.base_path.clone(),
            comments: module.comments.clone(),
            operations,
        })
    }

    /// The shapes of path at which a template answers. Where another one answers instead, it has none.
    fn routes<'s>(&'s self, module: &Arc<Module>, index: usize) -> Vec<Route<'s>> {
        let Ok(pattern) = Pattern::parse(&module.templates[index].pattern) else { return Vec::new() };
        let templates = pattern.uri_templates().into_iter();
        templates.filter_map(|uri| self.route(module, index, uri)).collect()
    }

    fn route(&self, module: &Arc<Module>, index: usize, uri: UriTemplate) -> Option<Route<'_>> {
        let path = format!("{}{}", module.base_path, uri.text);
        let mut judged = format!("/{}{path}", self.schema.schema.alias);
        for name in &uri.names {
            judged = judged.replace(&format!("{{{name}}}"), SOME_VALUE);
        }
        let judged = RequestPath::parse(&judged).ok()?;
        let template = self.schema.router.find(judged.below(1)).map(|found| found.value)?;
        let answers = template.module.id == module.id && template.index == index;
        answers.then_some(Route { template, path, uri, judged })
    }

    /// Whether the viewer sees an operation.
    fn shows(&self, route: &Route<'_>, method: Method) -> bool {
        let Seen::By { principal, audience } = self.seen else { return true };
        match self.decide(route, method, principal) {
            Verdict::Allow(Admission::Public { .. } | Admission::Unprotected) => true,
            Verdict::Allow(_) => audience.is_none_or(|module| module == route.template.module.id),
            Verdict::Refuse(_) => false,
        }
    }

    fn decide(&self, route: &Route<'_>, method: Method, principal: &Principal<'_>) -> Verdict {
        let (locks, path) = (Some(&route.template.locks), route.judged.below(1));
        self.schema.rules.decide(locks, path, RequestMethod::Handler(method), principal, &mut ())
    }

    fn door(&self, route: &Route<'_>, method: Method) -> Door {
        if matches!(self.decide(route, method, &Principal::Anonymous), Verdict::Allow(_)) {
            return Door::Public;
        }
        let deciding: BTreeSet<Id> =
            self.schema.rules.privileges_of(route.judged.below(1)).into_iter().collect();
        let privileges = self.schema.privileges().iter().filter(|privilege| deciding.contains(&privilege.id));
        let names: Vec<String> = privileges.map(|privilege| privilege.name.clone()).collect();
        if names.is_empty() { Door::Closed } else { Door::Privileges(names) }
    }

    fn operation(
        &self,
        route: &Route<'_>,
        method: Method,
        ids: &mut HashSet<String>,
    ) -> Result<Option<Operation>, TooSlow> {
        let Some((handler, published)) = route.template.handler(method) else { return Ok(None) };
        let template = route.template.template();
        let compiled = route.template.compiled(handler, published);
        let (parameters, body, answer) = match compiled {
            Err(error) => {
                let parameters = operation::path_parameters(&route.uri);
                (parameters, None, Answer::NotRunnable { waits: error.waits })
            }
            Ok(source) => {
                let description = self.description(published, source)?;
                let prepared = Prepared { handler, source, description: &description, uri: &route.uri };
                (prepared.parameters(), prepared.body(), prepared.answer())
            }
        };
        Ok(Some(Operation {
            id: new_id(route, method, ids),
            method,
            path: route.path.clone(),
            pattern: template.pattern.clone(),
            summary: summary(handler, template),
            door: self.door(route, method),
            parameters,
            body,
            answer,
        }))
    }

    /// What the database says of a handler; nothing when it cannot be asked or does not take its SQL.
    fn description(
        &self,
        published: &PublishedHandler,
        source: &gatepost_rest::source::CompiledSource,
    ) -> Result<Arc<Description>, TooSlow> {
        if let Some(known) = published.known_description() {
            return Ok(known);
        }
        let Some(data) = &self.data else { return Ok(Arc::default()) };
        if Instant::now() >= self.until {
            return Err(TooSlow);
        }
        let description = Arc::new(data.check(source).unwrap_or_default());
        published.keep_description(Arc::clone(&description));
        Ok(description)
    }

    fn scopes(&self, modules: &[DescribedModule]) -> Vec<DescribedScope> {
        let operations = modules.iter().flat_map(|module| &module.operations);
        let opening: BTreeSet<&str> = operations.flat_map(|operation| operation.door.privileges()).collect();
        let privileges = self.schema.privileges().iter();
        let known = privileges.filter(|privilege| opening.contains(privilege.name.as_str()));
        let mut scopes: Vec<DescribedScope> = known
            .map(|privilege| DescribedScope {
                name: privilege.name.clone(),
                description: [&privilege.description, &privilege.label, &privilege.comments]
                    .into_iter()
                    .flatten()
                    .find(|text| !text.trim().is_empty())
                    .cloned()
                    .unwrap_or_default(),
            })
            .collect();
        scopes.sort();
        scopes
    }
}

impl Door {
    /// The privileges of which one suffices.
    pub fn privileges(&self) -> impl Iterator<Item = &str> {
        let names: &[String] = match self {
            Self::Privileges(names) => names,
            Self::Public | Self::Closed => &[],
        };
        names.iter().map(String::as_str)
    }

    /// Those of them that can stand in a token request's scope.
    pub fn scopes(&self) -> Vec<String> {
        Scopes::of_privileges(self.privileges()).iter().map(str::to_owned).collect()
    }
}

fn summary(handler: &Handler, template: &Template) -> Option<String> {
    let texts = [&handler.comments, &template.comments];
    texts.into_iter().flatten().map(|text| text.trim()).find(|text| !text.is_empty()).map(str::to_owned)
}

/// `hr_get_employees_by_id`, told from others that come to the same by a number.
fn new_id(route: &Route<'_>, method: Method, ids: &mut HashSet<String>) -> String {
    let mut id = word(&route.template.module.name);
    id.push('_');
    id.push_str(&method.as_str().to_ascii_lowercase());
    for segment in route.uri.text.split('/').filter(|segment| !segment.is_empty()) {
        id.push('_');
        if segment.starts_with('{') {
            id.push_str("by_");
        }
        id.push_str(&word(segment));
    }
    let mut unique = id.clone();
    let mut number = 1;
    while !ids.insert(unique.clone()) {
        number += 1;
        unique = format!("{id}_{number}");
    }
    unique
}

/// Letters, digits and single underscores.
fn word(text: &str) -> String {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_")
}
