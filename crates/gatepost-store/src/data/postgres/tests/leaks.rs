//! What one client's request leaves for the next on the same connection: nothing.

use super::*;

/// What can be left, as functions of the owner.
const MISCHIEF: &str = "create table t (n int, s text); insert into t values (1, 'x');
    create sequence counter; grant usage on sequence counter to public;
    create function leave_setting() returns text language sql as
      $$select set_config('mine.secret', 'of a', false) || set_config('search_path', 'nowhere', false)$$;
    create function leave_timeout() returns text language sql as
      $$select set_config('statement_timeout', '0', false)$$;
    create function leave_role() returns text language plpgsql as
      $$begin perform set_config('role', current_schema() || '_guest', false); return 'x'; end$$;
    create function leave_lock() returns text language sql as
      $$select pg_advisory_lock(4711)::text$$;
    create function leave_channel() returns text language plpgsql as
      $$begin listen gossip; return 'x'; end$$;
    create function leave_cursor() returns text language plpgsql as
      $$begin execute 'declare window_of_a cursor with hold for select ''of a'''; return 'x'; end$$;
    create function leave_statement() returns text language plpgsql as
      $$begin execute 'prepare of_a as select ''of a'''; return 'x'; end$$;
    create function leave_table() returns text language plpgsql as
      $$begin create temp table left_by_a as select 'of a' as s; return 'x'; end$$;
    create function leave_number() returns text language sql as $$select nextval('counter')::text$$;
    create function fail_after(what text) returns text language plpgsql as
      $$begin execute 'select ' || what || '()'; raise exception 'on purpose'; end$$";

/// What is found, one column each.
const FOUND: &str =
    "select coalesce(current_setting('mine.secret', true), '') as secret, current_user::text as who,
    current_setting('search_path') as path, current_setting('statement_timeout') <> '0' as timed,
    (select count(*) from pg_locks where locktype = 'advisory') as locks,
    (select count(*) from pg_listening_channels()) as channels,
    (select count(*) from pg_cursors where name = 'window_of_a') as cursors,
    (select count(*) from pg_prepared_statements where name = 'of_a') as statements,
    to_regclass('left_by_a') as tables";

const LEAVERS: [&str; 8] = ["setting", "timeout", "role", "lock", "channel", "cursor", "statement", "number"];

async fn fixture() -> Fixture {
    let fixture = Fixture::with(MISCHIEF, |options| {
        options.readers_max = 1;
        options.writers_max = 1;
    })
    .await;
    let schema = &fixture.schema;
    let roles = format!(
        "create role {schema}_guest; grant {schema}_guest to {schema}_reader, {schema}_writer;
         grant temp on database postgres to {schema}_writer"
    );
    fixture.admin.batch_execute(&roles).await.unwrap();
    fixture
}

#[tokio::test]
async fn a_query_leaves_nothing_on_its_connection() {
    let fixture = fixture().await;
    let found = get(SourceType::QueryOneRow, FOUND);
    let clean = fixture.text(&found, "").await;
    let schema = &fixture.schema;
    assert!(clean.contains(&format!("\"who\":\"{schema}_reader\"")), "{clean}");
    for what in LEAVERS {
        let leave = get(SourceType::QueryOneRow, &format!("select leave_{what}() as v"));
        let fail = get(SourceType::QueryOneRow, &format!("select fail_after('leave_{what}') as v"));
        for source in [&leave, &fail] {
            for _ in 0..2 {
                let _ = fixture.run(source, "").await;
                assert_eq!(fixture.text(&found, "").await, clean, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_leaves_nothing_on_its_connection() {
    let fixture = fixture().await;
    // A query on the writer's connection: the first value of a change.
    let found =
        post(&format!("update t set n = n returning (select row_to_json(f)::text from ({FOUND}) f) as f"));
    let clean = fixture.text(&found, "").await;
    let schema = &fixture.schema;
    assert!(clean.contains(&format!("{schema}_writer")), "{clean}");
    for what in LEAVERS.into_iter().chain(["table"]) {
        for sql in [
            format!("update t set s = leave_{what}()"),
            format!("update t set s = leave_{what}() returning s"),
            format!("begin update t set n = n; :status_code := 200 + length(leave_{what}()) * 0; end;"),
            format!("update t set s = fail_after('leave_{what}')"),
            format!("begin update t set n = n; update t set s = fail_after('leave_{what}'); end;"),
        ] {
            let source = post(&sql);
            for _ in 0..2 {
                let result = fixture.run(&source, "").await;
                assert_eq!(result.is_err(), sql.contains("fail_after"), "{sql}: {result:?}");
                assert_eq!(fixture.text(&found, "").await, clean, "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn sequences_of_another_client_have_no_current_value() {
    let fixture = fixture().await;
    let schema = &fixture.schema;
    let grant = format!("grant usage, select on sequence {schema}.counter to {schema}_writer");
    fixture.admin.batch_execute(&grant).await.unwrap();
    fixture.run(&post("update t set n = nextval('counter')"), "").await.unwrap();
    for sql in ["update t set n = currval('counter')", "update t set n = lastval()"] {
        let error = fixture.run(&post(sql), "").await.unwrap_err();
        assert!(error.to_string().contains("not yet defined in this session"), "{sql}: {error}");
    }
    // In one request it has one.
    let both = "begin update t set n = nextval('counter'); update t set s = currval('counter'); end;";
    fixture.run(&post(both), "").await.unwrap();
}

#[tokio::test]
async fn triggers_leave_nothing_even_when_they_come_later() {
    let fixture = fixture().await;
    let insert = post("insert into t (n) values (2)");
    let secret = post(
        "update t set n = n where n = 1 returning coalesce(current_setting('mine.secret', true), '') as s",
    );
    let secrets = async || fixture.text(&secret, "").await;
    fixture.run(&insert, "").await.unwrap();
    assert_eq!(secrets().await, "{\"s\":\"\"}");
    let schema = &fixture.schema;
    let trigger = format!(
        "set role {schema}_owner; set search_path = {schema};
         create function tell() returns trigger language plpgsql as
           $$begin perform set_config('mine.secret', 'of a', false); return new; end$$;
         create trigger tell before insert on t for each row execute function tell()"
    );
    fixture.admin.batch_execute(&trigger).await.unwrap();
    // As after the time that what is known may be untrue.
    fixture.expire();
    for _ in 0..2 {
        fixture.run(&insert, "").await.unwrap();
        assert_eq!(secrets().await, "{\"s\":\"\"}");
    }
}
