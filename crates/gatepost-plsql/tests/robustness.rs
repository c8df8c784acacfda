//! Nothing panics, overflows the stack or runs for ever, whatever the script holds.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use gatepost_plsql::{Answer, DEPTH_MAX, Environment, Machine, Raised, Step, Value, parse_block, split};

/// Splits, parses and runs a script with a driver that answers at random.
fn exercise(script: &str, seed: u64) {
    let statements = match split(script) {
        Ok(statements) => statements,
        Err(problem) => {
            problem.render(script);
            return;
        }
    };
    for statement in statements {
        match parse_block(&statement.text, statement.position) {
            Ok(block) => run(Machine::new(block, Environment::new("HR")), script, seed),
            Err(problem) => assert!(!problem.render(script).is_empty()),
        }
    }
}

fn run(mut machine: Machine, script: &str, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..200 {
        let answer = match machine.step() {
            Ok(Step::Done) => return,
            Err(problem) => {
                problem.render(script);
                return;
            }
            Ok(_) if random.below(9) == 0 => Answer::Failed(Raised::new(-20001, "no")),
            Ok(Step::Query { .. }) => Answer::Rows(vec![vec![Value::from(random.below(3) as i64)]]),
            Ok(Step::Execute { .. }) => Answer::Affected(1),
            Ok(_) => Answer::Value(Value::from("x")),
        };
        machine.resume(answer);
    }
}

/// A linear congruential generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn samples() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_script = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "sql");
    let is_endless = |path: &std::path::PathBuf| path.ends_with("error_endless_loop.sql");
    paths.retain(|path| is_script(path) && !is_endless(path));
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn mutated_scripts_do_no_harm() {
    const PIECES: [&str; 24] = [
        "'", "\"", "/", "\n/\n", ";", "(", ")", "end", "begin", "case", "--", "/*", "*/", "q'[", "..", "=>",
        ":", "é", "\r", "\u{feff}", "1e9", "loop", " if ", "$$",
    ];
    let samples = samples();
    let mut random = Random(42);
    for round in 0..3000 {
        let mut bytes = samples[random.below(samples.len())].clone();
        for _ in 0..=random.below(6) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => {
                    let end = (at + random.below(30)).min(bytes.len());
                    bytes.drain(at..end);
                }
                2 => {
                    let piece = PIECES[random.below(PIECES.len())];
                    bytes.splice(at..at, piece.bytes());
                }
                _ => {
                    let end = (at + random.below(60)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    let to = random.below(bytes.len());
                    bytes.splice(to..to, copy);
                }
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        exercise(&String::from_utf8_lossy(&bytes), round);
    }
}

#[test]
fn every_prefix_and_suffix_does_no_harm() {
    for sample in samples() {
        let script = String::from_utf8(sample).unwrap();
        for (at, _) in script.char_indices().step_by(3) {
            exercise(&script[..at], 1);
            exercise(&script[at..], 1);
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_needs_little_stack() {
    let deep = |open: &str, inner: &str, close: &str, times: usize| {
        format!("begin {}{inner}{} end;", open.repeat(times), close.repeat(times))
    };
    let test = move || {
        for (open, inner, close) in [
            ("x := (", "1", ")"),
            ("begin ", "null;", " end;"),
            ("if true then ", "null;", " end if;"),
            ("case 1 when 1 then ", "null;", " end case;"),
            ("loop ", "exit;", " end loop;"),
        ] {
            let script = deep(open, inner, close, 5_000);
            let problem = parse_block(&script, split(&script).unwrap()[0].position).unwrap_err();
            let deep_enough = problem.message.contains("levels deep") || open.starts_with('x');
            assert!(deep_enough, "{problem}");
            exercise(&script, 1);
            exercise(&deep(open, inner, close, DEPTH_MAX - 3), 1);
        }
        for (open, close) in
            [("(", ")"), ("not ", ""), ("- ", ""), ("f(", ")"), ("case 1 when ", " then 1 end")]
        {
            for times in [DEPTH_MAX / 3, DEPTH_MAX - 4, 5_000] {
                let script = format!(
                    "declare x number; begin x := {}1{}; end;",
                    open.repeat(times),
                    close.repeat(times)
                );
                exercise(&script, 1);
            }
        }
    };
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(test).unwrap().join().unwrap();
}

#[test]
fn long_chains_are_no_nesting() {
    let script = format!("begin ords.a('x'{}); end;", " || chr(10) || 'line'".repeat(20_000));
    let block = parse_block(&script, split(&script).unwrap()[0].position).unwrap();
    let mut machine = Machine::new(block, Environment::default());
    assert!(machine.step().is_err(), "quadratic copying is bounded");

    let script = format!("begin ords.a('x'{}); end;", " || chr(10) || 'line'".repeat(2_000));
    let block = parse_block(&script, split(&script).unwrap()[0].position).unwrap();
    let mut machine = Machine::new(block, Environment::default());
    assert!(matches!(machine.step(), Ok(Step::Call(_))));
}

#[test]
fn memory_is_bounded() {
    for body in [
        "loop x := x || x; end loop;",
        "loop n := n + 1; a(n) := x; end loop;",
        "for i in 1 .. 40 loop x := replace(x, 'a', 'aaaaaaaa'); end loop;",
        "loop dbms_output.put(x); end loop;",
    ] {
        let script = format!(
            "declare x clob := 'aaaaaaaaaaaaaaaaaaaaaaaa'; n number := 0; a owa.vc_arr; begin {body} end;"
        );
        let block = parse_block(&script, split(&script).unwrap()[0].position).unwrap();
        let mut machine = Machine::new(block, Environment::default());
        assert!(machine.step().is_err(), "{body}");
    }
}

#[test]
fn a_driver_that_answers_nonsense_gets_an_error() {
    let script = "declare n number; begin n := p.f(1); end;";
    let block = parse_block(script, split(script).unwrap()[0].position).unwrap();
    let mut machine = Machine::new(block, Environment::default());
    assert!(matches!(machine.step(), Ok(Step::Call(_))));
    assert!(machine.step().unwrap_err().message.contains("answer"));
}
