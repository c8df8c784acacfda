//! What a caller of other people's APIs owes them and its own users, and which tests keep it.
//!
//! The ids are those of the project's checklist of the consumer half, in its order; from CAL-15 on they are those of
//! the tests' own API, of servers that nobody here wrote and of the guarded client. A test of the wire carries the id in its name; where a rule
//! is kept by a test beside the code, that one is listed.
//!
//! | id | part | test |
//! |---|---|---|
//! | CAL-01 | 200 callers, no token yet: one token request | `cal_01_two_hundred_callers_make_one_token_request` |
//! | CAL-01 | the same beside the code | `two_hundred_callers_share_one_token_request` |
//! | CAL-01 | the caller who asks for it goes away | `caller_who_goes_away_leaves_the_token_to_the_others` |
//! | CAL-01 | at its end: one more | `cal_01_at_its_end_a_token_is_asked_for_once_more` |
//! | CAL-02 | the token endpoint answers 500 twice, then 200 | `cal_02_a_token_endpoint_in_trouble_is_asked_three_times` |
//! | CAL-03 | `expires_in` absent, a text, 0, below it, 10^12 | `cal_03_odd_lifetimes_are_read_or_a_token_is_used_once` |
//! | CAL-03 | `expires_in` 1 | `cal_01_at_its_end_a_token_is_asked_for_once_more` |
//! | CAL-03 | each spelling | `odd_lifetimes_are_read_or_used_once` |
//! | CAL-04 | 401 once: one new token, one more try | `cal_04_a_token_that_ended_early_is_replaced_once` |
//! | CAL-04 | 401 always: two calls | `cal_04_an_api_that_always_refuses_is_asked_twice` |
//! | CAL-04 | a refused new token is not replaced | `an_unauthorized_request_gets_one_new_token` |
//! | CAL-05 | the secret is replaced while 50 calls run | `cal_05_no_call_after_an_edit_uses_the_old_token` |
//! | CAL-06 | the vectors of Basic, sent | `basic_headers_match_the_vectors` |
//! | CAL-06 | the vectors of Basic, read | `tok_06_basic_is_split_at_the_first_colon_and_form_decoded` |
//! | CAL-06 | a server that nobody here wrote decodes them | `cal_20_a_foreign_token_server_gives_tokens_for_its_api` |
//! | CAL-07 | redirects of the API: header, query, bearer, Referer | `cal_07_no_redirect_takes_a_secret_elsewhere` |
//! | CAL-07 | redirects of the token endpoint | `cal_07_no_redirect_of_a_token_endpoint_is_followed` |
//! | CAL-07 | redirects within the server | `cal_07_redirects_within_the_server_are_followed_a_few_times` |
//! | CAL-08 | loopback in every spelling, dialled | `loopback_is_refused_in_every_spelling` |
//! | CAL-08 | every spelling of every forbidden address | `every_spelling_of_a_forbidden_address_is_refused` |
//! | CAL-08 | a name that turns to 127.0.0.1 | `a_name_that_turns_to_a_forbidden_address_is_refused` |
//! | CAL-08 | the same, dialled | `what_was_judged_is_what_is_dialled` |
//! | CAL-08 | through a definition | `cal_08_no_definition_reaches_what_the_operator_forbids` |
//! | CAL-09 | `host.evil`, `host@evil`, `%2e%2e` | `strangers_with_similar_names_are_not_covered` |
//! | CAL-09 | `HOST`, `:443`, IDNA | `spellings_of_the_same_place_are_covered` |
//! | CAL-09 | through a definition | `cal_09_a_secret_goes_to_the_urls_that_it_is_valid_for` |
//! | CAL-10 | a next link to another origin | `cal_10_next_pages_elsewhere_are_not_asked_for` |
//! | CAL-10 | a repeated cursor, an ignored offset, a circle | `cal_10_pages_that_go_in_a_circle_are_left` |
//! | CAL-10 | a clamped limit | `cal_18_each_paginator_brings_all_rows_once` |
//! | CAL-10 | an empty page in the middle, pages without end | `cal_10_a_limit_that_is_reached_is_said` |
//! | CAL-11 | 50 MiB, a slow body, bombs | `cal_11_bodies_without_end_are_left` |
//! | CAL-12 | logs, errors, pages, exports, stores | `cal_12_nothing_secret_is_written_wherever_a_call_fails` |
//! | CAL-12 | what `Debug` shows, for panics and traces | `nothing_that_fails_tells_a_secret` |
//! | CAL-12 | the views and the terminal | `secrets_stay_where_they_are` |
//! | CAL-13 | the clock jumps a day ahead and back | `a_clock_that_is_set_moves_no_token_and_no_wait` |
//! | CAL-14 | our consumer, our provider | `rows_are_those_of_the_api` |
//! | CAL-14 | what ORDS writes, with `hasMore` and with links only | `cal_18_each_paginator_brings_all_rows_once` |
//! | CAL-15 | what is no JSON, cut or hardly a body | `cal_15_what_is_no_json_is_not_taken_for_rows` |
//! | CAL-15 | JSON without the rows | `cal_15_rows_must_be_where_the_definition_says` |
//! | CAL-15 | what is hardly HTTP, a slow head | `cal_15_what_is_no_http_has_codes_too` |
//! | CAL-16 | each refusal its code, no useless retry | `cal_16_refusals_are_tried_again_only_where_that_can_help` |
//! | CAL-16 | a refusal whose body is long or breaks | `a_refusal_is_known_by_its_status_whatever_its_body_does` |
//! | CAL-16 | `Retry-After` | `cal_16_who_is_told_to_wait_waits` |
//! | CAL-17 | what is no token | `cal_17_what_is_no_token_is_not_used` |
//! | CAL-17 | a wrong client | `cal_17_a_wrong_client_is_said_once` |
//! | CAL-17 | silence | `cal_17_a_silent_token_endpoint_costs_no_more_than_the_time_of_the_fetch` |
//! | CAL-17 | silence, beside the code | `silent_token_endpoint_costs_no_more_than_the_time_of_the_fetch` |
//! | CAL-18 | seven paginators | `cal_18_each_paginator_brings_all_rows_once` |
//! | CAL-18 | none left out | `cal_18_no_paginator_is_left_out` |
//! | CAL-19 | each way to sign in | `cal_19_each_way_to_sign_in_opens_its_door` |
//! | CAL-19 | and no other | `cal_19_nobody_gets_in_without_or_with_another_secret` |
//! | CAL-20 | a token server of others | `cal_20_a_foreign_token_server_gives_tokens_for_its_api` |
//! | CAL-20 | an API of others | `cal_20_a_foreign_api_is_read_page_by_page` |
//! | CAL-21 | values of callers stay values | `cal_21_no_value_of_a_caller_changes_what_is_called` |
//! | CAL-22 | no proxy | `cal_22_no_proxy_of_the_environment_is_used` |

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::oauth::functions;

/// How many there are.
const LAST: u32 = 22;

/// The tests of each id, from the table above.
fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut table: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in include_str!("obligations.rs").lines() {
        let Some(row) = line.strip_prefix("//! | ").filter(|row| row.starts_with("CAL-")) else { continue };
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let &[id, _, test] = cells.as_slice() else { panic!("{line}") };
        table.entry(id).or_default().push(test.trim_matches('`'));
    }
    table
}

fn all_functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut names);
    names
}

#[test]
fn every_obligation_is_kept_by_a_test_that_exists() {
    let (table, names) = (table(), all_functions());
    let wanted: Vec<String> = (1..=LAST).map(|number| format!("CAL-{number:02}")).collect();
    assert_eq!(table.keys().collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
    for (id, tests) in table {
        for test in tests {
            assert!(names.contains(test), "{id}: there is no test `{test}`");
        }
    }
}

#[test]
fn every_test_that_names_an_obligation_is_in_the_table() {
    let table = table();
    for name in all_functions().iter().filter(|name| name.starts_with("cal_")) {
        let id = name[..6].to_uppercase().replace('_', "-");
        let listed = table.get(id.as_str()).is_some_and(|tests| tests.contains(&name.as_str()));
        assert!(listed, "{id}: `{name}` is missing in the table");
    }
}
