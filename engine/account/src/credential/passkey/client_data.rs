//! Client data: WebAuthn L3 §5.8.1.

use alloc::string::String;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::challenge::Challenge;
use super::fault::PasskeyFault;
use super::relying_party::{Framing, RelyingParty};

/// Which ceremony client data is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ceremony {
    Registration,
    Authentication,
}

impl Ceremony {
    fn client_data_type(self) -> &'static str {
        match self {
            Ceremony::Registration => "webauthn.create",
            Ceremony::Authentication => "webauthn.get",
        }
    }
}

/// The members that are read, of which none may be there twice. Others are
/// ignored: browsers may add some (§5.8.1.1).
#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin")]
    top_origin: Option<String>,
}

/// Holds client data against what was asked, and gives its SHA-256: steps 5 to
/// 12 of a registration (§7.1); 8 to 14 and 20 of an authentication (§7.2).
pub(super) fn check(
    json: &[u8],
    ceremony: Ceremony,
    rp: &RelyingParty,
    challenge: &Challenge,
) -> Result<[u8; 32], PasskeyFault> {
    // "UTF-8 decode" strips the mark, and it is signed with the rest. It would
    // put U+FFFD for what is not UTF-8; that is refused.
    let text = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    // An array of the members in turn is no object (§5.8.1.1), though it would be
    // read as one.
    let data: ClientData = match text {
        [b'{', ..] => serde_json::from_slice(text).ok(),
        _ => None,
    }
    .ok_or(PasskeyFault::MalformedClientData)?;
    if data.r#type != ceremony.client_data_type() {
        return Err(PasskeyFault::WrongType);
    }
    if !challenge.matches(&data.challenge) {
        return Err(PasskeyFault::WrongChallenge);
    }
    if !rp.origins.contains(&data.origin) {
        return Err(PasskeyFault::WrongOrigin);
    }
    framing(&data, &rp.framing)?;
    Ok(Sha256::digest(json).into())
}

/// A browser that says "cross origin" and names no top origin is an older one
/// (Level 2), and is taken where framing is.
fn framing(data: &ClientData, framing: &Framing) -> Result<(), PasskeyFault> {
    match (framing, &data.top_origin) {
        (Framing::Forbidden, top) if data.cross_origin || top.is_some() => {
            Err(PasskeyFault::CrossOrigin)
        }
        (Framing::Within(origins), Some(top)) if !origins.contains(top) => {
            Err(PasskeyFault::WrongTopOrigin)
        }
        (Framing::Forbidden | Framing::Within(_), _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use proptest::prelude::*;
    use std::format;
    use std::vec;

    const CHALLENGE: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk";

    fn rp(framing: Framing) -> RelyingParty {
        RelyingParty {
            id: "example.org".to_owned(),
            origins: vec![
                "https://example.org".to_owned(),
                "https://example.co.uk".to_owned(),
                "android:apk-key-hash:abc".to_owned(),
            ],
            framing,
        }
    }

    fn verdict(json: &str, framing: Framing) -> Result<[u8; 32], PasskeyFault> {
        let challenge = Challenge::new([9; 32]);
        let json = json.as_bytes();
        check(json, Ceremony::Authentication, &rp(framing), &challenge)
    }

    fn client_data(members: &str) -> String {
        format!("{{\"type\":\"webauthn.get\",\"challenge\":\"{CHALLENGE}\"{members}}}")
    }

    fn of(members: &str) -> Result<(), PasskeyFault> {
        verdict(&client_data(members), Framing::Forbidden).map(|_| ())
    }

    #[test]
    fn what_was_asked_is_taken_and_hashed_as_it_came() {
        let json = client_data(r#","origin":"https://example.org","crossOrigin":false,"x":[{}]"#);
        let hash = Sha256::digest(json.as_bytes()).into();
        assert_eq!(verdict(&json, Framing::Forbidden), Ok(hash));
        let marked = format!("\u{feff}{json}");
        let hash = Sha256::digest(marked.as_bytes()).into();
        assert_eq!(verdict(&marked, Framing::Forbidden), Ok(hash));
    }

    #[test]
    fn an_origin_is_one_of_the_list_to_the_letter() {
        let origin = |origin: &str| of(&format!(",\"origin\":\"{origin}\""));
        for taken in [
            "https://example.org",
            "https://example.co.uk",
            "android:apk-key-hash:abc",
        ] {
            assert_eq!(origin(taken), Ok(()), "{taken}");
        }
        for other in [
            "",
            "https://example.org/",
            "https://example.org:443",
            "https://login.example.org",
            "http://example.org",
            "https://EXAMPLE.org",
            "https://example.org.evil.example",
            "null",
        ] {
            assert_eq!(origin(other), Err(PasskeyFault::WrongOrigin), "{other}");
        }
    }

    #[test]
    fn another_ceremony_and_another_challenge_are_refused() {
        let json = client_data(r#","origin":"https://example.org""#);
        let other = json.replace(".get", ".create");
        let forbidden = Framing::Forbidden;
        assert_eq!(
            verdict(&other, forbidden.clone()),
            Err(PasskeyFault::WrongType)
        );
        let other = json.replace("CQkJCQ", "CQkJCA");
        assert_eq!(
            verdict(&other, forbidden),
            Err(PasskeyFault::WrongChallenge)
        );
    }

    #[test]
    fn a_frame_is_taken_where_the_policy_takes_it() {
        let within = || Framing::Within(vec!["https://example.com".to_owned()]);
        let cross = r#","origin":"https://example.org","crossOrigin":true"#;
        let top = |top: &str| format!("{cross},\"topOrigin\":\"{top}\"");
        let only_top = r#","origin":"https://example.org","topOrigin":"https://example.com""#;
        let example = top("https://example.com");
        let evil = top("https://evil.example");
        for (members, forbidden, allowed) in [
            (cross, Err(PasskeyFault::CrossOrigin), Ok(())),
            (&*example, Err(PasskeyFault::CrossOrigin), Ok(())),
            (only_top, Err(PasskeyFault::CrossOrigin), Ok(())),
            (
                &*evil,
                Err(PasskeyFault::CrossOrigin),
                Err(PasskeyFault::WrongTopOrigin),
            ),
        ] {
            let json = client_data(members);
            let verdicts = [Framing::Forbidden, within()].map(|framing| verdict(&json, framing));
            assert_eq!(
                verdicts.map(|it| it.map(|_| ())),
                [forbidden, allowed],
                "{members}"
            );
        }
    }

    #[test]
    fn what_is_not_client_data_is_refused() {
        let origin = r#","origin":"https://example.org""#;
        for members in [
            "",
            &format!("{origin}{origin}"),
            &format!("{origin},\"typ\\u0065\":\"webauthn.get\""),
            &format!("{origin},\"crossOrigin\":false,\"crossOrigin\":false"),
            &format!("{origin},\"crossOrigin\":null"),
            &format!("{origin},\"crossOrigin\":\"false\""),
            &format!("{origin},\"topOrigin\":[]"),
            r#","origin":["https://example.org"]"#,
            &format!("{origin}}}{{"),
        ] {
            assert_eq!(
                of(members),
                Err(PasskeyFault::MalformedClientData),
                "{members}"
            );
        }
        let list = format!("[\"webauthn.get\",\"{CHALLENGE}\",\"https://example.org\",false,null]");
        let list = verdict(&list, Framing::Forbidden);
        assert_eq!(list, Err(PasskeyFault::MalformedClientData));
        let deep = format!("{origin},\"x\":{}", "[".repeat(4_000));
        assert_eq!(of(&deep), Err(PasskeyFault::MalformedClientData));
    }

    #[test]
    fn no_part_of_client_data_is_client_data() {
        let json = client_data(r#","origin":"https://example.org","crossOrigin":false"#);
        for cut in 0..json.len() {
            let part = verdict(&json[..cut], Framing::Forbidden);
            assert_eq!(part, Err(PasskeyFault::MalformedClientData));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            let challenge = Challenge::new([9; 32]);
            let rp = rp(Framing::Forbidden);
            let verdict = check(&bytes, Ceremony::Registration, &rp, &challenge);
            prop_assert!(verdict.is_err());
        }
    }
}
