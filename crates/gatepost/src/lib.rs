//! The program: configuration, command line, HTTP. The only crate that wires the others together.
//!
//! Imports go one way: `cli` → `console` → `http` → `script` → `describe` → `audit` → `app` → `error` → `config`.

pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod console;
pub mod describe;
pub mod error;
pub mod http;
pub mod outbound;
pub mod script;
