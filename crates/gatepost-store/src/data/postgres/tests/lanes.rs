//! Lanes, pools, time limits, and connections that are lost.

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use super::*;

#[tokio::test]
async fn a_get_cannot_write_whatever_it_tries() {
    let fixture = Fixture::with(
        "create table t (n int);
         create function sneak() returns int language plpgsql as $f$ begin
           perform set_config('transaction_read_only', 'off', true); insert into t values (1); return 1; end $f$",
        |options| options.readers_max = 1,
    )
    .await;
    for sql in [
        "select set_config('default_transaction_read_only', 'off', false) as v",
        "select set_config('transaction_read_only', 'off', true) as v",
        "select set_config('role', 'postgres', false) as v",
        "select set_config('search_path', 'pg_catalog', false) as v",
        "select sneak() as v",
        "select nextval('nothing') as v",
        "select pg_terminate_backend(1) as v",
    ] {
        let _ = fixture.run(&get(SourceType::QueryOneRow, sql), "").await;
        // The connection is the same one, and as it was.
        let settings = "select current_setting('default_transaction_read_only') as r,
            current_setting('search_path') as p, current_user::text as u, (select count(*) from t) as n";
        let found = fixture.row(settings, "").await;
        let schema = &fixture.schema;
        let wanted = format!("{{\"r\":\"on\",\"p\":\"\\\"{schema}\\\"\",\"u\":\"{schema}_reader\",\"n\":0}}");
        assert_eq!(found, wanted, "{sql}");
    }
    assert_eq!(fixture.number("select count(*) from t").await, 0);
}

#[tokio::test]
async fn row_level_security_knows_who_asks_and_forgets() {
    let fixture = Fixture::with(
        "create table secret (owner text, role text, t text);
         insert into secret values ('a', 'hr', 'of a'), ('b', 'it', 'of b');
         alter table secret enable row level security;
         create policy own on secret using (owner = current_setting('gatepost.client_id', true)
           or current_setting('gatepost.roles', true)::jsonb ? role)",
        |options| {
            options.readers_max = 1;
            options.row_level_security = true;
        },
    )
    .await;
    let source = get(SourceType::CollectionFeed, "select t from secret order by t");
    let asked = async |name: &str, roles: &[&str]| {
        let mut plan = request(&source, "");
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        plan.principal = Some(Arc::new(Principal { name: name.into(), roles }));
        body(fixture.store.execute(plan, limits()).await.unwrap())
    };
    for _ in 0..3 {
        let first = asked("a", &[]).await;
        assert!(first.contains("of a") && !first.contains("of b"), "{first}");
        let second = asked("b", &[]).await;
        assert!(second.contains("of b") && !second.contains("of a"), "{second}");
        assert!(asked("c", &[]).await.starts_with("{\"items\":[]"));
        assert!(asked("c", &["it"]).await.contains("of b"));
        // Nobody.
        assert!(fixture.text(&source, "").await.starts_with("{\"items\":[]"));
        assert!(asked("x' or '1'='1", &[]).await.starts_with("{\"items\":[]"));
    }
}

#[tokio::test]
async fn a_query_that_runs_too_long_is_ended() {
    let fixture = Fixture::with("", |options| options.readers_max = 1).await;
    let slow = get(SourceType::QueryOneRow, "select pg_sleep(30)::text as v");
    let begun = Instant::now();
    let result = fixture.store.execute(request(&slow, ""), limits_ms(300)).await;
    assert!(matches!(result, Err(ExecuteError::Timeout)), "{result:?}");
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(fixture.row("select 1 as v", "").await, "{\"v\":1}");
}

#[tokio::test]
async fn a_dropped_request_gives_its_connection_up() {
    let fixture = Fixture::with("", |options| options.readers_max = 1).await;
    let slow = get(SourceType::QueryOneRow, "select pg_sleep(5)::text as v");
    let running = tokio::time::timeout(Duration::from_millis(500), fixture.run(&slow, "")).await;
    assert!(running.is_err());
    let begun = Instant::now();
    assert_eq!(fixture.row("select 1 as v", "").await, "{\"v\":1}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let schema = &fixture.schema;
    let left = format!(
        "select count(*) from pg_stat_activity where usename = '{schema}_reader' and query like '%pg_sleep%'"
    );
    assert_eq!(fixture.number(&left).await, 0);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_stream() {
    let fixture = Fixture::with("", |options| options.readers_max = 1).await;
    let source = get(
        SourceType::CollectionFeed,
        "select g as n, repeat('x', 100) as t from generate_series(1, 1000000) g",
    );
    let reply = fixture.run(&source, "limit=1000000").await.unwrap();
    let ReplyBody::Stream(mut stream) = reply.body else { panic!("not a stream") };
    next(&mut stream).await.unwrap().unwrap();
    drop(stream);
    let begun = Instant::now();
    assert_eq!(fixture.row("select 1 as v", "").await, "{\"v\":1}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn waiting_for_a_connection_ends_with_busy() {
    let fixture = Fixture::with("", |options| {
        options.readers_max = 1;
        options.wait = Duration::from_secs(1);
    })
    .await;
    let slow = get(SourceType::QueryOneRow, "select pg_sleep(4)::text as v");
    let (first, second) = tokio::join!(fixture.run(&slow, ""), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        fixture.run(&get(SourceType::QueryOneRow, "select 1 as v"), "").await
    });
    assert!(first.is_ok());
    assert!(matches!(second, Err(ExecuteError::Busy)), "{second:?}");
}

#[tokio::test]
async fn whoever_waits_for_a_connection_is_served_in_turn() {
    let fixture = Fixture::with("create table t (n int)", |options| {
        options.readers_max = 1;
        // No shared connections: everybody waits for the pool.
        options.row_level_security = true;
    })
    .await;
    let held = get(SourceType::CollectionFeed, "select n from t");
    fixture.text(&held, "").await;
    fixture.admin.batch_execute(&format!("begin; lock table {}.t", fixture.schema)).await.unwrap();
    let mut first = Box::pin(fixture.run(&held, ""));
    assert!((&mut first).now_or_never().is_none());
    let source = get(SourceType::QueryOneRow, "select :n::int as n");
    let asked = |n: usize| {
        let (fixture, source) = (&fixture, &source);
        async move { fixture.text(source, &format!("n={n}")).await }
    };
    let mut waiting: Vec<_> = (0..10).map(|n| Box::pin(asked(n))).collect();
    for one in &mut waiting {
        assert!(one.now_or_never().is_none());
    }
    let answers = waiting.into_iter().collect::<FuturesUnordered<_>>();
    let (first, _, answers): (_, _, Vec<String>) =
        tokio::join!(first, fixture.admin.batch_execute("commit"), answers.collect());
    first.unwrap();
    assert_eq!(answers, (0..10).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_time_of_a_change_counts_from_its_connection() {
    let fixture = Fixture::with("create table t (n int)", |options| {
        options.writers_max = 1;
        options.wait = Duration::from_secs(60);
    })
    .await;
    let source = post("insert into t values (1)");
    fixture.admin.batch_execute(&format!("begin; lock table {}.t", fixture.schema)).await.unwrap();
    let (mut first, mut second) = (Box::pin(fixture.run(&source, "")), Box::pin(fixture.run(&source, "")));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    // The first one's time is over, spent on a lock, and the second has its own.
    assert!(matches!(first.await, Err(ExecuteError::Timeout | ExecuteError::Busy)));
    let (ended, made) = tokio::join!(fixture.admin.batch_execute("commit"), second);
    ended.unwrap();
    made.unwrap();
    assert_eq!(fixture.number(&format!("select count(*) from {}.t", fixture.schema)).await, 1);
}

#[tokio::test]
async fn killed_connections_are_replaced() {
    let fixture = Fixture::new("create table t (n int)").await;
    let (read, write) = (get(SourceType::QueryOneRow, "select 1 as v"), post("insert into t values (1)"));
    for _ in 0..3 {
        fixture.text(&read, "").await;
        fixture.run(&write, "").await.unwrap();
        let schema = &fixture.schema;
        let kill = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename like '{schema}\\_%'"
        );
        assert!(fixture.number(&kill).await >= 1);
        assert_eq!(fixture.text(&read, "").await, "{\"v\":1}");
        fixture.run(&write, "").await.unwrap();
    }
    assert_eq!(fixture.number("select count(*) from t").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_database_heals_by_itself() {
    let cluster = Cluster::start();
    let fixture = Fixture::on(&cluster, "create table t (n int)", |_| {}).await;
    let read = get(SourceType::QueryOneRow, "select count(*) as v from t");
    assert_eq!(fixture.text(&read, "").await, "{\"v\":0}");
    cluster.crash();
    let error = fixture.run(&read, "").await.unwrap_err();
    assert!(matches!(error, ExecuteError::Unavailable(_)), "{error:?}");
    cluster.start_again();
    assert_eq!(fixture.text(&read, "").await, "{\"v\":0}");
    assert!(fixture.run(&post("insert into t values (1)"), "").await.is_ok());
}

/// How many connections of the reader's login there are, by what they did last.
async fn connections(fixture: &Fixture, did: &str) -> i64 {
    let schema = &fixture.schema;
    fixture
        .number(&format!(
            "select count(*) from pg_stat_activity where usename = '{schema}_reader' and query like '{did}'"
        ))
        .await
}

#[tokio::test]
async fn plain_queries_share_two_connections() {
    let fixture =
        Fixture::with("create table t as select g as n from generate_series(1, 100) g", |options| {
            options.readers_max = 1;
        })
        .await;
    let source = get(SourceType::CollectionFeed, "select n from t where n > :n order by n");
    fixture.text(&source, "n=0").await;
    let all: Vec<_> = (0..50).map(|n| format!("n={n}")).collect();
    let answers = futures_util::future::join_all(all.iter().map(|query| fixture.text(&source, query))).await;
    for (n, answer) in answers.iter().enumerate() {
        assert!(answer.starts_with(&format!("{{\"items\":[{{\"n\":{}}}", n + 1)), "{answer}");
    }
    assert_eq!(connections(&fixture, "%limit $2%").await, 2);
    // A value that does not fit disturbs nobody.
    let (bad, good) = tokio::join!(fixture.run(&source, "n=x"), fixture.run(&source, "n=1"));
    assert!(matches!(bad, Err(ExecuteError::Parameter { name, .. }) if name == "n"));
    assert!(good.is_ok());
    // A changed table is noticed here too.
    fixture
        .admin
        .batch_execute(&format!("alter table {}.t alter n type text", fixture.schema))
        .await
        .unwrap();
    for _ in 0..3 {
        assert!(fixture.text(&source, "n=5").await.starts_with("{\"items\":[{\"n\":\"50\"}"));
    }
}

#[tokio::test]
async fn a_long_page_leaves_short_ones_on_the_shared_connections() {
    let fixture = Fixture::with(
        "create table t as select g as n, repeat('x', 200) as s from generate_series(1, 1000) g",
        |options| options.readers_max = 1,
    )
    .await;
    let source = get(SourceType::CollectionFeed, "select n, s from t order by n");
    for _ in 0..3 {
        assert!(matches!(fixture.run(&source, "limit=1000").await.unwrap().body, ReplyBody::Stream(_)));
        fixture.text(&source, "limit=5").await;
    }
    // What runs on the pool ends with its commit.
    assert_eq!(connections(&fixture, "%limit $1%").await, 2);
    // Rows that have become short are a short page again.
    fixture.admin.batch_execute(&format!("update {}.t set s = 'x'", fixture.schema)).await.unwrap();
    for _ in 0..3 {
        assert!(fixture.text(&source, "limit=1000").await.contains("\"n\":1000"));
    }
    assert_eq!(source.hints.streams_from.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_slow_query_leaves_the_shared_connections() {
    let fixture = Fixture::new("create table t as select g as n from generate_series(1, 2500) g").await;
    let slow = get(
        SourceType::QueryOneRow,
        "select count(*) as n from t a, t b, t c where (a.n + b.n + c.n) % :m = 0 and c.n < :top",
    );
    assert_eq!(fixture.text(&slow, "m=1&top=2").await, "{\"n\":6250000}");
    // Longer than the lane allows, and within the request's own time.
    let result = fixture.store.execute(request(&slow, "m=1&top=5"), limits_ms(60_000)).await;
    assert_eq!(body(result.unwrap()), "{\"n\":25000000}");
}

#[tokio::test]
async fn functions_of_users_and_views_stay_off_the_shared_connections() {
    let fixture = Fixture::with(
        "create function twice(n int) returns int language sql as 'select n * 2';
         create view v as select twice(1) as n, set_config('search_path', 'nowhere', false) as s",
        |options| options.readers_max = 1,
    )
    .await;
    for sql in
        ["select twice(1) as n", "select n from v", "select random() is not null as n", "select n, s from v"]
    {
        let source = get(SourceType::QueryOneRow, sql);
        for _ in 0..3 {
            fixture.text(&source, "").await;
        }
    }
    assert_eq!(
        fixture.row("select current_setting('search_path') as s", "").await,
        format!("{{\"s\":\"\\\"{}\\\"\"}}", fixture.schema)
    );
    let schema = &fixture.schema;
    let all = format!("select count(*) from pg_stat_activity where usename = '{schema}_reader'");
    assert_eq!(fixture.number(&all).await, 1);
}

#[tokio::test]
async fn a_login_with_power_over_the_server_is_refused() {
    let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
    let fixture = Fixture::with("", |options| options.writer_url = cluster.url("postgres")).await;
    assert!(fixture.run(&get(SourceType::QueryOneRow, "select 1 as v"), "").await.is_ok());
    let error = fixture.run(&post("insert into t values (1)"), "").await.unwrap_err();
    assert!(matches!(&error, ExecuteError::Unavailable(words) if words.contains("superuser")), "{error:?}");
    let store = fixture.store.clone();
    let error = tokio::task::spawn_blocking(move || store.probe()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("superuser"), "{error}");
    let missing = Fixture::with("", |options| options.schema = "missing".into()).await;
    let error = tokio::task::spawn_blocking(move || missing.store.probe()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("no schema `missing`"), "{error}");
}

#[tokio::test]
async fn a_schema_that_is_full_leaves_its_neighbour_alone() {
    let full = Fixture::with("", |options| options.readers_max = 1).await;
    let other = Fixture::new("").await;
    let slow = get(SourceType::QueryOneRow, "select pg_sleep(1)::text as v");
    let begun = Instant::now();
    let (_, took) = tokio::join!(full.run(&slow, ""), async {
        other.row("select 1 as v", "").await;
        begun.elapsed()
    });
    assert!(took < Duration::from_millis(900), "{took:?}");
}

/// A port that leads to a server's and lets its answers through byte by byte.
fn dribbling(server: u16) -> u16 {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            client.set_nodelay(true).unwrap();
            let (mut asks, mut takes) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut asks, &mut takes));
            std::thread::spawn(move || {
                let mut byte = [0];
                while server.read(&mut byte).is_ok_and(|count| count == 1) && client.write_all(&byte).is_ok()
                {
                    std::thread::sleep(Duration::from_micros(100));
                }
            });
        }
    });
    port
}

/// The answers of a transaction's opening fill what the driver holds of them, when they come in pieces.
#[tokio::test]
async fn answers_that_come_in_pieces_hold_nothing_up() {
    let cluster = tokio::task::spawn_blocking(cluster).await.unwrap();
    let (from, to) = (format!(":{}/", cluster.port), format!(":{}/", dribbling(cluster.port)));
    let fixture = Fixture::with("create table t (n int)", |options| {
        options.pgbouncer = true;
        options.row_level_security = true;
        for url in [&mut options.reader_url, &mut options.writer_url, &mut options.owner_url] {
            *url = url.replace(&from, &to);
        }
    })
    .await
    .patient();
    for n in 1..=3 {
        let source = post(&format!("insert into t values ({n})"));
        fixture.store.execute(request(&source, ""), limits_ms(120_000)).await.unwrap();
    }
    let source = get(SourceType::QueryOneRow, "select count(*) as n from t");
    let reply = fixture.store.execute(request(&source, ""), limits_ms(120_000)).await.unwrap();
    assert_eq!(body(reply), "{\"n\":3}");
}
