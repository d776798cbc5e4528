//! What a gateway or an operator can have a right to. Rows hold it, so it stands
//! apart from what reads rows.

use serde::{Deserialize, Serialize};
use tidegate_wire::Plane;

/// A plane as a right, or a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Right {
    /// Ask for the person who is there.
    Auth,
    /// Act on accounts.
    Admin,
    /// Run the deployment.
    Operator,
    /// No plane, but a duty: this gateway names the source of every sign-up and
    /// sign-in.
    Sourced,
}

impl Right {
    /// The right to a plane.
    pub(super) fn of(plane: Plane) -> Right {
        match plane {
            Plane::Auth => Right::Auth,
            Plane::Admin => Right::Admin,
            Plane::Operator => Right::Operator,
        }
    }
}
