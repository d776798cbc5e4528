//! A node's row: what it renews, and what others read.
//!
//! Format 1:
//! ```text
//! version u8 = 1 | state u8 | 0 0 | life u64 BE | renewal u64 BE | address, UTF-8
//! ```

use bytes::Bytes;

/// A node of the cluster; not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// How a node stands, as its row says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NodeState {
    /// It takes slots and serves them.
    Serving = 1,
    /// It gives its slots away and takes none.
    Draining = 2,
    /// Another node found it silent and took its slots.
    Expelled = 3,
}

/// A node's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// How it stands.
    pub state: NodeState,
    /// Raised with each start of the node.
    pub life: u64,
    /// Raised with each renewal.
    pub renewal: u64,
    /// Where gateways reach it.
    pub address: String,
}

const VERSION: u8 = 1;

impl NodeRow {
    /// The row's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = vec![VERSION, self.state as u8, 0, 0];
        bytes.extend_from_slice(&self.life.to_be_bytes());
        bytes.extend_from_slice(&self.renewal.to_be_bytes());
        bytes.extend_from_slice(self.address.as_bytes());
        bytes.into()
    }

    /// Reads a row; `None` when it is none of a version that this code reads.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<NodeRow> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let [VERSION, state, 0, 0] = head else {
            return None;
        };
        let state = match state {
            1 => NodeState::Serving,
            2 => NodeState::Draining,
            3 => NodeState::Expelled,
            _ => return None,
        };
        let (life, rest) = rest.split_first_chunk()?;
        let (renewal, address) = rest.split_first_chunk()?;
        Some(NodeRow {
            state,
            life: u64::from_be_bytes(*life),
            renewal: u64::from_be_bytes(*renewal),
            address: String::from_utf8(address.to_vec()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_nothing_else_does() {
        let row = NodeRow {
            state: NodeState::Draining,
            life: 3,
            renewal: 99,
            address: "10.0.0.7:7443".into(),
        };
        let bytes = row.encode();
        assert_eq!(NodeRow::decode(&bytes), Some(row));
        assert_eq!(NodeRow::decode(&bytes[..19]), None);
        let mut other = bytes.to_vec();
        other[0] = 2;
        assert_eq!(NodeRow::decode(&other), None);
    }
}
