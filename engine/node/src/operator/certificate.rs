//! The node's own certificate while it serves: taken up anew when it is
//! renewed, named when it ends.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;
use tidegate_storage_api::Commit;

use super::{Operator, OperatorError, Said, no};
use crate::certificates::{Period, Standing, date};

/// How often the node looks whether its certificate was renewed. An operator
/// whose own way in is over can still renew on the folder.
const LOOK_MS: u64 = 5_000;

/// Tells one state of a file from another.
type Stamp = (u64, i64, i64, u64);

impl Operator {
    pub(super) async fn certificate_reload(&self, by: &str) -> Result<Said, OperatorError> {
        match self.certificate.reload(self.now_s()) {
            Ok(()) => {
                let commit = self.audited(Commit::default(), by, "certificate.reload", "node")?;
                self.store().commit(commit).await?;
                Ok(Said::Done(json!({ "reloaded": true })))
            }
            Err(error) => Ok(no("invalid", error.to_string())),
        }
    }

    /// Takes the certificate up when its file changes, for as long as the node
    /// runs, and says when it ends.
    pub(crate) fn follow_certificate(&self) {
        let operator = self.clone();
        let file = operator.certificate.file();
        let mut taken = stamp(&file);
        self.actors.spawn(async move {
            let (mut said, mut standing) = (String::new(), Standing::Counts);
            loop {
                operator.clock.sleep(LOOK_MS).await;
                let found = stamp(&file);
                if found != taken {
                    match operator.take_up_certificate() {
                        Ok(()) => (taken, said) = (found, String::new()),
                        // Half of a pair, perhaps: it is looked at again.
                        Err(error) if error == said => {}
                        Err(error) => {
                            tracing::error!(event = "certificate.not_taken_up", %error);
                            said = error;
                        }
                    }
                }
                standing = operator.look_at_certificate(standing);
            }
        });
    }

    fn take_up_certificate(&self) -> Result<(), String> {
        let before = self.certificate.leaf();
        let reloaded = self.certificate.reload(self.now_s());
        reloaded.map_err(|error| error.to_string())?;
        if self.certificate.leaf() != before {
            tracing::info!(event = "certificate.reloaded");
        }
        Ok(())
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

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
}
