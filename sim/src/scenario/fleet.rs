//! A night on another fleet: how many nodes it takes, and which of them are lost
//! at the worst moment.

use super::value::{Span, Whole};
use super::{Fault, Scenario, What};

impl What {
    /// The node that it befalls; of the store and the network, none.
    pub(super) fn node(self) -> Option<u32> {
        match self {
            What::Kill { node }
            | What::Pause { node }
            | What::CutOff { node }
            | What::Drain { node }
            | What::Unreachable { node }
            | What::Date { node, .. } => Some(node),
            What::StoreSlow { node, .. } => node,
            What::StoreDown
            | What::StoreRecovery
            | What::NetworkSlow { .. }
            | What::DestinationDown => None,
        }
    }

    /// Whether its node is started when it is over.
    fn starts_its_node(self) -> bool {
        match self {
            What::Kill { .. } | What::Drain { .. } => true,
            What::Pause { .. }
            | What::CutOff { .. }
            | What::Unreachable { .. }
            | What::Date { .. }
            | What::StoreSlow { .. }
            | What::StoreDown
            | What::StoreRecovery
            | What::NetworkSlow { .. }
            | What::DestinationDown => false,
        }
    }
}

impl Fault {
    /// Whether a node that is lost for good then can live through it.
    fn is_over_by(&self, lost_at_s: f64) -> bool {
        match self.what.starts_its_node() {
            // It would bring the node back.
            true => self.at_s.0 + self.for_s.0 <= lost_at_s,
            false => self.at_s.0 < lost_at_s,
        }
    }
}

impl Scenario {
    /// The fewest nodes at the beginning with which there is one of every number
    /// that something befalls.
    pub(crate) fn least_nodes(&self) -> u64 {
        let named = self.fault.iter().filter_map(|fault| fault.what.node());
        let most = named.max().map_or(1, u64::from);
        most.saturating_sub(self.added()).max(1)
    }

    /// Plays it with so many nodes, of which some are lost when the rate is at
    /// its greatest, and do not come back: a window after counting begins at the
    /// earliest, and three before the end at the latest (each at most a third of
    /// what counts).
    pub(crate) fn set_fleet(&mut self, nodes: u64, lost: &[u32]) {
        self.nodes.count = Whole(nodes);
        let at_s = self.worst_s();
        let is_lost = |what: What| what.node().is_some_and(|node| lost.contains(&node));
        self.fault
            .retain(|fault| !is_lost(fault.what) || fault.is_over_by(at_s));
        let for_s = Span((self.length_s() - at_s).max(0.0));
        for node in lost {
            self.fault.push(Fault {
                at_s: Span(at_s),
                for_s,
                what: What::Kill { node: *node },
            });
        }
    }

    /// When a loss is felt most: one in the warm-up is not counted, one at the
    /// very end is not felt.
    fn worst_s(&self) -> f64 {
        let (begins_s, length_s) = (self.warm_up_s.0, self.length_s());
        let third_s = (length_s - begins_s) / 3.0;
        let window_s = self.window_s.0 as f64;
        let first_s = begins_s + window_s.min(third_s);
        let last_s = length_s - (3.0 * window_s).min(third_s);
        self.curve.greatest_at_s().max(first_s).min(last_s)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::Given;

    fn night(head: &str, curve: &str) -> Scenario {
        let text = format!(
            "about = \"x\"\npeople = 10\n{head}\ncurve = {curve}\n\
             store = {{ kind = \"foundationdb\" }}\nnodes = {{ count = 3 }}\n[ask]\ncheck = 1\n"
        );
        let given = Given::parse("x", Path::new("x.toml"), &text).unwrap();
        given.scenario
    }

    /// When the loss is, in a fleet with one.
    fn lost_at_s(head: &str, curve: &str) -> f64 {
        let mut night = night(head, curve);
        night.set_fleet(2, &[1]);
        night.fault[0].at_s.0
    }

    #[test]
    fn a_loss_is_when_the_rate_is_greatest_and_where_it_is_counted() {
        let steady = "[[0, 9], [100, 9]]";
        // The night's head, its curve, and when the loss is.
        let cases = [
            ("", "[[0, 1], [50, 9], [100, 1]]", 50.0),
            ("", steady, 10.0),
            ("warm_up_s = 5", steady, 15.0),
            ("warm_up_s = 40", "[[0, 9], [1, 1], [100, 1]]", 50.0),
            ("warm_up_s = 70", steady, 80.0),
            ("", "[[0, 1], [99, 9], [100, 9]]", 70.0),
            ("window_s = 60", "[[0, 1], [89, 9], [90, 9]]", 60.0),
        ];
        for (head, curve, expected) in cases {
            assert_eq!(lost_at_s(head, curve), expected, "{head} {curve}");
        }
    }

    #[test]
    fn nothing_that_befalls_a_lost_node_later_is_lived_through_or_brings_it_back() {
        let fault = |at_s: u32, for_s: u32, what: &str, node: u32| {
            format!("{{ at_s = {at_s}, for_s = {for_s}, what = \"{what}\", node = {node} }}")
        };
        let faults = [
            fault(2, 3, "kill", 1),
            fault(5, 20, "kill", 1),
            fault(8, 3, "drain", 1),
            fault(8, 9, "pause", 1),
            fault(30, 9, "cut-off", 1),
            fault(5, 20, "kill", 2),
            fault(30, 9, "pause", 2),
        ];
        let head = format!("fault = [{}]", faults.join(", "));
        let mut night = night(&head, "[[0, 9], [100, 9]]");
        let kept: Vec<Fault> = [0_usize, 3, 5, 6].map(|place| night.fault[place]).to_vec();
        night.set_fleet(2, &[1]);
        let lost = Fault {
            at_s: Span(10.0),
            for_s: Span(90.0),
            what: What::Kill { node: 1 },
        };
        assert_eq!(night.fault, [kept, vec![lost]].concat());
    }

    #[test]
    fn a_fleet_has_every_node_that_something_befalls() {
        let steady = "[[0, 9], [100, 9]]";
        let of = |head: &str| night(head, steady).least_nodes();
        assert_eq!(of(""), 1);
        let third = "fault = [{ at_s = 1, what = \"kill\", node = 3 }, { at_s = 1, what = \"store-recovery\" }]";
        assert_eq!(of(third), 3);
        let added = "add = [{ at_s = 1, lead_s = 1, nodes = 2 }]";
        assert_eq!(of(&format!("{third}\n{added}")), 1);
    }
}
