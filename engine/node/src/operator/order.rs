//! What operators order, and what an order has to itself meanwhile.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::deployment::{GatewayRow, KeyKind, TenantPolicy};

/// What an operator can order.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Make a tenant.
    TenantAdd { name: String, policy: TenantPolicy },
    /// Change what a tenant decides for itself.
    TenantSet { name: String, policy: TenantPolicy },
    /// List the tenants.
    TenantList,
    /// Let a gateway or an operator connect.
    GatewayAdd { gateway: GatewayRow },
    /// Let it come with one more certificate.
    GatewayTrust { name: String, certificate: String },
    /// Take everything from it; its connections close.
    GatewayRevoke { name: String },
    /// List who may connect.
    GatewayList,
    /// Read the node's certificate again.
    CertificateReload,
    /// Rotate a key, or go on with a rotation that could not finish.
    KeysRotate { key: KeyKind },
    /// Which keys live, and how far a rotation is.
    KeysStatus,
    /// Copy the store as it is now into two folders of the node's machine.
    Backup { rows: PathBuf, keys: PathBuf },
    /// The newest administrative acts.
    Audit { limit: usize },
    /// The newest administrative acts on a person.
    PersonAudit { user: String, limit: usize },
    /// What leaves, or could not, to people of this node's slots.
    Outbox { list: OutboxList, limit: usize },
    /// How the nodes stand and who owns what.
    Status,
    /// Which version is written, and which every node reads.
    UpgradeStatus,
    /// Write the newest version that every node reads.
    UpgradeFinish,
    /// Give every slot of this node away, and take none until it starts again.
    Drain,
}

/// Which messages are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutboxList {
    /// Those that are to leave and those that could not.
    All,
    /// Those that could not.
    Undelivered,
}

/// What an order has to itself while it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// Nothing: it changes nothing, and says how things stand while another
    /// order waits for something.
    Nothing,
    /// The rows that it reads and then changes.
    Rows,
    /// The copying, which takes as long as the store is large. No other
    /// order waits for that: a gateway that is lost is to be revoked at once.
    Copying,
    /// Both: a copy that was begun under one key is not to end under another.
    RowsAndCopying,
}

impl Order {
    pub(super) fn alone(&self) -> Alone {
        match self {
            Order::Status | Order::Outbox { .. } => Alone::Nothing,
            Order::Backup { .. } => Alone::Copying,
            Order::KeysRotate { .. } => Alone::RowsAndCopying,
            Order::TenantAdd { .. }
            | Order::TenantSet { .. }
            | Order::TenantList
            | Order::GatewayAdd { .. }
            | Order::GatewayTrust { .. }
            | Order::GatewayRevoke { .. }
            | Order::GatewayList
            | Order::CertificateReload
            | Order::KeysStatus
            | Order::Audit { .. }
            | Order::PersonAudit { .. }
            | Order::UpgradeStatus
            | Order::UpgradeFinish
            | Order::Drain => Alone::Rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_read_back_and_unknown_ones_are_refused() {
        let order = Order::KeysRotate {
            key: KeyKind::Index,
        };
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(text, r#"{"order":"keys_rotate","key":"index"}"#);
        assert!(serde_json::from_str::<Order>(&text).is_ok());
        assert!(serde_json::from_str::<Order>(r#"{"order":"explode"}"#).is_err());
    }
}
