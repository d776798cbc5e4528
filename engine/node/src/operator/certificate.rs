//! The node's own certificate while it serves: taken up anew when it is
//! renewed, named when it ends.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;
use tidegate_storage_api::Commit;

use super::{Operator, OperatorError, OrderOutcome, no};
use crate::certificates::{Period, Standing, date};
use crate::service::ServerCertificate;

/// How often the node looks whether its certificate was renewed. An operator
/// whose own certificate has expired can still renew on the folder.
const LOOK_MS: u64 = 5_000;

/// Tells one state of a file from another.
type Stamp = (u64, i64, i64, u64);

impl Operator {
    pub(super) async fn certificate_reload(&self, by: &str) -> Result<OrderOutcome, OperatorError> {
        match self.certificate.reload(self.now_s()) {
            Ok(()) => {
                let commit = self.audited(Commit::default(), by, "certificate.reload", "node")?;
                self.store().commit(commit).await?;
                Ok(OrderOutcome::Done(json!({ "reloaded": true })))
            }
            Err(error) => Ok(no("invalid", error.to_string())),
        }
    }

    /// Takes the certificate up when its file changes, for as long as the node
    /// runs, and says when it ends.
    pub(crate) fn follow_certificate(&self) {
        let operator = self.clone();
        self.actors.spawn(async move {
            let (mut looks, mut standing) = (Looks::default(), Standing::Counts);
            loop {
                operator.clock.sleep(LOOK_MS).await;
                looks.look(&operator.certificate, operator.now_s());
                standing = operator.look_at_certificate(standing);
            }
        });
    }

    /// Says it once when the certificate that is shown does not count any more.
    fn look_at_certificate(&self, before: Standing) -> Standing {
        let period = self.certificate.leaf().and_then(|leaf| Period::of(&leaf));
        let Some(period) = period else {
            return before;
        };
        let standing = period.standing(self.now_s());
        if standing != before && standing != Standing::Counts {
            let (from, until) = (date(period.from_s), date(period.until_s));
            tracing::error!(event = "certificate.expired", %from, %until);
        }
        standing
    }

    fn now_s(&self) -> i64 {
        i64::try_from(self.clock.unix_ms() / 1000).unwrap_or(i64::MAX)
    }
}

/// What was found in the certificate's file so far.
#[derive(Default)]
struct Looks {
    /// How the file was when it was taken up last. Nothing to begin with: the
    /// certificate was read before the node waited for its store, and may have
    /// been renewed since.
    taken: Option<Stamp>,
    /// Why it was not taken up last, so that it is said once.
    said: String,
}

impl Looks {
    /// Takes the certificate up if its file is another one than before.
    fn look(&mut self, certificate: &ServerCertificate, now_s: i64) {
        let found = stamp(&certificate.file());
        if found == self.taken {
            return;
        }
        match take_up(certificate, now_s) {
            Ok(()) => (self.taken, self.said) = (found, String::new()),
            // Half of a pair, perhaps: it is looked at again.
            Err(error) if error == self.said => {}
            Err(error) => {
                tracing::error!(event = "certificate.not_taken_up", %error);
                self.said = error;
            }
        }
    }
}

fn take_up(certificate: &ServerCertificate, now_s: i64) -> Result<(), String> {
    let before = certificate.leaf();
    let reloaded = certificate.reload(now_s);
    reloaded.map_err(|error| error.to_string())?;
    if certificate.leaf() != before {
        tracing::info!(event = "certificate.reloaded");
    }
    Ok(())
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::{Identity, Issued, Role, make_ca};
    use crate::folder::Folder;
    use crate::issuing::{Put, issue_to, put_certificate};

    const NOW_S: i64 = 1_800_000_000;

    fn renew(folder: &Folder, ca: &Issued, put: Put) {
        let identity = Identity {
            role: Role::Node,
            name: "node".into(),
        };
        issue_to(folder, ca, &identity, NOW_S, put).unwrap();
    }

    #[test]
    fn a_certificate_that_was_renewed_before_the_first_look_is_taken_up() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("tls")).unwrap();
        let folder = Folder::at(scratch.path());
        let ca = make_ca(NOW_S).unwrap();
        put_certificate(&folder, "ca", &ca, Put::New).unwrap();
        renew(&folder, &ca, Put::New);
        let certificate = ServerCertificate::read(&folder).unwrap();
        let at_start = certificate.leaf();
        // While the node waits for its store.
        renew(&folder, &ca, Put::Renewed);
        let mut looks = Looks::default();
        looks.look(&certificate, NOW_S);
        let first = certificate.leaf();
        assert_ne!(first, at_start);
        looks.look(&certificate, NOW_S);
        assert_eq!(certificate.leaf(), first);
        renew(&folder, &ca, Put::Renewed);
        looks.look(&certificate, NOW_S);
        let second = certificate.leaf();
        assert_ne!(second, first);
        // A certificate that no client would trust is not presented; one that
        // is good afterwards is.
        std::fs::write(folder.certificate("node"), b"no certificate").unwrap();
        looks.look(&certificate, NOW_S);
        assert_eq!(certificate.leaf(), second);
        renew(&folder, &ca, Put::Renewed);
        looks.look(&certificate, NOW_S);
        assert!(![&at_start, &first, &second].contains(&&certificate.leaf()));
    }
}
