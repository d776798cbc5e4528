//! What comes at once: a rush of right passwords, and wrong ones that are
//! sprayed over every account.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

use super::value::{DAY_S, Seconds, Span, Whole};

/// Addresses of a botnet.
const SOURCES: u64 = 200;

/// How many come at once in one visit.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AtOnce {
    /// Of one source.
    pub(crate) people: Whole<2, 500>,
    /// Of one account.
    pub(crate) devices: Whole<2, 500>,
}

impl Default for AtOnce {
    fn default() -> AtOnce {
        AtOnce {
            people: Whole(24),
            devices: Whole(8),
        }
    }
}

/// Attackers try one password on every registered account.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spray {
    pub(crate) at_s: Seconds,
    pub(crate) for_s: Span<1, DAY_S>,
    /// Guesses a second.
    pub(crate) per_s: Whole<1, 10_000>,
    pub(crate) from: Sprayers,
}

/// What the attackers' gateways say of where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sprayers {
    /// One address.
    OneSource,
    /// As many as a botnet has.
    ManySources,
    /// Nothing.
    NoSource,
    /// Another address for each guess.
    InventedSources,
    /// Nothing, each gateway in turn; the others all come through the first.
    ManyGateways,
}

impl Sprayers {
    /// How many sources are told apart, where more guesses bring no more of them.
    pub(crate) fn sources(self) -> Option<u64> {
        match self {
            Sprayers::OneSource => Some(1),
            Sprayers::ManySources => Some(SOURCES),
            Sprayers::NoSource | Sprayers::InventedSources | Sprayers::ManyGateways => None,
        }
    }

    /// Where the guess of this number comes from; nothing else does (RFC 2544
    /// and 3849).
    pub(crate) fn source(self, number: u64) -> Option<IpAddr> {
        let of_v4 = |number: u64| {
            let low = u32::try_from(number).unwrap_or(0);
            Some(IpAddr::V4(Ipv4Addr::from(0xC612_0000 | low)))
        };
        match self {
            Sprayers::OneSource => of_v4(1),
            Sprayers::ManySources => of_v4(number % SOURCES),
            Sprayers::InventedSources => {
                let bits = (0x2001_0DB8_u128 << 96) | (u128::from(number) << 64);
                Some(IpAddr::V6(Ipv6Addr::from(bits)))
            }
            Sprayers::NoSource | Sprayers::ManyGateways => None,
        }
    }

    /// Through which of so many gateways.
    pub(crate) fn gateway(self, number: u64, gateways: usize) -> usize {
        match self {
            Sprayers::ManyGateways => usize::try_from(number).unwrap_or(0) % gateways.max(1),
            Sprayers::OneSource
            | Sprayers::ManySources
            | Sprayers::NoSource
            | Sprayers::InventedSources => 0,
        }
    }

    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Sprayers::OneSource => "one source",
            Sprayers::ManySources => "many sources",
            Sprayers::NoSource => "no source",
            Sprayers::InventedSources => "a new source each time",
            Sprayers::ManyGateways => "many gateways, no source",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_way_to_spray_has_as_many_sources_and_gateways_as_it_says() {
        let cases = [
            (Sprayers::OneSource, 1, 1),
            (Sprayers::ManySources, 200, 1),
            (Sprayers::NoSource, 1, 1),
            (Sprayers::InventedSources, 1_000, 1),
            (Sprayers::ManyGateways, 1, 4),
        ];
        for (from, sources, gateways) in cases {
            let all: BTreeSet<_> = (0..1_000).map(|number| from.source(number)).collect();
            assert_eq!(all.len(), sources, "{from:?}");
            let all: BTreeSet<_> = (0..1_000).map(|number| from.gateway(number, 4)).collect();
            assert_eq!(all.len(), gateways, "{from:?}");
        }
        // What a gateway says of an IPv6 address is its first half.
        let IpAddr::V6(first) = Sprayers::InventedSources.source(1).unwrap() else {
            unreachable!("invented sources have IPv6 addresses");
        };
        assert_eq!(first.segments(), [0x2001, 0xDB8, 0, 1, 0, 0, 0, 0]);
    }
}
