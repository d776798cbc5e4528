//! Renewing what older keys made of one person.

use tidegate_account::record::Corrupt;
use tidegate_account::{Input, Part, PasswordHash, Rekey, Status, TenantId, read_text};

use super::PersonState;
use super::phase::Ready;
use super::subject::Subject;
use crate::person::commit;
use crate::seal::WrappedKey;

impl PersonState {
    /// Hashes the identifiers under the newest index key, encrypts the password
    /// under the newest pepper, and wraps the person's key under the tenant's
    /// newest: all in the next commit.
    pub(super) fn rekey(&mut self, texts: &[Part]) -> Result<(), Corrupt> {
        let Some(ready) = self.phase.opened() else {
            return Ok(());
        };
        let Some((rekey, wrapped)) = renewed(&self.subject, ready, texts)? else {
            return Ok(());
        };
        self.commits.draft.rewrap(wrapped);
        self.input(Input::Rekey(rekey));
        Ok(())
    }
}

fn renewed(
    subject: &Subject,
    Ready { account, key }: &Ready,
    texts: &[Part],
) -> Result<Option<(Rekey, WrappedKey)>, Corrupt> {
    let (Some((check, sealed)), Some(key), Some(home)) = (account.parts(), key, subject.home)
    else {
        return Ok(None);
    };
    if check.status == Status::Decoy {
        return Ok(None);
    }
    let shared = &subject.shared;
    let index_keys = &shared.settings.index_keys;
    let tenant = TenantId(check.tenant);
    let mut hashes = Vec::with_capacity(texts.len());
    for text in texts {
        let number = u16::try_from(text.id.number).map_err(|_| Corrupt)?;
        let claimed = index_keys.claimed(tenant, read_text(&text.plain)?);
        let mut rows = sealed.identifiers.iter();
        // A row that an older copy of the store left behind names nothing here.
        if rows.any(|row| row.number == number && row.is(&claimed)) {
            hashes.push((number, claimed.hash));
        }
    }
    let tenant_row = subject.tenant(tenant).ok_or(Corrupt)?;
    let pepper_key = tenant_row.policy.password.pepper_key;
    let stored = sealed.password.as_ref();
    let stored = stored.and_then(|row| PasswordHash::parse(&row.phc).ok());
    let cpu = &shared.ports.cpu;
    let password = stored
        .filter(|stored| stored.pepper_key != pepper_key)
        .and_then(|stored| Some((stored.clone(), cpu.repepper(&stored, pepper_key)?)));
    let rekey = Rekey {
        hashes,
        key_version: index_keys.version(),
        password,
    };
    let wrapped = commit::rewrap(shared, home, tenant, &key.open)?;
    Ok(Some((rekey, wrapped)))
}
