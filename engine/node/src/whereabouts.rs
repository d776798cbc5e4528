//! Which node or region serves a person whom this node does not.

/// Who owns which slot, as far as this node knows.
pub trait Whereabouts: Send + Sync + 'static {
    /// Where gateways reach the owner of a slot; `None` when that is not known
    /// or this node itself.
    fn elsewhere(&self, slot: u16) -> Option<String>;
}

/// There is no other node.
pub struct Nowhere;

impl Whereabouts for Nowhere {
    fn elsewhere(&self, _: u16) -> Option<String> {
        None
    }
}
