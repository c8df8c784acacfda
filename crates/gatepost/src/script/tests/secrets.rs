//! Client secrets: who sees them, how long, and which of them count.

use gatepost_oauth::{SecretVerifier, Verification};
use secrecy::SecretString;

use super::host::{Host, developer, output, rows};
use super::refusals::shop;
use crate::app::reveal::without_expired_copies;
use crate::script::{ScriptHost as _, ScriptOptions};

const SECRETS: &str = "select client_secret, client_secret_2 from user_ords_clients where name = 'till'";

fn seen_by(host: &Host, options: &ScriptOptions) -> String {
    let (result, events) = host.script_with(SECRETS, options);
    result.unwrap();
    rows(events)[0][0].clone()
}

fn accepts(host: &Host, secret: &str) -> bool {
    let client = host.client("till");
    let secret = SecretString::from(secret);
    match client.verify_secret(&secret, &host.key_ring(), &|_| false) {
        Verification::Match => true,
        Verification::Mismatch => false,
        Verification::NeedsSlowHash => client.verify_slowly(&secret, &host.key_ring()).is_some(),
    }
}

#[test]
fn secret_is_hidden_from_others_and_after_its_time() {
    let host = shop();
    assert_eq!(seen_by(&host, &developer()), "********");
    host.now_ms.set(host.now_ms.get() + 15 * 60_000);
    assert_eq!(host.rows(SECRETS), [["********", "NULL"]]);
}

#[test]
fn secret_is_seen_by_its_maker_and_administrators_for_a_while() {
    let host = shop();
    let secret = host.rows(SECRETS)[0][0].clone();
    assert!(accepts(&host, &secret));
    host.ok("begin ords.enable_schema; end;");
    let (result, _) = host.script_with("begin oauth.rotate_client_secret('till'); end;", &developer());
    result.unwrap();
    let new = seen_by(&host, &developer());
    assert!(new.starts_with("gp_cs_") && new != secret);
    assert_eq!(host.rows(SECRETS)[0][0], new, "administrators see it too");
    let other = ScriptOptions { author: "eve".into(), ..developer() };
    assert_eq!(seen_by(&host, &other), "********");
    assert!(accepts(&host, &new) && !accepts(&host, &secret));
}

#[test]
fn readable_copies_are_forgotten_after_their_time() {
    let host = shop();
    let catalog = host.current();
    let until = host.now_ms.get() + 15 * 60_000;
    assert!(without_expired_copies(&catalog, until - 1).is_none());
    let changed = without_expired_copies(&catalog, until).unwrap();
    assert!(changed.clients.values().all(|client| client.secrets[0].reveal.is_none()));
    assert!(without_expired_copies(&changed, until).is_none());
}

#[test]
fn nothing_is_kept_when_revealing_is_switched_off() {
    let host = Host::hr();
    host.reveal_minutes.set(0);
    host.block("oauth.create_client('till', 'client_credentials');");
    assert!(host.client("till").secrets[0].reveal.is_none());
    assert_eq!(host.rows(SECRETS)[0][0], "********");
}

#[test]
fn chosen_secret_is_slow_and_alone() {
    let host = shop();
    let generation = host.client("till").generation;
    host.block(
        "oauth.update_client_secret('till', 'correct horse battery staple', p_revoke_sessions => true);",
    );
    let client = host.client("till");
    assert!(
        matches!(client.secrets[..], [ref secret] if matches!(secret.verifier, SecretVerifier::Argon2 { .. }))
    );
    assert_ne!(client.generation, generation);
    assert!(accepts(&host, "correct horse battery staple"));
    assert_eq!(host.rows(SECRETS)[0][0], "********");
}

#[test]
fn registered_client_gets_its_secret_once() {
    let host = Host::hr();
    let events = host.ok("declare c ords_types.t_client_credentials; begin
           c := ords_security.register_client('till', 'client_credentials',
             p_client_secret => ords_types.oauth_client_secret());
           dbms_output.put_line(c.client_key.client_id);
           dbms_output.put_line(c.client_secret.secret);
           dbms_output.put_line(c.client_secret.slot);
         end;");
    let lines = output(&events);
    assert_eq!(lines[0], host.client("till").client_id);
    assert!(accepts(&host, &lines[1]));
    assert_eq!(lines[2], "1");
    assert_eq!(host.rows(SECRETS), [["********", "NULL"]]);
}

#[test]
fn registered_client_without_a_secret_has_none() {
    let host = Host::hr();
    host.block("ords_security.register_client('till', 'client_credentials');");
    host.block(
        "ords_security.register_client('two', 'client_credentials',
           p_client_secret => ords_constants.oauth_client_secret_skip);",
    );
    assert!(host.client("till").secrets.is_empty() && host.client("two").secrets.is_empty());
    assert_eq!(host.rows(SECRETS), [["NULL", "NULL"]]);
}

#[test]
fn stored_secret_can_be_read_in_its_slot() {
    let host = Host::hr();
    host.block(
        "ords_security.register_client('till', 'client_credentials');
         ords_security.register_client_secret(ords_types.oauth_client_key(p_name => 'till'),
           ords_types.oauth_client_secret(p_secret => 'correct horse battery staple', p_slot => 2, p_stored => true));",
    );
    assert_eq!(host.rows(SECRETS), [["NULL", "correct horse battery staple"]]);
}

#[test]
fn rotation_overlaps_until_the_older_secret_is_revoked() {
    let host = shop();
    let first = host.rows(SECRETS)[0][0].clone();
    host.now_ms.set(host.now_ms.get() + 1_000);
    let events = host.ok("declare s varchar2(100); begin
           s := ords_security.rotate_client_secret(p_name => 'till');
           dbms_output.put_line(s);
         end;");
    let second = output(&events)[0].clone();
    assert!(accepts(&host, &first) && accepts(&host, &second));
    let generation = host.client("till").generation;
    let events = host.ok("declare n number; begin
           n := ords_security.revoke_client_secrets(ords_types.oauth_client_key(p_name => 'till'),
             ords_constants.oauth_client_secret_default, true);
           dbms_output.put_line(n);
         end;");
    assert_eq!(output(&events), ["1"]);
    assert!(!accepts(&host, &first) && accepts(&host, &second));
    assert_ne!(host.client("till").generation, generation);
}

#[test]
fn secrets_are_revoked_by_value_slot_and_both() {
    let host = shop();
    let first = host.rows(SECRETS)[0][0].clone();
    host.ok("declare c ords_types.t_client_credentials; begin
           c := ords_security.rotate_client_secret(ords_types.oauth_client_key(p_name => 'till'));
           dbms_output.put_line(c.client_secret.slot);
         end;");
    host.block(&format!("ords_security.revoke_client_secret('till', '{first}');"));
    assert_eq!(host.client("till").secrets.iter().map(|secret| secret.slot).collect::<Vec<_>>(), [2]);
    host.block("ords_security.register_client_secret('till', 'correct horse battery staple');");
    let events = host.ok("declare n number; begin
           n := ords_security.revoke_client_secrets(ords_types.oauth_client_key(p_name => 'till'),
             ords_types.oauth_client_secret(p_slot => 3));
           dbms_output.put_line(n);
           n := ords_security.revoke_client_secrets(ords_types.oauth_client_key(p_name => 'till'));
           dbms_output.put_line('[' || n || ']');
         end;");
    assert_eq!(output(&events), ["3", "[]"]);
    assert!(host.client("till").secrets.is_empty());
}

#[test]
fn imported_client_keeps_its_id_and_its_secret_stays_behind() {
    let host = shop();
    host.block("ords_security.import_client('old', 'client_credentials', p_client_id => 'abc..');");
    assert!(host.client("old").client_id == "abc.." && host.client("old").secrets.is_empty());
    host.block("oauth.import_client('older', 'def..', 'client_credentials');");
    assert_eq!(host.client("older").secrets.len(), 1);
    let till = host.client("till");
    host.block(&format!(
        "ords_security.import_client('till', 'client_credentials', 'again', p_client_id => '{}');",
        till.client_id
    ));
    let again = host.client("till");
    assert_eq!((again.id, &again.secrets, &again.roles), (till.id, &till.secrets, &till.roles));
    assert_eq!(again.description.as_deref(), Some("again"));
    let clash = "ords_security.import_client('new', 'client_credentials', p_client_id => 'abc..');";
    assert!(host.refused_block(clash).contains("exists already"));
}
