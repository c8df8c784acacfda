//! Installations that call each other: each call says how many have passed it on, so that a circle ends.

use crate::error::{Code, SourceError};

/// The header that counts.
pub const HOP_HEADER: &str = "gatepost-hop";

/// A request that has come this far is not passed on.
pub const HOPS_MAX: u8 = 3;

/// The value for an outgoing call that is made on behalf of a request with this value of [`HOP_HEADER`]. A value that is
/// no number counts as the most.
pub fn next_hop(incoming: Option<&str>) -> Result<u8, SourceError> {
    let hops = incoming.map_or(0, |text| text.trim().parse().unwrap_or(HOPS_MAX));
    if hops >= HOPS_MAX {
        return Err(SourceError::new(Code::HopLimit).with_detail(format!("{hops} hops")));
    }
    Ok(hops + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_passed_on_three_times() {
        let next = |incoming| next_hop(incoming).map_err(|error| error.code);
        assert_eq!(next(Some("3")), Err(Code::HopLimit));
        assert_eq!(next(Some("200")), Err(Code::HopLimit));
        assert_eq!(next(Some("x")), Err(Code::HopLimit));
        assert_eq!(next(Some("-1")), Err(Code::HopLimit));
        assert_eq!((next(None), next(Some(" 2 "))), (Ok(1), Ok(3)));
    }
}
