use proptest::prelude::*;

use super::*;
use crate::client::tests::client;
use crate::client::{Client, SealedSecret};
use crate::keys::KeyRing;
use verify::{verify_unknown_client, verify_unknown_client_slowly};

fn ring() -> KeyRing {
    KeyRing::generate(&mut |bytes| bytes.fill(5), 1_000)
}

fn with_secrets(verifiers: Vec<SecretVerifier>) -> Client {
    let mut client = client();
    client.secrets.clear();
    for verifier in verifiers {
        client.set_secret_in_free_or_oldest_slot(verifier, 1_000, None);
    }
    client
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn forgetful(_: &SecretProof) -> bool {
    false
}

#[test]
fn sto_01_secret_has_prefix_256_bits_and_checksum() {
    let made = new_client_secret([250; 32]);
    let text = made.expose_secret();
    assert_eq!(text.len(), 55);
    assert!(text.starts_with(SECRET_PREFIX));
    assert!(looks_like_client_secret(text));
    for place in 0..text.len() {
        let changed = format!("{}~{}", &text[..place], &text[place + 1..]);
        assert!(!looks_like_client_secret(&changed), "{changed}");
    }
    assert!(!looks_like_client_secret(&text[..54]));
    assert!(!looks_like_client_secret("gp_cs_ééééééééééééééééééééééééééé"));
    assert_eq!(check_chosen_secret(text), Ok(()));
}

#[test]
fn tok_08_ids_and_secrets_need_no_encoding() {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    for byte in 0..=255 {
        let id = new_client_id([byte; 16]);
        assert_eq!(id.len(), 22);
        assert!(plain(&id) && !id.starts_with(['-', '_']), "{id}");
        assert!(plain(new_client_secret([byte; 32]).expose_secret()));
    }
}

#[test]
fn chosen_secret_must_be_long_and_printable() {
    assert_eq!(check_chosen_secret(&"x".repeat(19)), Err(SecretError::TooShort));
    assert_eq!(check_chosen_secret(&"x".repeat(20)), Ok(()));
    assert_eq!(check_chosen_secret(&"x".repeat(512)), Ok(()));
    assert_eq!(check_chosen_secret(&"x".repeat(513)), Err(SecretError::TooLong));
    for bad in ["tab\tin the middle of it", "zero\0in the middle of it", "Umläute in the middle of it"] {
        assert_eq!(check_chosen_secret(bad), Err(SecretError::Character));
    }
    assert_eq!(SecretVerifier::argon2(&secret("short"), [1; 16]), Err(SecretError::TooShort));
}

#[test]
fn wrong_secret_does_not_match() {
    let ring = ring();
    let good = new_client_secret([1; 32]);
    let client = with_secrets(vec![SecretVerifier::hmac(&good, ring.pepper())]);
    let text = good.expose_secret();
    for wrong in ["", "x", &text[..54], &format!("{text} "), &text.to_uppercase()] {
        assert_eq!(
            client.verify_secret(&secret(wrong), &ring, &forgetful),
            Verification::Mismatch,
            "{wrong}"
        );
    }
    assert_eq!(with_secrets(vec![]).verify_secret(&good, &ring, &forgetful), Verification::Mismatch);
}

#[test]
fn digest_is_useless_as_secret_and_under_another_pepper() {
    let ring = ring();
    let good = new_client_secret([1; 32]);
    let verifier = SecretVerifier::hmac(&good, ring.pepper());
    let SecretVerifier::Hmac { pepper_id, digest } = verifier.clone() else { unreachable!() };
    let client = with_secrets(vec![verifier]);
    assert_eq!(client.verify_secret(&secret(&digest), &ring, &forgetful), Verification::Mismatch);
    let foreign = KeyRing::generate(&mut |bytes| bytes.fill(6), 1_000);
    assert_eq!(client.verify_secret(&good, &foreign, &forgetful), Verification::Mismatch);
    let unknown = with_secrets(vec![SecretVerifier::Hmac { pepper_id: pepper_id + 1, digest }]);
    assert_eq!(unknown.verify_secret(&good, &ring, &forgetful), Verification::Mismatch);
}

#[test]
fn both_slots_match_and_survive_a_new_pepper() {
    let mut ring = ring();
    let (old, new) = (new_client_secret([1; 32]), new_client_secret([2; 32]));
    let first = SecretVerifier::hmac(&old, ring.pepper());
    ring.rotate_pepper(&mut |bytes| bytes.fill(9), 2_000).unwrap();
    let client = with_secrets(vec![first, SecretVerifier::hmac(&new, ring.pepper())]);
    assert_eq!(client.verify_secret(&old, &ring, &forgetful), Verification::Match);
    assert_eq!(client.verify_secret(&new, &ring, &forgetful), Verification::Match);
}

#[test]
fn sto_03_chosen_secret_is_hashed_slowly_once() {
    let ring = ring();
    let chosen = secret("correct horse battery staple");
    let client = with_secrets(vec![SecretVerifier::argon2(&chosen, [7; 16]).unwrap()]);
    let wrong = secret("correct horse battery stable");
    assert_eq!(client.verify_secret(&wrong, &ring, &forgetful), Verification::NeedsSlowHash);
    assert_eq!(client.verify_slowly(&wrong, &ring), None);
    assert_eq!(client.verify_secret(&chosen, &ring, &forgetful), Verification::NeedsSlowHash);
    let proof = client.verify_slowly(&chosen, &ring).unwrap();
    let memory = |other: &SecretProof| *other == proof;
    assert_eq!(client.verify_secret(&chosen, &ring, &memory), Verification::Match);
    assert_eq!(client.verify_secret(&wrong, &ring, &memory), Verification::NeedsSlowHash);
    // The same secret, set anew: the old proof says nothing about it.
    let renewed = with_secrets(vec![SecretVerifier::argon2(&chosen, [8; 16]).unwrap()]);
    assert_eq!(renewed.verify_secret(&chosen, &ring, &memory), Verification::NeedsSlowHash);
}

#[test]
fn sto_03_slow_hash_has_the_parameters_asked_for() {
    let verifier = SecretVerifier::argon2(&secret("correct horse battery staple"), [7; 16]).unwrap();
    let SecretVerifier::Argon2 { phc } = verifier else { unreachable!() };
    assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
}

#[test]
fn secret_that_nobody_can_have_chosen_costs_no_slow_hash() {
    let ring = ring();
    let client = with_secrets(vec![SecretVerifier::Argon2 { phc: "$argon2id$broken".into() }]);
    for presented in [String::new(), "x".repeat(19), "x".repeat(513)] {
        let verification = client.verify_secret(&secret(&presented), &ring, &forgetful);
        assert_eq!(verification, Verification::Mismatch);
    }
    // A hash that cannot be read matches nothing.
    assert_eq!(client.verify_slowly(&secret(&"x".repeat(20)), &ring), None);
    assert!(client.has_chosen_secret());
}

#[test]
fn quick_match_needs_no_slow_hash_beside_it() {
    let ring = ring();
    let made = new_client_secret([1; 32]);
    let quick = SecretVerifier::hmac(&made, ring.pepper());
    let slow = SecretVerifier::Argon2 { phc: "$argon2id$broken".into() };
    for verifiers in [vec![quick.clone(), slow.clone()], vec![slow, quick]] {
        assert_eq!(with_secrets(verifiers).verify_secret(&made, &ring, &forgetful), Verification::Match);
    }
}

#[test]
fn sto_04_unknown_client_never_matches() {
    let ring = ring();
    verify_unknown_client_slowly(&secret("anything at all"));
    for text in ["", "x", new_client_secret([5; 32]).expose_secret()] {
        assert_eq!(verify_unknown_client(&secret(text), &ring), Verification::Mismatch);
    }
}

fn copy(ring: &KeyRing) -> SealedSecret {
    seal_reveal(&new_client_secret([3; 32]), ring.vault_key(), [4; 12], 10_000, "ANNA").unwrap()
}

#[test]
fn revealed_copy_closes_on_time_by_itself() {
    let ring = ring();
    assert!(open_reveal(&copy(&ring), &ring, 10_000).is_none());
    let opened = open_reveal(&copy(&ring), &ring, 9_999).unwrap();
    assert_eq!(opened.expose_secret(), new_client_secret([3; 32]).expose_secret());
}

#[test]
fn revealed_copy_with_changed_time_maker_or_key_does_not_open() {
    let ring = ring();
    let original = copy(&ring);
    let changed = [
        SealedSecret { until_ms: 20_000, ..original.clone() },
        SealedSecret { made_by: "BOB".into(), ..original.clone() },
        SealedSecret { key_id: 2, ..original.clone() },
        SealedSecret { sealed: String::new(), ..original.clone() },
        SealedSecret { sealed: "A".repeat(original.sealed.len()), ..original.clone() },
    ];
    for copy in changed {
        assert!(open_reveal(&copy, &ring, 9_999).is_none(), "{copy:?}");
    }
    let foreign = KeyRing::generate(&mut |bytes| bytes.fill(6), 1_000);
    assert!(open_reveal(&original, &foreign, 9_999).is_none());
}

fn kept(ring: &KeyRing) -> VaultSecret {
    let owner = VaultOwner { schema_id: 10_001, id: 10_002 };
    VaultSecret::seal(10_003, owner, &secret("s3cret of theirs"), ring, [7; 12], ("ANN", 5)).unwrap()
}

#[test]
fn vault_secret_opens_for_its_own_object_only() {
    let ring = ring();
    let kept = kept(&ring);
    assert_eq!(kept.open(&ring).unwrap().expose_secret(), "s3cret of theirs");
    for moved in [
        VaultSecret { owner_id: 10_009, ..kept.clone() },
        VaultSecret { schema_id: 10_009, ..kept.clone() },
        VaultSecret { key_id: 2, ..kept.clone() },
        VaultSecret { sealed: kept.sealed.replace(&kept.sealed[20..24], "AAAA"), ..kept.clone() },
    ] {
        assert!(moved.open(&ring).is_none(), "{moved:?}");
    }
}

#[test]
fn vault_secret_survives_a_new_key_and_is_never_empty() {
    let mut ring = ring();
    let kept = kept(&ring);
    ring.rotate_vault(&mut |bytes| bytes.fill(9), 6).unwrap();
    assert_eq!(kept.open(&ring).unwrap().expose_secret(), "s3cret of theirs");
    assert!(!format!("{kept:?}").contains("s3cret"));
    let owner = VaultOwner { schema_id: 1, id: 2 };
    for refused in [String::new(), "x".repeat(vault::VAULT_SECRET_LENGTH_MAX + 1)] {
        let sealed = VaultSecret::seal(3, owner, &secret(&refused), &ring, [7; 12], ("ANN", 5));
        assert_eq!(sealed.unwrap_err(), SecretError::VaultLength);
    }
}

#[test]
fn adt_03_debug_shows_no_secret() {
    let ring = ring();
    let made = new_client_secret([3; 32]);
    let client = with_secrets(vec![SecretVerifier::hmac(&made, ring.pepper())]);
    let printed = format!("{made:?} {client:?} {:?}", copy(&ring));
    assert!(!printed.contains(made.expose_secret()), "{printed}");
}

proptest! {
    #[test]
    fn any_made_secret_matches_itself_and_no_other(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        let ring = ring();
        let client = with_secrets(vec![SecretVerifier::hmac(&new_client_secret(a), ring.pepper())]);
        let other = client.verify_secret(&new_client_secret(b), &ring, &forgetful);
        prop_assert_eq!(client.verify_secret(&new_client_secret(a), &ring, &forgetful), Verification::Match);
        prop_assert_eq!(other == Verification::Match, a == b);
    }

    #[test]
    fn any_copy_opens_until_its_time(secret in "[ -~]{0,80}", nonce in any::<[u8; 12]>(), made_by in ".{0,20}") {
        let ring = ring();
        let copy = seal_reveal(&SecretString::from(secret.as_str()), ring.vault_key(), nonce, 5, &made_by).unwrap();
        let opened = open_reveal(&copy, &ring, 4).unwrap();
        prop_assert_eq!(opened.expose_secret(), secret.as_str());
    }
}
