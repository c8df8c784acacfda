//! Where statements begin and end.

use super::*;

/// Each statement on a line: kind, position, text.
fn outline(script: &str) -> Vec<String> {
    let statements = split(script).unwrap();
    statements
        .iter()
        .map(|statement| {
            let Position { line, column, .. } = statement.position;
            format!("{:?} {line}:{column} {}", statement.kind, statement.text.replace('\n', "⏎"))
        })
        .collect()
}

#[test]
fn a_block_ends_where_its_nesting_ends() {
    let script = "begin if a then b; end if; x := case y when 1 then 2 end; loop exit; end loop; \
                  case z when 1 then null; end case; begin null; end; end;SELECT * FROM t";
    let found = outline(script);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].ends_with("begin null; end; end;"), "{found:#?}");
    assert_eq!(found[1], format!("Sql 1:{} SELECT * FROM t", script.find("SELECT").unwrap() + 1));
}

#[test]
fn a_block_with_local_subprograms_is_one_statement() {
    let found = outline(
        "declare\n procedure p is\n procedure q is begin null; end;\n begin null; end p;\n\
         function f return number;\n function f return number is begin return 1; end;\nbegin p; end;\n/\nselect 1",
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].ends_with("begin p; end;"));
}

#[test]
fn a_missing_slash_is_a_warning_only_if_something_follows() {
    assert!(split("begin null; end;").unwrap()[0].warnings.is_empty());
    assert!(split("begin null; end;\n/\nselect 1;").unwrap()[0].warnings.is_empty());
    assert_eq!(split("begin null; end;\nselect 1;").unwrap()[0].warnings.len(), 1);
}

#[test]
fn an_unfinished_block_ends_at_the_slash() {
    assert_eq!(outline("begin\n begin null;\nend;\n/\ncommit;").len(), 2);
    assert_eq!(outline("begin null; end\n/\nselect 1"), ["Block 1:1 begin null; end", "Sql 3:1 select 1"]);
}

#[test]
fn directives_take_their_line_whatever_it_holds() {
    let found = outline(
        "set define off\nprompt it's \"here\nREM don't\nwhenever sqlerror exit\n@other.sql\n\
         column name -\n format a30\nQUIT\n",
    );
    assert_eq!(
        found,
        [
            "Directive { name: \"SET\" } 1:1 set define off",
            "Directive { name: \"PROMPT\" } 2:1 prompt it's \"here",
            "Directive { name: \"REM\" } 3:1 REM don't",
            "Directive { name: \"WHENEVER\" } 4:1 whenever sqlerror exit",
            "Directive { name: \"@\" } 5:1 @other.sql",
            "Directive { name: \"COLUMN\" } 6:1 column name -⏎ format a30",
            "Directive { name: \"EXIT\" } 8:1 QUIT",
        ]
    );
}

#[test]
fn one_liners_end_with_their_line() {
    let found =
        outline("exec ords.a('x')\nEXECUTE ords.b('y');\nexec ords.c( -\n 1)\nexec d(\n 2\n)\ncommit");
    assert_eq!(
        found,
        [
            "Block 1:1 exec ords.a('x')",
            "Block 2:1 EXECUTE ords.b('y')",
            "Block 3:1 exec ords.c( -⏎ 1)",
            "Block 5:1 exec d(⏎ 2⏎)",
            "Commit 8:1 commit",
        ]
    );
}

#[test]
fn transaction_ends_stand_alone() {
    let found = outline("commit;\nCOMMIT WORK;\nrollback\n/\nrollback to a;\ncommit\nbegin null; end;");
    assert_eq!(
        found,
        [
            "Commit 1:1 commit",
            "Commit 2:1 COMMIT WORK",
            "Rollback 3:1 rollback",
            "Sql 5:1 rollback to a",
            "Commit 6:1 commit",
            "Block 7:1 begin null; end;",
        ]
    );
}

#[test]
fn stored_units_reach_to_their_slash() {
    let found = outline(
        "create or replace procedure p as\n x number;\nbegin\n null;\nend;\n/\n\
         create function f() returns int as $$ begin; return 1; end $$ language plpgsql;\n\
         create type t as object (a number);\nselect 1;",
    );
    let kinds: Vec<&str> = found.iter().map(|line| &line[..7]).collect();
    assert_eq!(kinds, ["Sql 1:1", "Sql 7:1", "Sql 8:1", "Sql 9:1"], "{found:#?}");
    assert_eq!(split("create procedure p as begin null; end;").unwrap()[0].warnings.len(), 1);
}

#[test]
fn triggers_end_with_their_body() {
    let found = outline(
        "create temp trigger t after insert on e begin\n update e set a = case when a = 1 then 2 end;\n\
         delete from f;\nend;\nselect 1;\ncreate trigger u before insert on e execute function f();\nselect 2;",
    );
    let kinds: Vec<&str> = found.iter().map(|line| &line[..7]).collect();
    assert_eq!(kinds, ["Sql 1:1", "Sql 5:1", "Sql 6:1", "Sql 7:1"], "{found:#?}");
    assert!(found[0].ends_with("end;"));
}

#[test]
fn transactions_of_other_databases_are_sql() {
    assert_eq!(
        outline("begin;\nselect 1;\nend;\nbegin immediate;"),
        ["Sql 1:1 begin", "Sql 2:1 select 1", "Sql 3:1 end", "Sql 4:1 begin immediate",]
    );
}

#[test]
fn comments_and_stray_separators_make_no_statements() {
    assert!(outline("\u{feff}--liquibase formatted sql\r\n/* x */\r\n/\r\n;\r\n").is_empty());
    assert_eq!(
        outline("\u{feff}select 'a;b' -- c;\r\n from t;\r\n"),
        ["Sql 1:1 select 'a;b' -- c;\r⏎ from t"]
    );
}

#[test]
fn a_misspelt_start_is_warned_about() {
    let statements = split("bgin\n x;\nend;").unwrap();
    assert_eq!(statements[0].warnings[0].suggestion.as_deref(), Some("begin"));
    assert!(split("explain select 1").unwrap()[0].warnings.is_empty());
}
