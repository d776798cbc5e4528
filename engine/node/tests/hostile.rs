//! Gateways that mean harm, or are broken in a way that looks like it: a real
//! node bounds what they can take and goes on serving all others.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rig::{Credentials, Dir, Node, PASSWORD, Raw, client, connect, frame, head, run, yes};
use tidegate_wire::{Code, Opcode, RequestHead, Text, decode_reply, v1};
use tokio::net::UdpSocket;

fn ping() -> Vec<u8> {
    frame(&head(Opcode::Ping), &v1::Ping {})
}

fn username(name: &str) -> v1::Identifier {
    v1::Identifier {
        kind: 3,
        text: Text(name.to_owned()),
    }
}

#[tokio::test]
async fn streams_that_send_nothing_or_a_byte_at_a_time_hold_up_nobody() {
    let dir = Dir::new();
    dir.configure("limits.streams_per_connection", "8");
    let node = Node::start(&dir);
    let mut slow = Raw::open(&dir, node.quic).await;
    assert_eq!(slow.ask(&ping()).await.0, Code::Ok);
    let mut silent = Vec::new();
    for _ in 1..8 {
        let (mut send, recv) = slow.connection.open_bi().await.unwrap();
        // Half a head: the node waits for the rest.
        send.write_all(&ping()[..3]).await.unwrap();
        silent.push((send, recv));
    }
    let gateway = client(&dir, &node);
    for byte in ping() {
        slow.write(&[byte]).await;
        yes(gateway.ping().await);
    }
    let reply = slow.read().await.unwrap();
    assert_eq!(decode_reply(&reply).unwrap().code, Code::Ok);
}

#[tokio::test]
async fn a_gateway_that_never_reads_is_not_read_from_any_more() {
    let dir = Dir::made(&rig::UNLIMITED);
    let node = Node::start(&dir);
    let gateway = client(&dir, &node);
    yes(gateway.ping().await);
    let before_bytes = node.resident_bytes();
    let who = Credentials::of(&dir, "gateway-default");
    let deaf = connect(node.quic, &who).await.unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    for _ in 0..16 {
        let (mut send, recv) = deaf.open_bi().await.unwrap();
        let written = Arc::clone(&written);
        tokio::spawn(async move {
            let _kept = recv;
            let frames = ping().repeat(100);
            // Ends with the connection.
            while send.write_all(&frames).await.is_ok() {
                written.fetch_add(frames.len(), Ordering::SeqCst);
            }
        });
    }
    // It is not read from any more when nothing moves for long.
    let mut seen = usize::MAX;
    while seen != written.load(Ordering::SeqCst) {
        seen = written.load(Ordering::SeqCst);
        for _ in 0..2_000 {
            yes(gateway.ping().await);
        }
    }
    let grown_bytes = node.resident_bytes().saturating_sub(before_bytes);
    // The windows of 16 streams and what the gateway itself still holds.
    assert!(seen < 64 << 20, "{seen} bytes were taken");
    assert!(grown_bytes < 32 << 20, "{grown_bytes} bytes are held");
}

#[tokio::test]
async fn requests_under_way_are_bounded_for_each_connection() {
    let dir = Dir::new();
    dir.configure("limits.frames_per_connection", "4");
    dir.configure("hashing.threads", "1");
    let node = Node::start(&dir);
    yes(client(&dir, &node).sign_up(&rig::ada()).await);
    let mut raw = Raw::open(&dir, node.quic).await;
    let sign_in = |correlation| {
        let head = RequestHead {
            correlation,
            idempotency_key: [u8::try_from(correlation).unwrap(); 16],
            ..head(Opcode::SignIn)
        };
        let body = v1::SignIn {
            identifier: username(rig::NAME),
            password: Text(PASSWORD.to_owned()),
            device: None,
            remember: 0,
            source: None,
        };
        frame(&head, &body)
    };
    let all: Vec<u8> = (1..=40).flat_map(sign_in).collect();
    raw.write(&all).await;
    let codes: Vec<Code> = raw
        .finish()
        .await
        .iter()
        .map(|reply| decode_reply(reply).unwrap().code)
        .collect();
    let count = |code| codes.iter().filter(|one| **one == code).count();
    assert_eq!((codes.len(), count(Code::Ok) + count(Code::Busy)), (40, 40));
    assert!(count(Code::Ok) >= 4 && count(Code::Busy) > 0, "{codes:?}");
    assert_eq!(
        node.metric("tidegate_refused_total{limit=\"frames_in_flight\"}"),
        count(Code::Busy) as u64
    );
    let mut other = Raw::open(&dir, node.quic).await;
    assert_eq!(other.ask(&ping()).await.0, Code::Ok);
}

#[tokio::test]
async fn connections_without_end_are_refused_and_everybody_else_is_served() {
    let dir = Dir::new();
    dir.configure("limits.connections_per_gateway", "8");
    dir.configure("limits.connections", "12");
    let made = run(&["gateway", "add", "till", "--dir", dir.text()], "");
    assert!(made.status.success(), "{made:?}");
    let node = Node::start(&dir);
    let who = Credentials::of(&dir, "gateway-till");
    let mut kept = Vec::new();
    let mut refused = 0;
    for _ in 0..200 {
        match connect(node.quic, &who).await {
            Ok(connection) => kept.push(connection),
            Err(_) => refused += 1,
        }
        // Those over the gateway's limit are told so and make room.
        kept.retain(|connection| connection.close_reason().is_none());
    }
    yes(client(&dir, &node).ping().await);
    for connection in &kept {
        // A refusal may still be on its way to the client.
        if connection.close_reason().is_some() {
            refused += 1;
        }
    }
    assert!(
        kept.len() <= 12,
        "{} of 200 are open, {refused} refused",
        kept.len()
    );
    assert!(node.metric("tidegate_connections_refused_total") >= 180);
}

/// Between a gateway and the node, keeping what the gateway sends.
struct Wiretap {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    to_node: Arc<UdpSocket>,
}

impl Wiretap {
    async fn start(node: SocketAddr) -> Wiretap {
        let gateway_side = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let to_node = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        to_node.connect(node).await.unwrap();
        let address = gateway_side.local_addr().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let tap = Wiretap {
            address,
            sent: Arc::clone(&sent),
            to_node: Arc::clone(&to_node),
        };
        tokio::spawn(async move {
            let (mut from_gateway, mut from_node) = ([0; 65_536], [0; 65_536]);
            let mut gateway = None;
            loop {
                tokio::select! {
                    got = gateway_side.recv_from(&mut from_gateway) => {
                        let Ok((bytes, from)) = got else { return };
                        gateway = Some(from);
                        sent.lock().unwrap().push(from_gateway[..bytes].to_vec());
                        let _ = to_node.send(&from_gateway[..bytes]).await;
                    }
                    got = to_node.recv(&mut from_node) => {
                        let (Ok(bytes), Some(gateway)) = (got, gateway) else { continue };
                        let _ = gateway_side.send_to(&from_node[..bytes], gateway).await;
                    }
                }
            }
        });
        tap
    }
}

#[tokio::test]
async fn captured_packets_sent_again_do_nothing() {
    let dir = Dir::new();
    let node = Node::start(&dir);
    let tap = Wiretap::start(node.quic).await;
    let mut raw = Raw::open(&dir, tap.address).await;
    let body = v1::SignUp {
        identifiers: vec![username("ada")],
        password: Text(PASSWORD.to_owned()),
        source: None,
    };
    assert_eq!(
        raw.ask(&frame(&head(Opcode::SignUp), &body)).await.0,
        Code::Ok
    );
    let sign_ups = || node.metric("tidegate_requests_total{opcode=\"signup\"}");
    assert_eq!(sign_ups(), 1);
    let captured = tap.sent.lock().unwrap().clone();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..20 {
        for packet in &captured {
            tap.to_node.send(packet).await.unwrap();
            elsewhere.send_to(packet, node.quic).await.unwrap();
        }
        // Answered after everything before it was looked at.
        assert_eq!(raw.ask(&ping()).await.0, Code::Ok);
    }
    assert_eq!(sign_ups(), 1);
    yes(client(&dir, &node).ping().await);
}

#[tokio::test]
async fn a_node_that_runs_out_of_descriptors_serves_those_who_are_there_and_recovers() {
    let dir = Dir::new();
    let node = Node::start_with_open_files(&dir, 64);
    let gateway = client(&dir, &node);
    let grant = rig::signed_in(&gateway).await;
    let held: Vec<_> = (0..100)
        .map(|_| std::net::TcpStream::connect(node.metrics).unwrap())
        .collect();
    for _ in 0..20 {
        yes(gateway.check(&grant.session).await);
        yes(gateway.sign_in(&rig::ada()).await);
    }
    // A new connection needs no descriptor: QUIC shares one socket.
    yes(client(&dir, &node).check(&grant.session).await);
    drop(held);
    assert!(node.get("/health/ready").starts_with("HTTP/1.1 200"));
}
