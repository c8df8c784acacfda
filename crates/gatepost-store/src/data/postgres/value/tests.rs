//! Values by hand; the same against the server are in the tests of the engine.

use super::*;

fn json(kind: &Type, bytes: &[u8]) -> String {
    let mut out = Vec::new();
    write_json(kind, bytes, &Zone::UTC, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn bytes_that_do_not_fit_their_type_are_null() {
    for kind in [
        Type::INT4,
        Type::NUMERIC,
        Type::DATE,
        Type::TIMESTAMPTZ,
        Type::INTERVAL,
        Type::UUID,
        Type::JSONB,
        Type::INT4_ARRAY,
        Type::RECORD,
        Type::INET,
    ] {
        assert_eq!(json(&kind, &[0xff]), "null", "{kind}");
        assert_eq!(json(&kind, &[]), "null", "{kind}");
    }
    assert_eq!(json(&Type::TEXT, &[0xff]), "null");
    // An array that claims more than it has.
    let mut bytes = Vec::new();
    for word in [1i32, 0, 23, i32::MAX, 1] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    assert_eq!(json(&Type::INT4_ARRAY, &bytes), "null");
}

#[test]
fn no_number_is_null() {
    assert_eq!(json(&Type::FLOAT8, &f64::NAN.to_be_bytes()), "null");
    assert_eq!(json(&Type::FLOAT4, &f32::INFINITY.to_be_bytes()), "null");
    assert_eq!(json(&Type::NUMERIC, &[0, 0, 0, 0, 0xc0, 0, 0, 0]), "null");
    assert_eq!(json(&Type::FLOAT4, &0.1f32.to_be_bytes()), "0.1");
}
