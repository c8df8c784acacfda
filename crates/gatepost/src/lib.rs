//! The program: configuration, command line, HTTP. The only crate that wires the others together.
