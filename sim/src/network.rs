//! Between gateways and nodes: delays, datagrams that are sent again, and nodes
//! that cannot be reached for a while. The bytes of a stream arrive in their
//! order, as QUIC sees to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tidegate_storage_simulated::Latency;

use crate::random::{Stream, to_u64};

pub(crate) struct Network {
    delay: Latency,
    /// Of a million datagrams.
    lost: u64,
    doubled: u64,
    stream: Stream,
    /// How much longer everything takes than usual.
    percent: AtomicU64,
    /// What slows it down at the moment, in percent; the worst of it counts.
    slow: Mutex<Vec<u64>>,
    /// Nodes that no gateway reaches, and until when.
    cut: Mutex<BTreeMap<u64, u64>>,
}

/// One direction of one stream: nothing overtakes.
#[derive(Default)]
pub(crate) struct Line(Mutex<u64>);

/// A node that says nothing for this long is taken for gone (the client's idle
/// timeout).
pub(crate) const IDLE_NS: u64 = 6_000_000_000;

/// What a lost datagram waits for at least: QUIC's first probe timeout with a
/// short round trip (RFC 9002 §6.2).
const RESEND_NS: u64 = 5_000_000;

impl Network {
    pub(crate) fn new(
        delay: Latency,
        (loss_percent, double_percent): (f64, f64),
        stream: Stream,
    ) -> Network {
        Network {
            delay,
            lost: to_u64(loss_percent * 10_000.0),
            doubled: to_u64(double_percent * 10_000.0),
            stream,
            percent: AtomicU64::new(100),
            slow: Mutex::default(),
            cut: Mutex::default(),
        }
    }

    /// Everything takes so many percent of its usual time from now on, or more
    /// where something else is worse.
    pub(crate) fn clog(&self, percent: u64) {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        slow.push(percent);
        self.feel(&slow);
    }

    /// It is over.
    pub(crate) fn clear(&self, percent: u64) {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = slow.iter().position(|one| *one == percent) {
            slow.remove(place);
        }
        self.feel(&slow);
    }

    fn feel(&self, slow: &[u64]) {
        let worst = slow.iter().copied().max().unwrap_or(100);
        self.percent.store(worst, Ordering::Relaxed);
    }

    /// Nothing passes between gateways and a node until then, or longer where it
    /// is cut already.
    pub(crate) fn cut(&self, node: u64, until_ns: u64) {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        let place = cut.entry(node).or_default();
        *place = (*place).max(until_ns);
    }

    /// Whether nothing passes between gateways and a node.
    pub(crate) fn is_cut(&self, node: u64, now_ns: u64) -> bool {
        self.reached_ns(node, now_ns).is_some()
    }

    /// When a node is reached that is cut off now.
    fn reached_ns(&self, node: u64, now_ns: u64) -> Option<u64> {
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.get(&node)
            .copied()
            .filter(|until_ns| *until_ns > now_ns)
    }

    fn delay_ns(&self) -> u64 {
        let percent = self.percent.load(Ordering::Relaxed);
        self.delay.draw_ns(self.stream.draw()) * percent / 100
    }

    /// When a datagram that is sent now between gateways and a node arrives, if
    /// it does, and when once more. Each is on its own: they overtake each
    /// other.
    pub(crate) fn datagram_ns(&self, node: u64, now_ns: u64) -> [Option<u64>; 2] {
        let is_lost = self.lost > 0 && self.stream.below(1_000_000) < self.lost;
        if is_lost || self.reached_ns(node, now_ns).is_some() {
            return [None; 2];
        }
        let doubled = self.doubled > 0 && self.stream.below(1_000_000) < self.doubled;
        let first = Some(now_ns + self.delay_ns());
        [first, doubled.then(|| now_ns + self.delay_ns())]
    }

    /// When what is sent now between gateways and a node arrives; `None` when
    /// its connection is given up before that.
    pub(crate) fn arrives_ns(&self, node: u64, line: &Line, now_ns: u64) -> Option<u64> {
        let mut delay_ns = self.delay_ns();
        let mut again_ns = RESEND_NS;
        while self.lost > 0 && self.stream.below(1_000_000) < self.lost {
            delay_ns += again_ns;
            again_ns *= 2;
        }
        // Sent again and again until it comes through.
        let from_ns = self.reached_ns(node, now_ns).unwrap_or(now_ns);
        if from_ns - now_ns >= IDLE_NS {
            return None;
        }
        let mut last_ns = line.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last_ns = (*last_ns).max(from_ns + delay_ns);
        Some(*last_ns)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_lost_doubled_and_overtake_each_other() {
        let delay = Latency {
            p50_us: 100,
            p99_us: 900,
        };
        let network = Network::new(delay, (10.0, 20.0), Stream::new(1, "network", 0));
        let all: Vec<_> = (0..1_000)
            .map(|at_ns| network.datagram_ns(1, at_ns))
            .collect();
        let lost = all.iter().filter(|[first, _]| first.is_none()).count();
        let doubled = all.iter().filter(|[_, second]| second.is_some()).count();
        assert!((60..140).contains(&lost) && (130..240).contains(&doubled));
        let arrived: Vec<u64> = all.iter().filter_map(|[first, _]| *first).collect();
        assert!(arrived.windows(2).any(|pair| pair[1] < pair[0]));
        network.cut(1, 5_000);
        assert_eq!(network.datagram_ns(1, 4_000), [None; 2]);
    }

    #[test]
    fn slow_times_and_cuts_that_overlap_last_until_the_last_of_them_is_over() {
        let delay = Latency {
            p50_us: 100,
            p99_us: 100,
        };
        let network = Network::new(delay, (0.0, 0.0), Stream::new(1, "network", 0));
        let percent = || network.percent.load(Ordering::Relaxed);
        network.clog(300);
        network.clog(200);
        assert_eq!(percent(), 300);
        network.clear(300);
        assert_eq!(percent(), 200);
        network.clear(300);
        network.clear(200);
        assert_eq!(percent(), 100);
        network.cut(1, 9_000);
        network.cut(1, 5_000);
        let cut = [4_000, 8_999, 9_000].map(|now_ns| network.is_cut(1, now_ns));
        assert_eq!(cut, [true, true, false]);
        assert!(!network.is_cut(2, 4_000));
    }

    #[test]
    fn what_is_sent_to_a_node_that_is_cut_off_arrives_afterwards_or_never() {
        let delay = Latency {
            p50_us: 100,
            p99_us: 100,
        };
        let network = Network::new(delay, (0.0, 0.0), Stream::new(1, "network", 0));
        let (line, second_ns) = (Line::default(), 1_000_000_000);
        let soon = network.arrives_ns(1, &line, 0).unwrap();
        assert!(soon < second_ns);
        network.cut(1, 3 * second_ns);
        let held = network.arrives_ns(1, &line, second_ns).unwrap();
        assert!((3 * second_ns..4 * second_ns).contains(&held));
        assert!(network.arrives_ns(2, &Line::default(), second_ns).unwrap() < 2 * second_ns);
        network.cut(1, 60 * second_ns);
        assert_eq!(network.arrives_ns(1, &line, 4 * second_ns), None);
        // Nothing overtakes what was sent before.
        assert!(network.arrives_ns(1, &line, 60 * second_ns).unwrap() > held);
    }
}
