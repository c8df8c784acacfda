//! The console in Chromium. After each test the browser's own log must be empty: a refusal by the policy, a missing
//! file or a failing script fails the test.

mod chromium;
mod editing;
mod once;
mod tutorial;
mod watching;
