use proptest::prelude::*;

use super::*;

const ISSUER: &str = "https://api.example/ords/hr";
const NOW_MS: i64 = 1_790_000_000_000;

fn ring(first_byte: u8) -> KeyRing {
    let mut next = first_byte;
    let mut random = |bytes: &mut [u8]| {
        for byte in bytes {
            *byte = next;
            next = next.wrapping_add(1);
        }
    };
    KeyRing::generate(&mut random, 1_000)
}

fn keys() -> SealingKeys {
    SealingKeys::for_schema(&ring(1), ISSUER, 10_001)
}

fn token() -> AccessToken {
    AccessToken {
        key_id: 1,
        schema_id: 10_001,
        audience: 0,
        client: 10_300,
        user: None,
        issued_ms: NOW_MS,
        expires_ms: NOW_MS + 3_600_000,
        privileges: None,
        generation: 0x1234_5678_9ABC_DEF0,
        catalog_revision: 77,
        token_id: TokenId([7; 16]),
    }
}

/// The token with the least room to spare.
fn longest() -> AccessToken {
    AccessToken {
        key_id: 1,
        schema_id: u64::MAX,
        audience: u64::MAX,
        client: u64::MAX,
        user: Some(u64::MAX),
        issued_ms: 0,
        expires_ms: i64::MAX,
        // Every distance takes nine bytes or ten.
        privileges: Some((1..=PRIVILEGES_MAX as u64).map(|n| n << 57).collect()),
        generation: u64::MAX,
        catalog_revision: u64::MAX,
        token_id: TokenId([255; 16]),
    }
}

#[test]
fn every_single_character_mutation_is_refused() {
    let narrowed = AccessToken { privileges: Some(vec![3, 900]), ..token() };
    let with_user = AccessToken { user: Some(5), ..token() };
    for token in [token(), narrowed, with_user] {
        let text = keys().seal(&token, NOW_MS).unwrap();
        for place in 0..text.len() {
            for other in (0_u8..128).map(char::from).filter(|c| !text[place..].starts_with(*c)) {
                let changed = format!("{}{other}{}", &text[..place], &text[place + 1..]);
                assert!(keys().open(&changed).is_err(), "{changed}");
            }
        }
    }
}

#[test]
fn shortened_and_lengthened_tokens_are_refused() {
    let text = keys().seal(&token(), NOW_MS).unwrap();
    for end in 0..text.len() {
        assert!(keys().open(&text[..end]).is_err(), "{end}");
    }
    for tail in ["=", "==", "A", "AA", "AAAA", " ", "\n", "\0", "é"] {
        assert!(keys().open(&format!("{text}{tail}")).is_err(), "{tail:?}");
    }
    assert!(keys().open(&format!(" {text}")).is_err());
    assert!(keys().open(&text.replacen("gp_at_", "GP_AT_", 1)).is_err());
}

#[test]
fn text_longer_than_any_token_is_malformed() {
    let long = format!("{PREFIX}{}", "A".repeat(100_000));
    assert_eq!(keys().open(&long), Err(TokenError::Malformed));
}

#[test]
fn token_of_another_schema_issuer_or_ring_has_a_bad_seal() {
    let text = keys().seal(&token(), NOW_MS).unwrap();
    let other_schema = SealingKeys::for_schema(&ring(1), ISSUER, 10_002);
    let other_issuer = SealingKeys::for_schema(&ring(1), "https://api.example/ords/hr2", 10_001);
    let other_ring = SealingKeys::for_schema(&ring(2), ISSUER, 10_001);
    for keys in [other_schema, other_issuer, other_ring] {
        assert_eq!(keys.open(&text), Err(TokenError::BadSeal));
    }
}

#[test]
fn unknown_key_is_named_so_that_the_ring_can_be_read_again() {
    let mut ring = ring(1);
    ring.rotate_sealing(&mut |bytes| bytes.fill(3), NOW_MS, NOW_MS + 1_000).unwrap();
    let rotated = SealingKeys::for_schema(&ring, ISSUER, 10_001);
    let before = rotated.seal(&token(), NOW_MS).unwrap();
    let after = rotated.seal(&token(), NOW_MS + 1_000).unwrap();
    assert_eq!(keys().open(&before), Ok(token()));
    assert_eq!(keys().open(&after), Err(TokenError::UnknownKey(2)));
    assert_eq!(rotated.open(&after), Ok(AccessToken { key_id: 2, ..token() }));
    assert_eq!(rotated.open(&before), Ok(token()));
    let hidden = ring.remove_sealing(1);
    assert_eq!(hidden, Ok(()));
    let removed = SealingKeys::for_schema(&ring, ISSUER, 10_001);
    assert_eq!(removed.open(&before), Err(TokenError::UnknownKey(1)));
}

#[test]
fn token_that_makes_no_sense_is_not_sealed() {
    let other_schema = AccessToken { schema_id: 10_002, ..token() };
    let ends_before_it_begins = AccessToken { expires_ms: NOW_MS - 1, ..token() };
    let unsorted = AccessToken { privileges: Some(vec![2, 1]), ..token() };
    let twice = AccessToken { privileges: Some(vec![2, 2]), ..token() };
    let too_many = AccessToken { privileges: Some((0..=PRIVILEGES_MAX as u64).collect()), ..token() };
    assert_eq!(keys().seal(&other_schema, NOW_MS), Err(SealError::OtherSchema));
    assert_eq!(keys().seal(&ends_before_it_begins, NOW_MS), Err(SealError::Lifetime));
    for token in [unsorted, twice, too_many] {
        assert_eq!(keys().seal(&token, NOW_MS), Err(SealError::Privileges));
    }
}

#[test]
fn clk_01_token_expires_without_tolerance() {
    assert!(!token().is_expired(NOW_MS + 3_599_999));
    assert!(token().is_expired(NOW_MS + 3_600_000));
}

#[test]
fn ordinary_token_is_short_and_has_known_characters() {
    let text = keys().seal(&token(), NOW_MS).unwrap();
    assert!(text.len() <= 114, "{}", text.len());
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
}

#[test]
fn longest_token_fits() {
    let keys = SealingKeys::for_schema(&ring(1), ISSUER, u64::MAX);
    let text = keys.seal(&longest(), NOW_MS).unwrap();
    assert!(text.len() <= TOKEN_LENGTH_MAX);
    assert_eq!(keys.open(&text), Ok(longest()));
}

#[test]
fn debug_of_keys_shows_no_key() {
    let printed = format!("{:?}", keys());
    assert!(!printed.contains("ctx") && !printed.contains("bytes"), "{printed}");
}

#[test]
fn token_id_has_one_text_form() {
    let id = TokenId([250; 16]);
    assert_eq!(TokenId::parse(&id.to_string()), Some(id));
    assert_eq!(TokenId::parse(&format!("{id}=")), None);
    assert_eq!(TokenId::parse("AAAA"), None);
    assert_eq!(format!("{id:?}"), format!("TokenId({id})"));
}

proptest! {
    #[test]
    fn sealing_and_opening_gives_the_same_token(
        schema_id in any::<u64>(),
        audience in any::<u64>(),
        client in any::<u64>(),
        user in any::<Option<u64>>(),
        issued_ms in 0..i64::MAX / 2,
        lifetime_ms in 0..i64::MAX / 2,
        privileges in proptest::option::of(proptest::collection::btree_set(any::<u64>(), 0..PRIVILEGES_MAX)),
        generation in any::<u64>(),
        catalog_revision in any::<u64>(),
        token_id in any::<[u8; 16]>(),
    ) {
        let token = AccessToken {
            key_id: 1, schema_id, audience, client, user, issued_ms,
            expires_ms: issued_ms + lifetime_ms,
            privileges: privileges.map(|set| set.into_iter().collect()),
            generation, catalog_revision,
            token_id: TokenId(token_id),
        };
        let keys = SealingKeys::for_schema(&ring(1), ISSUER, schema_id);
        let text = keys.seal(&token, NOW_MS).unwrap();
        prop_assert_eq!(keys.open(&text), Ok(token));
    }

    #[test]
    fn no_text_panics(text in "(gp_at_)?[A-Za-z0-9_=-]{0,200}") {
        prop_assert!(keys().open(&text).is_err());
    }

    /// What lies under a valid MAC was written here; even so, reading other bytes must not panic.
    #[test]
    fn no_payload_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let mut reader = Reader::new(&bytes);
        if let Some(key_id) = payload::read_key_id(&mut reader) {
            payload::read(&mut reader, key_id, 10_001);
        }
    }
}
