//! Which special range an address is in, and which IPv4 address an IPv6 address wraps.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Public,
    Loopback,
    Unspecified,
    LinkLocal,
    Metadata,
    Multicast,
    FutureUse,
    Private,
    Reserved,
}

/// The addresses that a packet to this one can end at: the IPv4 addresses that it wraps, or itself.
pub(super) fn embedded(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(six) = address else { return vec![address] };
    let segments = six.segments();
    let low = v4(segments[6], segments[7]);
    match segments {
        // `::` and `::1` are themselves, not IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => vec![address],
        // IPv4-compatible (RFC 4291 2.5.5.1) and, with the ones, IPv4-translated (RFC 2765).
        // IPv4-mapped (RFC 4291 2.5.5.2) and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0 | 0xffff, 0, _, _]
        | [0, 0, 0, 0, 0, 0xffff, _, _]
        | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => vec![low],
        // 6to4 (RFC 3056).
        [0x2002, high, next, ..] => vec![v4(high, next)],
        // Teredo (RFC 4380): the server, and the client with its bits turned over.
        [0x2001, 0, high, next, _, _, _, _] => vec![v4(high, next), v4(!segments[6], !segments[7])],
        // ISATAP (RFC 5214), below any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => vec![address, low],
        _ => vec![address],
    }
}

fn v4(high: u16, low: u16) -> IpAddr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into()
}

pub(super) fn range_of(address: IpAddr) -> Range {
    match address {
        IpAddr::V4(address) => range_of_v4(address),
        IpAddr::V6(address) => range_of_v6(address),
    }
}

fn range_of_v4(address: Ipv4Addr) -> Range {
    match address.octets() {
        [0, ..] => Range::Unspecified,
        [127, ..] => Range::Loopback,
        // The metadata services of most clouds; of container tasks; of Alibaba; of Oracle's older instances.
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [100, 100, 100, 200] | [192, 0, 0, 192] => {
            Range::Metadata
        }
        [169, 254, ..] => Range::LinkLocal,
        [224..=239, ..] | [255, 255, 255, 255] => Range::Multicast,
        [240..=255, ..] => Range::FutureUse,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] => {
            Range::Private
        }
        // Protocol assignments, the former 6to4 relays, documentation.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => Range::Reserved,
        _ => Range::Public,
    }
}

fn range_of_v6(address: Ipv6Addr) -> Range {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address.segments() {
        _ if address == Ipv6Addr::UNSPECIFIED => Range::Unspecified,
        _ if address == Ipv6Addr::LOCALHOST => Range::Loopback,
        _ if address == METADATA => Range::Metadata,
        [0xfe80..=0xfebf, ..] => Range::LinkLocal,
        [0xff00..=0xffff, ..] => Range::Multicast,
        [0xfc00..=0xfdff, ..] => Range::Private,
        // Documentation, ORCHID and other assignments to protocols below 2001::/23.
        [0x2001, 0xdb8 | 0..=0x1ff, ..] | [0x3fff, 0..=0xfff, ..] => Range::Reserved,
        [0x2000..=0x3fff, ..] => Range::Public,
        // Nothing else is handed out to the public.
        _ => Range::Reserved,
    }
}
