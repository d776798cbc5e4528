//! Which addresses may be called: those of the public internet, and ranges that the
//! operator allowed. It is asked about addresses after they were resolved, so that no
//! name can point inwards (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Range;

/// What is not of the public internet (IANA, special-purpose address registry, RFC
/// 6890), and where clouds tell machines who they are.
const V4_REFUSED: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    // A public address, and Azure's own to every machine in it.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// What is not of the public internet within 2000::/3; outside of it nothing is.
const V6_REFUSED: &[(Ipv6Addr, u32)] = &[
    // Teredo, benchmarks, ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whom a node may call.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    allowed: Vec<Range>,
}

impl Guard {
    pub(super) fn new(allowed: Vec<Range>) -> Guard {
        Guard { allowed }
    }

    /// Whether the operator allowed the address. One that wraps an IPv4 address is
    /// allowed when both are: a range of translation is no leave to go inwards.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let named = |address| self.allowed.iter().any(|range| range.holds(address));
        match wrapped(address) {
            None => named(address),
            Some(inner) => named(address) && (named(inner.into()) || is_public_v4(inner)),
        }
    }

    /// Whether the address may be called.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        let public = match address {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => is_public_v6(address),
        };
        public || self.allows(address)
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    let within =
        |(first, prefix): &(Ipv4Addr, u32)| (bits ^ u32::from(*first)) >> (32 - prefix) == 0;
    !V4_REFUSED.iter().any(within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    let within =
        |(first, prefix): &(Ipv6Addr, u32)| (bits ^ u128::from(*first)) >> (128 - prefix) == 0;
    bits >> 125 == 1 && !V6_REFUSED.iter().any(within)
}

/// The IPv4 address that is called in truth: mapped (RFC 4291, section 2.5.5), or
/// translated (NAT64; RFC 6052, section 2.1).
fn wrapped(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            // The unspecified address and that of this machine wrap nothing.
            (address != Ipv6Addr::LOCALHOST).then(|| Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        Guard::new(allowed.iter().map(|range| range.parse().unwrap()).collect())
    }

    #[test]
    fn only_addresses_of_the_public_internet_may_be_called() {
        let public = [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00::1",
        ];
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::101:101",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
        ];
        for (addresses, permitted) in [(&public[..], true), (&refused[..], false)] {
            for address in addresses {
                let read: IpAddr = address.parse().unwrap();
                assert_eq!(guard(&[]).permits(read), permitted, "{address}");
            }
        }
    }

    #[test]
    fn what_an_operator_allowed_may_be_called_and_nothing_beside_it() {
        for (allowed, address, permitted) in [
            (&["127.0.0.0/8"][..], "127.0.0.1", true),
            (&["127.0.0.0/8"], "10.0.0.1", false),
            (&["127.0.0.0/8"], "::ffff:127.0.0.1", false),
            (&["127.0.0.0/8", "::ffff:0:0/96"], "::ffff:127.0.0.1", true),
            (&["64:ff9b::/96"], "64:ff9b::101:101", true),
            (&["64:ff9b::/96"], "64:ff9b::a9fe:a9fe", false),
            (&["::1/128"], "::1", true),
            (&["fd00::/8"], "fd12::1", true),
            (&["fd00::/8"], "fe80::1", false),
        ] {
            let read: IpAddr = address.parse().unwrap();
            assert_eq!(
                guard(allowed).permits(read),
                permitted,
                "{allowed:?} {address}"
            );
        }
        assert!(!guard(&["127.0.0.0/8"]).allows("1.1.1.1".parse().unwrap()));
    }
}
