//! A socket: datagrams are lost, late, doubled, and overtake each other.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::Wires;
use crate::machine::{Machine, Pool};

/// Whose socket it is.
pub(super) enum Owner {
    Gateway,
    Node(u64, Arc<Machine>),
}

pub(super) struct Socket {
    at: SocketAddr,
    owner: Owner,
    wires: Weak<Wires>,
    came: Mutex<Came>,
}

#[derive(Default)]
struct Came {
    datagrams: VecDeque<(SocketAddr, Bytes)>,
    waker: Option<Waker>,
}

impl Socket {
    pub(super) fn new(at: SocketAddr, owner: Owner, wires: Weak<Wires>) -> Socket {
        Socket {
            at,
            owner,
            wires,
            came: Mutex::default(),
        }
    }

    pub(super) fn is_of(&self, machine: &Arc<Machine>) -> bool {
        matches!(&self.owner, Owner::Node(_, own) if Arc::ptr_eq(own, machine))
    }

    fn node(&self) -> Option<u64> {
        match self.owner {
            Owner::Gateway => None,
            Owner::Node(node, _) => Some(node),
        }
    }

    /// A datagram is here: the reader is woken.
    fn take(&self, from: SocketAddr, datagram: Bytes) {
        let waker = {
            let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
            came.datagrams.push_back((from, datagram));
            came.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Does something when a node's processor has had time for a datagram; at once
/// where the processor is not simulated.
fn after_work(owner: &Owner, datagram_ns: u64, then: impl FnOnce() + Send + 'static) {
    match owner {
        Owner::Gateway => then(),
        Owner::Node(_, machine) => machine.spend(Pool::Endpoint, datagram_ns, then),
    }
}

impl Wires {
    fn send(self: &Arc<Wires>, socket: &Socket, to: SocketAddr, datagram: Bytes) {
        let (wires, from, own) = (Arc::clone(self), socket.at, socket.node());
        after_work(&socket.owner, self.datagram_ns / 2, move || {
            wires.carry(from, own, to, datagram);
        });
    }

    /// Over the wire, none, one or two of it.
    fn carry(
        self: &Arc<Wires>,
        from: SocketAddr,
        own: Option<u64>,
        to: SocketAddr,
        datagram: Bytes,
    ) {
        let other = self.sockets().get(&to).and_then(|socket| socket.node());
        let node = own.or(other).unwrap_or(0);
        let now_ns = self.agenda.now_ns();
        for at_ns in self.network.datagram_ns(node, now_ns).into_iter().flatten() {
            let (wires, datagram) = (Arc::downgrade(self), datagram.clone());
            self.agenda.at(at_ns, move || {
                if let Some(wires) = wires.upgrade() {
                    wires.deliver(from, to, datagram);
                }
            });
        }
    }

    fn deliver(&self, from: SocketAddr, to: SocketAddr, datagram: Bytes) {
        let socket = self.sockets().get(&to).map(Arc::clone);
        // There is no such socket.
        let Some(socket) = socket else {
            return;
        };
        let there = Arc::clone(&socket);
        after_work(&socket.owner, self.datagram_ns / 2, move || {
            there.take(from, datagram);
        });
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Socket").field(&self.at).finish()
    }
}

/// There is always room to send.
#[derive(Debug)]
struct Ready;

impl UdpPoller for Ready {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Ready)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if let Some(wires) = self.wires.upgrade() {
            let datagram = Bytes::copy_from_slice(transmit.contents);
            wires.send(self, transmit.destination, datagram);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(metas) {
            let Some((from, datagram)) = came.datagrams.pop_front() else {
                break;
            };
            let len = datagram.len().min(buffer.len());
            buffer[..len].copy_from_slice(&datagram[..len]);
            *meta = RecvMeta {
                addr: from,
                len,
                stride: len,
                ecn: None,
                dst_ip: None,
            };
            count += 1;
        }
        if count > 0 {
            return Poll::Ready(Ok(count));
        }
        came.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}
