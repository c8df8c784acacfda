//! What drivers rely on.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use gatepost_plsql::{
    Answer, Block, Environment, Machine, Position, Raised, RowsWanted, Step, Value, nearest, parse_block,
    split,
};

fn block(script: &str) -> Block {
    let statement = &split(script).unwrap()[0];
    parse_block(&statement.text, statement.position).unwrap()
}

fn machine(script: &str) -> Machine {
    Machine::new(block(script), Environment::new("HR"))
}

/// Steps over what needs no answer and returns the lines of output.
fn output(mut machine: Machine) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        match machine.step().unwrap() {
            Step::Done => return lines,
            Step::Output(line) => lines.push(line),
            step => panic!("unexpected {step:?}"),
        }
    }
}

#[test]
fn calls_are_known_before_anything_runs() {
    let block =
        block("begin if false then ords.create_role(p_role => lower('X')); x.f(y.g(1)); end if; end;");
    let calls: Vec<(Option<&str>, &str, bool)> =
        block.calls().map(|call| (call.package, call.name, call.wants_value)).collect();
    assert_eq!(
        calls,
        [(Some("ords"), "create_role", false), (Some("y"), "g", true), (Some("x"), "f", false)]
    );
    let first = block.calls().next().unwrap();
    assert_eq!(first.arguments[0].0.as_deref(), Some("p_role"));
}

#[test]
fn positions_are_those_of_the_script() {
    let script = "-- é\nselect 1;\n  begin\n    ords.a(\n      'é', p => 1);\n  end;\n";
    let statement = &split(script).unwrap()[1];
    let mut machine =
        Machine::new(parse_block(&statement.text, statement.position).unwrap(), Environment::default());
    let Step::Call(call) = machine.step().unwrap() else { panic!("no call") };
    let offset = script.find("p =>").unwrap();
    assert_eq!(call.arguments[1].position, Position { offset, line: 5, column: 12 });
    assert_eq!(&script[call.position.offset..][..6], "ords.a");
}

#[test]
fn a_loop_over_select_star_needs_column_names() {
    let script = "begin for r in (select * from t) loop ords.create_role(r.name); end loop; end;";
    let rows = vec![vec![Value::from(1), Value::from("a")]];
    let mut named = machine(script);
    assert!(matches!(named.step().unwrap(), Step::Query { rows: RowsWanted::Many, .. }));
    named.resume(Answer::Table { columns: vec!["ID".into(), "NAME".into()], rows: rows.clone() });
    let Step::Call(call) = named.step().unwrap() else { panic!("no call") };
    assert_eq!(call.arguments[0].value, Value::from("a"));

    let mut unnamed = machine(script);
    unnamed.step().unwrap();
    unnamed.resume(Answer::Rows(rows));
    assert!(unnamed.step().unwrap_err().message.contains("select *"));
}

#[test]
fn failures_can_be_caught_but_mistakes_cannot() {
    let script = "begin ords.a; exception when others then dbms_output.put_line(sqlerrm); end;";
    let mut caught = machine(script);
    caught.step().unwrap();
    caught.resume(Answer::Failed(Raised::new(-20049, "taken")));
    assert_eq!(output(caught), ["ORA-20049: taken"]);

    let mut mistake = machine(script);
    mistake.step().unwrap();
    mistake.resume(Answer::Failed(Raised::mistake("unknown").with_suggestion("b")));
    let problem = mistake.step().unwrap_err();
    assert_eq!((problem.message.as_str(), problem.suggestion.as_deref()), ("unknown", Some("b")));
    assert_eq!(problem.position.column, 7);
}

#[test]
fn a_commit_may_fail() {
    let mut machine = machine("begin commit; end;");
    assert_eq!(machine.step().unwrap(), Step::Commit);
    machine.resume(Answer::Failed(Raised::new(-2091, "transaction rolled back")));
    assert_eq!(machine.step().unwrap_err().code, Some(-2091));
}

#[test]
fn select_into_raises_what_oracle_raises() {
    let script = "declare n number; begin select a into n from t; exception when no_data_found then \
                  dbms_output.put_line('none'); when too_many_rows then dbms_output.put_line('many'); end;";
    for (rows, expected) in [(0, "none"), (2, "many")] {
        let mut machine = machine(script);
        machine.step().unwrap();
        machine.resume(Answer::Rows(vec![vec![Value::from(1)]; rows]));
        assert_eq!(output(machine), [expected]);
    }
}

#[test]
fn the_environment_answers_for_the_session() {
    let mut environment = Environment::new("HR");
    environment.sysdate = Some("2024-05-01".into());
    environment.context.insert("IP_ADDRESS".into(), "127.0.0.1".into());
    let script = "begin dbms_output.put_line(user || sysdate || sys_context('userenv', 'ip_address')); end;";
    assert_eq!(output(Machine::new(block(script), environment)), ["HR2024-05-01127.0.0.1"]);
    let mut without = machine(script);
    assert!(without.step().unwrap_err().message.contains("sysdate"));
}

#[test]
fn nearest_is_for_drivers_too() {
    assert_eq!(nearest("p_modul_name", ["p_module_name", "p_pattern"]), Some("p_module_name"));
}
