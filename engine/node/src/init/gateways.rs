//! Who may connect to a new deployment: each with no more rights than it needs.

use super::{DEFAULT_TENANT, InitError};
use crate::certificates::{Identity, Issued, Role};
use crate::deployment::GatewayRow;
use crate::folder::Folder;
use crate::issuing::{Put, issue_to};
use crate::rights::Right;

/// The gateway that `init` makes for the people who come.
pub const DEFAULT_GATEWAY: &str = "default";
/// The gateway that `init` makes for acts on accounts.
pub const OFFICE_GATEWAY: &str = "office";
/// The operator that `init` makes.
pub const DEFAULT_OPERATOR: &str = "root";

/// Enough for a small site; a stolen certificate does not fill a node.
pub(crate) const DEFAULT_RATE_PER_S: u64 = 2_000;
/// Enough for a person who works by hand; a stolen certificate does not erase
/// every account within minutes.
pub(crate) const OFFICE_RATE_PER_S: u64 = 20;

/// How many requests a second the gateways that `init` makes may send to each
/// node; 0 for no limit.
pub struct Rates {
    /// The gateway `default`.
    pub default_per_s: u64,
    /// The gateway `office`.
    pub office_per_s: u64,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates {
            default_per_s: DEFAULT_RATE_PER_S,
            office_per_s: OFFICE_RATE_PER_S,
        }
    }
}

/// Issues their certificates; the rows that let them connect.
pub(super) fn made(
    folder: &Folder,
    ca: &Issued,
    now_s: i64,
    rates: &Rates,
) -> Result<Vec<GatewayRow>, InitError> {
    let issue = |role, name: &str| {
        let name = name.to_owned();
        issue_to(folder, ca, &Identity { role, name }, now_s, Put::New)
    };
    let gateway = |name: &str, right, rate_per_s| -> Result<GatewayRow, InitError> {
        Ok(GatewayRow {
            name: name.to_owned(),
            tenants: vec![DEFAULT_TENANT.to_owned()],
            rights: vec![right],
            rate_per_s,
            certificates: vec![issue(Role::Gateway, name)?],
        })
    };
    Ok(vec![
        gateway(DEFAULT_GATEWAY, Right::Auth, rates.default_per_s)?,
        gateway(OFFICE_GATEWAY, Right::Admin, rates.office_per_s)?,
        GatewayRow {
            name: DEFAULT_OPERATOR.to_owned(),
            tenants: Vec::new(),
            rights: vec![Right::Operator],
            rate_per_s: 0,
            certificates: vec![issue(Role::Operator, DEFAULT_OPERATOR)?],
        },
    ])
}
