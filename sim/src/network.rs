//! Between gateways and nodes: delays, and datagrams that are sent again. The
//! bytes of a stream arrive in their order, as QUIC sees to it.

use std::sync::Mutex;
use std::sync::PoisonError;

use tidegate_storage_simulated::Latency;

use crate::random::{Stream, to_u64};

pub(crate) struct Network {
    delay: Latency,
    /// Of a million datagrams.
    lost: u64,
    stream: Stream,
}

/// One direction of one stream: nothing overtakes.
#[derive(Default)]
pub(crate) struct Line(Mutex<u64>);

/// What a lost datagram waits for at least: QUIC's first probe timeout with a
/// short round trip (RFC 9002 §6.2).
const RESEND_NS: u64 = 5_000_000;

impl Network {
    pub(crate) fn new(delay: Latency, loss_percent: f64, stream: Stream) -> Network {
        Network {
            delay,
            lost: to_u64(loss_percent * 10_000.0),
            stream,
        }
    }

    /// When what is sent now arrives.
    pub(crate) fn arrives_ns(&self, line: &Line, now_ns: u64) -> u64 {
        let mut delay_ns = self.delay.draw_ns(self.stream.draw());
        let mut again_ns = RESEND_NS;
        while self.lost > 0 && self.stream.below(1_000_000) < self.lost {
            delay_ns += again_ns;
            again_ns *= 2;
        }
        let mut last_ns = line.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last_ns = (*last_ns).max(now_ns + delay_ns);
        *last_ns
    }
}
