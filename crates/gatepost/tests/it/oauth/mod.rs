//! The authorization server on the wire, and where each core obligation of OAuth is kept.
//!
//! The ids are those of the project's checklist of obligations. A test carries the id in its name; where a rule
//! is also kept by a test beside the code, that one is listed too.
//!
//! | id | tests |
//! |---|---|
//! | TOK-01 | `tok_01_only_post_is_answered` |
//! | TOK-02 | `tok_02_other_bodies_than_forms_are_refused` |
//! | TOK-02 | `tok_02_bad_escape_or_bad_utf_8_is_invalid_request` |
//! | TOK-02 | `tok_02_content_type_takes_any_case_and_parameters` |
//! | TOK-02 | `tok_02_other_content_type_is_invalid_request` |
//! | TOK-03 | `tok_03_the_query_is_not_read` |
//! | TOK-04 | `tok_04_empty_is_absent_and_unknown_is_ignored` |
//! | TOK-04 | `tok_04_parameter_without_value_is_absent` |
//! | TOK-04 | `tok_04_request_is_read_and_unknown_parameters_are_ignored` |
//! | TOK-05 | `tok_05_a_parameter_given_twice_is_refused` |
//! | TOK-05 | `tok_05_duplicate_parameter_is_invalid_request` |
//! | TOK-05 | `tok_05_resource_may_repeat` |
//! | TOK-06 | `tok_06_basic_is_form_decoded_and_its_scheme_has_any_case` |
//! | TOK-06 | `tok_06_basic_is_split_at_the_first_colon_and_form_decoded` |
//! | TOK-07 | `tok_07_credentials_in_the_body_work` |
//! | TOK-07 | `tok_07_secret_in_the_body_works` |
//! | TOK-08 | `tok_08_ids_and_secrets_need_no_encoding` |
//! | TOK-08 | `tok_08_our_ids_and_secrets_need_no_encoding` |
//! | TOK-09 | `tok_09_two_ways_of_authentication_are_refused` |
//! | TOK-09 | `tok_09_basic_with_the_same_client_id_in_the_body_works` |
//! | TOK-09 | `tok_09_two_ways_are_invalid_request` |
//! | TOK-10 | `tok_10_two_authorization_headers_are_refused` |
//! | TOK-10 | `tok_10_two_authorization_headers_are_invalid_request` |
//! | TOK-11 | `tok_11_failed_authentication_is_401_with_a_challenge` |
//! | TOK-11 | `tok_11_basic_challenge_names_the_realm` |
//! | TOK-11 | `tok_11_disabled_client_gets_no_token` |
//! | TOK-11 | `tok_11_missing_authentication_is_invalid_client` |
//! | TOK-12 | `tok_12_unknown_client_and_wrong_secret_look_the_same` |
//! | TOK-13 | `tok_13_malformed_basic_is_invalid_client` |
//! | TOK-14 | `tok_14_nothing_of_the_request_is_repeated` |
//! | TOK-14 | `tok_14_any_text_becomes_allowed` |
//! | TOK-14 | `tok_14_body_is_error_and_description` |
//! | TOK-14 | `tok_14_description_has_allowed_characters_only` |
//! | TOK-15 | `tok_15_each_fault_has_its_code` |
//! | TOK-15 | `tok_15_client_of_another_grant_gets_no_token` |
//! | TOK-15 | `tok_15_client_of_another_grant_is_unauthorized_client` |
//! | TOK-15 | `tok_15_grant_type_is_case_sensitive` |
//! | TOK-15 | `tok_15_missing_grant_type_is_invalid_request` |
//! | TOK-16 | `tok_16_checks_come_in_order` |
//! | TOK-17 | `tok_17_success_has_all_members_and_no_other` |
//! | TOK-17 | `tok_17_answer_is_a_bearer_token_with_lifetime_and_scope` |
//! | TOK-18 | `tok_18_nothing_is_stored_by_caches` |
//! | TOK-19 | `tok_19_there_is_no_refresh_token` |
//! | TOK-20 | `tok_20_a_client_without_a_secret_gets_no_token` |
//! | TOK-21 | `tok_21_scope_is_what_the_client_may_ask_for_or_refused` |
//! | TOK-21 | `tok_21_bad_scope_syntax_is_invalid_scope` |
//! | TOK-21 | `tok_21_bad_syntax_is_refused` |
//! | TOK-21 | `tok_21_order_and_repeats_do_not_matter_and_case_does` |
//! | TOK-21 | `tok_21_scope_that_the_client_does_not_have_is_invalid_scope` |
//! | TOK-22 | `tok_22_without_scope_the_token_is_judged_at_each_call` |
//! | TOK-22 | `tok_22_without_scope_the_token_is_not_narrowed_and_lists_what_it_opens_now` |
//! | TOK-23 | `tok_23_no_token_comes_twice` |
//! | TOK-24 | `tok_24_requests_have_limits` |
//! | TOK-24 | `tok_24_more_than_100_parameters_are_invalid_request` |
//! | TOK-25 | `tok_25_requests_that_can_be_read_in_two_ways_are_refused` |
//! | TOK-26 | `tok_26_password_and_implicit_do_not_exist` |
//! | TOK-26 | `tok_26_password_and_implicit_are_unknown` |
//! | TOK-28 | `tok_28_browsers_may_ask_from_listed_origins_only` |
//! | BEA-01 | `bea_01_a_token_is_one_token68_after_bearer` |
//! | BEA-01 | `bea_01_token_is_taken_from_the_header` |
//! | BEA-02 | `bea_02_a_token_elsewhere_is_no_token` |
//! | BEA-02 | `bea_02_other_names_are_left_alone` |
//! | BEA-02 | `bea_02_token_in_the_query_is_refused_in_any_spelling` |
//! | BEA-03 | `bea_03_without_credentials_the_challenge_has_no_error` |
//! | BEA-03 | `bea_03_challenge_without_credentials_has_no_error` |
//! | BEA-03 | `bea_03_no_header_or_another_scheme_is_no_credentials` |
//! | BEA-04 | `bea_04_each_fault_has_its_status_and_error` |
//! | BEA-04 | `bea_04_malformed_header_is_refused` |
//! | BEA-04 | `bea_04_two_authorization_headers_are_refused` |
//! | BEA-05 | `bea_05_challenges_are_plain_and_complete` |
//! | BEA-05 | `bea_05_each_attribute_comes_once_and_quoted` |
//! | BEA-05 | `bea_05_no_value_breaks_out_of_its_quotes` |
//! | BEA-06 | `bea_06_strangers_do_not_learn_what_exists` |
//! | BEA-07 | `bea_07_no_spelling_of_a_locked_path_opens_it_to_a_client_without_the_role` |
//! | BEA-07 | `bea_07_no_spelling_of_a_locked_path_opens_it_to_strangers` |
//! | BEA-07 | `bea_07_the_client_with_the_role_gets_the_item_by_its_own_spellings_only` |
//! | BEA-08 | `bea_08_a_handler_cannot_share_what_is_locked` |
//! | BEA-08 | `bea_08_answers_to_one_caller_are_not_kept_for_another` |
//! | BEA-09 | `bea_09_a_token_of_another_schema_is_none` |
//! | BEA-10 | `bea_10_interleaved_clients_on_one_connection_see_themselves` |
//! | BEA-11 | `bea_11_no_header_makes_a_caller_somebody_else` |
//! | BEA-12 | `bea_12_clients_do_not_administer` |
//! | MET-01 | `met_01_the_document_claims_what_there_is` |
//! | MET-01 | `met_01_document_claims_what_exists_and_no_more` |
//! | MET-02 | `met_02_the_well_known_part_stands_between_host_and_path` |
//! | MET-02 | `met_02_issuer_with_query_fragment_or_final_slash_is_refused` |
//! | MET-02 | `met_02_well_known_comes_between_host_and_path` |
//! | MET-03 | `met_03_issuer_is_the_one_that_the_url_was_made_from` |
//! | MET-04 | `met_04_urls_come_from_the_configuration` |
//! | MET-05 | `met_05_no_response_type_is_claimed` |
//! | PRM-01 | `prm_01_the_resource_has_a_document` |
//! | PRM-01 | `prm_01_document_names_resource_and_issuer` |
//! | PRM-01 | `prm_01_well_known_of_a_resource` |
//! | PRM-02 | `prm_02_resource_is_a_prefix_of_what_it_protects` |
//! | PRM-03 | `prm_03_challenges_lead_to_the_document` |
//! | RES-01 | `res_01_a_token_is_for_its_resource` |
//! | RES-01 | `res_01_absent_resource_is_the_default` |
//! | RES-01 | `res_01_malformed_or_unknown_resource_is_invalid_target` |
//! | RES-01 | `res_01_token_for_a_module_says_so` |
//! | RES-01 | `res_01_two_different_resources_are_invalid_target` |
//! | RES-01 | `res_01_unknown_resource_is_invalid_target` |
//! | REV-01 | `rev_01_post_form_authentication_and_token_are_needed` |
//! | REV-01 | `rev_01_missing_token_is_invalid_request` |
//! | REV-02 | `rev_02_unknown_tokens_are_answered_like_good_ones_and_hints_only_steer` |
//! | REV-02 | `rev_02_unknown_hint_is_no_hint` |
//! | REV-03 | `rev_03_a_token_of_another_client_is_not_revoked` |
//! | REV-04 | `rev_04_a_store_that_fails_is_503_and_never_success` |
//! | REV-05 | `rev_05_a_revocation_outlives_the_process` |
//! | REV-05 | `rev_05_after_the_answer_no_connection_lets_the_token_in` |
//! | REV-07 | `rev_07_a_deleted_client_is_gone_and_its_name_brings_nothing_back` |
//! | REV-07 | `rev_07_a_deleted_role_opens_nothing` |
//! | REV-07 | `rev_07_a_role_taken_and_given_back_counts_at_once` |
//! | REV-07 | `rev_07_disabling_ends_tokens_for_good` |
//! | REV-07 | `rev_07_revoking_all_tokens_leaves_the_client` |
//! | REV-07 | `rev_07_rotation_with_sessions_revoked_ends_old_secret_and_tokens` |
//! | INT-01 | `int_01_only_authenticated_posts` |
//! | INT-02 | `int_02_inactive_says_nothing_and_active_says_all` |
//! | INT-02 | `int_02_active_tells_all_that_is_promised` |
//! | INT-02 | `int_02_inactive_is_exactly_that` |
//! | INT-03 | `int_03_other_clients_see_nothing_without_the_role` |
//! | INT-03 | `int_03_scope_is_what_the_token_opens_now` |
//! | REG-01 | `reg_01_two_secrets_are_live_while_one_replaces_the_other` |
//! | REG-01 | `reg_01_second_secret_takes_the_free_slot_and_the_third_the_older` |
//! | PRB-01 | `prb_01_browsers_get_a_page_that_escapes` |
//! | PRB-01 | `prb_01_errors_are_problem_documents_and_tell_nothing_inside` |
//! | HTT-01 | `htt_01_405_names_the_methods_and_comes_after_authentication` |
//! | HTT-01 | `htt_01_head_is_get_without_a_body` |
//! | HTT-02 | `htt_02_every_401_has_a_challenge` |
//! | HTT-03 | `htt_03_access_is_decided_before_preconditions` |
//! | HTT-04 | `htt_04_our_own_tls_speaks_and_says_hsts` |
//! | HTT-04 | `htt_04_plain_http_beyond_loopback_does_not_start` |
//! | MCP-02 | `mcp_02_a_client_finds_the_token_endpoint_from_a_401_alone` |
//! | MCP-09 | `mcp_09_a_token_goes_nowhere_else` |
//! | STO-01 | `sto_01_secrets_are_made_by_the_server` |
//! | STO-01 | `sto_01_secret_has_prefix_256_bits_and_checksum` |
//! | STO-02 | `sto_02_a_stolen_catalog_holds_no_secret` |
//! | STO-03 | `sto_03_a_chosen_secret_is_argon2id_and_short_ones_are_refused` |
//! | STO-03 | `sto_03_chosen_secret_is_hashed_slowly_once` |
//! | STO-03 | `sto_03_slow_hash_has_the_parameters_asked_for` |
//! | STO-04 | `sto_04_beginnings_and_variants_of_a_secret_do_not_match` |
//! | STO-04 | `sto_04_unknown_client_never_matches` |
//! | STO-05 | `sto_05_no_secret_is_accepted_by_its_first_72_bytes` |
//! | STO-06 | `sto_06_tokens_are_stored_nowhere` |
//! | STO-07 | `sto_07_keys_are_in_a_private_file_and_a_foreign_one_is_refused` |
//! | STO-07 | `sto_07_debug_shows_no_key` |
//! | STO-08 | `sto_08_nothing_about_tokens_is_cached_beyond_the_snapshot` |
//! | CLK-01 | `clk_01_a_token_ends_when_it_said` |
//! | CLK-01 | `clk_01_token_expires_without_tolerance` |
//! | CLK-03 | `clk_03_lifetimes_of_more_than_a_day_are_refused_unless_meant` |
//! | CLK-04 | `secret_is_hidden_from_others_and_after_its_time` |
//! | CLK-04 | `clk_01_token_expires_without_tolerance` |
//! | CLK-04 | `thr_01_failures_close_the_door_and_time_opens_it` |
//! | THR-01 | `thr_01_failures_end_in_429_before_the_secret_is_looked_at` |
//! | THR-01 | `thr_01_revocation_and_introspection_are_throttled_too` |
//! | THR-01 | `thr_01_failures_close_the_door_and_time_opens_it` |
//! | THR-02 | `thr_02_the_client_gets_in_from_another_address` |
//! | THR-02 | `thr_02_a_stranger_does_not_lock_a_client_out_elsewhere` |
//! | THR-03 | `thr_03_good_requests_have_a_limit_of_their_own_when_one_is_set` |
//! | THR-03 | `thr_03_good_requests_have_a_limit_only_when_one_is_set` |
//! | THR-04 | `thr_04_unknown_clients_share_a_bucket` |
//! | THR-04 | `thr_04_the_table_is_bounded_and_unknown_clients_share_a_bucket` |
//! | THR-05 | `thr_05_forwarded_addresses_of_strangers_do_not_count` |
//! | THR-05 | `thr_05_forwarded_addresses_count_only_from_listed_proxies` |
//! | ADT-01 | `adt_01_every_event_leaves_a_record_with_its_reason` |
//! | ADT-02 | `adt_02_records_say_when_where_and_for_what` |
//! | ADT-03 | `adt_03_no_output_holds_a_secret_or_a_token` |
//! | ADT-03 | `adt_03_debug_shows_no_secret` |
//! | ADT-03 | `adt_03_debug_shows_no_token` |
//! | ADT-03 | `adt_03_debug_shows_no_value` |
//! | ADT-04 | `adt_04_values_of_requests_are_escaped_and_cut` |
//! | ADT-05 | `adt_05_the_access_log_has_no_query` |
//! | ADT-06 | `adt_06_a_log_that_cannot_be_written_stops_no_token` |
//! | ADT-06 | `adt_06_the_trail_is_a_file_of_its_own` |

mod audit;
mod introspect;
mod metadata;
mod revoke;
mod storage;
mod throttle;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every obligation that is marked core.
const CORE: &[(&str, &[u32])] = &[
    (
        "TOK",
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28],
    ),
    ("BEA", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    ("MET", &[1, 2, 3, 4, 5]),
    ("PRM", &[1, 2, 3]),
    ("RES", &[1]),
    ("REV", &[1, 2, 3, 4, 5, 7]),
    ("INT", &[1, 2, 3]),
    ("REG", &[1]),
    ("PRB", &[1]),
    ("HTT", &[1, 2, 3, 4]),
    ("MCP", &[2, 9]),
    ("STO", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("CLK", &[1, 3, 4]),
    ("THR", &[1, 2, 3, 4, 5]),
    ("ADT", &[1, 2, 3, 4, 5, 6]),
];

/// The table at the top of this file: which tests keep which obligation.
fn table() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut table: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in include_str!("mod.rs").lines() {
        let Some(row) = line.strip_prefix("//! | ").filter(|row| row.contains('`')) else { continue };
        let (id, test) = row.split_once(" | `").unwrap();
        table.entry(id).or_default().push(test.trim_end_matches("` |"));
    }
    table
}

/// The names of all functions in the sources of all crates.
pub(crate) fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                let item = line.trim_start().trim_start_matches("async ");
                let name = item.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next());
                names.extend(name.map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_core_obligation_is_kept_by_a_test_that_exists() {
    let table = table();
    let core: BTreeSet<String> = CORE
        .iter()
        .flat_map(|(area, numbers)| numbers.iter().map(move |n| format!("{area}-{n:02}")))
        .collect();
    let listed: BTreeSet<String> = table.keys().map(ToString::to_string).collect();
    assert_eq!(core, listed);
    let mut names = BTreeSet::new();
    functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut names);
    for (id, tests) in table {
        for test in tests {
            assert!(names.contains(test), "{id}: there is no test `{test}`");
        }
    }
}

#[test]
fn every_test_that_names_an_obligation_is_in_the_table() {
    let table = table();
    let mut names = BTreeSet::new();
    functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut names);
    for (id, tests) in table {
        let prefix = format!("{}_", id.to_lowercase().replace('-', "_"));
        for name in names.iter().filter(|name| name.starts_with(&prefix)) {
            assert!(tests.contains(&name.as_str()), "{id}: `{name}` is missing in the table");
        }
    }
}
