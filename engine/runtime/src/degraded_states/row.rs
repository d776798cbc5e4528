//! A row of the journal: the sessions of one person that were ended.
//!
//! Format 1: version u8, then for each revocation: at u64 LE (Unix
//! milliseconds) | 1 and the request's idempotency key 16 and hash 32, or 0
//! | count u16 LE | session ids u64 LE.

use tidegate_account::{DegradedDecision, Ended, Idempotency, SessionId};

const VERSION: u8 = 1;

/// `None` when nothing of a person was ended.
pub(super) fn encode(decided: &[DegradedDecision]) -> Option<Vec<u8>> {
    let mut row = vec![VERSION];
    let ended = decided.iter().filter_map(|degraded| match degraded {
        DegradedDecision::Ended(ended) => Some(ended),
        DegradedDecision::Failed { .. }
        | DegradedDecision::Established(_)
        | DegradedDecision::Kept { .. } => None,
    });
    for ended in ended {
        row.extend_from_slice(&ended.at.to_le_bytes());
        match &ended.request {
            Some(request) => {
                row.push(1);
                row.extend_from_slice(&request.key);
                row.extend_from_slice(&request.request);
            }
            None => row.push(0),
        }
        // A person has far fewer sessions than that.
        let count = u16::try_from(ended.sessions.len()).unwrap_or(u16::MAX);
        row.extend_from_slice(&count.to_le_bytes());
        for session in ended.sessions.iter().take(usize::from(count)) {
            row.extend_from_slice(&session.0.to_le_bytes());
        }
    }
    (row.len() > 1).then_some(row)
}

/// `None` when the bytes are no row of this format.
pub(super) fn decode(row: &[u8]) -> Option<Vec<Ended>> {
    let (&VERSION, mut rest) = row.split_first()? else {
        return None;
    };
    let mut ended = Vec::new();
    while !rest.is_empty() {
        let at = u64::from_le_bytes(take(&mut rest)?);
        let request = match take::<1>(&mut rest)? {
            [0] => None,
            [1] => Some(Idempotency {
                key: take(&mut rest)?,
                request: take(&mut rest)?,
            }),
            _ => return None,
        };
        let count = u16::from_le_bytes(take(&mut rest)?);
        let session = |_| Some(SessionId(u64::from_le_bytes(take(&mut rest)?)));
        let sessions = (0..count).map(session).collect::<Option<_>>()?;
        ended.push(Ended {
            sessions,
            request,
            at,
        });
    }
    Some(ended)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ended() -> impl Strategy<Value = Ended> {
        let request = any::<Option<([u8; 16], [u8; 32])>>();
        (any::<Vec<u64>>(), request, any::<u64>()).prop_map(|(sessions, request, at)| Ended {
            sessions: sessions.into_iter().map(SessionId).collect(),
            request: request.map(|(key, request)| Idempotency { key, request }),
            at,
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_half_a_row_is_not(
            all in prop::collection::vec(ended(), 1..5), cut in any::<prop::sample::Index>(),
        ) {
            let decided: Vec<_> = all.iter().cloned().map(DegradedDecision::Ended).collect();
            let row = encode(&decided).unwrap();
            prop_assert_eq!(decode(&row), Some(all.clone()));
            let short = &row[..cut.index(row.len())];
            prop_assert!(decode(short).is_none_or(|read| all.starts_with(&read)));
        }
    }
}
