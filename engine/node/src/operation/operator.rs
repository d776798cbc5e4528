//! The running of nodes.

use tidegate_wire::{RequestHead, v1};

use super::work::{NotTaken, ToWork, Work};
use crate::rights::Gateway;

impl ToWork for v1::ArchivedPing {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        Ok(Work::Echo)
    }
}

impl ToWork for v1::ArchivedOperate {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        Ok(Work::Order(self.command.as_str()))
    }
}
