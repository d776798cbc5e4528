//! Frames that the document says cannot be taken, and what each gets.

use crate::gateway::Gateway;
use crate::layout::{Body, Head, Reply, request};
use crate::messages::{PING, REVOKE, SIGN_IN, SIGN_UP, Session, SignIn, USER_NAME, plain, sign_up};
use crate::rig::{Dir, NAME, Node, PASSWORD};

/// A name and a password at once: 13 bytes, too long to stand in place.
const TWICE: &str = "correct.horse";

/// What follows the texts in a sign-in: no device, not to be remembered, no
/// source.
const PLAIN_REST_BYTES: usize = 33 + 1 + 18;

/// The body of a sign-in whose two text fields are written by hand.
fn by_hand(before: &[u8], identifier: [u8; 8], password: [u8; 8]) -> Vec<u8> {
    let body = Body::default().bytes(before).u8(USER_NAME);
    let body = body.bytes(&identifier).bytes(&password);
    body.bytes(&[0; PLAIN_REST_BYTES]).end()
}

/// A text field by hand: its length, which is under 64, and its offset.
fn field(length: u8, offset: i32) -> [u8; 8] {
    let [a, b, c, d] = offset.to_le_bytes();
    [0b1000_0000 | length, 0, 0, 0, a, b, c, d]
}

/// Changes a good frame; its length stays true.
fn changed(head: &Head, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = request(head, SIGN_IN, &plain(NAME, PASSWORD).body());
    change(&mut frame);
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
}

#[tokio::test]
async fn frames_that_the_document_refuses_get_its_codes_and_the_stream_goes_on() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    let head = gateway.head(SIGN_IN);
    let same = head.correlation;
    // (what, frame, code, correlation id)
    let rows = [
        (
            "no correlation id",
            changed(&head, |f| f.truncate(14)),
            200,
            0,
        ),
        (
            "no whole head",
            changed(&head, |f| f.truncate(55)),
            200,
            same,
        ),
        (
            "no whole root",
            changed(&head, |f| f.truncate(66)),
            200,
            same,
        ),
        ("byte 5", changed(&head, |f| f[5] = 1), 200, same),
        ("version 2", changed(&head, |f| f[4] = 2), 201, same),
        ("opcode 255", changed(&head, |f| f[6] = 255), 203, same),
        ("no key", changed(&head, |f| f[40..56].fill(0)), 205, same),
        ("no such tenant", changed(&head, |f| f[16] ^= 1), 204, same),
        ("no UTF-8", changed(&head, |f| f[56] = 0xFF), 200, same),
    ];
    for (what, frame, code, correlation) in rows {
        let reply = gateway.send(&frame).await;
        let expected = Reply {
            code,
            correlation,
            epoch: 0,
            age_ms: 0,
            retry_after_ms: 0,
            body: Vec::new(),
        };
        assert_eq!(reply, expected, "{what}");
    }
    let length_of_10 = changed(&head, |f| f.truncate(14));
    assert_eq!(length_of_10[..4], [10, 0, 0, 0]);
    assert_eq!(gateway.ask(PING, &[]).await.code, 0);
}

#[tokio::test]
async fn bodies_that_share_bytes_or_have_another_order_are_malformed() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    let text = TWICE.as_bytes();
    // The root begins with the kind: the identifier's text is one byte into it,
    // the password nine.
    let honest = by_hand(&[text, text].concat(), field(13, -27), field(13, -22));
    assert_eq!(honest, plain(TWICE, TWICE).body());
    gateway.refused(SIGN_IN, &honest, 100).await;
    let rows = [
        ("shared", by_hand(text, field(13, -14), field(13, -22))),
        (
            "overlapping",
            by_hand(&[text, text].concat(), field(13, -27), field(13, -23)),
        ),
        (
            "in another order",
            by_hand(&[text, text].concat(), field(13, -14), field(13, -35)),
        ),
        (
            "before the body",
            by_hand(text, field(13, -15), plain_field("secret")),
        ),
        (
            "behind itself",
            by_hand(text, field(13, 8), plain_field("secret")),
        ),
        (
            "short and out of line",
            by_hand(b"ada", field(3, -4), plain_field("secret")),
        ),
    ];
    for (what, body) in rows {
        let reply = gateway.ask(SIGN_IN, &body).await;
        assert_eq!((reply.code, reply.body), (200, Vec::new()), "{what}");
    }
    assert_eq!(gateway.ask(PING, &[]).await.code, 0);
}

/// A text that stands in place.
fn plain_field(text: &str) -> [u8; 8] {
    let body = Body::default().text(text).end();
    body.try_into().unwrap()
}

#[tokio::test]
async fn fields_that_the_document_refuses_get_its_codes() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    let good = plain(NAME, PASSWORD);
    let (name, password) = ("n".repeat(321), "p".repeat(1_025));
    let sign_ins = [
        (SignIn { kind: 4, ..good }, 200),
        (
            SignIn {
                remember: 2,
                ..good
            },
            200,
        ),
        (
            SignIn {
                source: Some((4, [0; 16])),
                ..good
            },
            200,
        ),
        (plain(&name, PASSWORD), 202),
        (plain(NAME, &password), 202),
        (plain("not a name", PASSWORD), 207),
    ];
    for (sign_in, code) in &sign_ins {
        gateway.refused(SIGN_IN, &sign_in.body(), *code).await;
    }
    let names = [(USER_NAME, "nine.times"); 9];
    for (count, code) in [(0, 207), (2, 110), (9, 202)] {
        let body = sign_up(&names[..count], PASSWORD);
        gateway.refused(SIGN_UP, &body, code).await;
    }
    let session = Session {
        user: [1; 16],
        id: 1,
        secret: [1; 24],
    };
    gateway.refused(REVOKE, &session.revoke(5, 0), 200).await;
}

#[tokio::test]
async fn a_length_that_the_document_refuses_ends_its_stream_alone() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let mut gateway = Gateway::open(&dir, node.quic).await;
    for (length, code) in [(0u32, 200), (8_189, 202), (u32::MAX, 202)] {
        assert_eq!(gateway.ask(PING, &[]).await.code, 0);
        let reply = gateway.send(&length.to_le_bytes()).await;
        let told = (reply.code, reply.correlation, reply.body);
        assert_eq!(told, (code, 0, Vec::new()));
        assert_eq!(gateway.receive().await, None);
        gateway.open_stream().await;
    }
    // The longest that there is: read whole, and refused for what it says.
    let head = gateway.head(SIGN_IN);
    let longest = changed(&head, |frame| frame.resize(8_192, 0));
    let reply = gateway.send(&longest).await;
    assert_eq!((reply.code, reply.correlation), (200, head.correlation));
    assert_eq!(gateway.ask(PING, &[]).await.code, 0);
}
