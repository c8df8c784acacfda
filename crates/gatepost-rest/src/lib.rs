//! Modules, templates, handlers, privileges and roles: from a request to a plan to a reply.
//!
//! The stages of a request, in order: [`path`] (parse), [`router`] (route), [`access`] (authorize), [`plan`],
//! and [`render`]. [`definition`] holds what a schema publishes, [`pattern`] and [`cover`] its two kinds of
//! patterns, [`sql`] the lexer that finds binds. Nothing here does I/O, reads a clock or knows a database driver.

pub mod access;
pub mod cover;
pub mod definition;
pub mod path;
pub mod pattern;
pub mod plan;
pub mod render;
pub mod router;
pub mod source;
pub mod sql;
