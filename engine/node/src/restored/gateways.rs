//! Gateways and operators of an older copy: those revoked since have their rows
//! again, and only the caller can tell which they are.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::str::FromStr;

use tidegate_runtime::ports::{Clock, Entropy};
use tidegate_storage_api::{Check, Commit, Key as RowKey, KeyRange, Store, SystemPart};

use super::RestoredError;
use crate::deployment::{AuditRow, GatewayRow, ROWS_MAX, read, write};

/// Who of the copy keeps their rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    All,
    Nobody,
    Named(BTreeSet<String>),
}

impl FromStr for Kept {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Kept, Infallible> {
        Ok(match text {
            "all" => Kept::All,
            "none" => Kept::Nobody,
            names => {
                let names = names.split(',').map(str::trim);
                let names = names.filter(|name| !name.is_empty());
                Kept::Named(names.map(str::to_owned).collect())
            }
        })
    }
}

impl Kept {
    fn keeps(&self, name: &str) -> bool {
        match self {
            Kept::All => true,
            Kept::Nobody => false,
            Kept::Named(names) => names.contains(name),
        }
    }

    /// The first name that none of these has.
    pub(crate) fn stranger(&self, rows: &[GatewayRow]) -> Option<&str> {
        match self {
            Kept::All | Kept::Nobody => None,
            Kept::Named(names) => {
                let is_there = |name: &String| rows.iter().any(|row| row.name == *name);
                let stranger = names.iter().find(|name| !is_there(name));
                stranger.map(String::as_str)
            }
        }
    }
}

/// What was done with them, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) kept: Vec<String>,
    pub(crate) revoked: Vec<String>,
}

/// All who may connect by the rows of this store.
pub(crate) async fn listed(store: &dyn Store) -> Result<Vec<GatewayRow>, RestoredError> {
    let rows = store.range(KeyRange::gateways(), ROWS_MAX).await?;
    let row = |value: &[u8]| read(value).ok_or(RestoredError::Row);
    rows.iter().map(|(_, value)| row(value)).collect()
}

/// Adds to a commit that those not kept have no rights any more.
pub(crate) async fn judge(
    store: &dyn Store,
    kept: &Kept,
    (clock, entropy): (&dyn Clock, &dyn Entropy),
    mut commit: Commit,
) -> Result<(Commit, Judged), RestoredError> {
    let mut judged = Judged::default();
    for row in listed(store).await? {
        if kept.keeps(&row.name) {
            judged.kept.push(row.name);
            continue;
        }
        let key = RowKey::system(SystemPart::Gateway(&row.name));
        let stored = store.get(key.clone()).await?.ok_or(RestoredError::Row)?;
        let at = clock.unix_ms();
        let act = AuditRow {
            at,
            by: "offline".to_owned(),
            act: "gateway.revoke".to_owned(),
            target: row.name.clone(),
            outcome: "done".to_owned(),
        };
        let [a, b, c, d, e, f, g, h, ..] = entropy.seed();
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let audit = RowKey::system(SystemPart::Audit(at, number));
        commit = commit
            .check(Check::Value(key.clone(), stored))
            .delete(key)
            .put(audit, write(&act).ok_or(RestoredError::Row)?);
        judged.revoked.push(row.name);
    }
    Ok((commit, judged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_kept_is_said_by_name_or_for_all() {
        let named = |text: &str| text.parse::<Kept>().unwrap();
        assert_eq!(named("all"), Kept::All);
        assert_eq!(named("none"), Kept::Nobody);
        let two = named("till, root,");
        assert!(two.keeps("till") && two.keeps("root") && !two.keeps("web"));
        assert!(Kept::All.keeps("web") && !Kept::Nobody.keeps("web"));
        assert_eq!(two.stranger(&[]), Some("root"));
        assert_eq!(Kept::All.stranger(&[]), None);
    }
}
