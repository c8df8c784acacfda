use super::Dialect::{Postgres, Sqlite};
use super::*;

fn binds(sql: &str, dialect: Dialect) -> Vec<String> {
    match Statement::parse(sql, dialect) {
        Ok(statement) => statement.binds.iter().map(|bind| statement.names[bind.number].clone()).collect(),
        Err(refusal) => panic!("{sql} is refused: {refusal}"),
    }
}

fn text(sql: &str, dialect: Dialect) -> String {
    Statement::parse(sql, dialect).unwrap().text
}

fn refused(sql: &str, dialect: Dialect) -> Refusal {
    match Statement::parse(sql, dialect) {
        Ok(statement) => panic!("{sql} is taken: {statement:?}"),
        Err(refusal) => refusal,
    }
}

fn check_both(sql: &str, expected: &[&str]) {
    assert_eq!(binds(sql, Sqlite), expected, "SQLite: {sql}");
    assert_eq!(binds(sql, Postgres), expected, "PostgreSQL: {sql}");
}

#[test]
fn placeholders_of_the_databases_are_refused() {
    for sql in ["select $1", "select $x", "select ?", "select ?5", "select @x"] {
        let refusal = refused(sql, Sqlite);
        assert_eq!(refusal.offset, 7, "{sql}");
        assert!(refusal.message.contains(":name"), "{refusal}");
    }
    assert_eq!(refused("select $1", Postgres).construct, "$1");
    assert_eq!(refused("select j ? 'k'", Sqlite).construct, "?");
}

#[test]
fn oracle_quoting_is_refused_with_a_reason() {
    for dialect in [Sqlite, Postgres] {
        let refusal = refused("select q'[it's :no]'", dialect);
        assert!(refusal.message.contains("alternative quoting"), "{refusal}");
        assert_eq!(refusal.offset, 7);
    }
}

#[test]
fn open_quotes_and_comments_are_refused() {
    for sql in ["select 'a", "select \"a", "select /* a", "select 'a\0'"] {
        if sql.contains('\0') {
            assert!(lex("select \0", Sqlite).is_err());
        } else {
            refused(sql, Sqlite);
            refused(sql, Postgres);
        }
    }
    refused("select [a", Sqlite);
    refused("select `a", Sqlite);
    refused("select $$ a", Postgres);
    refused("select E'a\\'", Postgres);
}

#[test]
fn several_statements_are_refused() {
    assert_eq!(refused("select 1; select 2", Sqlite).offset, 10);
    assert_eq!(text("select 1 ; ;", Sqlite), "select 1");
    refused("  ", Sqlite);
}

#[test]
fn binds_are_found_on_both_databases() {
    check_both("select :a, :b_2 from t where x=:A", &["a", "b_2", "a"]);
    check_both("x in (:a,:b)", &["a", "b"]);
    check_both("'%'||:a||'%'", &["a"]);
    check_both("(:a)", &["a"]);
    check_both("f(p => :a)", &["a"]);
    check_both("f(p := :a)", &["a"]);
    check_both("select :größe, '😀', :a", &["größe", "a"]);
    check_both("select :1", &["1"]);
    check_both("select :new.x", &["new"]);
    check_both("select :a$b, :c#d", &["a$b", "c#d"]);
    check_both("x::int, :a::text, :status := 201, x:=:a", &["a", "status", "a"]);
    check_both("select : a", &[]);
    check_both("select a$b$c, :a", &["a"]);
    check_both("json_object('k':v)", &["v"]);
}

#[test]
fn quoted_text_and_comments_are_left_alone() {
    for sql in [
        "select ':no'",
        "select 'it''s :no'",
        "select 'a\\'",
        "select \"x:no\"",
        "select \"a\"\":no\"",
        "select 1 -- :no '",
        "select 1 /* :no ' */",
        "select /*+ index(:no) */ 1",
        "select '10:30:00'",
        "select U&'..:no'",
    ] {
        check_both(sql, &[]);
    }
    assert_eq!(binds("select `x:no`, [x:no]", Sqlite), Vec::<String>::new());
    assert_eq!(binds("j #>> '{a,b}'", Postgres), Vec::<String>::new());
    assert_eq!(binds("select :j#>>'{a}'", Postgres), ["j"]);
}

#[test]
fn comments_nest_on_postgresql_only() {
    assert_eq!(binds("/* a /* :no */ :no */ select :a", Postgres), ["a"]);
    assert_eq!(binds("/* a /* :no */ select :a", Sqlite), ["a"]);
}

#[test]
fn dollar_and_escape_quotes_hold_on_postgresql() {
    assert_eq!(binds("select $$ :no ' $$, :a", Postgres), ["a"]);
    assert_eq!(binds("select $f$ $$ :no $f$, :a", Postgres), ["a"]);
    assert_eq!(binds("select E'it\\':no', :a", Postgres), ["a"]);
    assert_eq!(binds("select E'a'\n 'b\\':no', :a", Postgres), ["a"]);
    refused("select $$ :no $$", Sqlite);
}

#[test]
fn question_marks_are_operators_on_postgresql() {
    assert_eq!(binds("select j ? 'k', j ?| array[:a]", Postgres), ["a"]);
}

#[test]
fn slices_hold_no_binds_but_constructors_do() {
    for sql in ["select a[1:2]", "select a[:2]", "select a[1:]", "select a[:]"] {
        assert_eq!(binds(sql, Postgres), Vec::<String>::new(), "{sql}");
    }
    let refusal = refused("select a[1:n]", Postgres);
    assert!(refusal.message.contains("(n)"), "{refusal}");
    assert_eq!(binds("select a[:i]", Postgres), ["i"]);
    assert_eq!(binds("select a[:i : :j]", Postgres), ["i", "j"]);
    assert_eq!(binds("select array[:a,:b]", Postgres), ["a", "b"]);
    assert_eq!(binds("select array[case when x then :b end]", Postgres), ["b"]);
    assert_eq!(binds("select a[case when x then :b end]", Postgres), ["b"]);
    assert_eq!(binds("select 1 + [:a]", Postgres), ["a"]);
    assert_eq!(binds("select a[(1):(:n)]", Postgres), ["n"]);
}

#[test]
fn binds_become_one_number_a_name() {
    assert_eq!(text("select :a, :b, :A -- end", Sqlite), "select ?1, ?2, ?1");
    assert_eq!(text("select :a::text, :b", Postgres), "select $1::text, $2");
}

#[test]
fn offsets_lead_back_to_the_text() {
    let sql = "select :first, x, :second, y";
    let statement = Statement::parse(sql, Sqlite).unwrap();
    assert_eq!(statement.text, "select ?1, x, ?2, y");
    assert_eq!(statement.original_offset(statement.text.find('x').unwrap()), sql.find('x').unwrap());
    assert_eq!(statement.original_offset(statement.text.find('y').unwrap()), sql.find('y').unwrap());
    assert_eq!(statement.original_offset(15), sql.find(":second").unwrap());
    assert_eq!(statement.original_offset(3), 3);
}

#[test]
fn names_and_keywords_are_listed() {
    let statement = Statement::parse(
        "/* c */ with x as (select 1) select Ename as \"eName\", `b` from USER_ORDS_CLIENTS",
        Sqlite,
    )
    .unwrap();
    assert_eq!(statement.keyword, "WITH");
    assert_eq!(statement.quoted, ["eName", "b"]);
    assert!(statement.identifiers.contains(&"user_ords_clients".to_owned()));
    assert!(statement.identifiers.contains(&"eName".to_owned()));
    assert_eq!(Statement::parse("(select 1)", Postgres).unwrap().keyword, "SELECT");
}

fn pieces(sql: &str, dialect: Dialect) -> Vec<&str> {
    split(sql, dialect).unwrap().into_iter().map(|range| &sql[range]).collect()
}

#[test]
fn scripts_are_split_at_semicolons_outside_quotes() {
    assert_eq!(pieces("select ';'; ; -- a; b\n select 2;", Sqlite), ["select ';'", "select 2"]);
    let trigger = "create temp trigger t after insert on x begin update y set a = case when 1 then 2 end; delete from z; end";
    assert_eq!(pieces(&format!("{trigger}; select 1"), Sqlite), [trigger, "select 1"]);
    let function = "create function f() returns int language sql begin atomic select 1; select 2; end";
    assert_eq!(pieces(&format!("{function}; select 1;"), Postgres), [function, "select 1"]);
    assert_eq!(pieces("create function f() returns int as $$ begin; end $$; select 1", Postgres).len(), 2);
}

#[test]
fn positions_count_characters() {
    assert_eq!(position("ab\ncé d", 3), (2, 1));
    assert_eq!(position("ab\ncé d", 7), (2, 4));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(sql in "[ a-z:$'\"\\[\\]();?@#é/*\\-eEqQ0-9`\\\\\n.]{0,60}") {
        for dialect in [Sqlite, Postgres] {
            if let Ok(tokens) = lex(&sql, dialect) {
                let mut end = 0;
                for token in &tokens {
                    assert!(token.start >= end && token.end > token.start);
                    assert!(sql.get(token.start..token.end).is_some());
                    end = token.end;
                }
            }
            let _ = split(&sql, dialect);
            if let Ok(statement) = Statement::parse(&sql, dialect) {
                for (offset, _) in statement.text.char_indices() {
                    assert!(statement.original_offset(offset) <= sql.len());
                }
            }
        }
    }
}
