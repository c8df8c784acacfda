//! Definition scripts through the real program.

mod calls;
mod constructs;
mod dictionary;
mod hr;
