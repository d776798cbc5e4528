//! A node's row: what it renews, and what others read.
//!
//! Format 1:
//! ```text
//! version u8 = 1 | state u8 | reads u16 BE | life u64 BE | renewal u64 BE |
//! length of the name u8 | name, UTF-8 | address, UTF-8
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
    /// What operators call it; at most 255 bytes.
    pub name: String,
    /// Where gateways reach it.
    pub address: String,
    /// The newest formats that it reads.
    pub reads: u16,
}

const VERSION: u8 = 1;
const NAME_MAX_BYTES: usize = 255;

impl NodeRow {
    /// The row's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = vec![VERSION, self.state as u8];
        bytes.extend_from_slice(&self.reads.to_be_bytes());
        bytes.extend_from_slice(&self.life.to_be_bytes());
        bytes.extend_from_slice(&self.renewal.to_be_bytes());
        let name = &self.name.as_bytes()[..self.name.len().min(NAME_MAX_BYTES)];
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(self.address.as_bytes());
        bytes.into()
    }

    /// Reads a row; `None` when it is none of a version that this code reads.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<NodeRow> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let [VERSION, state, reads @ ..] = head else {
            return None;
        };
        let state = match state {
            1 => NodeState::Serving,
            2 => NodeState::Draining,
            3 => NodeState::Expelled,
            _ => return None,
        };
        let (life, rest) = rest.split_first_chunk()?;
        let (renewal, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first()?;
        let (name, address) = rest.split_at_checked(usize::from(*length))?;
        Some(NodeRow {
            state,
            life: u64::from_be_bytes(*life),
            renewal: u64::from_be_bytes(*renewal),
            name: String::from_utf8(name.to_vec()).ok()?,
            address: String::from_utf8(address.to_vec()).ok()?,
            reads: u16::from_be_bytes(*reads),
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
            name: "north-7".into(),
            address: "10.0.0.7:7443".into(),
            reads: 2,
        };
        let bytes = row.encode();
        assert_eq!(NodeRow::decode(&bytes), Some(row));
        assert_eq!(NodeRow::decode(&bytes[..27]), None);
        let mut other = bytes.to_vec();
        other[0] = 2;
        assert_eq!(NodeRow::decode(&other), None);
    }
}
