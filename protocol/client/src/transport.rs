//! What carries a call's frames to a node and back.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tidegate_wire::Close;

/// The answer to a frame, on its way.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Gone>> + Send + 'a>>;

/// A way to a node. Production has QUIC connections; a simulator brings its
/// own.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request's frame and waits for the answer's, which begins with
    /// its head.
    fn ask(&self, correlation: u64, frame: Bytes) -> Asked<'_>;
}

/// Why a node and this client do not talk to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The node closed the connection and said why.
    Closed(Close),
    /// The node's certificate is not accepted here.
    NodeCertificate,
    /// The node does not accept this client's certificate.
    OwnCertificate,
}

impl Refused {
    /// Its stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Refused::Closed(close) => close.name(),
            Refused::NodeCertificate => "node_certificate",
            Refused::OwnCertificate => "own_certificate",
        }
    }

    /// A sentence for a person who operates or integrates.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Refused::Closed(close) => close.message(),
            Refused::NodeCertificate => {
                "The node's certificate is not accepted: it has ended, or is of another CA."
            }
            Refused::OwnCertificate => {
                "The node does not accept this certificate: it has ended, or is of another CA."
            }
        }
    }

    /// Whether asking again, or another node, can come to something else.
    pub(crate) fn lasts(self) -> Lasts {
        match self {
            Refused::Closed(close) => match close {
                Close::NotAGateway
                | Close::UnknownGateway
                | Close::RightsWithdrawn
                | Close::CertificateExpired => Lasts::Everywhere,
                Close::TooManyConnections | Close::Draining => Lasts::Here,
            },
            Refused::OwnCertificate => Lasts::Everywhere,
            Refused::NodeCertificate => Lasts::Here,
        }
    }
}

/// Where a refusal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// At this node, at this moment.
    Here,
    /// At every node, until an operator changes something. One node alone may
    /// be mistaken: its date is wrong, its CA is old, or it has not heard yet.
    Everywhere,
}

/// The way is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Nothing was sent: trying again costs no node anything.
    BeforeSending,
    /// Whether the request arrived is not known.
    AfterSending,
    /// One of both does not accept the other, and it is known why. Whether the
    /// request arrived is not.
    Refused(Refused),
    /// The same while connecting: nothing was sent.
    RefusedBeforeSending(Refused),
}

impl Gone {
    /// The same, where it is known why.
    pub(crate) fn for_reason(self, reason: Refused) -> Gone {
        match self {
            Gone::BeforeSending | Gone::RefusedBeforeSending(_) => {
                Gone::RefusedBeforeSending(reason)
            }
            Gone::AfterSending | Gone::Refused(_) => Gone::Refused(reason),
        }
    }

    /// Why one of both does not accept the other, if that is it.
    pub(crate) fn reason(self) -> Option<Refused> {
        match self {
            Gone::BeforeSending | Gone::AfterSending => None,
            Gone::Refused(reason) | Gone::RefusedBeforeSending(reason) => Some(reason),
        }
    }
}
