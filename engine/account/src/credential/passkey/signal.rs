//! What a browser is told of credentials, so that authenticators forget, hide or
//! rename them: the arguments of the signal methods (WebAuthn L3 §5.1.10), as
//! JSON.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::id::{CredentialId, UserHandle};
use super::options::write;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownJson<'a> {
    rp_id: &'a str,
    credential_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedJson<'a> {
    rp_id: &'a str,
    user_id: String,
    all_accepted_credential_ids: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DetailsJson<'a> {
    rp_id: &'a str,
    user_id: String,
    name: &'a str,
    display_name: &'a str,
}

/// For `signalUnknownCredential`: no account has this credential. May be told to
/// a caller that is not signed in, for a credential that the caller showed.
#[must_use]
pub fn unknown_credential(rp_id: &str, id: &CredentialId) -> String {
    write(&UnknownJson {
        rp_id,
        credential_id: id.to_base64url(),
    })
}

/// For `signalAllAcceptedCredentials`: the account has these credentials and no
/// others. For a session of the account alone; a credential that is left out is
/// removed or hidden, perhaps for ever.
#[must_use]
pub fn all_accepted_credentials(rp_id: &str, user: &UserHandle, ids: &[CredentialId]) -> String {
    write(&AcceptedJson {
        rp_id,
        user_id: user.to_base64url(),
        all_accepted_credential_ids: ids.iter().map(CredentialId::to_base64url).collect(),
    })
}

/// For `signalCurrentUserDetails`: the account's names now. For a session of the
/// account alone.
#[must_use]
pub fn current_user_details(
    rp_id: &str,
    user: &UserHandle,
    name: &str,
    display_name: &str,
) -> String {
    write(&DetailsJson {
        rp_id,
        user_id: user.to_base64url(),
        name,
        display_name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_written_in_the_order_of_the_standard() {
        let user = UserHandle::new(&[1, 2, 3]).unwrap();
        let ids = [[0xFB, 0xFF], [0, 0]].map(|id| CredentialId::new(&id).unwrap());
        assert_eq!(
            [
                unknown_credential("example.org", &ids[0]),
                all_accepted_credentials("example.org", &user, &ids),
                all_accepted_credentials("example.org", &user, &[]),
                current_user_details("example.org", &user, "ada", "Ada \"L\""),
            ],
            [
                r#"{"rpId":"example.org","credentialId":"-_8"}"#,
                r#"{"rpId":"example.org","userId":"AQID","allAcceptedCredentialIds":["-_8","AAA"]}"#,
                r#"{"rpId":"example.org","userId":"AQID","allAcceptedCredentialIds":[]}"#,
                r#"{"rpId":"example.org","userId":"AQID","name":"ada","displayName":"Ada \"L\""}"#,
            ]
        );
    }
}
