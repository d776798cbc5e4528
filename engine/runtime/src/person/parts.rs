//! Cold parts of a person, read and opened. What each kind holds is the core's to
//! say (its table of parts); here all are alike.

use bytes::Bytes;
use tidegate_account::record::Corrupt;
use tidegate_account::{Part, PartId, PartKind, TenantId, UserId};
use tidegate_storage_api::{PersonPart, StoreError};

use super::load::{Home, PersonKey};
use crate::job::Wanted;
use crate::ports::{Cpu, Ports};
use crate::seal::{Field, SealContext};

/// Rows of one read.
const PAGE: usize = 512;
/// Parts of one kind that are loaded at once; of more, those with the highest
/// numbers are.
pub(crate) const PARTS_MAX: usize = 4_096;

/// A part as it is stored.
pub(crate) type PartRow = (PartId, Bytes);

pub(crate) fn part_context(tenant: TenantId, user: UserId, id: PartId) -> SealContext {
    SealContext {
        tenant,
        user,
        field: Field::Part(id.kind),
        revision: id.number,
    }
}

pub(crate) async fn read(
    ports: &Ports,
    home: Home,
    wanted: Wanted,
) -> Result<Vec<PartRow>, StoreError> {
    match wanted {
        Wanted::All(kind) => read_all(ports, home, kind).await,
        Wanted::One(id) => {
            let row = ports.store.get(home.part_row(id)).await?;
            Ok(row.map(|row| (id, row)).into_iter().collect())
        }
    }
}

async fn read_all(ports: &Ports, home: Home, kind: PartKind) -> Result<Vec<PartRow>, StoreError> {
    let mut rows = Vec::new();
    let mut range = home.parts(kind);
    loop {
        let page = ports.store.range(range.clone(), PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(rows);
        };
        range = range.after(last);
        for (key, row) in page {
            let Some((_, PersonPart::Cold { number, .. })) = PersonPart::of(&key) else {
                return Err(StoreError::Corrupt);
            };
            rows.push((PartId { kind, number }, row));
        }
        let over = rows.len().saturating_sub(PARTS_MAX);
        rows.drain(..over);
    }
}

/// Opens parts. One that does not open is damage, and none is given then.
pub(crate) fn open(
    cpu: &dyn Cpu,
    tenant: TenantId,
    user: UserId,
    key: &PersonKey,
    rows: &[PartRow],
) -> Result<Vec<Part>, Corrupt> {
    let mut parts = Vec::with_capacity(rows.len());
    for (id, row) in rows {
        let context = part_context(tenant, user, *id);
        let sealed = id.kind.sealed_of(row)?;
        let plain = context.open(cpu, &key.open, sealed);
        parts.push(Part {
            id: *id,
            plain: plain.map_err(|_| Corrupt)?,
        });
    }
    Ok(parts)
}
