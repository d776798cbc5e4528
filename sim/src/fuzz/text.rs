//! A drawn world as the text of a scenario, to be changed and played. It is
//! hashed into the trace, so it stays as it is: what a newer family adds is
//! written only where it is there.

use std::fmt::{self, Display, Formatter};

use super::END_S;
use crate::scenario::{Fault, Scenario, StoreKind, What};

/// What a fault is, as a scenario says it.
pub(super) struct Said<'a>(pub(super) &'a Fault);

impl Display for Said<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Fault { at_s, for_s, what } = self.0;
        writeln!(f, "at_s = {}\nfor_s = {}", at_s.0, for_s.0)?;
        match what {
            What::Kill { node } => writeln!(f, "what = \"kill\"\nnode = {node}"),
            What::Pause { node } => writeln!(f, "what = \"pause\"\nnode = {node}"),
            What::CutOff { node } => writeln!(f, "what = \"cut-off\"\nnode = {node}"),
            What::Drain { node } => writeln!(f, "what = \"drain\"\nnode = {node}"),
            What::StoreDown => writeln!(f, "what = \"store-down\""),
            What::StoreSlow { times, node } => {
                writeln!(f, "what = \"store-slow\"\ntimes = {times}")?;
                match node {
                    Some(node) => writeln!(f, "node = {node}"),
                    None => Ok(()),
                }
            }
            What::StoreRecovery => writeln!(f, "what = \"store-recovery\""),
            What::DestinationDown => writeln!(f, "what = \"destination-down\""),
            What::Unreachable { node } => writeln!(f, "what = \"unreachable\"\nnode = {node}"),
            What::NetworkSlow { times } => {
                writeln!(f, "what = \"network-slow\"\ntimes = {times}")
            }
            What::Date { node, by_s } => {
                writeln!(f, "what = \"date\"\nnode = {node}\nby_s = {by_s}")
            }
        }
    }
}

/// A drawn world, as far as it is drawn.
pub(super) struct Written<'a>(pub(super) &'a Scenario);

impl Display for Written<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.ask(f)?;
        self.surroundings(f)?;
        for fault in &self.0.fault {
            write!(f, "\n[[fault]]\n{}", Said(fault))?;
        }
        Ok(())
    }
}

impl Written<'_> {
    fn head(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let night = self.0;
        writeln!(f, "about = \"{}\"", night.about)?;
        writeln!(f, "people = {}", night.people.0)?;
        if let Some(calm_from_s) = night.calm_from_s {
            writeln!(f, "calm_from_s = {}", calm_from_s.0)?;
        }
        let rate = night.curve.rate_at(0.0);
        writeln!(f, "curve = [[0, {rate}], [{END_S}, {rate}]]")?;
        writeln!(f, "remember_percent = {}", night.remember_percent.0)?;
        if let Some(active) = night.active {
            writeln!(f, "active = {}", active.0)?;
        }
        match night.ask.same_source.0 {
            0 => Ok(()),
            _ => {
                let (people, devices) = (night.at_once.people.0, night.at_once.devices.0);
                writeln!(f, "at_once = {{ people = {people}, devices = {devices} }}")
            }
        }
    }

    fn ask(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ask = &self.0.ask;
        writeln!(f, "[ask]\ncheck = {}\nreuse = {}", ask.check.0, ask.reuse.0)?;
        if self.0.active.is_some() {
            writeln!(f, "come_back = {}", ask.come_back.0)?;
            writeln!(f, "last_moment = {}", ask.last_moment.0)?;
        }
        for (name, part) in [
            ("same_source", ask.same_source),
            ("same_account", ask.same_account),
            ("stolen_session", ask.stolen_session),
            ("be_erased", ask.be_erased),
            ("add_address", ask.add_address),
            ("message", ask.message),
            ("mailed_code", ask.mailed_code),
            ("passkey", ask.passkey),
        ] {
            if part.0 > 0 {
                writeln!(f, "{name} = {}", part.0)?;
            }
        }
        for (name, part) in [
            ("forged_check", ask.forged_check),
            ("refresh", ask.refresh),
            ("two_tabs", ask.two_tabs),
            ("sign_in", ask.sign_in),
            ("mistype", ask.mistype),
            ("same_name", ask.same_name),
            ("guess_crowd", ask.guess_crowd),
            ("sign_up", ask.sign_up),
            ("sign_out", ask.sign_out),
        ] {
            writeln!(f, "{name} = {}", part.0)?;
        }
        Ok(())
    }

    fn surroundings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let night = self.0;
        let nodes = &night.nodes;
        writeln!(f, "[nodes]\ncount = {}", nodes.count.0)?;
        writeln!(f, "lease_ms = {}", nodes.lease_ms.0)?;
        writeln!(f, "hashing_waiting = {}", nodes.hashing_waiting.0)?;
        writeln!(f, "session_idle_s = {}", nodes.session_idle_s.0)?;
        let kind = match night.store.kind {
            StoreKind::Embedded => "embedded",
            StoreKind::Foundationdb => "foundationdb",
        };
        writeln!(f, "[store]\nkind = \"{kind}\"")?;
        writeln!(f, "unknown_happened = {}", night.store.unknown_happened.0)?;
        writeln!(f, "unknown_lost = {}", night.store.unknown_lost.0)?;
        writeln!(f, "unknown_later = {}", night.store.unknown_later.0)?;
        writeln!(
            f,
            "[network]\nloss_percent = {}",
            night.network.loss_percent.0
        )?;
        writeln!(
            f,
            "[gateways]\ndeadline_ms = {}",
            night.gateways.deadline_ms.0
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::drawing::drawn;
    use super::*;
    use crate::scenario::Given;

    #[test]
    fn what_is_written_of_a_drawn_world_is_read_as_that_world() {
        for seed in 0..500 {
            let world = drawn(seed);
            let text = Written(&world).to_string();
            let read = Given::parse("x", Path::new("x.toml"), &text).unwrap();
            assert_eq!(
                format!("{:?}", read.scenario),
                format!("{world:?}"),
                "{seed}"
            );
        }
    }
}
