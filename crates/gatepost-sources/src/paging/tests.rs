use http::HeaderValue;

use super::*;
use crate::definition::{Pointer, Rows};

/// A server as a function from a page's request to its headers and its body.
type Server<'s> = &'s dyn Fn(&PageRequest) -> (HeaderMap, String);

/// What a fetch gave: all rows, and how it ended.
struct Fetched {
    rows: Vec<String>,
    requests: Vec<String>,
    end: Step,
}

fn source(pagination: &str) -> RestSource {
    let text = format!(
        "server = \"s\"\nlimits = {{ max_pages = 50, max_rows = 1000 }}\n[rows]\nselect = \"/items\"\n{pagination}"
    );
    RestSource::from_toml("s", &text).unwrap()
}

fn fetch(source: &RestSource, window: Window, server: Server<'_>) -> Fetched {
    let base = Url::parse("https://h/api").unwrap();
    let valid_for = ValidFor::of_urls(["https://h/api"]);
    let mut pager = Pager::new(source, &base, Some(valid_for), window);
    let rows = Rows { select: Pointer::of(&["items"]), ..Rows::default() };
    let mut fetched = Fetched { rows: Vec::new(), requests: Vec::new(), end: Step::Done };
    let mut request = pager.first();
    loop {
        assert!(fetched.requests.len() < 1_000, "the pager does not end");
        fetched.requests.push(spelled(&request));
        let (headers, body) = server(&request);
        let body_bytes = body.len() as u64;
        let body = Body::parse(body.as_bytes()).unwrap();
        let selected = body.rows(&rows).unwrap();
        fetched.rows.extend(selected.iter().map(|row| row.get().to_owned()));
        let url = request.url.clone().unwrap_or_else(|| base.clone());
        let response = PageResponse {
            url: &url,
            headers: &headers,
            body: Some(&body),
            rows: &selected,
            bytes: body_bytes,
            elapsed: Duration::ZERO,
        };
        match pager.next(&response) {
            Step::Next(next) => request = next,
            end => {
                fetched.end = end;
                return fetched;
            }
        }
    }
}

fn all(source: &RestSource, server: Server<'_>) -> Fetched {
    fetch(source, Window::default(), server)
}

fn spelled(request: &PageRequest) -> String {
    let url = request.url.iter().map(ToString::to_string);
    let query = request.query.iter().map(|(name, value)| format!("{name}={value}"));
    let headers = request.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let body = request.body.iter().map(|(name, value)| format!("{name} := {value}"));
    url.chain(query).chain(headers).chain(body).collect::<Vec<_>>().join(" ")
}

/// The number that a request has under a name.
fn number(request: &PageRequest, name: &str) -> Option<u64> {
    request.query.iter().find(|(other, _)| other == name)?.1.parse().ok()
}

/// A list of row numbers.
fn items(from: u64, to: u64) -> String {
    (from..to.max(from)).map(|at| format!("{{\"n\":{at}}}")).collect::<Vec<_>>().join(",")
}

fn plain(body: String) -> (HeaderMap, String) {
    (HeaderMap::new(), body)
}

fn code(end: &Step) -> Option<Code> {
    match end {
        Step::Failed(error) => Some(error.code),
        _ => None,
    }
}

/// An ORDS collection of `total` rows that gives no more than `clamp` at a time.
fn ords(total: u64, clamp: u64) -> impl Fn(&PageRequest) -> (HeaderMap, String) {
    move |request| {
        let offset = number(request, "offset").unwrap_or_default();
        let limit = number(request, "limit").unwrap_or(25).min(clamp);
        let end = (offset + limit).min(total);
        let more = end < total;
        plain(format!(
            r#"{{"items":[{}],"hasMore":{more},"limit":{limit},"offset":{offset},"count":{}}}"#,
            items(offset, end),
            end.saturating_sub(offset)
        ))
    }
}

const ORDS: &str = "[pagination]\ntype = \"ords\"\npage_size = 100\n";
const OFFSET: &str = "[pagination]\ntype = \"offset\"\npage_size = 100\n";
const CURSOR: &str = "[pagination]\ntype = \"cursor\"\ncursor_param = \"after\"\nnext = \"/next\"\n";
const NEXT_URL: &str = "[pagination]\ntype = \"next_url\"\nnext = \"/next\"\n";

#[test]
fn a_server_that_ignores_the_offset_is_found_out() {
    let same = |_: &PageRequest| plain(format!(r#"{{"items":[{}],"hasMore":true}}"#, items(0, 25)));
    for paginator in [ORDS, OFFSET, "[pagination]\ntype = \"page\"\n"] {
        let fetched = all(&source(paginator), &same);
        assert_eq!((code(&fetched.end), fetched.requests.len()), (Some(Code::PageLoop), 2), "{paginator}");
    }
    let echo = |_: &PageRequest| plain(format!(r#"{{"items":[{}],"hasMore":true,"offset":0}}"#, items(0, 1)));
    assert_eq!(code(&all(&source(ORDS), &echo).end), Some(Code::PageLoop));
    let two = |request: &PageRequest| {
        let offset = number(request, "offset").unwrap_or_default() / 25 % 2 * 25;
        plain(format!(r#"{{"items":[{}],"hasMore":true}}"#, items(offset, offset + 25)))
    };
    let fetched = all(&source(OFFSET), &two);
    assert_eq!(
        (code(&fetched.end), fetched.requests.len()),
        (Some(Code::PageLoop), 3),
        "a circle of two pages"
    );
}

#[test]
fn equal_rows_alone_on_their_pages_are_no_circle_at_once() {
    let server = |request: &PageRequest| {
        let offset = number(request, "offset").unwrap_or_default();
        let row = if offset < 9 { items(offset / 3, offset / 3 + 1) } else { String::new() };
        plain(format!(r#"{{"items":[{row}]}}"#))
    };
    let fetched = all(&source(OFFSET), &server);
    assert_eq!((fetched.rows.len(), fetched.end), (9, Step::Done).clone());
}

#[test]
fn a_repeated_cursor_is_a_circle() {
    let server = |request: &PageRequest| {
        let second = !request.query.is_empty();
        plain(format!(r#"{{"items":[{}],"next":"c"}}"#, items(u64::from(second), 2)))
    };
    let fetched = all(&source(CURSOR), &server);
    assert_eq!((code(&fetched.end), fetched.requests.len()), (Some(Code::PageLoop), 2));
    let ends_empty = |request: &PageRequest| {
        let rows = if request.query.is_empty() { items(0, 2) } else { String::new() };
        plain(format!(r#"{{"items":[{rows}],"next":"c"}}"#))
    };
    assert_eq!(all(&source(CURSOR), &ends_empty).end, Step::Done);
}

#[test]
fn next_links_to_strangers_are_refused() {
    for next in [
        "https://evil.example/api?page=2",
        "//evil.example/api",
        "http://h/api?page=2",
        "https://h:8443/api",
        "https://h@evil.example/api",
        "https://user@h/api",
        "https://h/other?page=2",
        "https://h/api/%2e%2e/other",
        "https://h/api/..%2fother",
    ] {
        let server = |_: &PageRequest| plain(format!(r#"{{"items":[{}],"next":"{next}"}}"#, items(0, 2)));
        assert_eq!(code(&all(&source(NEXT_URL), &server).end), Some(Code::PageCrossOrigin), "{next}");
        let server = |_: &PageRequest| {
            let mut headers = HeaderMap::new();
            headers
                .insert(http::header::LINK, HeaderValue::from_str(&format!("<{next}>; rel=next")).unwrap());
            (headers, r#"{"items":[1]}"#.to_owned())
        };
        let link_header = source("[pagination]\ntype = \"link_header\"\n");
        assert_eq!(code(&all(&link_header, &server).end), Some(Code::PageCrossOrigin), "{next}");
        let server = |_: &PageRequest| {
            plain(format!(
                r#"{{"items":[1],"links":[{{"rel":"self","href":"x"}},{{"rel":"next","href":"{next}"}}]}}"#
            ))
        };
        assert_eq!(code(&all(&source(ORDS), &server).end), Some(Code::PageCrossOrigin), "{next}");
    }
}

#[test]
fn next_links_are_followed_once_each() {
    let server = |request: &PageRequest| {
        let page = request.url.as_ref().map_or(1, |url| url.query().unwrap()[5..].parse::<u64>().unwrap());
        let next =
            if page < 3 { format!(r#","next":"?page={}""#, page + 1) } else { r#","next":null"#.into() };
        plain(format!(r#"{{"items":[{}]{next}}}"#, items(page * 2, page * 2 + 2)))
    };
    let fetched = all(&source(NEXT_URL), &server);
    assert_eq!(fetched.requests, ["", "https://h/api?page=2", "https://h/api?page=3"]);
    assert_eq!((fetched.rows.len(), fetched.end), (6, Step::Done).clone());
    let circle = |request: &PageRequest| {
        let from = request.url.as_ref().map_or(0, |url| url.as_str().len() as u64);
        let next = if from.is_multiple_of(2) { "/api/a" } else { "/api" };
        plain(format!(r#"{{"items":[{}],"next":"{next}"}}"#, items(from, from + 2)))
    };
    assert_eq!(code(&all(&source(NEXT_URL), &circle).end), Some(Code::PageLoop));
}

#[test]
fn ords_links_are_followed_where_has_more_is_absent() {
    let server = |request: &PageRequest| {
        let offset = request.url.as_ref().map_or(0, |url| url.query().unwrap()[7..].parse::<u64>().unwrap());
        let links = if offset < 4 {
            format!(r#"{{"rel":"next","href":"?offset={}"}}"#, offset + 2)
        } else {
            String::new()
        };
        plain(format!(r#"{{"items":[{}],"offset":{offset},"links":[{links}]}}"#, items(offset, offset + 2)))
    };
    let fetched = all(&source(ORDS), &server);
    assert_eq!((fetched.rows.len(), fetched.end), (6, Step::Done).clone());
}

#[test]
fn a_server_that_clamps_sizes_loses_no_rows() {
    for clamp in [7, 25, 100, 1_000] {
        for total in [0, 1, 99, 100, 101, 250] {
            let fetched = all(&source(ORDS), &ords(total, clamp));
            assert_eq!(fetched.rows.len() as u64, total, "clamp {clamp}");
            assert_eq!(
                fetched.rows,
                items(0, total)
                    .split_inclusive("},")
                    .map(|row| row.trim_end_matches(','))
                    .collect::<Vec<_>>()
            );
            assert_eq!(fetched.end, Step::Done);
        }
    }
    let server = ords(250, 40);
    let fetched = all(&source(OFFSET), &server);
    assert_eq!((fetched.rows.len(), fetched.end), (250, Step::Done).clone());
    assert_eq!(fetched.requests[1], "offset=40 limit=100");
}

#[test]
fn an_empty_page_in_the_middle_is_passed_and_many_are_not() {
    let gap = |request: &PageRequest| {
        let offset = number(request, "offset").unwrap_or_default();
        let rows = if offset == 100 { String::new() } else { items(offset, offset + 100) };
        plain(format!(r#"{{"items":[{rows}],"hasMore":{},"limit":100,"offset":{offset}}}"#, offset < 200))
    };
    let with_flag = "[pagination]\ntype = \"offset\"\npage_size = 100\nhas_more = \"/hasMore\"\n";
    for paginator in [ORDS, with_flag] {
        let fetched = all(&source(paginator), &gap);
        assert_eq!((fetched.rows.len(), fetched.requests.len()), (200, 3), "{paginator}");
        assert_eq!(fetched.end, Step::Done);
    }
    let never = |request: &PageRequest| {
        let offset = number(request, "offset").unwrap_or_default();
        plain(format!(r#"{{"items":[],"hasMore":true,"offset":{offset}}}"#))
    };
    let fetched = all(&source(ORDS), &never);
    assert_eq!(
        (code(&fetched.end), fetched.requests.len()),
        (Some(Code::PageLoop), EMPTY_PAGES_MAX as usize)
    );
    let cursors = |request: &PageRequest| {
        let at = number(request, "after").unwrap_or_default();
        plain(format!(r#"{{"items":[],"next":{}}}"#, at + 1))
    };
    assert_eq!(code(&all(&source(CURSOR), &cursors).end), Some(Code::PageLoop));
}

#[test]
fn limits_truncate_and_are_named() {
    let mut source = source(ORDS);
    source.limits.max_pages = 2;
    let fetched = all(&source, &ords(250, 100));
    assert_eq!((fetched.rows.len(), fetched.end), (200, Step::Truncated(Truncation::Pages)).clone());
    assert_eq!(all(&source, &ords(200, 100)).end, Step::Done, "the last page is no truncation");
    source.limits.max_pages = 50;
    source.limits.max_rows = 200;
    assert_eq!(all(&source, &ords(250, 100)).end, Step::Truncated(Truncation::Rows));
    assert_eq!(all(&source, &ords(200, 100)).end, Step::Done);
    source.limits.max_rows = 199;
    assert_eq!(all(&source, &ords(200, 100)).end, Step::Truncated(Truncation::Rows), "one row too many");
    source.limits.max_rows = 1_000;
    source.limits.max_bytes = 1_024;
    let fetched = all(&source, &ords(250, 100));
    assert_eq!((fetched.requests.len(), fetched.end), (2, Step::Truncated(Truncation::Bytes)).clone());
    let pager = Pager::new(&source, &Url::parse("https://h").unwrap(), None, Window::default());
    assert_eq!(code(&pager.too_large()), Some(Code::ApiTooLarge), "nothing came yet");
    assert_eq!(code(&pager.out_of_time()), Some(Code::ApiTimeout));
    assert_eq!(pager.time_left(Duration::from_secs(59)), Duration::from_secs(1));
}

#[test]
fn stop_conditions_are_told_by_the_server_or_the_page() {
    let server = |extra: fn(u64) -> String, total: u64| {
        move |request: &PageRequest| {
            let offset = number(request, "offset").unwrap_or_default();
            let end = (offset + 100).min(total);
            plain(format!(r#"{{"items":[{}]{}}}"#, items(offset, end), extra(end)))
        }
    };
    let requests =
        |paginator: &str, extra, total| all(&source(paginator), &server(extra, total)).requests.len();
    assert_eq!(requests(OFFSET, |_| String::new(), 150), 3, "an empty page");
    let short = "[pagination]\ntype = \"offset\"\npage_size = 100\nshort_page_ends = true\n";
    assert_eq!(requests(short, |_| String::new(), 150), 2, "a short page");
    let with_total = "[pagination]\ntype = \"offset\"\npage_size = 100\ntotal = \"/total\"\n";
    assert_eq!(requests(with_total, |_| r#","total":200"#.into(), 200), 2, "the total");
    assert_eq!(requests(with_total, |_| r#","total":"200""#.into(), 200), 2, "the total as text");
    assert_eq!(requests(with_total, |_| String::new(), 200), 3, "no total after all");
    let flag = "[pagination]\ntype = \"offset\"\npage_size = 100\nhas_more = \"/more\"\n";
    assert_eq!(requests(flag, |end| format!(r#","more":{}"#, end < 200), 200), 2, "a flag");
    assert_eq!(requests(flag, |_| String::new(), 200), 1, "an absent flag");
}

#[test]
fn pages_are_counted_from_their_first_number() {
    let server = |request: &PageRequest| {
        let page = number(request, "page").unwrap();
        plain(format!(r#"{{"items":[{}],"pages":3,"total":60}}"#, items(page * 20, page * 20 + 20)))
    };
    let fetched = all(&source("[pagination]\ntype = \"page\"\ntotal_pages = \"/pages\"\n"), &server);
    assert_eq!(fetched.requests, ["page=1", "page=2", "page=3"]);
    let sized = "[pagination]\ntype = \"page\"\nfirst = 0\nsize_param = \"per_page\"\npage_size = 20\ntotal = \"/total\"\n";
    let fetched = all(&source(sized), &server);
    assert_eq!(fetched.requests, ["page=0 per_page=20", "page=1 per_page=20", "page=2 per_page=20"]);
}

#[test]
fn paging_parameters_go_where_they_belong() {
    let text = "server = \"s\"\nmethod = \"POST\"\n[pagination]\ntype = \"offset\"\noffset_param = \"/search/from\"\nlimit_param = \"size\"\npage_size = 10\nin = \"body\"\n";
    let in_body = RestSource::from_toml("s", text).unwrap();
    let pager = Pager::new(&in_body, &Url::parse("https://h").unwrap(), None, Window::default());
    assert_eq!(spelled(&pager.first()), "/search/from := 0 size := 10");
    let in_header = source(
        "[pagination]\ntype = \"cursor\"\ncursor_param = \"X-After\"\nnext_header = \"X-Next\"\nsize_param = \"X-Size\"\npage_size = 10\nin = \"header\"\n",
    );
    let server = |request: &PageRequest| {
        let mut headers = HeaderMap::new();
        if request.headers.len() < 2 {
            headers.insert("x-next", HeaderValue::from_static("abc"));
        }
        (headers, format!(r#"{{"items":[{}]}}"#, request.headers.len()))
    };
    let fetched = all(&in_header, &server);
    assert_eq!(fetched.requests, ["X-Size: 10", "X-Size: 10 X-After: abc"]);
    assert_eq!(fetched.end, Step::Done);
}

#[test]
fn a_window_is_fetched_and_no_more() {
    let window = Window { offset: 30, limit: Some(10) };
    let fetched = fetch(&source(ORDS), window, &ords(250, 100));
    assert_eq!((fetched.requests, fetched.rows.len()), (vec!["limit=10 offset=30".to_owned()], 10));
    assert_eq!((fetched.rows.first().unwrap().as_str(), &fetched.end), ("{\"n\":30}", &Step::Enough));
    assert_eq!(fetch(&source(ORDS), window, &ords(35, 100)).end, Step::Done);
    let clamped = fetch(&source(ORDS), window, &ords(250, 4));
    assert_eq!(clamped.requests, ["limit=10 offset=30", "limit=6 offset=34", "limit=2 offset=38"]);
    let none = source("");
    let pager = Pager::new(&none, &Url::parse("https://h").unwrap(), None, window);
    assert_eq!(pager.rows_to_skip(), 30, "the server cannot leave them out");
    let body = plain(format!(r#"{{"items":[{}]}}"#, items(0, 100)));
    assert_eq!(fetch(&none, window, &|_| body.clone()).end, Step::Enough);
}
