//! Reading what was done: acts on the deployment, and acts on one person.

use serde_json::json;
use tidegate_account::{Act, Audit, IdentifierKind, Status, UserId, Verification};
use tidegate_runtime::Failure;
use tidegate_storage_api::{Commit, KeyRange};

use super::{Operator, OperatorError, OrderOutcome, no};
use crate::deployment::{AuditRow, DeploymentError, ROWS_MAX, read};

impl Operator {
    /// The newest acts on the deployment, the newest first.
    pub(super) async fn audits(&self, limit: usize) -> Result<OrderOutcome, OperatorError> {
        let rows = self.store().range(KeyRange::audits(u64::MAX), ROWS_MAX);
        let mut acts = Vec::new();
        for (_, value) in rows.await?.into_iter().rev().take(limit) {
            let row: AuditRow =
                read(&value).ok_or_else(|| DeploymentError::Row("an audit".into()))?;
            acts.push(json!(row));
        }
        Ok(OrderOutcome::Done(json!({ "acts": acts })))
    }

    /// The newest acts on a person, the newest first. That they were read is
    /// written down before they are given.
    pub(super) async fn person_audits(
        &self,
        by: &str,
        user: &str,
        limit: usize,
    ) -> Result<OrderOutcome, OperatorError> {
        let Ok(tidegate_wire::UserId(bytes)) = user.parse() else {
            return Ok(no("invalid_user", "a user's id has 32 hexadecimal digits"));
        };
        let user = UserId::from_bytes(bytes);
        let acts = match self.engine.audits(user).await {
            Ok(acts) => acts,
            Err(failure) => return Ok(unread(failure)),
        };
        let target = user.to_string();
        let record = self.audited(Commit::default(), by, "person.audit", &target)?;
        self.store().commit(record).await?;
        let acts = acts.iter().rev().take(limit);
        let acts: Vec<_> = acts.map(shown).collect();
        Ok(OrderOutcome::Done(json!({ "user": target, "acts": acts })))
    }
}

fn shown(audit: &Audit) -> serde_json::Value {
    let (act, what) = match &audit.act {
        Act::StatusSet(status) => ("status.set", status_name(*status).to_owned()),
        Act::IdentifierVerified(kind, verification) => {
            let (kind, outcome) = (kind_name(*kind), verification_name(*verification));
            ("identifier.verified", format!("{kind} {outcome}"))
        }
    };
    json!({ "at": audit.at, "by": audit.by, "act": act, "what": what })
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Locked => "locked",
        Status::Suspended => "suspended",
        Status::Decoy => "decoy",
    }
}

fn kind_name(kind: IdentifierKind) -> &'static str {
    match kind {
        IdentifierKind::Email => "email",
        IdentifierKind::Phone => "phone",
        IdentifierKind::Username => "username",
    }
}

fn verification_name(verification: Verification) -> &'static str {
    match verification {
        Verification::Confirmed => "confirmed",
        Verification::TakenOver => "taken_over",
    }
}

/// Nothing was read, and why.
fn unread(failure: Failure) -> OrderOutcome {
    let (code, message) = match failure {
        Failure::NotOwner(_) => (
            "not_owner",
            "another node owns this person; ask that one with --connect (`tidegate status` \
             shows who owns which slots)",
        ),
        Failure::WrongRegion(_) => ("wrong_region", "the person is at home in another region"),
        Failure::Corrupt => (
            "corrupt",
            "what is stored about this person cannot be read; the node's log says which one",
        ),
        Failure::Busy { .. } | Failure::DeadlineExceeded => {
            ("busy", "the node had no room for it; order it again")
        }
        Failure::Unavailable => ("unavailable", "the store does not answer; order it again"),
        Failure::UnknownTenant => ("unknown_tenant", "the person's tenant is not served here"),
        Failure::Unknown => ("unread", "it was not read; order it again"),
    };
    no(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_shown_by_names_and_without_what_they_were_about() {
        let audit = |act| Audit {
            at: 5,
            by: "office".to_owned(),
            act,
        };
        let email = Act::IdentifierVerified(IdentifierKind::Email, Verification::TakenOver);
        let shown_of = |act| shown(&audit(act));
        assert_eq!(
            shown_of(email),
            json!({ "at": 5, "by": "office", "act": "identifier.verified",
                    "what": "email taken_over" })
        );
        assert_eq!(
            shown_of(Act::StatusSet(Status::Suspended)),
            json!({ "at": 5, "by": "office", "act": "status.set", "what": "suspended" })
        );
    }
}
