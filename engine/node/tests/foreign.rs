//! A client that was written from `docs/protocol.md` alone, against a real
//! node: its frames are made and read by hand, without the crates that nodes
//! and our own client share.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

#[path = "foreign/document.rs"]
mod document;
#[path = "foreign/faults.rs"]
mod faults;
#[path = "foreign/gateway.rs"]
mod gateway;
#[path = "foreign/layout.rs"]
mod layout;
#[path = "foreign/messages.rs"]
mod messages;
mod rig;

use gateway::Gateway;
use layout::Reply;
use messages::{
    CHECK, Checked, Granted, PING, REFRESH, REVOKE, Row, SESSIONS, SIGN_IN, SIGN_UP, Session,
    SignIn, USER_NAME, plain, redirect, sign_up,
};
use rig::{Dir, NAME, Node, PASSWORD};

/// An account by user name.
async fn signed_up(gateway: &mut Gateway) -> [u8; 16] {
    let body = sign_up(&[(USER_NAME, NAME)], PASSWORD);
    let reply = gateway.ask(SIGN_UP, &body).await;
    assert_eq!((reply.code, reply.body.len()), (0, 16));
    reply.root(16).array()
}

async fn signed_in(gateway: &mut Gateway, sign_in: &SignIn<'_>) -> Granted {
    Granted::read(&gateway.ask(SIGN_IN, &sign_in.body()).await)
}

fn assert_ended(reply: &Reply, count: u32) {
    assert_eq!((reply.code, &*reply.body), (0, &count.to_le_bytes()[..]));
}

#[tokio::test]
async fn a_client_of_the_document_alone_signs_up_and_in_checks_lists_refreshes_and_revokes() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    let pong = gateway.ask(PING, &[]).await;
    let empty = Reply {
        code: 0,
        correlation: pong.correlation,
        epoch: 0,
        age_ms: 0,
        retry_after_ms: 0,
        body: Vec::new(),
    };
    assert_eq!(pong, empty);

    // A repeat is the same frame, under whatever correlation id.
    let body = sign_up(&[(USER_NAME, NAME)], PASSWORD);
    let mut head = gateway.head(SIGN_UP);
    let made = gateway.ask_as(&head, SIGN_UP, &body).await;
    assert_eq!((made.code, made.body.len()), (0, 16));
    assert!(made.retry_after_ms >= 1, "{made:?}");
    let user: [u8; 16] = made.root(16).array();
    head.correlation += 1_000;
    let again = gateway.ask_as(&head, SIGN_UP, &body).await;
    assert_eq!((again.code, &again.body), (0, &made.body));

    let mut v4 = [0; 16];
    v4[..4].copy_from_slice(&[192, 0, 2, 7]);
    let mut sign_in = SignIn {
        remember: 1,
        source: Some((1, v4)),
        ..plain(NAME, PASSWORD)
    };
    let first = signed_in(&mut gateway, &sign_in).await;
    assert_eq!(first.session.user, user);
    assert_eq!((first.assurance, first.methods), (1, 1));
    assert!(first.idle_expires_at <= first.expires_at, "{first:?}");
    assert!(first.device.is_some());
    sign_in.device = first.device;
    sign_in.remember = 0;
    let second = signed_in(&mut gateway, &sign_in).await;
    assert_eq!((second.session.user, second.device), (user, None));
    assert_ne!(second.session.id, first.session.id);

    let checked = gateway.ask(CHECK, &first.session.shown()).await;
    assert_eq!((checked.age_ms, checked.retry_after_ms), (0, 0));
    let checked = Checked::read(&checked);
    assert!(checked.idle_expires_at >= first.idle_expires_at);
    let expected = Checked {
        user,
        idle_expires_at: checked.idle_expires_at,
        expires_at: first.expires_at,
        assurance: 1,
        methods: 1,
    };
    assert_eq!(checked, expected);

    let rows = Row::list(&gateway.ask(SESSIONS, &second.session.shown()).await);
    assert!(rows.is_sorted_by(|one, next| one.used_at >= next.used_at));
    for row in &rows {
        assert!(row.created_at <= row.used_at, "{row:?}");
        assert!(row.used_at < row.idle_expires_at, "{row:?}");
        assert!(row.idle_expires_at <= row.expires_at, "{row:?}");
        assert_eq!((row.assurance, row.methods), (1, 1));
    }
    let mut listed: Vec<_> = rows.iter().map(|row| row.session).collect();
    let mut known = vec![first.session.id, second.session.id];
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);

    let next = Granted::read(&gateway.ask(REFRESH, &second.refresh_body()).await);
    assert_eq!(next.session, second.session);
    assert_eq!((next.family, next.device), (second.family, None));
    assert_ne!(next.refresh, second.refresh);
    // With another key, because that is not what tells the repeat of a refresh.
    let same = Granted::read(&gateway.ask(REFRESH, &second.refresh_body()).await);
    assert_eq!((same.refresh, same.session), (next.refresh, next.session));
    Checked::read(&gateway.ask(CHECK, &second.session.shown()).await);

    let body = second.session.revoke(2, first.session.id);
    let ended = gateway.ask(REVOKE, &body).await;
    assert_ended(&ended, 1);
    gateway.refused(CHECK, &first.session.shown(), 101).await;
    let rows = Row::list(&gateway.ask(SESSIONS, &second.session.shown()).await);
    let left: Vec<_> = rows.iter().map(|row| row.session).collect();
    assert_eq!(left, [second.session.id]);
    let head = gateway.head(REVOKE);
    let body = second.session.revoke(1, 0);
    for _ in 0..2 {
        let ended = gateway.ask_as(&head, REVOKE, &body).await;
        assert_ended(&ended, 1);
    }
    gateway.refused(CHECK, &second.session.shown(), 101).await;
    gateway
        .refused(SESSIONS, &second.session.shown(), 101)
        .await;
    gateway.refused(REFRESH, &next.refresh_body(), 101).await;
}

#[tokio::test]
async fn a_client_of_the_document_alone_reads_every_no_by_its_number() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    signed_up(&mut gateway).await;
    let granted = signed_in(&mut gateway, &plain(NAME, PASSWORD)).await;

    let known = granted.session;
    let unknown = Session {
        id: known.id ^ 1,
        ..known
    };
    gateway.refused(CHECK, &unknown.shown(), 101).await;
    gateway.refused(SESSIONS, &unknown.shown(), 101).await;
    let forged = Session {
        secret: [0; 24],
        ..known
    };
    gateway.refused(CHECK, &forged.shown(), 101).await;
    gateway.refused(REVOKE, &forged.revoke(4, 0), 101).await;

    let wrong = plain(NAME, "wrong horse");
    gateway.refused(SIGN_IN, &wrong.body(), 100).await;
    let nobody = plain("nobody.there", PASSWORD);
    gateway.refused(SIGN_IN, &nobody.body(), 100).await;
    let taken = sign_up(&[(USER_NAME, NAME)], "another horse");
    gateway.refused(SIGN_UP, &taken, 106).await;
    let short = sign_up(&[(USER_NAME, "brief.name")], "seven77");
    gateway.refused(SIGN_UP, &short, 209).await;
    gateway.refused(SIGN_IN, &plain(NAME, "").body(), 208).await;

    let head = gateway.head(SIGN_IN);
    let once = plain(NAME, PASSWORD);
    Granted::read(&gateway.ask_as(&head, SIGN_IN, &once.body()).await);
    let other = SignIn {
        remember: 1,
        ..once
    };
    let reused = gateway.ask_as(&head, SIGN_IN, &other.body()).await;
    assert_eq!((reused.code, reused.body), (206, Vec::new()));

    let second = Granted::read(&gateway.ask(REFRESH, &granted.refresh_body()).await);
    Granted::read(&gateway.ask(REFRESH, &second.refresh_body()).await);
    gateway.refused(REFRESH, &granted.refresh_body(), 103).await;
    gateway.refused(CHECK, &known.shown(), 101).await;
}

#[tokio::test]
async fn a_client_of_the_document_alone_is_sent_on_when_it_knows_a_higher_epoch() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    let user = signed_up(&mut gateway).await;
    let granted = signed_in(&mut gateway, &plain(NAME, PASSWORD)).await;
    let body = granted.session.shown();
    let here = gateway.ask(CHECK, &body).await;
    assert!(here.epoch > 0, "{here:?}");
    let mut head = gateway.head(CHECK);
    head.epoch = here.epoch + 1;
    let elsewhere = gateway.ask_as(&head, CHECK, &body).await;
    // Eight bits of region and twelve of slot; a node that is alone knows of no
    // other.
    let slot = u16::from_be_bytes([user[1], user[2]]) >> 4;
    assert_eq!(redirect(&elsewhere), (slot, String::new()));
    assert!(elsewhere.retry_after_ms > 0, "{elsewhere:?}");
    head.epoch = here.epoch;
    Checked::read(&gateway.ask_as(&head, CHECK, &body).await);
    // What goes to the person is sent on as a check is.
    let mut head = gateway.head(SESSIONS);
    head.epoch = here.epoch + 1;
    let elsewhere = gateway.ask_as(&head, SESSIONS, &body).await;
    assert_eq!(redirect(&elsewhere), (slot, String::new()));
    assert!(elsewhere.retry_after_ms > 0, "{elsewhere:?}");
    let mut head = gateway.head(SESSIONS);
    head.epoch = here.epoch;
    let rows = Row::list(&gateway.ask_as(&head, SESSIONS, &body).await);
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn texts_that_do_not_stand_in_place_arrive_as_they_were_written() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    // In place, its eight bytes full; out of line, with the length's two parts.
    let long = "p".repeat(80);
    let identifiers = [(USER_NAME, "eight.88"), (USER_NAME, "nine.9999")];
    let made = gateway.ask(SIGN_UP, &sign_up(&identifiers, &long)).await;
    assert_eq!((made.code, made.body.len()), (0, 16));
    for (_, name) in identifiers {
        let granted = signed_in(&mut gateway, &plain(name, &long)).await;
        assert_eq!(granted.session.user[..], made.body);
        let cut = plain(name, &long[..79]);
        gateway.refused(SIGN_IN, &cut.body(), 100).await;
    }
}
