//! The house rules that can be checked by reading: direction of crates and imports, what leaves may touch, where SQL
//! stands, names, sizes, and that documents say what the program has. `CONTRIBUTING.md` gives the reasons.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gatepost::config::Config;
use gatepost::script::{Dictionary, Viewer, package_members};
use gatepost_oauth::KeyRing;
use gatepost_store::catalog::Catalog;
use gatepost_store::data::DictionarySource as _;

use crate::server::run_ok;

/// Which of our crates each crate may use.
const DIRECTION: [(&str, &[&str]); 6] = [
    (
        "gatepost",
        &["gatepost-oauth", "gatepost-plsql", "gatepost-rest", "gatepost-sources", "gatepost-store"],
    ),
    ("gatepost-store", &["gatepost-oauth", "gatepost-rest", "gatepost-sources"]),
    ("gatepost-oauth", &[]),
    ("gatepost-plsql", &[]),
    ("gatepost-rest", &[]),
    ("gatepost-sources", &[]),
];

/// Crates that know rules and touch nothing, with all that they may use. Adding to a list is a decision: none of
/// these does input or output, reads a clock or starts a task.
const LEAVES: [(&str, &[&str]); 4] = [
    (
        "gatepost-oauth",
        &["argon2", "aws-lc-rs", "base64", "http", "secrecy", "serde", "serde_json", "thiserror", "zeroize"],
    ),
    ("gatepost-plsql", &["strsim"]),
    ("gatepost-rest", &["base64", "bytes", "http", "jiff", "percent-encoding", "serde", "serde_json"]),
    (
        "gatepost-sources",
        &[
            "base64",
            "bytes",
            "cronexpr",
            "http",
            "jiff",
            "percent-encoding",
            "secrecy",
            "serde",
            "serde_json",
            "toml",
            "url",
        ],
    ),
];

/// What reaches outside, and so has no place in a leaf.
const OUTSIDE: [&str; 13] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "aws_lc_rs::rand",
    "println!",
    "async fn",
    "unsafe",
];

/// Folders and files of `crates/gatepost/src`, each of which may import from itself and from what follows it.
const LAYERS: [&str; 9] =
    ["cli", "http", "script", "describe", "audit", "app", "outbound", "error", "config"];

/// Names that say nothing about what is inside.
const FORBIDDEN_NAMES: [&str; 10] =
    ["common", "core", "managers", "misc", "models", "prelude", "services", "shared", "types", "util"];

/// A module of this name that has earned it: the views over services, as the field calls them.
const ALLOWED_NAMES: [&str; 1] = ["crates/gatepost/src/script/dictionary/services.rs"];

/// Where SQL may stand outside the store: what wraps a user's statement, the demo's own tables, and what is proposed in
/// the console's editor.
const SQL_ELSEWHERE: [&str; 6] = [
    "crates/gatepost/src/cli/demo.rs",
    "crates/gatepost/src/cli/sql.rs",
    "crates/gatepost/src/console/pages/sql/mod.rs",
    "crates/gatepost-rest/src/source/block.rs",
    "crates/gatepost-rest/src/source/mod.rs",
    "crates/gatepost-rest/src/source/remote.rs",
];

const LINES_MAX: usize = 600;
const ARCHITECTURE_LINES_MAX: usize = 200;

#[test]
fn crates_use_each_other_in_one_direction() {
    let mut broken = Vec::new();
    for (name, allowed) in DIRECTION {
        for used in dependencies(name, "dependencies").iter().filter(|used| used.starts_with("gatepost")) {
            if !allowed.contains(&used.as_str()) {
                broken.push(format!("{name} uses {used}"));
            }
        }
    }
    let known: BTreeSet<&str> = DIRECTION.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<String> = names_in(&root().join("crates")).collect();
    assert!(found.iter().all(|name| known.contains(name.as_str())), "a crate has no place: {found:?}");
    assert_none(&broken);
}

#[test]
fn leaf_crates_touch_nothing() {
    let mut broken = Vec::new();
    for (name, allowed) in LEAVES {
        for used in dependencies(name, "dependencies") {
            if !allowed.contains(&used.as_str()) {
                broken.push(format!("{name} depends on {used}"));
            }
        }
    }
    for file in sources().iter().filter(|file| LEAVES.iter().any(|(name, _)| file.is_of(name))) {
        for outside in OUTSIDE.iter().filter(|outside| contains_word(&file.code, outside)) {
            broken.push(format!("{}: {outside}", file.path));
        }
    }
    assert_none(&broken);
}

#[test]
fn the_language_knows_no_package() {
    let packages = ["ords", "oauth", "ords_security", "gatepost"];
    let known = |file: &&Source| {
        let quoted = file.literals.iter().any(|text| packages.contains(&text.to_lowercase().as_str()));
        quoted || packages.iter().any(|package| contains_word(&file.code.to_lowercase(), package))
    };
    let sources = sources();
    let files = sources.iter().filter(|file| file.is_of("gatepost-plsql")).filter(known);
    assert_none(&files.map(|file| file.path.clone()).collect::<Vec<_>>());
}

#[test]
fn sql_stands_in_the_store() {
    let starts = ["select ", "insert into ", "update ", "delete from ", "create table ", "with recursive "];
    let mut broken = Vec::new();
    for file in sources().iter().filter(|file| !file.is_of("gatepost-store")) {
        if SQL_ELSEWHERE.contains(&file.path.as_str()) {
            continue;
        }
        for literal in &file.literals {
            let text = literal.trim_start().to_lowercase();
            let clause = [" from ", " set ", " values", "("].iter().any(|word| text.contains(word));
            if clause && starts.iter().any(|start| text.starts_with(start)) {
                broken.push(format!("{}: {literal}", file.path));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn imports_of_the_program_go_one_way() {
    let mut broken = Vec::new();
    for file in sources().iter().filter(|file| file.is_of("gatepost")) {
        let Some(own) = layer(file.path.trim_start_matches("crates/gatepost/src/")) else { continue };
        for used in file.code.split("crate::").skip(1).filter_map(layer) {
            let sideways = (LAYERS[own], LAYERS[used]) == ("http", "script");
            if used < own || sideways {
                broken.push(format!("{} uses crate::{}", file.path, LAYERS[used]));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn modules_have_names_and_heads() {
    let mut broken = Vec::new();
    for file in all_sources() {
        let path = Path::new(&file.path);
        let parts = path.components().filter_map(|part| part.as_os_str().to_str());
        let named =
            parts.map(|part| part.trim_end_matches(".rs")).find(|part| FORBIDDEN_NAMES.contains(part));
        if let Some(name) = named.filter(|_| !ALLOWED_NAMES.contains(&file.path.as_str())) {
            broken.push(format!("{}: `{name}` says nothing", file.path));
        }
        if !file.is_test && !file.text.starts_with("//!") {
            broken.push(format!("{}: no `//!` at its head", file.path));
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut broken = Vec::new();
    for file in sources() {
        for word in ["todo!", "unimplemented!", "dbg!", ".unwrap()", "#[allow("] {
            if file.code.contains(word) {
                broken.push(format!("{}: {word}", file.path));
            }
        }
        let lines = file.production.lines().count();
        if lines > LINES_MAX {
            broken.push(format!("{}: {lines} lines", file.path));
        }
    }
    assert_none(&broken);
}

#[test]
fn the_clock_and_the_environment_are_read_in_named_places() {
    let text = fs::read_to_string(root().join("clippy.toml")).unwrap();
    let clippy: toml::Table = toml::from_str(&text).unwrap();
    let listed = clippy["disallowed-methods"].as_array().unwrap();
    let paths: Vec<&str> = listed.iter().filter_map(|entry| entry.get("path")?.as_str()).collect();
    for path in ["std::time::SystemTime::now", "std::env::var", "std::env::vars"] {
        assert!(paths.contains(&path), "clippy.toml does not disallow {path}");
    }
}

#[test]
fn links_of_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", relative(&path)));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn decisions_are_complete_and_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let lines = map.lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines");
    let folder = root().join("docs/adr");
    let mut broken = Vec::new();
    for name in names_in(&folder) {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        for heading in ["## Status", "## Context", "## Decision", "## Consequences"] {
            if !text.lines().any(|line| line == heading) {
                broken.push(format!("{name}: no `{heading}`"));
            }
        }
        if !map.contains(&format!("(docs/adr/{name})")) {
            broken.push(format!("{name}: not linked from ARCHITECTURE.md"));
        }
    }
    assert_none(&broken);
}

#[test]
fn reference_pages_say_what_the_program_has() {
    let page = |name: &str| fs::read_to_string(root().join("docs/reference").join(name)).unwrap();
    let fresh = "run: cargo run -- check-config --reference > docs/reference/configuration.md";
    assert!(page("configuration.md") == Config::reference(), "configuration.md is stale; {fresh}");

    let mut missing = Vec::new();
    let dialect = page("ords-dialect.md").to_uppercase();
    for member in package_members() {
        // The ADMIN packages have the calls of the others.
        let name = member.name.to_uppercase().replace("_ADMIN.", ".");
        if !dialect.contains(&format!("`{name}`")) {
            missing.push(format!("ords-dialect.md: {name}"));
        }
    }
    let views = page("views.md");
    for view in dictionary().views() {
        let section = views.split("\n## ").find(|section| section.starts_with(&format!("{}\n", view.name)));
        let Some(section) = section else {
            missing.push(format!("views.md: {}", view.name));
            continue;
        };
        let columns = view.columns.iter().filter(|column| !section.contains(&format!("`{column}`")));
        missing.extend(columns.map(|column| format!("views.md: {}.{column}", view.name)));
    }
    let commands = page("cli.md");
    let help = run_ok(&["--help"]);
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        if !commands.contains(&format!("\n## gatepost {command}\n")) {
            missing.push(format!("cli.md: {command}"));
        }
    }
    assert_none(&missing);
}

#[test]
fn tests_that_run_once_stand_apart_and_say_why() {
    let script = fs::read_to_string(root().join("script/test")).unwrap();
    let mut broken = Vec::new();
    for name in ["on_sqlite", "on_postgres", "once"] {
        if !script.contains(&format!("--skip {name}::")) {
            broken.push(format!("script/test: {name} is run twice"));
        }
        for path in files_below(&root().join("crates/gatepost/tests/it")) {
            let text = fs::read_to_string(&path).unwrap();
            let is_it =
                path.file_stem().is_some_and(|stem| stem == name) || path.ends_with(format!("{name}/mod.rs"));
            if is_it && !text.starts_with("//! ") {
                broken.push(format!("{}: no `//!` at its head", relative(&path)));
            }
            for inside in text.split(&format!("\nmod {name} {{\n")).skip(1) {
                if !inside.trim_start().starts_with("//! ") {
                    broken.push(format!("{}: no `//!` in mod {name}", relative(&path)));
                }
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    // Spelled in halves, so that this file passes.
    let paths = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"], ["crates.io-", "1949"]];
    let mut broken = Vec::new();
    for path in files_below(&root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for found in paths.iter().map(|halves| halves.concat()).filter(|found| text.contains(found.as_str()))
        {
            broken.push(format!("{}: {found}", relative(&path)));
        }
    }
    assert_none(&broken);
}

#[test]
fn no_merge_is_half_done() {
    // Spelled in halves, so that this file passes.
    let marks = [["<<<<", "<<< "], [">>>>", ">>> "], ["||||", "||| "]].map(|halves| halves.concat());
    let mut broken = Vec::new();
    for path in files_below(&root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if text.lines().any(|line| marks.iter().any(|mark| line.starts_with(mark.as_str()))) {
            broken.push(relative(&path));
        }
    }
    assert_none(&broken);
}

/// A source file, with what a rule looks at.
struct Source {
    /// From the root, with slashes.
    path: String,
    text: String,
    /// Without the tests at its end.
    production: String,
    /// Production code without comments and without what stands in quotes.
    code: String,
    /// What stands in quotes there.
    literals: Vec<String>,
    is_test: bool,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let path = relative(path);
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let tests = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(crate) mod tests {"];
        let end = tests.iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
        let production = text[..end].to_owned();
        let (code, literals) = take_apart(&production);
        Self { path, text, production, code, literals, is_test }
    }

    fn is_of(&self, name: &str) -> bool {
        self.path.starts_with(&format!("crates/{name}/src/"))
    }
}

/// Code without comments and quoted text, and the quoted texts.
fn take_apart(text: &str) -> (String, Vec<String>) {
    let (mut code, mut literals) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(body) = raw_string(rest) {
            literals.push(body.0.to_owned());
            rest = body.1;
        } else if first == '"' {
            let end = quoted_length(rest);
            literals.push(rest[1..end - 1].to_owned());
            code.push_str("\"\"");
            rest = &rest[end..];
        } else if let Some(after) = character(rest) {
            rest = after;
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    (code, literals)
}

/// `r"…"` and `r#"…"#`: the text and what follows.
fn raw_string(text: &str) -> Option<(&str, &str)> {
    let marks = text.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    let body = text[1 + marks..].strip_prefix('"')?;
    body.split_once(&format!("\"{}", "#".repeat(marks)))
}

fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A character in quotes: what follows it. A lifetime is none.
fn character(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('\'')?;
    if let Some(escape) = inner.strip_prefix('\\') {
        let end = escape.char_indices().skip(1).find(|(_, c)| *c == '\'')?.0;
        return Some(&escape[end + 1..]);
    }
    let mut characters = inner.chars();
    characters.next()?;
    characters.as_str().strip_prefix('\'')
}

/// Whether a word stands in the code and is not a part of a longer one.
fn contains_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(is_part);
        let after = code[at + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}

/// The layer that a path of the program begins with.
fn layer(path: &str) -> Option<usize> {
    let first: String = path.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    LAYERS.iter().position(|layer| *layer == first)
}

/// The names of a crate's dependencies.
fn dependencies(name: &str, section: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    let dependencies = manifest.get(section).and_then(|section| section.as_table());
    dependencies.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// The dictionary of nothing, for its views.
fn dictionary() -> Dictionary {
    Dictionary {
        catalog: Catalog::default(),
        schema: None,
        viewer: Viewer { name: "nobody".into(), administrator: false },
        key_ring: KeyRing::generate(&mut |bytes: &mut [u8]| bytes.fill(1), 0).into(),
        runs: Vec::new(),
        now_ms: 0,
    }
}

/// Production sources of all crates.
fn sources() -> Vec<Source> {
    all_sources().into_iter().filter(|file| !file.is_test).collect()
}

fn all_sources() -> Vec<Source> {
    let paths = files_below(&root().join("crates"));
    let rust = paths.iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.filter(|path| relative(path).contains("/src/")).map(|path| Source::read(path)).collect()
}

fn documents() -> Vec<(PathBuf, String)> {
    let paths = files_below(&root()).into_iter();
    let pages = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
}

/// All files below a folder but what is built, fetched or made by the demo.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in names_in(folder) {
        let path = folder.join(&name);
        let skipped =
            matches!(name.as_str(), "target" | ".git" | "node_modules" | "gatepost-demo" | "Cargo.lock");
        if skipped {
            continue;
        }
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
