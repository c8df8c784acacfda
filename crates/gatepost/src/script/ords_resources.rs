//! Package ORDS: templates, handlers and parameters, and services in one call (ORDS Developer's Guide, package ORDS).

use gatepost_plsql::Value;
use gatepost_rest::definition::{
    Audit, EtagType, Handler, Id, Method, Module, Parameter as HandlerParameter, ParameterAccess,
    ParameterSource, ParameterType, SourceType, Template,
};
use gatepost_rest::pattern::Pattern;

use super::ords_modules::read_module;
use super::refusal::{Refusal, code};
use super::scope::{NOTHING, Scope};
use super::signature::{Bound, Parameter, Signature, free_text, number, procedure, text};
use super::working::Working;

/// The calls of this file.
pub(super) static CALLS: [Signature; 7] = [
    procedure("DEFINE_TEMPLATE", &[&DEFINE_TEMPLATE], define_template),
    procedure("DEFINE_HANDLER", &[&DEFINE_HANDLER], define_handler),
    procedure("DEFINE_PARAMETER", &[&DEFINE_PARAMETER], define_parameter),
    procedure("DEFINE_SERVICE", &[&DEFINE_SERVICE], define_service),
    procedure("CREATE_SERVICE", &[&DEFINE_SERVICE], create_service),
    procedure("DELETE_TEMPLATE", &[&[text("p_module_name"), text("p_pattern")]], delete_template),
    procedure(
        "DELETE_HANDLER",
        &[&[text("p_module_name"), text("p_pattern"), text("p_method")]],
        delete_handler,
    ),
];

const DEFINE_TEMPLATE: [Parameter; 6] = [
    text("p_module_name"),
    text("p_pattern"),
    number("p_priority").or_number(0),
    text("p_etag_type").or_text("HASH"),
    text("p_etag_query").or_null(),
    text("p_comments").or_null(),
];

const DEFINE_HANDLER: [Parameter; 9] = [
    text("p_module_name"),
    text("p_pattern"),
    text("p_method").or_text("GET"),
    text("p_source_type").or_text("json/collection"),
    text("p_source"),
    number("p_items_per_page").or_null(),
    text("p_mimes_allowed").or_null(),
    text("p_comments").or_null(),
    text("p_mle_env_name").or_null(),
];

const DEFINE_PARAMETER: [Parameter; 9] = [
    text("p_module_name"),
    text("p_pattern"),
    text("p_method"),
    text("p_name"),
    text("p_bind_variable_name").or_null(),
    text("p_source_type").or_text("HEADER"),
    text("p_param_type").or_text("STRING"),
    text("p_access_method").or_text("IN"),
    text("p_comments").or_null(),
];

const DEFINE_SERVICE: [Parameter; 14] = [
    text("p_module_name"),
    text("p_base_path"),
    text("p_pattern"),
    text("p_method").or_text("GET"),
    text("p_source_type").or_text("json/collection"),
    text("p_source"),
    number("p_items_per_page").or_number(25),
    text("p_status").or_text("PUBLISHED"),
    text("p_etag_type").or_text("HASH"),
    text("p_etag_query").or_null(),
    text("p_mimes_allowed").or_null(),
    text("p_module_comments").or_null(),
    text("p_template_comments").or_null(),
    text("p_handler_comments").or_null(),
];

/// A pattern as it is stored: without a leading slash.
fn read_pattern(bound: &Bound) -> Result<String, Refusal> {
    let written = bound.required_text("p_pattern")?;
    let pattern = written.strip_prefix('/').unwrap_or(written);
    Ok(if pattern.is_empty() { ".".into() } else { pattern.to_owned() })
}

fn define_template(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let module = bound.required_text("p_module_name")?;
    let template = read_template(scope.working, schema, bound, "p_comments")?;
    put_template(scope.working.module_mut(schema, module)?, template);
    Ok(NOTHING)
}

/// The template that the arguments describe, without handlers.
fn read_template(
    working: &mut Working,
    schema: Id,
    bound: &Bound,
    comments: &'static str,
) -> Result<Template, Refusal> {
    let pattern = read_pattern(bound)?;
    Pattern::parse(&pattern)?;
    let etag_type = EtagType::parse(bound.text("p_etag_type").unwrap_or("HASH"))?;
    let etag_query = free_text(bound, "p_etag_query", usize::MAX)?;
    let priority = bound.number("p_priority")?.unwrap_or_default();
    let priority = Template::check(&pattern, priority, etag_type, etag_query.as_deref())?;
    let comments = free_text(bound, comments, 4000)?;
    let module = bound.required_text("p_module_name")?;
    let before = working
        .catalog
        .modules_of(schema)
        .find(|found| found.name == module)
        .and_then(|found| found.template(&pattern).map(|template| (template.id, template.audit.clone())));
    let audit = working.audit_after(before.as_ref().map(|(_, audit)| audit));
    let id = before.map_or_else(|| working.catalog.take_id(), |(id, _)| id);
    Ok(Template { id, pattern, priority, etag_type, etag_query, comments, handlers: Vec::new(), audit })
}

fn put_template(module: &mut Module, template: Template) {
    match module.templates.iter().position(|other| other.pattern == template.pattern) {
        Some(place) => module.templates[place] = template,
        None => module.templates.push(template),
    }
}

fn define_handler(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let module = bound.required_text("p_module_name")?;
    let pattern = read_pattern(bound)?;
    let working = &mut *scope.working;
    let before = {
        let template = working.template_mut(schema, module, &pattern)?;
        let method = Method::parse(bound.text("p_method").unwrap_or("GET"))?;
        template.handler(method).map(|handler| (handler.id, handler.audit.clone()))
    };
    let audit = working.audit_after(before.as_ref().map(|(_, audit)| audit));
    let id = before.map_or_else(|| working.catalog.take_id(), |(id, _)| id);
    let items_per_page = bound.count("p_items_per_page")?;
    let handler = Handler {
        items_per_page,
        comments: free_text(bound, "p_comments", 4000)?,
        ..read_handler(id, bound, audit)?
    };
    put_handler(working.template_mut(schema, module, &pattern)?, handler);
    Ok(NOTHING)
}

/// The handler that the arguments describe, without parameters, page size and comments.
fn read_handler(id: Id, bound: &Bound, audit: Audit) -> Result<Handler, Refusal> {
    if bound.text("p_mle_env_name").is_some() {
        let refusal = Refusal::invalid("p_mle_env_name", "JavaScript sources run inside Oracle only");
        return Err(refusal);
    }
    let mimes = free_text(bound, "p_mimes_allowed", 255)?.unwrap_or_default();
    let mimes_allowed = mimes.split(',').map(str::trim).filter(|mime| !mime.is_empty()).map(str::to_owned);
    Ok(Handler {
        id,
        method: Method::parse(bound.text("p_method").unwrap_or("GET"))?,
        source_type: SourceType::parse(bound.text("p_source_type").unwrap_or("json/collection"))?,
        source: bound.required_text("p_source")?.to_owned(),
        items_per_page: None,
        mimes_allowed: mimes_allowed.collect(),
        comments: None,
        parameters: Vec::new(),
        audit,
    })
}

fn put_handler(template: &mut Template, handler: Handler) {
    match template.handlers.iter().position(|other| other.method == handler.method) {
        Some(place) => template.handlers[place] = handler,
        None => template.handlers.push(handler),
    }
}

fn define_parameter(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let module = bound.required_text("p_module_name")?;
    let pattern = read_pattern(bound)?;
    let method = Method::parse(bound.required_text("p_method")?)?;
    let name = bound.required_text("p_name")?;
    let bind = bound.text("p_bind_variable_name");
    let source = ParameterSource::parse(bound.text("p_source_type").unwrap_or("HEADER"))?;
    let kind = ParameterType::parse(bound.text("p_param_type").unwrap_or("STRING"))?;
    let access = ParameterAccess::parse(bound.text("p_access_method").unwrap_or("IN"))?;
    HandlerParameter::check(name, bind, source)?;
    let comments = free_text(bound, "p_comments", 4000)?;
    let fresh = scope.working.catalog.take_id();
    let created = scope.working.audit();
    let handler = scope.working.handler_mut(schema, module, &pattern, method)?;
    let same_bind = |other: &&HandlerParameter| {
        other.name != name
            && bind.zip(other.bind_variable_name.as_deref()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    if let Some(other) = handler.parameters.iter().find(same_bind) {
        let message =
            format!("bind variable `{}` is taken by parameter `{}`", bind.unwrap_or_default(), other.name);
        return Err(Refusal::raised(code::ALREADY_EXISTS, message).at_argument("p_bind_variable_name"));
    }
    let place = handler.parameters.iter().position(|other| other.name == name);
    let (id, audit) = match place.map(|place| &handler.parameters[place]) {
        Some(before) => {
            let mut audit = before.audit.clone();
            audit.touch(&created.updated_by, created.updated_on_ms);
            (before.id, audit)
        }
        None => (fresh, created),
    };
    let bind_variable_name = bind.map(str::to_owned);
    let parameter = HandlerParameter {
        id,
        name: name.to_owned(),
        bind_variable_name,
        source,
        kind,
        access,
        comments,
        audit,
    };
    match place {
        Some(place) => handler.parameters[place] = parameter,
        None => handler.parameters.push(parameter),
    }
    Ok(NOTHING)
}

fn define_service(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let working = &mut *scope.working;
    let mut module = read_module(working, schema, bound, "p_module_comments")?;
    // The module is made anew, so a template of the same pattern is another one.
    let mut template = read_template(working, schema, bound, "p_template_comments")?;
    (template.id, template.audit) = (working.catalog.take_id(), working.audit());
    let id = working.catalog.take_id();
    let audit = working.audit();
    let comments = free_text(bound, "p_handler_comments", 4000)?;
    template.handlers.push(Handler { comments, ..read_handler(id, bound, audit)? });
    module.templates.push(template);
    working.put_module(module);
    Ok(NOTHING)
}

fn create_service(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let name = bound.required_text("p_module_name")?;
    let schema = scope.schema_id()?;
    if scope.working.catalog.modules.named(schema, name).is_some() {
        return Err(Refusal::exists("module", name).help("ORDS.DEFINE_SERVICE replaces it"));
    }
    define_service(scope, bound)
}

fn delete_template(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let name = bound.required_text("p_module_name")?;
    let pattern = read_pattern(bound)?;
    scope.working.template_mut(schema, name, &pattern)?;
    let module = scope.working.module_mut(schema, name)?;
    module.templates.retain(|template| template.pattern != pattern);
    Ok(NOTHING)
}

fn delete_handler(scope: &mut Scope<'_>, bound: &Bound) -> Result<Value, Refusal> {
    let schema = scope.schema_id()?;
    let module = bound.required_text("p_module_name")?;
    let pattern = read_pattern(bound)?;
    let method = Method::parse(bound.required_text("p_method")?)?;
    scope.working.handler_mut(schema, module, &pattern, method)?;
    let template = scope.working.template_mut(schema, module, &pattern)?;
    template.handlers.retain(|handler| handler.method != method);
    Ok(NOTHING)
}
