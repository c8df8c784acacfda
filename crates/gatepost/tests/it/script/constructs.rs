//! Every construct that public definition scripts use, through the real command line: what a block writes with
//! `DBMS_OUTPUT`, or what became of its definitions.

use crate::process::{Outcome, Shop};

/// The lines that a script wrote, without our own reports.
#[track_caller]
fn written(outcome: Outcome) -> Vec<String> {
    let lines = outcome.ok();
    let is_report = |line: &&str| line.starts_with("block at line") || line.starts_with("  ");
    lines.lines().filter(|line| !is_report(line)).map(str::to_owned).collect()
}

/// Runs a block whose declarations and statements are given, with `p(text)` for `DBMS_OUTPUT.PUT_LINE`.
#[track_caller]
fn assert_written(shop: &Shop, cases: &[(&str, &str, &[&str])]) {
    let mut wrong = Vec::new();
    for (declarations, statements, wanted) in cases {
        let statements = statements.replace("p(", "dbms_output.put_line(");
        let script = match *declarations {
            "" => format!("begin\n{statements}\nend;\n/\n"),
            declarations => format!("declare\n{declarations}\nbegin\n{statements}\nend;\n/\n"),
        };
        let outcome = shop.script(&script);
        let shown = format!("{script}{}", outcome.stderr);
        if outcome.code != Some(0) || written(outcome.clone()) != *wanted {
            wrong.push(format!("{shown}wrote {:?}, not {wanted:?}", outcome.stdout));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn d0_literals_and_calls() {
    let shop = Shop::new("d0");
    assert_written(
        &shop,
        &[
            ("", "p('it''s');", &["it's"]),
            ("", "p('a' || 'b' || 1 || 2.5);", &["ab12.5"]),
            ("", "p(q'[it's]' || q'{a}b}' || q'(x)' || q'<y>' || q'!z!' || Q'#w#');", &["it'sa}bxyzw"]),
            ("", "p('two\nlines');", &["two", "lines"]),
            ("", "DBMS_OUTPUT.Put_Line('case');", &["case"]),
            ("", "dbms_output.put('a'); dbms_output.put('b'); dbms_output.new_line; p('c');", &["ab", "c"]),
            ("", "p('--' || '/* */'); -- a comment\n/* and\nanother */", &["--/* */"]),
            ("", "null; commit; p(null);", &[""]),
            (
                "",
                "ORDS_METADATA.ORDS.create_role('prefixed'); ords.create_role(p_role_name => 'named');",
                &[],
            ),
            ("", "Ords.Create_Role ( P_Role_Name=>'spaced' ) ;", &[]),
        ],
    );
    let roles = shop.lines("select name from user_ords_roles order by name");
    assert_eq!(roles, ["named", "prefixed", "spaced"]);
}

#[test]
fn d1_variables_arrays_and_functions() {
    let shop = Shop::new("d1");
    assert_written(
        &shop,
        &[
            ("a owa.vc_arr;", "a(1) := 'x'; a(2) := 'y'; p(a(1) || a(2) || a.count);", &["xy2"]),
            ("a sys.owa.vc_arr;", "a(1) := 'x'; a.delete; p(a.count);", &["0"]),
            (
                "a owa.vc_arr;",
                "a(3) := 'x'; a(7) := 'z'; p(a.first || '-' || a.last); a.delete(3); p(a.count);",
                &["3-7", "1"],
            ),
            ("a owa.vc_arr;", "if a.exists(1) then p('yes'); else p('no'); end if;", &["no"]),
            (
                "c constant varchar2(10) := 'const'; n number := 3; d number default 4;",
                "p(c || n || d);",
                &["const34"],
            ),
            (
                "v varchar2(20) not null := 'x'; b boolean := true; i pls_integer; t timestamp; d date; l clob;",
                "p(v);",
                &["x"],
            ),
            ("v varchar2(10);", "v := 'a'; v := v || 'b'; p(v);", &["ab"]),
            ("t user_ords_roles.name%type := 'typed';", "p(t);", &["typed"]),
            ("", "p(user || sys_context('USERENV', 'CURRENT_SCHEMA'));", &["SHOPSHOP"]),
            ("", "p(chr(65) || lower('AB') || upper('ab') || replace('xax', 'x', 'y'));", &["AabAByay"]),
            (
                "",
                "p(length('abc') || substr('abcdef', 2, 3) || instr('abc', 'c') || trim('  t '));",
                &["3bcd3t"],
            ),
            (
                "",
                "p(nvl(null, 'n') || coalesce(null, null, 'c') || to_char(5) || to_number('6'));",
                &["nc56"],
            ),
            ("n number := 7;", "p(n * 2 + 1 - (3 / 2)); p(-n);", &["13.5", "-7"]),
            ("pragma autonomous_transaction;", "p('pragma');", &["pragma"]),
            ("", "p(case when sysdate is not null then 'now' end);", &["now"]),
        ],
    );
}

#[test]
fn d2_exceptions_and_nested_blocks() {
    let shop = Shop::new("d2");
    assert_written(
        &shop,
        &[
            ("", "begin ords.delete_role('none'); exception when others then null; end; p('on');", &["on"]),
            (
                "",
                "begin raise_application_error(-20123, 'mine'); exception when others then p(sqlcode || ' ' || sqlerrm); end;",
                &["-20123 ORA-20123: mine"],
            ),
            ("e exception;", "begin raise e; exception when e then p('caught'); end;", &["caught"]),
            (
                "n number;",
                "begin select 1 into n from user_ords_roles where 1 = 0; exception when no_data_found then p('none'); end;",
                &["none"],
            ),
            (
                "n number;",
                "begin select 1 into n from (select 1 as a union all select 2) two; exception when too_many_rows then p('many'); end;",
                &["many"],
            ),
            ("n number;", "begin n := 1 / 0; exception when zero_divide then p('zero'); end;", &["zero"]),
            (
                "",
                "begin begin raise_application_error(-20001, 'in'); exception when others then raise; end; exception when others then p('out'); end;",
                &["out"],
            ),
            (
                "",
                "<<outer>> declare v number := 1; begin declare v number := 2; begin p(v); end; p(v); end;",
                &["2", "1"],
            ),
            (
                "",
                "begin begin ords.create_role('dropped'); raise_application_error(-20001, 'x'); end; exception when others then rollback; end;",
                &[],
            ),
        ],
    );
    assert!(shop.lines("select name from user_ords_roles").is_empty());
    let message =
        shop.script("begin ords.create_role('x'); raise_application_error(-20123, 'mine'); end;").refused();
    assert!(message.contains("mine") && message.contains("line 1"), "{message}");
    assert!(shop.lines("select name from user_ords_roles").is_empty());
}

#[test]
fn d3_conditions_loops_and_queries() {
    let shop = Shop::new("d3");
    shop.script("create table t (a integer, b text); insert into t values (1, 'x'), (2, 'y'), (3, null);")
        .ok();
    assert_written(
        &shop,
        &[
            ("n number := 2;", "if n = 1 then p('1'); elsif n = 2 then p('2'); else p('3'); end if;", &["2"]),
            ("n number;", "if n > 1 then p('y'); else p('unknown'); end if;", &["unknown"]),
            (
                "n number := 3;",
                "p(case n when 3 then 'three' else 'other' end); case when n < 2 then p('a'); else p('b'); end case;",
                &["three", "b"],
            ),
            ("n number;", "select count(*) into n from t; p(n);", &["3"]),
            ("n number; v varchar2(9);", "select a, b into n, v from t where a = 2; p(n || v);", &["2y"]),
            ("m number := 2; v varchar2(9);", "select b into v from t where a = m; p(v);", &["y"]),
            (
                "",
                "for r in (select a, b from t order by a desc) loop p(r.a || nvl(r.b, '-')); end loop;",
                &["3-", "2y", "1x"],
            ),
            ("", "for i in 1 .. 3 loop continue when i = 2; p(i); end loop;", &["1", "3"]),
            ("", "for i in reverse 1 .. 2 loop p(i); end loop;", &["2", "1"]),
            ("n number := 0;", "while n < 2 loop n := n + 1; end loop; p(n);", &["2"]),
            ("n number := 0;", "loop n := n + 1; exit when n >= 3; end loop; p(n);", &["3"]),
            (
                "",
                "p(case when 'ab' like 'a%' and 3 between 1 and 5 and 2 in (1, 2) and null is null and not false then 'all' end);",
                &["all"],
            ),
            (
                "",
                "insert into t values (4, 'z'); p(sql%rowcount); update t set b = 'w' where a > 2; p(sql%rowcount);",
                &["1", "2"],
            ),
            (
                "n number;",
                "ords.create_role('seen'); select count(*) into n from user_ords_roles where name = 'seen'; p(n);",
                &["1"],
            ),
        ],
    );
}

#[test]
fn what_definition_blocks_cannot_do_is_named_with_its_place_and_changes_nothing() {
    let shop = Shop::new("d4");
    shop.script("create table t (a integer);").ok();
    for (block, wanted) in [
        ("declare procedure p is begin null; end; begin ords.create_role('x'); end;", "a local PROCEDURE"),
        ("declare function f return number is begin return 1; end; begin null; end;", "a local FUNCTION"),
        ("declare type t is table of varchar2(9); begin ords.create_role('x'); end;", "TYPE"),
        ("begin ords.create_role('x'); execute immediate 'select 1'; end;", "EXECUTE IMMEDIATE"),
        (
            "declare n number; begin ords.create_role('x'); delete from t returning a into n; end;",
            "RETURNING INTO",
        ),
        ("begin ords.create_role('x'); goto there; end;", "GOTO"),
        ("begin ords.create_role('x'); dbms_sql.parse(1); end;", "dbms_sql"),
        ("begin ords.create_role('x'); my_pkg.my_proc; end;", "my_pkg"),
        ("declare c sys_refcursor; begin ords.create_role('x'); open c for select 1 from t; end;", "line 1"),
        ("begin ords.create_role(mod(7, 3)); end;", "mod"),
        ("declare cursor c is select 1 from t; begin ords.create_role('x'); end;", "line 1"),
    ] {
        let message = shop.script(block).refused();
        assert!(message.contains(wanted) && message.contains("line 1, column "), "{block}\n{message}");
    }
    assert!(shop.lines("select name from user_ords_roles").is_empty());
}

#[test]
fn script_level_directives_and_comments() {
    let shop = Shop::new("script-level");
    let script = "--liquibase formatted sql
--changeset me:1 endDelimiter:/
set define off
SET SERVEROUTPUT ON SIZE UNLIMITED;
whenever sqlerror exit failure
PROMPT -- creating 'roles' (it's fine)
prompt
rem a remark; with a semicolon
REMARK another
column name format a30
spool out.log
show errors
/* a comment
   over lines ; */
begin
  ords.create_role('slash');
end;
/
exec ords.create_role('exec')
EXECUTE ords.create_role('execute');
begin ords.create_role('no slash'); end;
begin
  ords.create_role('next');
end;

/
commit;
COMMIT
/
show err
select count(*) as n from user_ords_roles;
exit
begin ords.create_role('after exit'); end;
/
";
    for script in [script.to_owned(), script.replace('\n', "\r\n"), format!("\u{feff}{script}")] {
        let shop = Shop::new("script-variant");
        shop.script(&script).ok();
        let roles = shop.lines("select name from user_ords_roles order by name");
        assert_eq!(roles, ["exec", "execute", "next", "no slash", "slash"], "{script:?}");
    }
    let outcome =
        shop.script("set define off\nprompt hello\nspool x\nbegin null; end;\nbegin null; end;\n/\n");
    for wanted in ["line 1: SET is ignored", "line 3"] {
        assert!(outcome.stderr.contains(wanted), "{wanted}: {}", outcome.stderr);
    }
    outcome.ok();
}

#[test]
fn the_example_of_the_dialect_runs_twice_with_the_same_outcome() {
    let shop = Shop::new("dialect");
    let script = "
begin
  ords.define_module(p_module_name => 'shop.v1', p_base_path => '/shop/', p_items_per_page => 0);
  commit;
end;
/
declare
  l_roles    owa.vc_arr;
  l_patterns owa.vc_arr;
  l_modules  owa.vc_arr;      -- stays empty: normal
  n          number;
begin
  l_roles(1)    := 'shop.reader';
  l_patterns(1) := '/shop/*';
  begin
    ords.delete_role('shop.reader');
  exception when others then null;
  end;
  ords.create_role(p_role_name => 'shop.reader');
  ords.define_privilege(
    p_privilege_name => 'shop.read', p_roles => l_roles, p_patterns => l_patterns,
    p_modules => l_modules, p_label => 'Shop', p_description => 'read the shop');
  select count(*) into n from user_ords_clients where name = 'till';
  if n = 0 then
    oauth.create_client(p_name => 'till', p_grant_type => 'client_credentials',
      p_owner => 'Shop', p_description => 'till', p_support_email => 'it@shop.example',
      p_privilege_names => 'shop.read');
  end if;
  oauth.grant_client_role('till', 'shop.reader');
  commit;
end;
/
";
    shop.script(script).ok();
    let (export, clients) =
        (shop.export(), shop.lines("select client_id, client_secret from user_ords_clients"));
    shop.script(script).ok();
    assert_eq!(shop.export(), export);
    assert_eq!(shop.lines("select client_id, client_secret from user_ords_clients"), clients);
}
