//! The bodies of the two refusals that say where to ask instead.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use crate::fault::limited;
use crate::operation::Message;
use crate::{Fault, MAX_ADDRESS_BYTES};

/// Another node owns the slot. No address: no owner is known for now.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Redirect {
    pub slot: u16,
    pub address: String,
}

/// The region where the account is at home, or where it is to be made.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Elsewhere {
    pub region: u8,
}

impl Message for Redirect {
    fn validate(archived: &ArchivedRedirect) -> Result<(), Fault> {
        limited(archived.address.len(), MAX_ADDRESS_BYTES)
    }

    fn sample() -> Redirect {
        Redirect {
            slot: 7,
            address: "127.0.0.1:7443".to_owned(),
        }
    }
}

impl Message for Elsewhere {
    fn validate(_: &ArchivedElsewhere) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Elsewhere {
        Elsewhere { region: 2 }
    }
}
