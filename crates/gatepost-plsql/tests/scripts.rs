//! Runs `tests/scripts/*.sql` with a scripted driver and compares what it prints with `.expected`.
//! `UPDATE_EXPECT=1` rewrites the expectations.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gatepost_plsql::{
    Answer, Argument, Call, Diagnostic, Environment, Machine, Raised, Statement, StatementKind, Step, Value,
    parse_block, split,
};

#[test]
fn scripts_run_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    assert!(paths.len() > 20, "the scripts are missing");
    let mut wrong = Vec::new();
    for path in paths {
        let found = transcript(&std::fs::read_to_string(&path).unwrap());
        let expectation = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expectation, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expectation).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{}:\n--- expected\n{expected}--- found\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything that a script makes happen.
fn transcript(script: &str) -> String {
    let mut out = String::new();
    let statements = match split(script) {
        Ok(statements) => statements,
        Err(problem) => return format!("error: {}", problem.render(script)),
    };
    for statement in statements {
        let place = format!("{}:{}", statement.position.line, statement.position.column);
        let first_line = statement.text.lines().next().unwrap_or_default().to_owned();
        match &statement.kind {
            StatementKind::Block => writeln!(out, "{place} block").unwrap(),
            StatementKind::Sql => {
                writeln!(out, "{place} sql: {}", statement.text.replace('\n', "\n    ")).unwrap();
            }
            StatementKind::Directive { name } => {
                writeln!(out, "{place} directive {name}: {first_line}").unwrap();
            }
            kind => writeln!(out, "{place} {kind:?}").unwrap(),
        }
        for warning in &statement.warnings {
            writeln!(out, "warning: {}", warning.render(script).trim_end()).unwrap();
        }
        if statement.kind == StatementKind::Block
            && let Err(problem) = run(&statement, &mut out)
        {
            let code = problem.code.map_or(String::new(), |code| format!(" {code}"));
            writeln!(out, "error{code}: {}", problem.render(script).trim_end()).unwrap();
        }
    }
    out
}

fn run(statement: &Statement, out: &mut String) -> Result<(), Diagnostic> {
    let block = parse_block(&statement.text, statement.position)?;
    let mut machine = Machine::new(block, Environment::new("HR"));
    loop {
        match machine.step()? {
            Step::Done => return Ok(()),
            Step::Call(call) => {
                print_call(&call, out);
                machine.resume(answer_call(&call));
            }
            Step::Constant { package, name, .. } => {
                writeln!(out, "  constant {package}.{name}").unwrap();
                machine.resume(Answer::Value(Value::text(name)));
            }
            Step::Query { sql, binds, rows, .. } => {
                writeln!(out, "  query {rows:?} {sql} {}", show_binds(&binds)).unwrap();
                machine.resume(Answer::Rows(answer_query(&sql)));
            }
            Step::Execute { sql, binds, .. } => {
                writeln!(out, "  execute {sql} {}", show_binds(&binds)).unwrap();
                machine.resume(Answer::Affected(2));
            }
            Step::Output(line) => writeln!(out, "  output {line}").unwrap(),
            step => writeln!(out, "  {step:?}").unwrap(),
        }
    }
}

fn print_call(call: &Call, out: &mut String) {
    let what = if call.wants_value { "function" } else { "call" };
    let package = call.package.as_ref().map_or(String::new(), |package| format!("{package}."));
    let place = format!("{}:{}", call.position.line, call.position.column);
    writeln!(out, "  {what} {package}{} at {place}", call.name).unwrap();
    for Argument { name, value, .. } in &call.arguments {
        let name = name.as_ref().map_or(String::new(), |name| format!("{name} => "));
        writeln!(out, "    {name}{}", show(value)).unwrap();
    }
}

/// `fail(code, message)` raises, `fail_mistake` is unknown; functions return a client.
fn answer_call(call: &Call) -> Answer {
    let text = |index: usize| call.arguments[index].value.to_text().unwrap();
    match call.name.as_str() {
        "fail" => Answer::Failed(Raised::new(text(0).parse().unwrap(), text(1))),
        "fail_mistake" => {
            Answer::Failed(Raised::mistake("ords has no procedure `fail_mistake`").with_suggestion("fail"))
        }
        _ if call.wants_value => {
            let record = |name: &str, value: Value| Value::Record(BTreeMap::from([(name.to_owned(), value)]));
            Answer::Value(record("client_key", record("client_id", Value::from("abcd"))))
        }
        _ => Answer::Done,
    }
}

fn answer_query(sql: &str) -> Vec<Vec<Value>> {
    if sql.contains("count(*) from") {
        vec![vec![Value::from(7)]]
    } else if sql.contains("nowhere") {
        Vec::new()
    } else if sql.contains("client_id id") {
        let row = |name: &str, id: &str| vec![Value::from(name), Value::from(id), Value::from(1)];
        vec![row("till", "t1"), row("desk", "d2")]
    } else {
        vec![vec![Value::from("till"), Value::from("t1")]]
    }
}

fn show_binds(binds: &[(String, Value)]) -> String {
    let binds: Vec<String> = binds.iter().map(|(name, value)| format!(":{name} = {}", show(value))).collect();
    format!("[{}]", binds.join(", "))
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::Number(digits) => digits.clone(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Array(elements) => {
            let elements: Vec<String> =
                elements.iter().map(|(index, value)| format!("{index}: {}", show(value))).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Record(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", show(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}
