//! A range of addresses: `10.20.0.0/16`, `fd12::/16`, or one address.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// A range; none when the prefix is longer than the address, or when the address has bits beyond it (which is
    /// a slip that would otherwise allow more than it seems to).
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let width = width(address);
        let host_bits = width.checked_sub(prefix)?;
        let beyond = bits(address) & low_bits(host_bits);
        (beyond == 0).then_some(Self { address, prefix })
    }

    /// Whether an address is in it. Ranges of IPv4 hold no IPv6 addresses, wrapped or not.
    pub fn contains(&self, address: IpAddr) -> bool {
        let width = width(self.address);
        width == self::width(address)
            && (bits(address) ^ bits(self.address)) & !low_bits(width - self.prefix) & low_bits(width) == 0
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let parsed: IpAddr = address.parse().map_err(|_| format!("`{text}` is no range of addresses"))?;
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
            Some(_) => None,
            None => Some(width(parsed)),
        };
        prefix.and_then(|prefix| Self::new(parsed, prefix)).ok_or_else(|| {
            format!("`{text}` is no range of addresses: the prefix and the address do not fit")
        })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn low_bits(count: u8) -> u128 {
    1_u128.checked_shl(count.into()).map_or(u128::MAX, |bit| bit - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_ranges_are_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0/8",
            "::/129",
            "fd00::1/8",
            "x/8",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_hold_their_addresses_only() {
        let contains =
            |range: &str, address: &str| range.parse::<Cidr>().unwrap().contains(address.parse().unwrap());
        assert!(contains("10.20.0.0/16", "10.20.255.255"));
        assert!(!contains("10.20.0.0/16", "10.21.0.0"));
        assert!(contains("0.0.0.0/0", "255.255.255.255"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(!contains("::/0", "1.2.3.4"));
        assert!(contains("::/0", "ffff::1"));
        assert!(contains("10.0.0.7", "10.0.0.7"));
        assert!(!contains("10.0.0.7", "10.0.0.6"));
        assert!(contains("fd12::/16", "fd12:ffff::1"));
        assert_eq!("fd12::/16".parse::<Cidr>().unwrap().to_string(), "fd12::/16");
    }
}
