//! What no single value tells: what does not go together, and what the night's
//! length leaves no room for.

use tidegate_wire::Class;

use super::value::NODES_MAX;
use super::{Objective, Parts, Scenario, StoreKind, Target, Transport, What};

/// What is wrong, and at which key.
#[derive(Debug)]
pub(super) struct Wrong {
    key: &'static str,
    /// The how manieth of those that there are, from 0 on.
    place: usize,
    what: String,
}

fn wrong(key: &'static str, what: impl Into<String>) -> Wrong {
    Wrong {
        key,
        place: 0,
        what: what.into(),
    }
}

impl Wrong {
    /// With the line of the scenario's text, if the key stands at the beginning
    /// of one.
    pub(super) fn words(&self, text: &str) -> String {
        let Wrong { key, place, what } = self;
        let mut last_first = key.rsplit('.');
        match last_first.find_map(|part| line_of(text, part, *place)) {
            Some(line) => format!("line {line}: {key}: {what}"),
            None => format!("{key}: {what}"),
        }
    }
}

/// The line that begins with a key, or with a table of its name, for the how
/// manieth time; the first, where there are fewer.
fn line_of(text: &str, key: &str, place: usize) -> Option<usize> {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let begins = |line: &str| {
        let line = line.trim_start().trim_start_matches('[');
        let rest = line.strip_prefix(key);
        rest.is_some_and(|rest| !rest.starts_with(goes_on))
    };
    let numbered = text.lines().zip(1..);
    let lines: Vec<usize> = numbered
        .filter_map(|(line, number)| begins(line).then_some(number))
        .collect();
    lines.get(place).or(lines.first()).copied()
}

impl Scenario {
    /// What does not go together.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.ask.sum() == 0 {
            return Err(wrong("ask", "nothing is asked; at least one part above 0"));
        }
        if self.active().0 > self.people.0 {
            return Err(wrong("active", "at most as many as `people`"));
        }
        let nobody = "nobody is registered beyond the `active`";
        let all_come = self.active().0 == self.people.0;
        if self.ask.come_back.0 > 0 && all_come {
            return Err(wrong("ask.come_back", nobody));
        }
        if self.ask.last_moment.0 > 0 && all_come {
            return Err(wrong("ask.last_moment", nobody));
        }
        let quic = self.network.transport == Transport::Quic;
        if quic && self.gateways.packing.is_some() {
            let what = "not over network.transport = \"quic\"";
            return Err(wrong("gateways.packing", what));
        }
        if !quic && self.network.double_percent.0 > 0.0 {
            let what = "only over network.transport = \"quic\"";
            return Err(wrong("network.double_percent", what));
        }
        let Some(hedge) = self.gateways.hedge_ms else {
            return self.check_fleet();
        };
        if hedge.0 >= self.gateways.deadline_ms.0 {
            let what = "expected less than deadline_ms, or nothing is ever asked again";
            return Err(wrong("gateways.hedge_ms", what));
        }
        self.check_fleet()
    }

    fn check_fleet(&self) -> Result<(), Wrong> {
        let embedded = self.store.kind == StoreKind::Embedded;
        if embedded && self.nodes.count.0 > 1 {
            return Err(wrong("nodes.count", "an embedded store has one node"));
        }
        if embedded && !self.add.is_empty() {
            return Err(wrong("add", "an embedded store has one node"));
        }
        let count = self.nodes.count.0 + self.added();
        if count > NODES_MAX {
            let what = format!("{count} nodes in all, at most {NODES_MAX}");
            return Err(wrong("add", what));
        }
        self.check_sprays(count)?;
        let unknown = self.store.unknown();
        let unknown = [unknown.happened, unknown.lost, unknown.later];
        if unknown.into_iter().map(u64::from).sum::<u64>() > 1_000_000 {
            let what = "more than a million of a million commits are of unknown fate";
            return Err(wrong("store.unknown_happened", what));
        }
        for (place, fault) in self.fault.iter().enumerate() {
            let node = fault.what.node().unwrap_or(1);
            if u64::from(node) > count {
                return Err(Wrong {
                    place,
                    ..wrong("fault", format!("node {node} is none of 1 to {count}"))
                });
            }
        }
        Ok(())
    }

    /// What bounds guesses from sources that are not known is a node's, and begins
    /// anew with its next life.
    fn check_sprays(&self, nodes: u64) -> Result<(), Wrong> {
        let ends = self.fault.iter().any(|fault| match fault.what {
            What::Kill { .. } | What::Drain { .. } => true,
            What::Pause { .. }
            | What::CutOff { .. }
            | What::Unreachable { .. }
            | What::StoreDown
            | What::StoreSlow { .. }
            | What::StoreRecovery
            | What::NetworkSlow { .. }
            | What::Date { .. }
            | What::DestinationDown => false,
        });
        match self.spray.is_empty() || (nodes == 1 && !ends) {
            true => Ok(()),
            false => Err(wrong("spray", "expected one node, which no fault ends")),
        }
    }

    /// What the night's length leaves no room for, and what is not done in it:
    /// recorded rates are read by then.
    pub(super) fn check_length(&self) -> Result<(), Wrong> {
        let length_s = self.length_s();
        let within = |key, place, at_s: f64| match at_s < length_s {
            true => Ok(()),
            false => Err(Wrong {
                place,
                ..wrong(
                    key,
                    format!("second {at_s} is not before the night's end, second {length_s}"),
                )
            }),
        };
        within("warm_up_s", 0, self.warm_up_s.0)?;
        if let Some(calm) = self.calm_from_s {
            within("calm_from_s", 0, calm.0)?;
        }
        for (place, fault) in self.fault.iter().enumerate() {
            within("fault", place, fault.at_s.0)?;
        }
        for (place, spray) in self.spray.iter().enumerate() {
            within("spray", place, spray.at_s.0)?;
        }
        for (place, add) in self.add.iter().enumerate() {
            within("add", place, add.at_s.0 + add.lead_s.0)?;
        }
        self.check_objectives(&self.objectives)
            .map_err(|what| wrong("objectives", what))
    }

    /// Whether anything is ever done that objectives speak of.
    pub(crate) fn check_objectives(&self, objectives: &[Objective]) -> Result<(), String> {
        for objective in objectives {
            let asked = match objective.target {
                Target::Latency(class, _) | Target::Shed(class) | Target::Failed(class) => {
                    self.ask.calls(class)
                }
                Target::InWithin(_) => self.ask.enters(),
            };
            if !asked {
                return Err(format!("`{objective}`: nothing in [ask] makes such a call"));
            }
        }
        Ok(())
    }
}

impl Parts {
    /// Whether any of them makes calls of a class (`visits`).
    fn calls(&self, class: Class) -> bool {
        let parts: &[super::Part] = match class {
            Class::Check => &[
                self.check,
                self.forged_check,
                self.come_back,
                self.last_moment,
                self.sign_out,
                self.be_erased,
                self.stolen_session,
            ],
            Class::Refresh => &[
                self.refresh,
                self.two_tabs,
                self.reuse,
                self.be_erased,
                self.stolen_session,
            ],
            Class::Password => &[
                self.sign_in,
                self.mistype,
                self.guess,
                self.guess_crowd,
                self.come_back,
                self.last_moment,
                self.be_erased,
                self.same_source,
                self.same_account,
                self.stolen_session,
                self.add_address,
                self.mailed_code,
                self.passkey,
            ],
            Class::Registration => &[
                self.same_name,
                self.sign_up,
                self.be_erased,
                self.same_source,
                self.same_account,
                self.stolen_session,
                self.add_address,
                self.passkey,
            ],
            Class::Protection => &[self.sign_out, self.be_erased],
        };
        parts.iter().any(|part| part.0 > 0)
    }

    /// Whether any person wants in.
    fn enters(&self) -> bool {
        let parts = [
            self.sign_in,
            self.mistype,
            self.come_back,
            self.sign_up,
            self.same_source,
            self.same_account,
        ];
        parts.iter().any(|part| part.0 > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_on_its_line_by_its_last_name_or_else_by_the_first() {
        let text = "people = 1\n[gateways]\n  hedge_ms = 9\n[[fault]]\n[[fault]]\n";
        let words = |key, place| {
            let one = Wrong {
                place,
                ..wrong(key, "no")
            };
            one.words(text)
        };
        assert_eq!(
            words("gateways.hedge_ms", 0),
            "line 3: gateways.hedge_ms: no"
        );
        assert_eq!(words("gateways.packing", 0), "line 2: gateways.packing: no");
        assert_eq!(words("fault", 1), "line 5: fault: no");
        assert_eq!(words("hedge", 0), "hedge: no");
    }
}
