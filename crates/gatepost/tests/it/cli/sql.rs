//! `gatepost sql`.

use crate::backend::{Backend, no_column, no_table};
use crate::process::{Shop, finish};

/// A script of everything: DDL, DML, a block, queries.
fn mixed() -> String {
    let (bytes, literal) = match Backend::of_this_run() {
        Backend::Sqlite => ("blob", "x'0001'"),
        Backend::Postgres => ("bytea", r"'\x0001'"),
    };
    format!(
        "
-- the shop
create table item (id integer primary key, name text, price numeric, photo {bytes});
insert into item (id, name, price, photo) values (1, 'a \"b\", c', 1.5, {literal}), (2, 'two
lines', 2, null);
begin
  ords.define_module('shop.v1', '/v1/');
  dbms_output.put_line('a line of its own');
end;
/
select id, name, price, photo from item order by id;
update item set price = 3 where id = 2;
select m.name as module, count(i.id) as items
  from user_ords_modules m cross join item i group by m.name;
"
    )
}

fn as_format(shop: &Shop, format: &str, script: &str) -> crate::process::Outcome {
    finish(&mut shop.command("sql", &["--schema", "shop", "--format", format]), script)
}

#[test]
fn a_mixed_script_is_printed_as_a_table() {
    let shop = Shop::new("sql-table");
    let printed = as_format(&shop, "table", &mixed()).ok();
    assert_eq!(
        printed,
        "CREATE TABLE\nINSERT: 2 rows\na line of its own\nblock at line 6: done\n  module shop.v1: created\n\
         id | name       | price | photo\n\
         ---+------------+-------+------\n \
         1 | a \"b\", c   |   1.5 | AAE=\n \
         2 | two\\nlines |     2 |\n\
         (2 rows)\n\n\
         UPDATE: 1 rows\n\
         module  | items\n\
         --------+------\n\
         shop.v1 |     2\n\
         (1 row)\n\n"
    );
}

#[test]
fn json_is_one_array_a_query_and_nothing_else() {
    let shop = Shop::new("sql-json");
    let outcome = as_format(&shop, "json", &mixed());
    assert!(outcome.stderr.contains("a line of its own") && outcome.stderr.contains("UPDATE: 1 rows"));
    let arrays: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&outcome.ok()).into_iter().map(Result::unwrap).collect();
    assert_eq!(arrays.len(), 2);
    assert_eq!(arrays[0][1]["name"], "two\nlines");
    assert_eq!(arrays[0][0]["photo"], "AAE=");
    assert_eq!(arrays[0][1]["photo"], serde_json::Value::Null);
    assert_eq!(arrays[1][0]["items"], 2);
    let empty = as_format(&shop, "json", "select 1 as x where false").ok();
    assert_eq!(empty, "[]\n");
}

#[test]
fn csv_quotes_what_needs_it() {
    let shop = Shop::new("sql-csv");
    let printed = as_format(&shop, "csv", &mixed()).ok();
    assert!(
        printed
            .starts_with("id,name,price,photo\r\n1,\"a \"\"b\"\", c\",1.5,AAE=\r\n2,\"two\nlines\",2,\r\n")
    );
    assert!(printed.ends_with("module,items\r\nshop.v1,2\r\n"), "{printed}");
}

#[test]
fn a_dry_run_shows_everything_and_keeps_nothing() {
    let shop = Shop::new("sql-dry");
    shop.script("create table item (name text);").ok();
    let revision = shop.revision();
    let script = "
insert into item (name) values ('dry');
create table other (a integer);
begin
  ords.define_module('dry', '/dry/');
  insert into item (name) values ('in the block');
  oauth.create_client('till', 'client_credentials');
end;
/
select (select count(*) from item) as items, (select count(*) from other) as others,
       (select count(*) from user_ords_modules) as modules, (select count(*) from user_ords_clients) as clients;
";
    let mut command = shop.command("sql", &["--schema", "shop", "--dry-run", "--format", "csv"]);
    let printed = finish(&mut command, script).ok();
    assert_eq!(printed, "items,others,modules,clients\r\n2,0,1,1\r\n");
    assert_eq!(shop.revision(), revision);
    let kept = shop.lines(
        "select (select count(*) from item), (select count(*) from user_ords_modules),
                (select count(*) from user_ords_clients)",
    );
    assert_eq!(kept, ["0,0,0"]);
    let message = shop.script("select * from other").refused();
    assert!(message.contains(&no_table("other")), "{message}");
}

#[test]
fn an_error_names_the_place_and_the_nearest_name_and_ends_the_script() {
    let shop = Shop::new("sql-errors");
    for (script, wanted) in [
        (
            "begin\n  ords.define_module('x', '/x/');\n  ords.define_tempate('x', 'y');\nend;\n/\n",
            "package ORDS has no DEFINE_TEMPATE\nline 3, column 3:\n    ords.define_tempate('x', 'y');\n    ^\n\
             did you mean `DEFINE_TEMPLATE`?",
        ),
        ("begin\n  ords.define_module(p_modul_name => 'x');\nend;", "line 2, column 22"),
        (
            "begin\n  oauth.create_client('c', 'client_credentials', p_privilege_names => 'no.such');\nend;",
            "line 2",
        ),
        ("begin ords.define_module('x', '/x/') end;", "line 1, column 37"),
        ("begin\n  ords.define_module('x, '/x/');\nend;\n/\n", "line 2"),
        ("begin if true then null; end;", "line 1"),
        ("select nme from user_ords_modules", &no_column("nme")),
        ("select 1 as ok;\n\nselect *\n  from nowhere;", &no_table("nowhere")),
        ("selec 1", "line 1, column 1"),
        ("begin raise_application_error(-20123, 'mine'); end;", "mine"),
        ("declare n number; begin n := 1 / 0; end;", "line 1"),
        ("declare n number; begin select 1 into n from user_ords_modules; end;", "line 1"),
        ("begin transaction", "line 1"),
    ] {
        let message = shop.script(script).refused();
        assert!(message.contains(wanted), "{script}\n{message}");
        assert!(message.contains("\nline "), "no place: {script}\n{message}");
    }
    assert!(shop.lines("select name from user_ords_modules").is_empty());
}

#[test]
fn what_ran_before_the_error_stays_and_the_rest_does_not_run() {
    let shop = Shop::new("sql-rest");
    let outcome = shop.script(
        "create table t (a integer);
         begin ords.define_module('before', '/before/'); end;
         /
         begin
           ords.define_module('half', '/half/');
           insert into t values (1);
           ords.define_module('broken', '/before/');
         end;
         /
         begin ords.define_module('after', '/after/'); end;
         /",
    );
    assert!(outcome.stdout.contains("module before: created"));
    let message = outcome.refused();
    assert!(message.contains("line 7"), "{message}");
    assert_eq!(shop.lines("select name from user_ords_modules"), ["before"]);
    assert_eq!(shop.lines("select count(*) from t"), ["0"]);
}

#[test]
fn a_script_comes_from_a_file_standard_input_or_an_argument() {
    let shop = Shop::new("sql-input");
    let file = shop.0.write("script.sql", "select 'file' as it");
    let csv = |arguments: &[&str], stdin: &str| {
        let mut command = shop.command("sql", &["--schema", "shop", "--format", "csv"]);
        finish(command.args(arguments), stdin)
    };
    assert_eq!(csv(&[file.to_str().unwrap()], "").ok(), "it\r\nfile\r\n");
    assert_eq!(csv(&["-c", "select 'argument' as it"], "").ok(), "it\r\nargument\r\n");
    assert_eq!(csv(&[], "select 'input' as it").ok(), "it\r\ninput\r\n");
    assert_eq!(csv(&[], "").ok(), "");
    assert!(csv(&["none.sql"], "").refused().contains("none.sql"));
    let latin = shop.0.path().join("latin.sql");
    std::fs::write(&latin, b"select '\xe9' as it").unwrap();
    assert!(csv(&[latin.to_str().unwrap()], "").refused().contains("not UTF-8"));
    assert_eq!(csv(&["-c", "select 1", "x.sql"], "").code, Some(2));
}

#[test]
fn without_a_schema_the_script_chooses_one() {
    let shop = Shop::new("sql-schema");
    let run = |script: &str| finish(&mut shop.command("sql", &[]), script);
    let message = run("select 1 as x").refused();
    assert!(message.contains("no schema is chosen") && message.contains("--schema"), "{message}");
    run("begin ords.enable_schema(p_schema => 'SHOP'); ords.define_module('m', '/m/'); end;\n/\nselect * from user_ords_modules").ok();
    let message = finish(&mut shop.command("sql", &["--schema", "shp"]), "select 1 as x").refused();
    assert!(message.contains("shp") && message.contains("did you mean `shop`?"), "{message}");
}

#[test]
fn limit_cuts_what_is_printed_and_says_so() {
    let shop = Shop::new("sql-limit");
    let script =
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select i from n";
    let outcome = finish(&mut shop.command("sql", &["--schema", "shop", "--limit", "3"]), script);
    assert!(outcome.stdout.ends_with("(3 rows)\n\n"));
    assert!(outcome.stderr.contains("more rows"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let shop = Shop::new("sql-pipe");
    let script = format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000) select i, '{}' as x from n",
        "x".repeat(200)
    );
    let mut command = shop.command("sql", &["--schema", "shop", "-c", &script]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn dictionary_and_tables_are_joined() {
    let shop = Shop::new("sql-join");
    let lines = shop.lines(
        "create table owner (module text, person text);
         insert into owner values ('shop.v1', 'ann'), ('gone', 'bob');
         begin ords.define_module('shop.v1', '/v1/'); ords.define_module('free', '/free/'); end;
         /
         select m.name, o.person from user_ords_modules m left join owner o on o.module = m.name order by m.name",
    );
    // DDL and DML print nothing in this format, the first line is the head.
    assert_eq!(lines, ["free,", "shop.v1,ann"]);
}

#[test]
fn scripts_that_run_side_by_side_lose_nothing() {
    let shop = Shop::new("sql-side");
    let block = |name: String| format!("begin ords.define_module('{name}', '/{name}/'); end;\n/\n");
    let script = |who: &str| (0..20).map(|n| block(format!("{who}{n}"))).collect::<Vec<_>>().concat();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let run = |who| {
            scope.spawn({
                let shop = &shop;
                let script = script(who);
                move || shop.script(&script)
            })
        };
        ["a", "b", "c"].map(run).into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut acknowledged = Vec::new();
    for outcome in &outcomes {
        let created = outcome.stdout.lines().filter_map(|line| line.strip_prefix("  module "));
        acknowledged.extend(created.filter_map(|line| line.strip_suffix(": created")).map(str::to_owned));
        // Somebody else may be first twice in a row; then the script says who and ends.
        let refused = outcome.stderr.contains("the catalog was changed meanwhile by tester");
        assert!(outcome.code == Some(0) || outcome.code == Some(1) && refused, "{}", outcome.stderr);
    }
    acknowledged.sort();
    assert!(acknowledged.len() >= 20);
    assert_eq!(shop.lines("select name from user_ords_modules order by name"), acknowledged);
}

mod on_sqlite {
    //! Statements that only SQLite knows.

    use super::*;

    #[test]
    fn a_script_reaches_no_other_file_and_no_setting() {
        let shop = Shop::on(Backend::Sqlite, "sql-authorizer");
        let file = shop.0.path().join("other.db");
        for (script, wanted) in [
            (format!("attach database '{}' as x", file.display()), "not authorized"),
            ("pragma journal_mode = delete".to_owned(), "not authorized"),
            (format!("vacuum into '{}'", file.display()), "line 1"),
        ] {
            let message = shop.script(&script).refused();
            assert!(message.contains(wanted) && message.contains("\nline 1"), "{script}\n{message}");
        }
        assert!(!file.exists());
    }
}

mod on_postgres {
    //! Statements that only PostgreSQL knows.

    use super::*;

    #[test]
    fn a_script_reaches_no_file_no_program_and_no_other_login() {
        let shop = Shop::on(Backend::Postgres, "sql-owner");
        for script in [
            "copy (select 1) to '/tmp/gatepost-stolen'",
            "copy (select 1) to program 'true'",
            "select pg_read_file('/etc/passwd')",
            "select set_config('role', 'gatepost_catalog', false)",
            "select set_config('session_authorization', 'postgres', false)",
            "select body from gatepost.catalog_object",
            "create schema mine",
            "create role mine",
            "create extension dblink",
            "alter system set port = 1",
        ] {
            let message = shop.script(script).refused();
            assert!(message.contains("\nline 1"), "{script}\n{message}");
        }
    }
}
