//! The summary at the end of a script: what was defined, what of it can run, and whom narrower locks admit.

use std::sync::Arc;

use gatepost_rest::definition::{EtagType, Handler, Module, Schema, Template};
use gatepost_rest::source::{CompiledSource, NotRunnable, RemoteTables, compile_with};
use gatepost_store::catalog::Catalog;

use super::event::{HandlerPlace, RefusedHandler, ScriptReport, WaitingHandler};
use super::host::ScriptHost;
use super::{changes, doors};
use crate::app::remote_rows::tables;

/// Compares the catalog before a script with the one after it.
pub(super) fn summarize(host: &dyn ScriptHost, before: &Catalog, after: &Catalog) -> ScriptReport {
    let mut report = ScriptReport::default();
    let changed = changes::schemas(before, after);
    for schema in changed.iter().filter_map(|id| after.schemas.get(id)) {
        let sources: Vec<_> = after.rest_sources_of(schema.id).cloned().collect();
        let tables = tables(&sources);
        let place = Place { host, schema, tables: &tables };
        let earlier: Vec<_> = before.rest_sources_of(schema.id).cloned().collect();
        let sources_changed = earlier != sources;
        for module in after.modules_of(schema.id) {
            let known = before.modules.get(&module.id);
            if !known.is_some_and(|known| Arc::ptr_eq(known, module) || known == module) {
                report.add_module(&place, module);
            } else if sources_changed {
                report.add_readers(&place, module);
            }
        }
        let widened = doors::rules(after, schema.id).widened_by();
        let earlier = doors::rules(before, schema.id).widened_by();
        let new = widened.iter().filter(|narrower| !earlier.contains(narrower));
        report.narrower.extend(new.map(ToString::to_string));
    }
    report
}

/// Where handlers are to run.
struct Place<'a> {
    host: &'a dyn ScriptHost,
    schema: &'a Schema,
    tables: &'a RemoteTables,
}

impl ScriptReport {
    fn add_module(&mut self, at: &Place<'_>, module: &Module) {
        self.modules += 1;
        self.templates += module.templates.len();
        for template in &module.templates {
            for handler in &template.handlers {
                self.add_handler(at, module, template, handler);
            }
        }
    }

    /// The handlers of a module that did not change, but read a source that did, and wait now.
    fn add_readers(&mut self, at: &Place<'_>, module: &Module) {
        for template in &module.templates {
            let may_read = |handler: &&Handler| handler.source.to_ascii_lowercase().contains("rest");
            for handler in template.handlers.iter().filter(may_read) {
                let message = match at.compile(template, handler) {
                    Ok(source) if source.remotes.is_empty() => None,
                    Ok(source) => at.host.check(at.schema, &source).err(),
                    Err(reason) => reason.waits.then(|| reason.to_string()),
                };
                let place = place_of(module, template, handler);
                self.waiting.extend(message.map(|message| WaitingHandler { place, message }));
            }
        }
    }

    fn add_handler(&mut self, at: &Place<'_>, module: &Module, template: &Template, handler: &Handler) {
        self.handlers += 1;
        let place = place_of(module, template, handler);
        match at.compile(template, handler) {
            Ok(source) => {
                if let Err(message) = at.host.check(at.schema, &source) {
                    self.waiting.push(WaitingHandler { place, message });
                }
            }
            Err(reason) if reason.waits => {
                self.waiting.push(WaitingHandler { place, message: reason.to_string() });
            }
            Err(reason) => self.refused.push(RefusedHandler {
                place,
                construct: reason.construct.clone(),
                message: reason.to_string(),
            }),
        }
    }
}

impl Place<'_> {
    fn compile(&self, template: &Template, handler: &Handler) -> Result<CompiledSource, NotRunnable> {
        let etag_query = template.etag_query.as_deref().filter(|_| template.etag_type == EtagType::Query);
        compile_with(handler, etag_query, self.host.dialect(self.schema), self.tables)
    }
}

fn place_of(module: &Module, template: &Template, handler: &Handler) -> HandlerPlace {
    HandlerPlace {
        module: module.name.clone(),
        pattern: template.pattern.clone(),
        method: handler.method.as_str(),
    }
}
