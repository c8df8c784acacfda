//! What of the console does not depend on the database: its files, and where it is.

mod address;
mod assets;
