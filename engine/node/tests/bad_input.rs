//! The table of `docs/errors.md`: bad input, and the code each gets from a
//! real node. Afterwards the node still serves.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use rig::{
    Credentials, Dir, NAME, Node, PASSWORD, Raw, ada, client, connect, frame, head, no, yes,
};
use tidegate_client::{
    CallError, Client, Close, Code, Decision, Options, Refused, RevokeScope, SessionToken, SignIn,
    StatusChange,
};
use tidegate_node::certificates::{Identity, Issued, Role, issue, make_ca};
use tidegate_wire::{MAX_REQUEST_BYTES, Opcode, SecretBytes, Text, v1};

fn check() -> v1::Check {
    v1::Check {
        user: [1; 16],
        session: 1,
        secret: SecretBytes([1; 24]),
    }
}

fn sign_in(identifier: &str, password: &str) -> v1::SignIn {
    v1::SignIn {
        identifier: v1::Identifier {
            kind: 3,
            text: Text(identifier.into()),
        },
        password: Text(password.into()),
        device: None,
        remember: 0,
        source: None,
    }
}

#[tokio::test]
async fn frames_that_cannot_be_taken_get_their_code_and_the_stream_goes_on() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut raw = Raw::open(&dir, node.quic).await;
    let good = frame(&head(Opcode::Check), &check());
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let length = u32::try_from(bytes.len() - 4).unwrap();
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    let rows = [
        (with(|frame| frame.truncate(60)), Code::Malformed),
        (with(|frame| frame[5] = 1), Code::Malformed),
        (with(|frame| frame[4] = 2), Code::UnsupportedVersion),
        (with(|frame| frame[6] = 200), Code::UnknownOpcode),
    ];
    for (bytes, code) in rows {
        assert_eq!(raw.ask(&bytes).await, (code, 77));
    }
    let mut no_key = head(Opcode::SignIn);
    no_key.idempotency_key = [0; 16];
    let asked = frame(&no_key, &sign_in(NAME, PASSWORD));
    assert_eq!(raw.ask(&asked).await, (Code::IdempotencyMissing, 77));
    let mut tenant = head(Opcode::Check);
    tenant.tenant = 5;
    assert_eq!(
        raw.ask(&frame(&tenant, &check())).await.0,
        Code::NotPermitted
    );
    assert_eq!(raw.ask(&good).await.0, Code::InvalidToken);
    let mut elsewhere = check();
    elsewhere.user[0] = 9;
    let elsewhere = frame(&head(Opcode::Check), &elsewhere);
    assert_eq!(raw.ask(&elsewhere).await.0, Code::InvalidToken);
}

#[tokio::test]
async fn a_frame_without_a_head_or_over_the_limit_ends_its_stream_alone() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let over = u32::try_from(MAX_REQUEST_BYTES).unwrap();
    for (bytes, code) in [
        (over.to_le_bytes(), Code::TooLarge),
        ([0xFF; 4], Code::TooLarge),
        ([0; 4], Code::Malformed),
    ] {
        let mut raw = Raw::open(&dir, node.quic).await;
        assert_eq!(raw.ask(&bytes).await, (code, 0));
        assert!(raw.read().await.is_none());
        let (send, recv) = raw.connection.open_bi().await.unwrap();
        drop((send, recv));
    }
    let mut raw = Raw::open(&dir, node.quic).await;
    let good = frame(&head(Opcode::Ping), &v1::Ping {});
    raw.write(&good).await;
    raw.write(&good[..good.len() - 1]).await;
    assert_eq!(
        raw.finish().await.len(),
        1,
        "a truncated frame has no answer"
    );
}

#[tokio::test]
async fn what_is_under_way_on_a_stream_that_ends_is_answered_all_the_same() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    rig::signed_in(&client(&dir, &node)).await;
    let mut raw = Raw::open(&dir, node.quic).await;
    let mut bytes = frame(&head(Opcode::SignIn), &sign_in(NAME, PASSWORD));
    bytes.extend_from_slice(&[0; 4]);
    raw.write(&bytes).await;
    let mut codes = Vec::new();
    while let Some(reply) = raw.read().await {
        codes.push(tidegate_wire::decode_reply(&reply).unwrap().code);
    }
    assert_eq!(codes, [Code::Malformed, Code::Ok]);
}

#[tokio::test]
async fn fields_that_cannot_be_taken_get_their_code() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut raw = Raw::open(&dir, node.quic).await;
    let mut invalid_utf8 = frame(&head(Opcode::SignIn), &sign_in("ada.example", PASSWORD));
    let at = invalid_utf8.windows(4).position(|w| w == b"ada.").unwrap();
    invalid_utf8[at] = 0xFF;
    let long_identifier = sign_in(&"a".repeat(321), PASSWORD);
    let long_password = sign_in(NAME, &"p".repeat(1_025));
    let mut kind = sign_in(NAME, PASSWORD);
    kind.identifier.kind = 9;
    let mut remember = sign_in(NAME, PASSWORD);
    remember.remember = 7;
    let rows = [
        (invalid_utf8, Code::Malformed),
        (
            frame(&head(Opcode::SignIn), &long_identifier),
            Code::TooLarge,
        ),
        (frame(&head(Opcode::SignIn), &long_password), Code::TooLarge),
        (frame(&head(Opcode::SignIn), &kind), Code::Malformed),
        (frame(&head(Opcode::SignIn), &remember), Code::Malformed),
        (
            frame(&head(Opcode::SignIn), &sign_in("not mail", PASSWORD)),
            Code::InvalidIdentifier,
        ),
        (
            frame(&head(Opcode::SignIn), &sign_in(NAME, "bell\u{7}")),
            Code::InvalidPassword,
        ),
        (
            frame(&head(Opcode::SignIn), &sign_in(NAME, "")),
            Code::InvalidPassword,
        ),
        (
            frame(
                &head(Opcode::SignUp),
                &v1::SignUp {
                    identifiers: Vec::new(),
                    password: Text(PASSWORD.into()),
                    source: None,
                },
            ),
            Code::InvalidIdentifier,
        ),
        (
            frame(
                &head(Opcode::Revoke),
                &v1::Revoke {
                    by: check(),
                    scope: 9,
                    target: 0,
                },
            ),
            Code::Malformed,
        ),
    ];
    for (bytes, code) in rows {
        assert_eq!(raw.ask(&bytes).await, (code, 77));
    }
    let mut office = Raw::open_as(node.quic, &Credentials::of(&dir, "gateway-office")).await;
    let change = v1::SetStatus {
        user: [1; 16],
        change: 9,
    };
    let asked = frame(&head(Opcode::SetStatus), &change);
    assert_eq!(office.ask(&asked).await, (Code::Malformed, 77));
    let client = client(&dir, &node);
    // Refused where it is new; at sign-in an account may have it.
    let unseen = SignIn::email("a\u{200b}da@example.com", PASSWORD);
    assert_eq!(no(client.sign_up(&unseen).await), Code::InvalidIdentifier);
    assert_eq!(no(client.sign_in(&unseen).await), Code::InvalidCredentials);
    let trunk = SignIn::phone("+44 020 7946 0958", PASSWORD);
    assert_eq!(no(client.sign_up(&trunk).await), Code::InvalidIdentifier);
    assert_eq!(no(client.sign_in(&trunk).await), Code::InvalidCredentials);
    let short = SignIn::username(NAME, "seven77");
    assert_eq!(no(client.sign_up(&short).await), Code::PasswordTooShort);
    yes(client.sign_up(&ada()).await);
}

#[tokio::test]
async fn credentials_and_tokens_that_do_not_fit_get_their_code() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let client = client(&dir, &node);
    let grant = rig::signed_in(&client).await;
    assert_eq!(no(client.sign_up(&ada()).await), Code::IdentifierTaken);
    let wrong = SignIn::username(NAME, "wrong horse");
    assert_eq!(no(client.sign_in(&wrong).await), Code::InvalidCredentials);
    let nobody = SignIn::username("nobody.there", PASSWORD);
    assert_eq!(no(client.sign_in(&nobody).await), Code::InvalidCredentials);

    let mut forged = grant.session.clone();
    forged.secret = SecretBytes([0; 24]);
    assert_eq!(no(client.check(&forged).await), Code::InvalidToken);
    assert_eq!(
        no(client.revoke(&forged, RevokeScope::All).await),
        Code::InvalidToken
    );
    assert_eq!(no(client.sessions(&forged).await), Code::InvalidToken);
    let mut foreign = grant.session.clone();
    foreign.user.0[10] ^= 1;
    assert_eq!(no(client.check(&foreign).await), Code::InvalidToken);
    let mut forged = grant.refresh.clone();
    forged.family = SecretBytes([0; 24]);
    assert_eq!(no(client.refresh(&forged).await), Code::InvalidToken);

    let second = yes(client.refresh(&grant.refresh).await);
    yes(client.refresh(&second.refresh).await);
    assert_eq!(
        no(client.refresh(&grant.refresh).await),
        Code::RefreshReused
    );
    assert_eq!(no(client.check(&grant.session).await), Code::InvalidToken);
}

#[tokio::test]
async fn an_expired_session_is_told_from_an_unknown_one() {
    let dir = Dir::made(&rig::UNLIMITED);
    dir.configure("sessions.idle_ms", "1000");
    dir.configure("sessions.lifetime_ms", "1000");
    let node = Node::start(&dir);
    let client = client(&dir, &node);
    let grant = rig::signed_in(&client).await;
    let code = loop {
        match client.check(&grant.session).await.unwrap() {
            Decision::Yes(_) => {}
            Decision::No(refusal) => break refusal.code,
        }
    };
    assert_eq!(code, Code::SessionExpired);
    assert_eq!(
        no(client.refresh(&grant.refresh).await),
        Code::SessionExpired
    );
}

#[tokio::test]
async fn closed_accounts_say_so_to_whoever_proves_to_be_the_owner() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let (client, office) = (client(&dir, &node), rig::office(&dir, &node));
    let grant = rig::signed_in(&client).await;
    for (close, open, code) in [
        (
            StatusChange::Lock,
            StatusChange::Unlock,
            Code::AccountLocked,
        ),
        (
            StatusChange::Suspend,
            StatusChange::Reinstate,
            Code::AccountSuspended,
        ),
    ] {
        yes(office.set_status(grant.user, close).await);
        assert_eq!(no(client.check(&grant.session).await), code);
        assert_eq!(no(client.refresh(&grant.refresh).await), code);
        assert_eq!(no(client.sign_in(&ada()).await), code);
        if close == StatusChange::Suspend {
            let conflict = office.set_status(grant.user, StatusChange::Unlock).await;
            assert_eq!(no(conflict), Code::StatusConflict);
        }
        yes(office.set_status(grant.user, open).await);
        yes(client.check(&grant.session).await);
    }
    let mut nobody = grant.user;
    nobody.0[10] ^= 1;
    let unknown = office.set_status(nobody, StatusChange::Lock).await;
    assert_eq!(no(unknown), Code::UnknownAccount);
}

#[tokio::test]
async fn an_erased_person_is_gone_and_a_repeat_says_since_when() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let (client, office) = (client(&dir, &node), rig::office(&dir, &node));
    let grant = rig::signed_in(&client).await;
    let at = yes(office.erase(grant.user).await);
    assert_eq!(no(client.check(&grant.session).await), Code::InvalidToken);
    assert_eq!(no(client.refresh(&grant.refresh).await), Code::InvalidToken);
    assert_eq!(no(client.sign_in(&ada()).await), Code::InvalidCredentials);
    assert_eq!(yes(office.erase(grant.user).await), at);
    let lock = office.set_status(grant.user, StatusChange::Lock).await;
    assert_eq!(no(lock), Code::UnknownAccount);
    let again = yes(client.sign_up(&ada()).await);
    assert_ne!(again, grant.user);
    let mut nobody = grant.user;
    nobody.0[10] ^= 1;
    assert_eq!(no(office.erase(nobody).await), Code::UnknownAccount);
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    rig::signed_in(&client(&dir, &node)).await;
    let mut raw = Raw::open(&dir, node.quic).await;
    let first = frame(&head(Opcode::SignIn), &sign_in(NAME, PASSWORD));
    assert_eq!(raw.ask(&first).await.0, Code::Ok);
    let other = frame(&head(Opcode::SignIn), &sign_in(NAME, "wrong horse"));
    assert_eq!(raw.ask(&other).await.0, Code::IdempotencyReused);
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_told_and_nothing_is_done() {
    let dir = Dir::new();
    dir.configure("hashing.threads", "1");
    let node = Node::start(&dir);
    rig::signed_in(&client(&dir, &node)).await;
    let mut raw = Raw::open(&dir, node.quic).await;
    let mut late = head(Opcode::SignIn);
    late.remaining_ms = 0;
    let mut codes = Vec::new();
    for key in 1..=4 {
        late.idempotency_key = [key; 16];
        raw.write(&frame(&late, &sign_in(NAME, PASSWORD))).await;
    }
    for _ in 0..4 {
        let reply = raw.read().await.unwrap();
        codes.push(tidegate_wire::decode_reply(&reply).unwrap().code);
    }
    // At least the ones behind the first come too late for the hashing pool.
    let done = codes.iter().filter(|code| **code == Code::Ok).count();
    assert!(done <= 1, "{codes:?}");
    assert!(
        codes
            .iter()
            .all(|code| matches!(code, Code::Ok | Code::Busy | Code::DeadlineExceeded))
    );
}

fn issued(dir: &Dir, role: Role, name: &str) -> Credentials {
    let ca = Issued {
        certificate: String::from_utf8(dir.file("tls/ca.crt")).unwrap(),
        key: String::from_utf8(dir.file("tls/ca.key")).unwrap().into(),
    };
    let name = name.to_owned();
    let now_s = i64::try_from(now_s()).unwrap();
    let issued = issue(&ca, &Identity { role, name }, now_s).unwrap();
    Credentials {
        certificate: Some((
            issued.certificate.into_bytes(),
            issued.key.as_bytes().to_vec(),
        )),
        ..Credentials::of(dir, "gateway-default")
    }
}

fn now_s() -> u64 {
    use tidegate_runtime::ports::Clock;
    tidegate_runtime::SystemClock::new().unix_ms() / 1000
}

/// The application code with which the node closed the connection.
async fn closed_with(connection: quinn::Connection) -> u64 {
    match connection.closed().await {
        quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn strangers_get_nothing_and_crash_nothing() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let good = || Credentials::of(&dir, "gateway-default");
    let no_certificate = Credentials {
        certificate: None,
        ..good()
    };
    let other_alpn = Credentials {
        alpn: b"h3".to_vec(),
        ..good()
    };
    let other_ca = make_ca(i64::try_from(now_s()).unwrap()).unwrap();
    let name = "default".to_owned();
    let role = Role::Gateway;
    let stranger = issue(
        &other_ca,
        &Identity { role, name },
        i64::try_from(now_s()).unwrap(),
    );
    let stranger = stranger.unwrap();
    let other_ca = Credentials {
        certificate: Some((
            stranger.certificate.into_bytes(),
            stranger.key.as_bytes().to_vec(),
        )),
        ..good()
    };
    for who in [no_certificate, other_alpn, other_ca] {
        // A client may believe in the handshake until the node's refusal of
        // its certificate arrives; nothing is ever answered either way.
        if let Ok(connection) = connect(node.quic, &who).await {
            let error = connection.closed().await;
            assert!(
                !matches!(error, quinn::ConnectionError::ApplicationClosed(_)),
                "{error}"
            );
        }
    }
    for (role, name, code) in [
        (Role::Node, "node", 0x10),
        (Role::Operator, "ops", 0x11),
        (Role::Gateway, "unheard-of", 0x11),
    ] {
        let who = issued(&dir, role, name);
        let connection = connect(node.quic, &who).await.unwrap();
        assert_eq!(closed_with(connection).await, code, "{name}");
    }
    let as_node = Options::new(
        node.quic,
        dir.file("tls/ca.crt"),
        dir.file("tls/node.crt"),
        dir.file("tls/node.key"),
        "default",
    );
    let refused = Client::new(&as_node).unwrap().ping().await.unwrap_err();
    let reason = Refused::Closed(Close::NotAGateway);
    assert_eq!(refused, CallError::Refused { reason });
    yes(client(&dir, &node).ping().await);
}

#[tokio::test]
async fn a_gateway_may_only_what_its_row_says() {
    let dir = Dir::new();
    let args = ["gateway", "add", "shop", "--rate-per-s", "5", "--dir"];
    let made = rig::run(&[&args[..], &[dir.text()]].concat(), "");
    assert!(made.status.success(), "{made:?}");
    let node = Node::start(&dir);
    let mut raw = Raw::open_as(node.quic, &Credentials::of(&dir, "gateway-shop")).await;
    let body = v1::SetStatus {
        user: [1; 16],
        change: 1,
    };
    assert_eq!(
        raw.ask(&frame(&head(Opcode::SetStatus), &body)).await.0,
        Code::NotPermitted
    );
    let mut codes = Vec::new();
    for _ in 0..10 {
        codes.push(raw.ask(&frame(&head(Opcode::Ping), &v1::Ping {})).await.0);
    }
    assert_eq!(codes[..5], [Code::Ok; 5]);
    assert!(codes[5..].contains(&Code::Busy), "{codes:?}");
}

#[tokio::test]
async fn connections_beyond_the_gateways_limit_are_closed() {
    let dir = Dir::new();
    dir.configure("limits.connections_per_gateway", "2");
    let node = Node::start(&dir);
    let who = Credentials::of(&dir, "gateway-default");
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::open_as(node.quic, &who).await;
        raw.ask(&frame(&head(Opcode::Ping), &v1::Ping {})).await;
        kept.push(raw);
    }
    let third = connect(node.quic, &who).await.unwrap();
    assert_eq!(closed_with(third).await, 0x12);
}

#[tokio::test]
async fn the_client_refuses_what_is_not_a_token_or_does_not_fit_a_frame() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let client: Client = client(&dir, &node);
    let huge = SignIn::username(NAME, &"p".repeat(10_000));
    assert_eq!(
        client.sign_in(&huge).await.unwrap_err(),
        CallError::TooLarge
    );
    let grant = rig::signed_in(&client).await;
    let text = grant.session.to_text();
    for cut in [0, 4, 20, text.len() - 1] {
        assert!(text[..cut].parse::<SessionToken>().is_err());
    }
}
