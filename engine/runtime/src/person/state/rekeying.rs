//! Renewing what older keys made of one person.

use tidegate_account::record::Corrupt;
use tidegate_account::{Input, Part, PasswordHash, Rekey, Status, TenantId, read_text};

use super::{PersonState, Phase};
use crate::person::commit;

impl PersonState {
    /// Hashes the identifiers under the newest index key, encrypts the password
    /// under the newest pepper, and wraps the person's key under the tenant's
    /// newest: all in the next commit.
    pub(super) fn rekey(&mut self, texts: &[Part]) -> Result<(), Corrupt> {
        let Some((rekey, wrapped)) = self.renewed(texts)? else {
            return Ok(());
        };
        self.draft.rewrap(wrapped);
        self.input(Input::Rekey(rekey));
        Ok(())
    }

    fn renewed(&self, texts: &[Part]) -> Result<Option<(Rekey, crate::seal::WrappedKey)>, Corrupt> {
        let (Phase::Ready { account, key }, Some(home)) = (&self.phase, self.home) else {
            return Ok(None);
        };
        let (Some((check, sealed)), Some(key)) = (account.parts(), key) else {
            return Ok(None);
        };
        if check.status == Status::Decoy {
            return Ok(None);
        }
        let shared = &self.shared;
        let tenant = TenantId(check.tenant);
        let mut hashes = Vec::with_capacity(texts.len());
        for text in texts {
            let number = u16::try_from(text.id.number).map_err(|_| Corrupt)?;
            let claimed = shared
                .settings
                .index_keys
                .claimed(tenant, read_text(&text.plain)?);
            let mut rows = sealed.identifiers.iter();
            // A row that an older copy of the store left behind names nothing here.
            if rows.any(|row| row.number == number && row.is(&claimed)) {
                hashes.push((number, claimed.hash));
            }
        }
        let tenant_row = shared.settings.tenants.get(tenant).ok_or(Corrupt)?;
        let pepper_key = tenant_row.policy.password.pepper_key;
        let stored = sealed.password.as_ref();
        let stored = stored.and_then(|row| PasswordHash::parse(&row.phc).ok());
        let password = stored
            .filter(|stored| stored.pepper_key != pepper_key)
            .and_then(|stored| {
                Some((
                    stored.clone(),
                    shared.ports.cpu.repepper(&stored, pepper_key)?,
                ))
            });
        let rekey = Rekey {
            hashes,
            key_version: shared.settings.index_keys.version(),
            password,
        };
        let wrapped = commit::rewrap(shared, home, tenant, &key.open)?;
        Ok(Some((rekey, wrapped)))
    }
}
