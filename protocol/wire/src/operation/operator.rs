//! The running of nodes.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use super::message::{Addressed, Message};
use super::number::numbered;
use crate::secret::Text;
use crate::{Fault, UserId};

/// Nothing, there and back.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Ping {}

/// A command to the node: one JSON object (`docs/operations.md`).
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Operate {
    pub command: Text,
}

/// The outcome of a command: a number of [`OrderOutcome`], and one JSON object.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Operated {
    pub outcome: u8,
    pub answer: Text,
}

numbered! {
    /// The outcome of a command.
    OrderOutcome {
        /// It was carried out.
        Done = 1,
        /// It was not.
        Refused = 2,
    }
}

impl ArchivedOperated {
    /// The outcome of the command.
    ///
    /// # Errors
    /// `Malformed`, which decoding has ruled out.
    pub fn outcome(&self) -> Result<OrderOutcome, Fault> {
        OrderOutcome::from_number(self.outcome)
    }
}

impl Message for Ping {
    fn validate(_: &ArchivedPing) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Ping {
        Ping {}
    }
}

impl Message for Operate {
    // The frame's own limit is a command's.
    fn validate(_: &ArchivedOperate) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Operate {
        Operate {
            command: Text(r#"{"command":"status"}"#.into()),
        }
    }
}

impl Message for Operated {
    fn validate(archived: &ArchivedOperated) -> Result<(), Fault> {
        archived.outcome().map(|_| ())
    }

    fn sample() -> Operated {
        Operated {
            outcome: 1,
            answer: Text("{}".into()),
        }
    }
}

impl Addressed for Ping {
    fn subject(&self) -> Option<UserId> {
        None
    }
}

impl Addressed for Operate {
    fn subject(&self) -> Option<UserId> {
        None
    }
}
