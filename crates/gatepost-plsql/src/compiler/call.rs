//! Dotted names to instructions: variables and parts of them, built-in functions, calls.

use crate::ast::{ArgumentNode, BinaryOperator, ExpressionKind, LinkKind, Path, PathPart, VariableKind};
use crate::diagnostic::{Diagnostic, Position};
use crate::machine::{BUILTINS, builtin_arguments};
use crate::nearest::nearest;
use crate::program::{CollectionMethod, Operation};

use super::Compiler;

/// Schemas whose names before a package mean nothing.
const SCHEMAS: [&str; 3] = ["ords_metadata", "sys", "standard"];

/// What else a block may call without a package.
const PROCEDURES: [&str; 6] = ["raise_application_error", "commit", "rollback", "null", "return", "raise"];

impl Compiler<'_> {
    /// Leaves the value of a path on the stack.
    pub(super) fn path(&mut self, path: &Path) -> Result<(), Diagnostic> {
        let parts = self.without_schema(path);
        let first = &parts[0];
        if let Some((slot, _)) = self.scope.find_variable(&first.name.text) {
            return self.variable_path(slot, parts);
        }
        if let [part] = parts {
            return self.plain_name(part);
        }
        self.check_method_of_unknown(parts)?;
        self.call(parts, true)
    }

    fn without_schema<'p>(&self, path: &'p Path) -> &'p [PathPart] {
        let first = &path.parts[0];
        let is_schema = path.parts.len() > 1
            && first.arguments.is_none()
            && SCHEMAS.contains(&first.name.text.as_str())
            && self.scope.find(&first.name.text).is_none();
        &path.parts[usize::from(is_schema)..]
    }

    /// `arr(1)`, `arr.count`, `rec.a.b`, `x`.
    fn variable_path(&mut self, slot: usize, parts: &[PathPart]) -> Result<(), Diagnostic> {
        let position = parts[0].name.position;
        if parts[0].arguments.is_some() {
            self.index(slot, &parts[0])?;
            self.emit(Operation::LoadElement(slot), position);
            return self.fields(&parts[1..]);
        }
        if let Some(method) = self.method(slot, parts) {
            if method == CollectionMethod::Delete {
                let message = "`delete` has no value; write it as a statement";
                return Err(Diagnostic::new(message, parts[1].name.position));
            }
            return self.collection(slot, method, &parts[1]);
        }
        self.emit(Operation::Load(slot), position);
        self.fields(&parts[1..])
    }

    /// The array method that a variable's path calls.
    fn method(&self, slot: usize, parts: &[PathPart]) -> Option<CollectionMethod> {
        let [_, part] = parts else { return None };
        match self.block.slots[slot].kind {
            VariableKind::Array | VariableKind::Untyped => CollectionMethod::named(&part.name.text),
            _ => None,
        }
    }

    fn collection(
        &mut self,
        slot: usize,
        method: CollectionMethod,
        part: &PathPart,
    ) -> Result<(), Diagnostic> {
        let arguments = part.arguments.as_deref().unwrap_or_default();
        check_count(&part.name.text, arguments, &method.arguments(), part.name.position)?;
        for argument in arguments {
            self.expression(&argument.value)?;
        }
        let operation = Operation::Collection { slot, method, arguments: arguments.len() };
        self.emit(operation, part.name.position);
        Ok(())
    }

    fn fields(&mut self, parts: &[PathPart]) -> Result<(), Diagnostic> {
        for part in parts {
            if part.arguments.is_some() {
                let message = format!("`{}` is a part of a record and cannot be called", part.name.text);
                return Err(Diagnostic::new(message, part.name.position));
            }
            self.emit(Operation::LoadField(part.name.text.clone()), part.name.position);
        }
        Ok(())
    }

    /// Leaves the index of `arr(index)` on the stack.
    pub(super) fn index(&mut self, slot: usize, part: &PathPart) -> Result<(), Diagnostic> {
        let name = &part.name;
        if !matches!(self.block.slots[slot].kind, VariableKind::Array | VariableKind::Untyped) {
            let message = format!("`{}` is not an array", name.text);
            return Err(Diagnostic::new(message, name.position));
        }
        let arguments = part.arguments.as_deref().unwrap_or_default();
        check_count(&name.text, arguments, &(1..=1), name.position)?;
        self.expression(&arguments[0].value)
    }

    /// A name without a package that is no variable.
    fn plain_name(&mut self, part: &PathPart) -> Result<(), Diagnostic> {
        let name = part.name.text.as_str();
        let position = part.name.position;
        let special = match name {
            "sqlcode" => Some(Operation::ErrorCode(self.section)),
            "sqlerrm" => Some(Operation::ErrorMessage(self.section)),
            _ => None,
        };
        if let Some(operation) = special {
            check_count(name, part.arguments.as_deref().unwrap_or_default(), &(0..=0), position)?;
            self.emit(operation, position);
            return Ok(());
        }
        if let Some(function) = BUILTINS.iter().position(|own| *own == name) {
            let arguments = part.arguments.as_deref().unwrap_or_default();
            check_count(name, arguments, &builtin_arguments(name), position)?;
            for argument in arguments {
                self.expression(&argument.value)?;
            }
            self.emit(Operation::Builtin { function, arguments: arguments.len() }, position);
            return Ok(());
        }
        if part.arguments.is_some() {
            let near = nearest(name, self.scope.variables().chain(BUILTINS));
            if near.is_some() {
                let message = format!("unknown function or array `{name}`");
                return Err(Diagnostic::new(message, position).suggesting(near));
            }
            return self.call(std::slice::from_ref(part), true);
        }
        let near = nearest(name, self.scope.variables().chain(BUILTINS).chain(["sqlerrm", "sqlcode"]));
        Err(Diagnostic::new(format!("unknown variable `{name}`"), position).suggesting(near))
    }

    /// `l_rols.count` is a misspelt variable rather than a package.
    fn check_method_of_unknown(&self, parts: &[PathPart]) -> Result<(), Diagnostic> {
        let [first, second] = parts else { return Ok(()) };
        if CollectionMethod::named(&second.name.text).is_none() {
            return Ok(());
        }
        match nearest(&first.name.text, self.scope.variables()) {
            Some(_) => Err(self.unknown("variable", &first.name)),
            None => Ok(()),
        }
    }

    /// A path as a statement.
    pub(super) fn call_statement(&mut self, path: &Path) -> Result<(), Diagnostic> {
        let parts = self.without_schema(path);
        let first = &parts[0];
        let position = first.name.position;
        if let Some((slot, _)) = self.scope.find_variable(&first.name.text) {
            if let Some(CollectionMethod::Delete) = self.method(slot, parts) {
                return self.collection(slot, CollectionMethod::Delete, &parts[1]);
            }
            return Err(self.no_statement(slot, parts));
        }
        match parts {
            [part] if part.name.text == "raise_application_error" => {
                return self.raise_application_error(part);
            }
            [part] => {
                let near = nearest(&part.name.text, PROCEDURES);
                if near.is_some() && part.arguments.is_none() || near == Some("raise_application_error") {
                    let message = format!("unknown procedure `{}`", part.name.text);
                    return Err(Diagnostic::new(message, position).suggesting(near));
                }
            }
            [package, part] if package.name.text == "dbms_output" => return self.output(part),
            _ => self.check_method_of_unknown(parts)?,
        }
        self.call(parts, false)
    }

    fn no_statement(&self, slot: usize, parts: &[PathPart]) -> Diagnostic {
        let name = &parts[0].name;
        if let [_, method] = parts
            && self.block.slots[slot].kind == VariableKind::Array
        {
            let message = match method.name.text.as_str() {
                "extend" | "trim" => {
                    format!("`{}` is for other arrays; assign to an element instead", method.name.text)
                }
                other => format!("`{other}` is no procedure of an array"),
            };
            let near = nearest(&method.name.text, CollectionMethod::NAMES);
            return Diagnostic::new(message, method.name.position).suggesting(near);
        }
        Diagnostic::new(format!("`{}` is a variable; `:=` must follow", name.text), name.position)
    }

    /// A call of something that the driver knows; a name without parentheses may be a constant.
    fn call(&mut self, parts: &[PathPart], wants_value: bool) -> Result<(), Diagnostic> {
        let text = |part: &PathPart| part.name.text.to_lowercase();
        let called = parts.iter().position(|part| part.arguments.is_some());
        let last = called.unwrap_or(if wants_value { 1.min(parts.len() - 1) } else { parts.len() - 1 });
        let position = parts[0].name.position;
        let package: Vec<String> = parts[..last].iter().map(text).collect();
        let package = if package.is_empty() { None } else { Some(package.join(".")) };
        let name = text(&parts[last]);
        match (&parts[last].arguments, package) {
            (None, Some(package)) if wants_value => {
                self.emit(Operation::Constant { package, name }, position);
            }
            (arguments, package) => {
                let arguments = self.arguments(arguments.as_deref().unwrap_or_default())?;
                self.emit(Operation::Call { package, name, arguments, wants_value }, position);
            }
        }
        if !wants_value && last + 1 < parts.len() {
            let message = "the value of this call goes nowhere";
            return Err(Diagnostic::new(message, parts[last + 1].name.position));
        }
        self.fields(&parts[last + 1..])
    }

    fn arguments(&mut self, nodes: &[ArgumentNode]) -> Result<Vec<(Option<String>, Position)>, Diagnostic> {
        let mut arguments: Vec<(Option<String>, Position)> = Vec::with_capacity(nodes.len());
        for node in nodes {
            if node.name.is_some() && arguments.iter().any(|(name, _)| *name == node.name) {
                let name = node.name.as_deref().unwrap_or_default();
                return Err(Diagnostic::new(format!("`{name}` is given twice"), node.position));
            }
            self.check_arrow(node)?;
            self.expression(&node.value)?;
            arguments.push((node.name.clone(), node.position));
        }
        Ok(arguments)
    }

    /// `p_name = 'x'` was meant to be `p_name => 'x'` when there is no such variable.
    fn check_arrow(&self, node: &ArgumentNode) -> Result<(), Diagnostic> {
        if let ExpressionKind::Chain(first, links) = &node.value.kind
            && let ExpressionKind::Path(Path { parts }) = &first.kind
            && let [PathPart { name, arguments: None }] = parts.as_slice()
            && let Some(LinkKind::Binary(BinaryOperator::Equal, _)) = links.first().map(|link| &link.kind)
            && node.name.is_none()
            && self.scope.find(&name.text).is_none()
        {
            let message = format!("an argument is named with `=>`, not with `=`: write `{} => …`", name.text);
            return Err(Diagnostic::new(message, links[0].position));
        }
        Ok(())
    }

    fn raise_application_error(&mut self, part: &PathPart) -> Result<(), Diagnostic> {
        let arguments = part.arguments.as_deref().unwrap_or_default();
        check_count("raise_application_error", arguments, &(2..=3), part.name.position)?;
        let named = |name: &str| arguments.iter().find(|argument| argument.name.as_deref() == Some(name));
        let code = named("num").unwrap_or(&arguments[0]);
        let message = named("msg").unwrap_or(&arguments[1]);
        self.expression(&code.value)?;
        self.expression(&message.value)?;
        self.emit(Operation::RaiseApplicationError, part.name.position);
        Ok(())
    }

    /// Calls of `dbms_output`.
    fn output(&mut self, part: &PathPart) -> Result<(), Diagnostic> {
        let position = part.name.position;
        let arguments = part.arguments.as_deref().unwrap_or_default();
        let line_end = match part.name.text.as_str() {
            "put_line" => true,
            "put" => false,
            "new_line" => {
                self.push("", position);
                self.emit(Operation::Output { line_end: true }, position);
                return Ok(());
            }
            "enable" | "disable" => return Ok(()),
            other => {
                let near = nearest(other, ["put_line", "put", "new_line", "enable", "disable"]);
                let message = format!("unknown procedure `dbms_output.{other}`");
                return Err(Diagnostic::new(message, position).suggesting(near));
            }
        };
        check_count(&part.name.text, arguments, &(1..=1), position)?;
        self.expression(&arguments[0].value)?;
        self.emit(Operation::Output { line_end }, position);
        Ok(())
    }
}

/// Fails unless so many arguments are allowed.
fn check_count(
    name: &str,
    arguments: &[ArgumentNode],
    allowed: &std::ops::RangeInclusive<usize>,
    position: Position,
) -> Result<(), Diagnostic> {
    if allowed.contains(&arguments.len()) {
        return Ok(());
    }
    let (low, high) = (*allowed.start(), *allowed.end());
    let wanted = match (low, high) {
        (0, 0) => "no argument".to_owned(),
        (1, 1) => "one argument".to_owned(),
        (low, usize::MAX) => format!("at least {low} arguments"),
        (low, high) if low == high => format!("{low} arguments"),
        (low, high) => format!("{low} to {high} arguments"),
    };
    Err(Diagnostic::new(format!("`{name}` takes {wanted}, not {}", arguments.len()), position))
}
