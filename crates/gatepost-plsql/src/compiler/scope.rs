//! Which names are visible where.

use std::collections::BTreeMap;

use crate::ast::Name;
use crate::diagnostic::Diagnostic;

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Binding {
    Variable { slot: usize, constant: bool },
    Exception { id: usize, code: Option<i32> },
}

/// The declarations around a place, the innermost last.
#[derive(Default)]
pub(super) struct Scope {
    levels: Vec<BTreeMap<String, Binding>>,
}

impl Scope {
    pub(super) fn open(&mut self) {
        self.levels.push(BTreeMap::new());
    }

    pub(super) fn close(&mut self) {
        self.levels.pop();
    }

    /// Adds a name to the innermost level. Fails if that has it already.
    pub(super) fn declare(&mut self, name: &Name, binding: Binding) -> Result<(), Diagnostic> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        if level.insert(name.text.clone(), binding).is_some() {
            return Err(Diagnostic::new(format!("`{}` is declared twice", name.text), name.position));
        }
        Ok(())
    }

    pub(super) fn find(&self, name: &str) -> Option<Binding> {
        self.levels.iter().rev().find_map(|level| level.get(name).copied())
    }

    /// The variable of this name: its slot and whether it is constant.
    pub(super) fn find_variable(&self, name: &str) -> Option<(usize, bool)> {
        match self.find(name)? {
            Binding::Variable { slot, constant } => Some((slot, constant)),
            Binding::Exception { .. } => None,
        }
    }

    /// Gives a declared exception its code; false if there is none of this name.
    pub(super) fn set_code(&mut self, name: &str, new: i32) -> bool {
        match self.levels.iter_mut().rev().find_map(|level| level.get_mut(name)) {
            Some(Binding::Exception { code, .. }) => {
                *code = Some(new);
                true
            }
            _ => false,
        }
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.names(|binding| matches!(binding, Binding::Variable { .. }))
    }

    pub(super) fn exceptions(&self) -> impl Iterator<Item = &str> {
        self.names(|binding| matches!(binding, Binding::Exception { .. }))
    }

    fn names(&self, wanted: impl Fn(&Binding) -> bool) -> impl Iterator<Item = &str> {
        let all = self.levels.iter().rev().flatten();
        all.filter(move |(_, binding)| wanted(binding)).map(|(name, _)| name.as_str())
    }
}
