//! The seven paginators, against seven rows that come a few at a time.

use std::collections::BTreeSet;

use gatepost_sources::definition::Pagination;

use super::consumer::{Consumer, N};
use super::peer::Peer;
use super::peer::pages::ROWS;

/// A path of the API, keys above the tables, the paginator, and where its rows are.
const PAGINATORS: [(&str, &str, &str, &str); 11] = [
    ("none", "", "type = \"none\"", ""),
    ("ords", "", "type = \"ords\"\npage_size = 3", "/items"),
    ("ords-links", "", "type = \"ords\"\npage_size = 2", "/items"),
    (
        "offset",
        "",
        "type = \"offset\"\noffset_param = \"skip\"\nlimit_param = \"take\"\npage_size = 5\ntotal = \"/total\"",
        "/rows",
    ),
    (
        "offset-in-body",
        "method = \"POST\"\n",
        "type = \"offset\"\noffset_param = \"skip\"\nin = \"body\"\npage_size = 3\nhas_more = \"/more\"",
        "/rows",
    ),
    ("page", "", "type = \"page\"\npage_param = \"page\"\ntotal_pages = \"/pages\"", "/data"),
    ("page-until-empty", "", "type = \"page\"\npage_param = \"p\"\nfirst = 0", ""),
    ("cursor", "", "type = \"cursor\"\ncursor_param = \"after\"\nnext = \"/meta/next\"", "/result"),
    ("cursor-in-header", "", "type = \"cursor\"\ncursor_param = \"after\"\nnext_header = \"X-Next\"", ""),
    ("link-header", "", "type = \"link_header\"", ""),
    ("next-url", "", "type = \"next_url\"\nnext = \"/@odata.nextLink\"", "/value"),
];

#[tokio::test]
async fn cal_18_each_paginator_brings_all_rows_once() {
    let (consumer, peer) = (Consumer::new("cal_18").await, Peer::start());
    let name = |path: &str| path.replace('-', "_");
    let mut calls = consumer.remote(&peer.base_url);
    for (path, keys, pagination, select) in PAGINATORS {
        let definition = format!(
            "path = \"pages/{path}\"\n{keys}[pagination]\n{pagination}\n[rows]\nselect = \"{select}\"\n{N}"
        );
        calls.push_str(&consumer.source(&name(path), None, &definition));
    }
    consumer.define(&calls, "next_url").await;
    let all: Vec<u64> = (1..=ROWS as u64).collect();
    for (path, _, _, _) in PAGINATORS {
        let source = name(path);
        assert_eq!(consumer.numbers(&source, "").await, all, "{path}");
        // A window, whether the API can leave rows out or not.
        for (query, wanted) in [
            ("?limit=2", &all[..2]),
            ("?offset=2&limit=3", &all[2..5]),
            ("?offset=5&limit=9", &all[5..]),
            ("?offset=7", &all[7..]),
            ("?offset=900", &all[7..]),
        ] {
            let answer = consumer.rows(&source, query).await;
            let numbers: Vec<u64> =
                answer["items"].as_array().unwrap().iter().map(|row| row["n"].as_u64().unwrap()).collect();
            assert_eq!(numbers, wanted, "{path}{query}");
            let more = wanted.last().is_some_and(|last| *last < ROWS as u64);
            assert_eq!(answer["hasMore"], more, "{path}{query}");
        }
        // Sorted and filtered over all pages.
        let q = "?q=%7B%22n%22%3A%7B%22%24gt%22%3A5%7D%2C%22%24orderby%22%3A%7B%22n%22%3A%22desc%22%7D%7D";
        assert_eq!(consumer.numbers(&source, q).await, [7, 6], "{path}");
    }
}

#[test]
fn cal_18_no_paginator_is_left_out() {
    let tried: BTreeSet<_> =
        PAGINATORS.iter().map(|(_, _, pagination, _)| pagination.split('"').nth(1).unwrap()).collect();
    assert_eq!(tried, BTreeSet::from(Pagination::TYPES));
}
