use super::super::{Dialect, lex};
use super::*;

fn uses(sql: &str) -> Vec<RemoteUse> {
    remote_uses(sql, &lex(sql, Dialect::Postgres).unwrap()).unwrap()
}

fn names(sql: &str) -> Vec<String> {
    uses(sql).into_iter().map(|used| used.name).collect()
}

#[test]
fn tables_are_found_wherever_one_may_stand() {
    for sql in [
        "select * from rest.a",
        "SELECT * FROM Rest . A",
        "select * from emp, rest.a",
        "select * from emp e join rest.a r on r.x = e.x",
        "select * from emp e left outer join rest.a as r using (x)",
        "select * from (rest.a r join emp on true)",
        "select * from (select * from rest.a) r",
        "with r as (select * from rest.a) select * from r",
        "select (select max(x) from rest.a) from emp",
        "select * from emp where exists (select 1 from rest.a where x = emp.x)",
        "select 1 union all select x from rest.a",
        "insert into emp select * from rest.a",
        "update emp set sal = r.sal from rest.a r where r.x = emp.x",
        "delete from emp using rest.a r where r.x = emp.x",
        "merge into emp using rest.a r on r.x = emp.x when matched then delete",
        "select * from lateral (select * from rest.a) x",
        "select * from rest.\"a\"",
        "select extract(year from d) from emp, rest.a",
        "select * from emp where x in (1, 2) union select * from rest.a",
        "select * from emp e join dept d on e.x is distinct from d.x, rest.a",
        "select * from unnest(x) with ordinality as u, rest.a",
    ] {
        assert_eq!(names(sql), ["a"], "{sql}");
    }
    assert_eq!(names("select * from rest.a x, rest.b y join rest.a z on true"), ["a", "b", "a"]);
}

#[test]
fn nothing_else_is_taken_for_one() {
    for sql in [
        "select rest.a from emp rest",
        "select x, rest.a from emp rest",
        "select * from emp rest where rest.a = 1 order by x, rest.a",
        "select * from emp as rest",
        "select rest from emp",
        "select * from rest",
        "select * from rest.a.b",
        "select * from \"rest\".a",
        "select * from \"rest.a\"",
        "select 'x from rest.a' from emp",
        "select 1 -- from rest.a",
        "select 1 /* from rest.a /* nested */ from rest.a */",
        "select $$ from rest.a $$",
        "select extract(year from rest.a) from emp rest",
        "select trim(both from rest.a), substring(x from rest.a) from emp rest",
        "select x is distinct from rest.a from emp rest",
        "select x is not distinct from rest.a from emp rest",
        "select f(x, rest.a) from emp rest",
        "select * from emp rest join dept d on d.x = rest.a",
        "select * from f(rest.a)",
        "with rest as (select 1 a) select rest.a from rest",
        "update emp rest set a = rest.a",
    ] {
        assert_eq!(names(sql), [""; 0], "{sql}");
    }
}

#[test]
fn writing_is_refused_with_the_place() {
    for (sql, offset) in [
        ("insert into rest.a values (1)", 12),
        ("update rest.a set x = 1", 7),
        ("delete from rest.a", 12),
        ("merge into rest.a using emp on true when matched then delete", 11),
    ] {
        let refusal = remote_uses(sql, &lex(sql, Dialect::Postgres).unwrap()).unwrap_err();
        assert_eq!((refusal.offset, refusal.construct.as_str()), (offset, "rest.a"), "{sql}");
    }
}

#[test]
fn names_and_arguments_are_read() {
    let found = uses("select * from rest.a(dept => :Dept, x => 'it''s', y => -1.5) as e where 1 = 1");
    let bind = Operand::Bind("dept".into());
    let wanted = [
        ("dept".to_owned(), bind),
        ("x".to_owned(), Operand::Text("it's".into())),
        ("y".to_owned(), Operand::Plain("-1.5".into())),
    ];
    assert_eq!((found[0].arguments.as_slice(), found[0].alias.as_deref()), (&wanted[..], Some("e")));
    for (sql, alias) in [
        ("select * from rest.a", None),
        ("select * from rest.a where x = 1", None),
        ("select * from rest.a cross join b", None),
        ("select * from rest.a E", Some("e")),
        ("select * from rest.a as \"E\"", Some("E")),
    ] {
        assert_eq!(uses(sql)[0].alias.as_deref(), alias, "{sql}");
    }
    for sql in [
        "select * from rest.a(1)",
        "select * from rest.a(x => y)",
        "select * from rest.a(x => 1 + 1)",
        "select * from rest.a(x => 1, x => 2)",
        "select * from rest.a(x => 1",
        "select * from rest.a(x = 1)",
    ] {
        let tokens = lex(sql, Dialect::Postgres).unwrap();
        assert!(remote_uses(sql, &tokens).is_err(), "{sql}");
    }
}

#[test]
fn terms_that_every_row_fulfils_are_found() {
    let equals = |sql: &str| {
        let found = uses(sql).into_iter().flat_map(|used| used.equals);
        let shown = found.map(|(column, value)| match value {
            Operand::Text(text) => format!("{column}='{text}'"),
            Operand::Plain(text) => format!("{column}={text}"),
            Operand::Bind(name) => format!("{column}=:{name}"),
        });
        shown.collect::<Vec<_>>().join(" ")
    };
    for (sql, wanted) in [
        ("select * from rest.a where x = 1", "x=1"),
        ("select * from rest.a where x = 1 and 'b' = y and z > 3", "x=1 y='b'"),
        ("select * from rest.a e, emp where e.x = :X and emp.y = 2 and y = 3", "x=:x"),
        ("select * from rest.a where a.x = 1 order by y limit 3", "x=1"),
        ("select * from emp left join rest.a e on true where e.x = -1 group by y", "x=-1"),
        ("select * from rest.a where x = 1 union select * from rest.b where y = 2", "x=1 y=2"),
        ("select * from (select * from rest.a where x = 1 and (y or z)) t where x = 2", "x=1"),
        ("select * from rest.a where ok = true", "ok=true"),
        // None of these says anything about every row.
        ("select * from rest.a where x = 1 or y = 2", ""),
        ("select * from rest.a where x = 1 and y = 2 or z", ""),
        ("select * from rest.a where not x = 1", ""),
        ("select * from rest.a where y between 1 and x = 2", ""),
        ("select * from rest.a where case when a and x = 1 and b then c end", ""),
        ("select * from rest.a where (x = 1)", ""),
        ("select * from rest.a where x = 1 + 1 and x = y and x >= 1 and x <= 1 and x <> 1", ""),
        ("select * from rest.a where x = 1 collate \"C\" and x = '1'::int", ""),
        ("select * from rest.a where x = 'a\\b'", ""),
        ("select * from rest.a where current_user = 'x' and user = 'y'", ""),
        ("select * from rest.a e(x, y) where e.x = 1", ""),
        ("select * from rest.a e join emp on e.x = 1", ""),
        ("select * from rest.a, emp where x = 1", ""),
        ("select * from (rest.a e join emp on true) where e.x = 1", ""),
        ("select * from rest.a where exists (select 1 from emp where x = 1)", ""),
        ("select * from rest.a having x = 1", ""),
        ("select * from rest.a where x = 1 and offset = 2 or y", ""),
        ("select count(*) filter (where x = 1) from rest.a", ""),
        ("insert into t select y from rest.a on conflict (y) where x = 1 do nothing", ""),
        ("insert into t select y from rest.a where x = 1 on conflict (y) where x = 2 do nothing", "x=1"),
    ] {
        assert_eq!(equals(sql), wanted, "{sql}");
    }
}
