use super::*;
use crate::definition::{Audit, Parameter, ParameterAccess, ParameterSource, ParameterType};

fn handler(method: Method, source_type: SourceType, source: &str) -> Handler {
    Handler {
        id: 1,
        method,
        source_type,
        source: source.into(),
        items_per_page: None,
        mimes_allowed: Vec::new(),
        comments: None,
        parameters: Vec::new(),
        audit: Audit::default(),
    }
}

fn parameter(name: &str, bind: &str, source: ParameterSource, access: ParameterAccess) -> Parameter {
    Parameter {
        id: 2,
        name: name.into(),
        bind_variable_name: Some(bind.into()),
        source,
        kind: ParameterType::String,
        access,
        comments: None,
        audit: Audit::default(),
    }
}

fn refused(method: Method, source_type: SourceType, source: &str) -> NotRunnable {
    match compile(&handler(method, source_type, source), None, Dialect::Sqlite) {
        Ok(compiled) => panic!("{source} compiles: {compiled:?}"),
        Err(error) => error,
    }
}

fn block(source: &str) -> CompiledSource {
    compile(&handler(Method::Post, SourceType::PlSql, source), None, Dialect::Sqlite)
        .unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn query(source: &str) -> CompiledSource {
    compile(&handler(Method::Get, SourceType::CollectionFeed, source), None, Dialect::Sqlite)
        .unwrap_or_else(|error| panic!("{source}: {error}"))
}

#[test]
fn logic_is_named_with_its_place() {
    for (source, construct, line, column) in [
        ("declare\n x int; begin null; end;", "DECLARE", 1, 1),
        ("begin\n  if :a then null; end if;\nend;", "IF", 2, 3),
        ("begin\n  htp.p('x');\nend;", "htp.p", 2, 3),
        ("begin hr.raise_pay(:id, 3); end;", "hr.raise_pay", 1, 7),
        ("begin\n  null;\nexception when others then null;\nend;", "EXCEPTION", 3, 1),
        ("begin rollback; end;", "ROLLBACK", 1, 7),
        ("begin savepoint a; end;", "SAVEPOINT", 1, 7),
        ("begin begin null; end; end;", "BEGIN", 1, 7),
        ("begin select 1 into :x from t; end;", "SELECT", 1, 7),
        ("begin :n := sql%rowcount; end;", "SQL%ROWCOUNT", 1, 13),
        ("begin :n := ; end;", ":=", 1, 10),
        ("begin delete from t", "BEGIN", 1, 1),
        ("begin null; end; select 1", "select", 1, 18),
        ("begin merge into t using u on (1=1); end;", "MERGE", 1, 7),
        ("begin insert into t values (1) returning id; end;", "RETURNING", 1, 32),
        ("begin insert into t values (1) returning id into l_id; end;", "l_id", 1, 50),
        ("select 1", "SELECT", 1, 1),
        ("with x as (select 1) select * from x", "SELECT", 1, 1),
        ("drop table t", "DROP", 1, 1),
        ("call p()", "CALL", 1, 1),
        ("begin call p(); end;", "CALL", 1, 7),
        ("", "nothing", 1, 1),
        ("begin delete from t where id = ?; end;", "?", 1, 32),
    ] {
        let error = refused(Method::Post, SourceType::PlSql, source);
        assert_eq!(
            (error.construct.as_str(), error.line, error.column),
            (construct, line, column),
            "{source}"
        );
        assert!(!error.message.is_empty());
    }
}

#[test]
fn get_is_read_only() {
    for source in
        ["delete from emp", "begin update emp set sal = 1; end;", "with x as (select 1) delete from emp"]
    {
        let error = refused(Method::Get, SourceType::PlSql, source);
        assert_eq!(error.message, "GET is read-only", "{source}");
    }
    let reads = compile(
        &handler(Method::Get, SourceType::PlSql, "begin :status_code := 204; end;"),
        None,
        Dialect::Sqlite,
    );
    assert!(!reads.unwrap().writes);
}

#[test]
fn query_sources_are_one_select() {
    for source in [
        "insert into t values (1) returning *",
        "with x as (select 1) update t set a = 1",
        "pragma user_version",
        "select 1; select 2",
        "",
    ] {
        refused(Method::Get, SourceType::CollectionFeed, source);
    }
    let nested = "with x as (delete from t returning *) select * from x";
    let error = compile(&handler(Method::Get, SourceType::CollectionFeed, nested), None, Dialect::Postgres)
        .unwrap_err();
    assert_eq!(error.construct, "DELETE");
    for source in ["select 1;", "with x as (select 1) select * from x", "values (1)", "select 1 -- end\n;/"] {
        query(source);
    }
}

#[test]
fn pages_are_cut_around_the_statement() {
    let compiled = query("select * from emp where job = :job -- all\n;");
    assert_eq!(
        compiled.query().unwrap().text(),
        "select * from (\nselect * from emp where job = ?1\n) limit ?2 offset ?3"
    );
    let own = query("select * from emp limit :fetch_size offset :fetch_offset");
    assert_eq!(own.query().unwrap().paged, None);
    let one = compile(&handler(Method::Get, SourceType::CollectionItem, "select 1"), None, Dialect::Sqlite)
        .unwrap();
    assert_eq!(one.query().unwrap().paged, None);
}

#[test]
fn blocks_become_steps() {
    let compiled = block(
        "begin\n insert into emp (ename) values (:ename) returning empno into :id; commit;\n \
         :status_code := case when :id > 0 then 201 end; :forward_location := 'x' || :id; null;\nend;\n/",
    );
    assert!(compiled.writes && compiled.block);
    assert_eq!(compiled.steps.len(), 3);
    let Step::Change { statement, into } = &compiled.steps[0] else { panic!() };
    assert_eq!(statement.sql.text, "insert into emp (ename) values (?1) returning empno");
    assert_eq!(compiled.slots[into[0]].name, "id");
    let Step::Assign { expression, slot } = &compiled.steps[1] else { panic!() };
    assert_eq!(expression.sql.text, "select (case when ?1 > 0 then 201 end\n)");
    assert_eq!(compiled.slots[*slot].source, SlotSource::Implicit(Implicit::StatusCode));
    assert_eq!(compiled.outputs.len(), 2);
}

#[test]
fn literals_are_no_expressions() {
    let compiled =
        block("begin :a := 201; :b := 'it''s :c'; :d := null; :e := 1.5; :f := -1; :g := 'a' || 'b'; end;");
    let set = |value| move |step: &Step| matches!(step, Step::Set { value: found, .. } if *found == value);
    let steps = &compiled.steps;
    assert!(set(Literal::Integer(201))(&steps[0]));
    assert!(set(Literal::Text("it's :c".into()))(&steps[1]));
    assert!(set(Literal::Null)(&steps[2]));
    assert!(steps[3..].iter().all(|step| matches!(step, Step::Assign { .. })));
    assert_eq!(compiled.slots.len(), 6);
}

#[test]
fn bare_statements_may_return_rows() {
    let compiled = block("update emp set sal = :sal where empno = :id returning *;");
    assert!(!compiled.block);
    let Step::Change { into, .. } = &compiled.steps[0] else { panic!() };
    assert!(into.is_empty());
    block("with x as (select 1) insert into t select * from x");
    block("replace into t values (:a)");
    block("insert into t values (:a) returning id into :new_id");
}

#[test]
fn procedures_are_called_on_postgresql() {
    let compiled =
        |method, source: &str| compile(&handler(method, SourceType::PlSql, source), None, Dialect::Postgres);
    let bare = compiled(Method::Post, "call hr.raise_pay(:id, by => :by);").unwrap();
    assert!(bare.writes && !bare.block);
    let Step::Change { statement, into } = &bare.steps[0] else { panic!() };
    assert_eq!(statement.sql.text, "call hr.raise_pay($1, by => $2)");
    assert!(into.is_empty());
    let block = compiled(Method::Put, "begin call p(:id, null) into :total; call q(); end;").unwrap();
    let Step::Change { statement, into } = &block.steps[0] else { panic!() };
    assert_eq!(statement.sql.text, "call p($1, null)");
    assert_eq!(block.slots[into[0]].name, "total");
    assert_eq!(compiled(Method::Get, "call p()").unwrap_err().message, "GET is read-only");
    assert!(compile(&handler(Method::Get, SourceType::Query, "call p()"), None, Dialect::Postgres).is_err());
}

#[test]
fn an_insert_of_one_row_is_told_from_others() {
    for (source, one_row) in [
        ("insert into t (a, b) values (:a, coalesce(:b, (select max(x) from y))) returning id", true),
        ("insert into t values (:a) on conflict (a) do update set a = excluded.a returning *", true),
        ("insert into t overriding system value values (:a)", true),
        ("with x as (values (1), (2)) insert into t values ((select max(column1) from x))", true),
        ("insert into t values (:a), (:b)", false),
        ("insert into t select * from y", false),
        ("insert into t select * from (values (1), (2)) v", false),
        ("insert into t values (:a) union all select 2", false),
        ("insert into t default values", false),
        ("update t set a = (values (1))", false),
        ("delete from t", false),
    ] {
        let handler = handler(Method::Post, SourceType::PlSql, source);
        let compiled = compile(&handler, None, Dialect::Postgres).unwrap();
        let Step::Change { statement, .. } = &compiled.steps[0] else { panic!() };
        assert_eq!(statement.one_row, one_row, "{source}");
    }
}

#[test]
fn declared_parameters_bind_and_leave() {
    let mut handler = handler(
        Method::Post,
        SourceType::PlSql,
        "begin :status := 201; :location := 'a'; :note := :trace; :answer := :n; end;",
    );
    handler.parameters = vec![
        parameter("X-ORDS-STATUS-CODE", "status", ParameterSource::Header, ParameterAccess::Out),
        parameter("X-APEX-FORWARD", "location", ParameterSource::Header, ParameterAccess::Out),
        parameter("X-Note", "note", ParameterSource::Header, ParameterAccess::Out),
        parameter("X-Trace", "TRACE", ParameterSource::Header, ParameterAccess::In),
        parameter("theAnswer", "answer", ParameterSource::Response, ParameterAccess::Out),
        parameter("count", "n", ParameterSource::Uri, ParameterAccess::In),
        parameter("unused", "elsewhere", ParameterSource::Uri, ParameterAccess::In),
    ];
    let compiled = compile(&handler, None, Dialect::Sqlite).unwrap();
    let targets: Vec<_> = compiled.outputs.iter().map(|output| &output.target).collect();
    assert!(matches!(
        targets[..],
        [OutputTarget::Status, OutputTarget::Location, OutputTarget::Header(_), OutputTarget::Member { .. }]
    ));
    let slot = |name: &str| compiled.slots.iter().find(|slot| slot.name == name).unwrap();
    assert_eq!(slot("trace").source, SlotSource::Header("x-trace".parse().unwrap()));
    assert_eq!(slot("n").wire_name, "count");
    assert_eq!(slot("status").source, SlotSource::Unset);
}

#[test]
fn implicit_binds_take_no_parameter() {
    for bind in ["current_user", "BODY", "fetch_offset"] {
        let mut handler = handler(Method::Get, SourceType::CollectionFeed, &format!("select :{bind}"));
        handler.parameters = vec![parameter("x", bind, ParameterSource::Uri, ParameterAccess::In)];
        let error = compile(&handler, None, Dialect::Sqlite).unwrap_err();
        assert!(error.message.contains("filled by the server"), "{error}");
    }
}

#[test]
fn headers_of_the_server_and_credentials_are_refused() {
    for (name, access) in [
        ("Authorization", ParameterAccess::In),
        ("Content-Length", ParameterAccess::Out),
        ("Set-Cookie", ParameterAccess::Out),
        ("bad name", ParameterAccess::Out),
    ] {
        let mut handler = handler(Method::Post, SourceType::PlSql, "begin :h := :h; end;");
        handler.parameters = vec![parameter(name, "h", ParameterSource::Header, access)];
        assert!(compile(&handler, None, Dialect::Sqlite).is_err(), "{name}");
    }
}

#[test]
fn etag_queries_share_the_binds() {
    let handler = handler(Method::Get, SourceType::CollectionItem, "select * from emp where empno = :id");
    let compiled =
        compile(&handler, Some("select version from emp where empno = :ID"), Dialect::Sqlite).unwrap();
    assert_eq!(compiled.etag.unwrap().slots, [0]);
    let error = compile(&handler, Some("delete from emp"), Dialect::Sqlite).unwrap_err();
    assert!(error.construct.contains("etag query"), "{error}");
}

fn tables() -> RemoteTables {
    let columns = [("empno", RemoteType::Number), ("ename", RemoteType::Text), ("hired", RemoteType::Date)];
    RemoteTables(vec![RemoteTable {
        name: "people".into(),
        columns: columns.map(|(name, kind)| (name.to_owned(), kind)).into(),
        parameters: vec![RemoteParameter { name: "dept".into(), required: true }],
        unusable: None,
    }])
}

#[test]
fn rest_sources_become_binds_with_slots_of_their_own() {
    let source = "select e.ename from rest.people(dept => :dept) e join emp on emp.empno = e.empno\n\
                  where e.empno = :id and e.nothing = 1 and emp.job = :rest_rows_1";
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let handler = handler(Method::Get, SourceType::CollectionFeed, source);
        let compiled = compile_with(&handler, None, dialect, &tables()).unwrap();
        let [remote] = compiled.remotes.as_slice() else { panic!("{:?}", compiled.remotes) };
        // The bind of that name is the caller's.
        assert_eq!((remote.bind.as_str(), remote.name.as_str()), ("rest_rows_2", "people"));
        assert_eq!(remote.arguments, [("dept".to_owned(), Operand::Bind("dept".into()))]);
        assert_eq!(remote.equals, [("empno".to_owned(), Operand::Bind("id".into()))]);
        let of = |name: &str| compiled.slots.iter().find(|slot| slot.name == name).unwrap().source.clone();
        assert_eq!(of("rest_rows_2"), SlotSource::Remote);
        for name in ["dept", "id", "rest_rows_1"] {
            assert_eq!(of(name), SlotSource::Request, "{name}");
        }
        assert!(!SlotSource::Remote.is_callers());
    }
}

#[test]
fn rest_sources_that_cannot_be_read_are_refused_with_the_place() {
    let refused = |method, source_type, source: &str| {
        let handler = handler(method, source_type, source);
        compile_with(&handler, None, Dialect::Sqlite, &tables()).unwrap_err()
    };
    let feed = |source: &str| refused(Method::Get, SourceType::CollectionFeed, source);
    for (error, waits, place, words) in [
        (feed("select *\n from rest.peeple"), true, (2, 7), "people"),
        (feed("select * from rest.people"), true, (1, 15), "`dept` must be given"),
        (feed("select * from rest.people(dept => 1, no => 1)"), true, (1, 15), "no parameter `no`"),
        (feed("select * from rest.people(1)"), false, (1, 27), "parameter => value"),
        // Behind what was expanded, the place is that of the text as written.
        (feed("select * from rest.people(dept => 1); select 2"), false, (1, 39), "only one statement"),
        (
            refused(
                Method::Post,
                SourceType::PlSql,
                "begin\n insert into t select * from rest.people(dept => 1);\nend;",
            ),
            false,
            (2, 30),
            "GET handlers",
        ),
        (
            refused(Method::Put, SourceType::PlSql, "update rest.people set ename = 'x'"),
            false,
            (1, 8),
            "not written",
        ),
    ] {
        assert_eq!((error.waits, (error.line, error.column)), (waits, place), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let handler = handler(Method::Get, SourceType::CollectionFeed, "select 1");
    let error =
        compile_with(&handler, Some("select 1 from rest.people(dept => 1)"), Dialect::Sqlite, &tables());
    assert!(error.unwrap_err().to_string().contains("etag query"));
}

#[test]
fn places_in_an_expanded_text_are_those_of_the_text_as_written() {
    let source = "select x from rest.people(dept => 1) e, rest.people(dept => 1) f where y";
    let tokens = lex(source, Dialect::Postgres).unwrap();
    let expanded = expand(source, &tokens, Dialect::Postgres, &tables(), |_| false).unwrap().unwrap();
    assert_eq!(expanded.remotes.len(), 1, "the same rows are fetched once");
    for (word, at) in [("x", 7), (" e,", 36), ("where", 65), ("y", 71)] {
        let written = if word == "y" { expanded.text.len() - 1 } else { expanded.text.find(word).unwrap() };
        assert_eq!(expanded.original_offset(written), at, "{word}");
    }
    let (first, _) = expanded.text.split_at(expanded.text.find("json_to").unwrap());
    assert_eq!(expanded.original_offset(first.len()), 14);
}
