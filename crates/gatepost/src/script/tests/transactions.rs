//! What takes effect together, and what happens when somebody else is first.

use super::host::{Host, options, output};
use super::refusals::shop;
use crate::script::{Event, ScriptOptions};

fn with_table() -> Host {
    let host = Host::hr();
    host.ok("create table t (n integer primary key);");
    host
}

#[test]
fn failed_block_drops_data_and_definitions() {
    let host = with_table();
    host.refused_block("insert into t values (1); ords.create_role('a'); ords.delete_role('nobody');");
    assert_eq!(host.rows("select count(*) from t"), [["0"]]);
}

#[test]
fn commit_inside_means_the_end_of_the_block() {
    let host = with_table();
    host.refused_block(
        "insert into t values (1); ords.create_role('a'); commit; ords.delete_role('nobody');",
    );
    assert_eq!(host.rows("select count(*) from t"), [["0"]]);
    host.block("insert into t values (1); ords.create_role('a'); commit; ords.create_role('b');");
    assert_eq!(host.rows("select count(*) from t"), [["1"]]);
    assert_eq!(host.current().roles.len(), 2);
}

#[test]
fn rollback_drops_what_the_block_did_so_far() {
    let host = with_table();
    host.block("insert into t values (1); ords.create_role('a'); rollback; insert into t values (2); ords.create_role('b');");
    assert_eq!(host.rows("select n from t"), [["2"]]);
    assert_eq!(host.rows("select name from user_ords_roles"), [["b"]]);
    host.block("ords.create_role('kept'); commit; ords.create_role('dropped'); rollback;");
    assert_eq!(host.rows("select name from user_ords_roles order by id"), [["b"], ["kept"]]);
    let rendered =
        host.refused_block("insert into t values (3); commit; insert into t values (4); rollback;");
    assert!(rendered.contains("make them two blocks"), "{rendered}");
}

#[test]
fn caught_error_undoes_its_call_only() {
    let host = shop();
    let events = host.ok("begin
           ords.create_role('a');
           begin ords.delete_role('nobody'); exception when others then dbms_output.put_line(sqlcode); end;
           begin oauth.create_client('x', 'client_credentials', p_privilege_names => 'nothing');
           exception when others then null; end;
           ords.create_role('b');
         end;");
    assert_eq!(output(&events), ["-20002"]);
    assert_eq!(host.current().roles.len(), 3);
}

#[test]
fn views_show_what_the_running_block_did() {
    let host = with_table();
    let events = host.ok("declare n number; begin
           ords.create_role('a');
           insert into t select id from user_ords_roles;
           select count(*) into n from user_ords_roles r join t on t.n = r.id;
           dbms_output.put_line(n);
           for m in (select name from user_ords_roles) loop dbms_output.put_line(m.name); end loop;
         end;");
    assert_eq!(output(&events), ["1", "a"]);
}

#[test]
fn known_exceptions_of_sql() {
    let host = with_table();
    let events = host.ok(
        "declare n number; begin
           insert into t values (1);
           begin insert into nowhere values (1); exception when others then dbms_output.put_line(sqlcode); end;
           begin insert into t values (1); exception when dup_val_on_index then dbms_output.put_line('dup'); end;
           begin select n into n from t where n = 9; exception when no_data_found then dbms_output.put_line('none'); end;
         end;",
    );
    assert_eq!(output(&events), ["-942", "dup", "none"]);
}

#[test]
fn conflict_runs_the_block_once_more() {
    let host = shop();
    host.rivals.set(1);
    let events = host.ok("begin dbms_output.put_line('x'); ords.create_role('a'); end;");
    assert_eq!(output(&events), ["x"], "what the first attempt wrote is not shown");
    assert_eq!(host.current().roles.len(), 2);
    host.rivals.set(2);
    let (result, _) = host.script("begin ords.create_role('b'); end;");
    assert!(result.unwrap_err().rendered.contains("changed meanwhile by bob (module other)"));
    assert_eq!(host.current().roles.len(), 2);
}

#[test]
fn conflict_after_the_data_is_committed_says_so() {
    let host = with_table();
    host.rivals.set(1);
    let (result, _) = host.script("begin insert into t values (1); ords.create_role('a'); end;");
    let rendered = result.unwrap_err().rendered;
    assert!(rendered.contains("data is committed, its definitions are not"), "{rendered}");
    assert_eq!(host.rows("select count(*) from t"), [["1"]]);
    assert!(host.current().roles.is_empty());
}

#[test]
fn dry_run_shows_everything_and_keeps_nothing() {
    let host = with_table();
    let dry = ScriptOptions { dry_run: true, ..options() };
    let script = "begin ords.create_role('a'); insert into t values (1); end;\n/\ninsert into t values (2);\n\
                  select (select count(*) from t) + (select count(*) from user_ords_roles);";
    let (result, events) = host.script_with(script, &dry);
    result.unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::BlockDone { changes, .. }
        if changes == &["role a: created"])));
    assert_eq!(super::host::rows(events), [["3"]]);
    assert_eq!(host.rows("select count(*) from t"), [["0"]]);
    assert!(host.current().roles.is_empty());
    let rendered = host.refused_with("begin insert into t values (1); rollback; end;", &dry);
    assert!(rendered.contains("dry run"), "{rendered}");
}

#[test]
fn sql_error_has_its_place_in_the_script() {
    let host = with_table();
    let rendered = host.refused("select 1;\n\nselect n,\n  nn from t;");
    assert!(rendered.contains("line 4, column 3"), "{rendered}");
}

#[test]
fn rows_are_limited() {
    let host = with_table();
    host.ok("insert into t values (1), (2), (3);");
    let two = ScriptOptions { row_limit: Some(2), ..options() };
    let (_, events) = host.script_with("select n from t", &two);
    assert!(matches!(&events[0], Event::Rows { rows, truncated: true, .. } if rows.len() == 2));
}

#[test]
fn what_sqlite_cannot_have_is_passed_over_with_a_note() {
    let host = shop();
    let script = "grant select on emp to hr;\nalter session set nls_date_format = 'YYYY';\n\
                  create or replace procedure p is begin null; end;\n/\nbegin ords.create_role('a'); end;\n/\n";
    let events = host.ok(script);
    let text = super::host::notes(&events);
    assert!(text.contains("1: GRANT is not run") && text.contains("2: ALTER SESSION is not run"), "{text}");
    assert!(text.contains("3: CREATE PROCEDURE is not run"), "{text}");
    assert_eq!(host.current().roles.len(), 2);
    assert!(host.refused("create sequence s").contains("syntax error"));
}

#[test]
fn other_files_are_not_skipped_silently() {
    let host = shop();
    assert!(host.refused("start more.sql\n").contains("other files are not read"));
    assert!(host.refused("@more.sql\n").contains("other files are not read"));
}

#[test]
fn exit_ends_the_script() {
    let host = shop();
    host.ok("begin ords.create_role('a'); end;\n/\nexit\nbegin ords.create_role('b'); end;\n/\n");
    assert_eq!(host.current().roles.len(), 2);
}
