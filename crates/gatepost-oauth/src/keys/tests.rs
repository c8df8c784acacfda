use super::*;

/// Not random at all: each byte follows from the one before.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0_u8;
    move |bytes| {
        for byte in bytes {
            *byte = next;
            next = next.wrapping_mul(31).wrapping_add(7);
        }
    }
}

fn ring() -> KeyRing {
    KeyRing::generate(&mut counting(), 1_000)
}

fn refused(change: impl FnOnce(&mut KeyFile)) -> KeyRingError {
    let mut file = ring().to_file();
    change(&mut file);
    KeyRing::from_file(&file).unwrap_err()
}

fn key_text(text: &str) -> KeyText {
    serde_json::from_value(serde_json::Value::from(text)).unwrap()
}

#[test]
fn key_file_of_another_version_is_refused() {
    assert_eq!(refused(|file| file.version = 2), KeyRingError::Version(2));
}

#[test]
fn key_of_wrong_length_is_refused_with_its_place() {
    for bad in
        ["", "AAAA", &"A".repeat(42), &"A".repeat(44), &format!("{}=", "A".repeat(43)), &"+".repeat(43)]
    {
        let error = refused(|file| file.pepper[0].key = key_text(bad));
        assert_eq!(error, KeyRingError::Key { kind: "pepper", id: 1 }, "{bad}");
    }
    // The last character has two bits to spare, which must be zero.
    let error = refused(|file| file.vault[0].key = key_text(&format!("{}B", "A".repeat(42))));
    assert_eq!(error.to_string(), "key file: vault key 1 is not 43 characters of base64url (32 bytes)");
}

#[test]
fn empty_list_duplicate_id_and_zero_id_are_refused() {
    assert_eq!(refused(|file| file.sealing.clear()), KeyRingError::Empty("sealing"));
    assert_eq!(refused(|file| file.pepper.clear()), KeyRingError::Empty("pepper"));
    assert_eq!(refused(|file| file.vault.clear()), KeyRingError::Empty("vault"));
    let twice = refused(|file| file.sealing.push(file.sealing[0].clone()));
    assert_eq!(twice, KeyRingError::DuplicateId { kind: "sealing", id: 1 });
    assert_eq!(refused(|file| file.vault[0].id = 0), KeyRingError::ZeroId("vault"));
    assert_eq!(refused(|file| file.ring_id = "short".into()), KeyRingError::RingId);
}

#[test]
fn key_file_with_an_unknown_field_is_refused() {
    let text = toml::to_string(&ring().to_file()).unwrap();
    assert!(toml::from_str::<KeyFile>(&format!("colour = 1\n{text}")).is_err());
}

#[test]
fn key_file_survives_toml() {
    let mut ring = ring();
    ring.rotate_sealing(&mut counting(), 2_000, 3_000).unwrap();
    ring.rotate_pepper(&mut counting(), 2_000).unwrap();
    let text = toml::to_string(&ring.to_file()).unwrap();
    assert_eq!(KeyRing::from_file(&toml::from_str(&text).unwrap()).unwrap(), ring);
}

#[test]
fn sto_07_debug_shows_no_key() {
    let ring = ring();
    let file = ring.to_file();
    let printed = format!("{ring:?} {file:?}");
    let written = toml::to_string(&file).unwrap();
    for line in written.lines().filter_map(|line| line.strip_prefix("key = ")) {
        assert!(!printed.contains(line.trim_matches('"')), "{printed}");
    }
    for bytes in
        [ring.sealing[0].bytes.as_slice(), ring.peppers[0].bytes.as_slice(), ring.vault[0].bytes.as_slice()]
    {
        assert!(!printed.contains(&format!("{bytes:?}")), "{printed}");
    }
    assert!(printed.contains("[redacted]"));
}

#[test]
fn fingerprint_survives_rotation_and_differs_between_rings() {
    let mut first = ring();
    let fingerprint = first.fingerprint();
    first.rotate_sealing(&mut counting(), 1, 2).unwrap();
    first.rotate_pepper(&mut counting(), 1).unwrap();
    first.rotate_vault(&mut counting(), 1).unwrap();
    first.prune(i64::MAX, 0);
    assert_eq!(first.fingerprint(), fingerprint);
    let mut other = |bytes: &mut [u8]| bytes.fill(9);
    assert_ne!(KeyRing::generate(&mut other, 1).fingerprint(), fingerprint);
}

#[test]
fn new_sealing_key_is_known_before_it_seals() {
    let mut ring = ring();
    assert_eq!(ring.rotate_sealing(&mut counting(), 5_000, 6_000), Ok(2));
    assert_eq!(ring.sealing_keys().len(), 2);
    assert_eq!(ring.signing_key(5_999).id(), 1);
    assert_eq!(ring.signing_key(6_000).id(), 2);
    // A clock that was set back still finds a key.
    assert_eq!(ring.signing_key(-1).id(), 1);
}

#[test]
fn pruning_keeps_a_key_until_its_last_token_expired() {
    let mut ring = ring();
    ring.rotate_sealing(&mut counting(), 5_000, 6_000).unwrap();
    assert_eq!(ring.prune(6_999, 1_000), 0);
    assert_eq!(ring.prune(7_000, 1_000), 1);
    assert_eq!(ring.sealing_keys()[0].id(), 2);
    assert_eq!(ring.prune(i64::MAX, 0), 0);
    // Ids are never used again.
    assert_eq!(ring.rotate_sealing(&mut counting(), 8_000, 8_000), Ok(3));
}

#[test]
fn newest_keys_cannot_be_removed() {
    let mut ring = ring();
    assert_eq!(ring.remove_sealing(1), Err(KeyRingError::Needed { kind: "sealing", id: 1 }));
    ring.rotate_sealing(&mut counting(), 1_000, 1_000).unwrap();
    ring.rotate_pepper(&mut counting(), 1_000).unwrap();
    assert_eq!(ring.remove_sealing(1), Ok(()));
    assert_eq!((ring.signing_key(0).id(), ring.pepper().id()), (2, 2));
}

#[test]
fn sealing_keys_take_over_in_the_order_of_their_ids() {
    let mut ring = ring();
    ring.rotate_sealing(&mut counting(), 1_000, 9_000).unwrap();
    ring.rotate_sealing(&mut counting(), 1_000, 2_000).unwrap();
    assert_eq!(ring.sealing_keys()[2].active_from_ms(), 9_000);
    let mut file = ring.to_file();
    file.sealing[2].active_from_ms = 8_999;
    assert_eq!(KeyRing::from_file(&file), Err(KeyRingError::Order(3)));
}

#[test]
fn ids_run_out_with_an_error() {
    let mut file = ring().to_file();
    file.pepper[0].id = u32::MAX;
    let mut ring = KeyRing::from_file(&file).unwrap();
    assert_eq!(ring.rotate_pepper(&mut counting(), 1), Err(KeyRingError::IdsExhausted("pepper")));
}
