//! Time and tasks, as QUIC asks for them.
#![allow(
    clippy::disallowed_methods,
    reason = "an instant can only be had from the system; what counts from it is virtual"
)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::agenda::{Agenda, Sleep};
use crate::machine::Machine;
use crate::ports::BEGINS_AT_MS;

/// The world's date, for certificates.
pub(super) struct Date(pub(super) Agenda);

impl std::fmt::Debug for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Date")
    }
}

impl TimeProvider for Date {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_millis(BEGINS_AT_MS) + Duration::from_nanos(self.0.now_ns());
        Some(UnixTime::since_unix_epoch(now))
    }
}

/// Virtual time. A node's stands still with its machine.
#[derive(Clone)]
pub(super) struct Time {
    agenda: Agenda,
    machine: Option<Arc<Machine>>,
    /// The world's beginning.
    zero: Instant,
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Time")
    }
}

impl Time {
    pub(super) fn new(agenda: Agenda, machine: Option<Arc<Machine>>) -> Time {
        Time {
            agenda,
            machine,
            zero: Instant::now(),
        }
    }

    fn ns_of(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.zero);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Runtime for Time {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        let at_ns = self.ns_of(at);
        Box::pin(Timer {
            time: self.clone(),
            at_ns,
            armed: None,
        })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(future);
    }

    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::Error::other(
            "there are no sockets of the system's here",
        ))
    }

    fn now(&self) -> Instant {
        self.zero + Duration::from_nanos(self.agenda.now_ns())
    }
}

#[derive(Debug)]
struct Timer {
    time: Time,
    at_ns: u64,
    /// A sleep that ends no later, and when.
    armed: Option<(u64, Sleep)>,
}

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at_ns = self.time.ns_of(at);
        if self
            .armed
            .as_ref()
            .is_some_and(|(at_ns, _)| *at_ns > self.at_ns)
        {
            self.armed = None;
        }
    }

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now_ns = self.time.agenda.now_ns();
            let machine = self.time.machine.as_ref();
            let paused = machine.and_then(|machine| machine.paused_until_ns());
            let at_ns = self.at_ns.max(paused.unwrap_or(0));
            if at_ns <= now_ns {
                return Poll::Ready(());
            }
            let agenda = self.time.agenda.clone();
            let (_, sleep) = self
                .armed
                .get_or_insert_with(|| (at_ns, agenda.sleep_until(at_ns)));
            match Pin::new(sleep).poll(context) {
                Poll::Pending => return Poll::Pending,
                // It was set for later meanwhile.
                Poll::Ready(()) => self.armed = None,
            }
        }
    }
}
