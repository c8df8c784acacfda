use super::*;

const NUMBERS: &str = "with recursive n(x) as (select 1 union all select x + 1 from n where x < :n) select x, 'some text to fill the row' as t from n";

fn numbers() -> Arc<CompiledSource> {
    get(SourceType::CsvQuery, NUMBERS)
}

fn big_rows(source: &Arc<CompiledSource>, count: u64) -> Plan {
    let mut plan = request(source, &format!("n={count}"));
    plan.window.limit = u64::MAX - 1;
    plan
}

fn stream(reply: Reply) -> RowStream {
    match reply.body {
        ReplyBody::Stream(stream) => stream,
        ReplyBody::Full(bytes) => panic!("{} bytes do not stream", bytes.len()),
    }
}

async fn drain(stream: &mut RowStream) -> Result<Vec<u8>, std::io::Error> {
    let mut all = Vec::new();
    while let Some(chunk) = next(stream).await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

#[tokio::test]
async fn a_cut_stream_ends_with_an_error() {
    let fixture = Fixture::new("");
    let plan = big_rows(&numbers(), 100_000_000);
    let reply = fixture.store.execute(plan, limits_ms(150)).await.unwrap();
    let error = drain(&mut stream(reply)).await.unwrap_err();
    assert!(error.to_string().contains("cut"), "{error}");
}

#[tokio::test]
async fn a_stalled_client_is_cut() {
    let options =
        DataOptions { stall: Duration::from_millis(50), stream_threads: 1, ..DataOptions::default() };
    let fixture = Fixture::with("", options);
    let reply = fixture.store.execute(big_rows(&numbers(), 100_000_000), limits()).await.unwrap();
    let mut first = stream(reply);
    // The only stream thread is free again although nobody read.
    let reply = fixture.store.execute(big_rows(&numbers(), 10_000), limits()).await.unwrap();
    drain(&mut stream(reply)).await.unwrap();
    assert!(drain(&mut first).await.is_err());
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_statement() {
    let options = DataOptions { stream_threads: 1, ..DataOptions::default() };
    let fixture = Fixture::with("", options);
    let reply = fixture.store.execute(big_rows(&numbers(), 100_000_000), limits()).await.unwrap();
    drop(stream(reply));
    let begun = Instant::now();
    let reply = fixture.store.execute(big_rows(&numbers(), 10_000), limits()).await.unwrap();
    drain(&mut stream(reply)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn too_many_bytes_cut_the_stream() {
    let fixture = Fixture::new("");
    let small = Limits { bytes_max: 200_000, ..limits() };
    let reply = fixture.store.execute(big_rows(&numbers(), 1_000_000), small).await.unwrap();
    let error = drain(&mut stream(reply)).await.unwrap_err();
    assert!(error.to_string().contains("larger"), "{error}");
}

#[tokio::test]
async fn a_failure_before_the_first_chunk_is_an_error() {
    let fixture = Fixture::new("create table t (a); insert into t values (1), ('x')");
    let source = get(SourceType::QueryOneRow, "select abs(-9223372036854775808) as a");
    source.hints.streams.store(true, Ordering::Relaxed);
    assert!(matches!(fixture.run(&source, "").await.unwrap_err(), ExecuteError::Statement { .. }));
    assert!(!source.hints.streams.load(Ordering::Relaxed));
}

#[test]
fn a_lost_producer_is_an_error() {
    let (producer, mut stream) = crate::data::stream::pipe(Arc::default());
    drop(producer);
    let mut context = Context::from_waker(std::task::Waker::noop());
    assert!(matches!(stream.poll_chunk(&mut context), Poll::Ready(Some(Err(_)))));
    assert!(matches!(stream.poll_chunk(&mut context), Poll::Ready(None)));
}

#[tokio::test]
async fn long_answers_stream_whole() {
    let fixture = Fixture::new("");
    let source = numbers();
    for _ in 0..2 {
        let reply = fixture.store.execute(big_rows(&source, 20_000), limits()).await.unwrap();
        assert_eq!(reply.content_type.as_deref(), Some("text/csv; charset=utf-8"));
        let text = String::from_utf8(drain(&mut stream(reply)).await.unwrap()).unwrap();
        assert_eq!(text.lines().count(), 20_001);
        assert!(text.ends_with("20000,some text to fill the row\r\n"));
        assert!(source.hints.streams.load(Ordering::Relaxed));
    }
    let reply = fixture.store.execute(big_rows(&source, 3), limits()).await.unwrap();
    assert_eq!(body(reply).lines().count(), 4);
    assert!(!source.hints.streams.load(Ordering::Relaxed));
}
