//! What a real node shows of itself: its log, and what waits.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

mod rig;

use std::collections::BTreeSet;
use std::fmt;

use rig::{Credentials, Dir, Node, Raw, connect, frame, head, log_of, run};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tidegate_wire::{Opcode, Text, v1};

/// A value of which no object has a key twice: `Value` itself takes the last.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique, D::Error> {
        deserializer.deserialize_any(Unique)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Unique, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Unique, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Unique, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Unique, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Unique, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Unique, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Unique, A::Error> {
        while all.next_element::<Unique>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Unique, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            fields.next_value::<Unique>()?;
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("{key} stands there twice")));
            }
        }
        Ok(self)
    }
}

#[tokio::test]
async fn every_line_of_the_log_is_json_with_each_key_once() {
    assert!(serde_json::from_str::<Unique>(r#"{"a":1,"b":{"a":2}}"#).is_ok());
    assert!(serde_json::from_str::<Unique>(r#"{"a":{"b":1,"b":2}}"#).is_err());
    let dir = Dir::new();
    let node = Node::start(&dir);
    for command in [
        "tenant add shop",
        "gateway add till --tenant shop",
        "gateway revoke till",
        "cert renew",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let done = run(&[&words[..], &["--dir", dir.text()]].concat(), "");
        assert!(done.status.success(), "{done:?}");
    }
    let wrong = connect(node.quic, &Credentials::of(&dir, "node")).await;
    wrong.unwrap().closed().await;
    assert!(node.terminate().success());
    let log = std::fs::read_to_string(log_of(&dir.path())).unwrap();
    let mut acts = Vec::new();
    for line in log.lines() {
        if let Err(error) = serde_json::from_str::<Unique>(line) {
            panic!("{error}: {line}");
        }
        let line: Value = serde_json::from_str(line).unwrap();
        if line["event"] == "operator.act" {
            assert_eq!(line["target"], "tidegate_node::operator");
            acts.push([&line["act"], &line["on"]].map(|text| text.as_str().unwrap().to_owned()));
        }
    }
    let acts: Vec<_> = acts.iter().map(|[act, on]| [&**act, on]).collect();
    assert_eq!(
        acts,
        [
            ["tenant.add", "shop"],
            ["gateway.add", "till"],
            ["gateway.revoke", "till"],
            ["certificate.reload", "node"],
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_passwords_that_wait_are_shown() {
    const ASKED: u8 = 40;
    let dir = Dir::new();
    dir.configure("hashing.threads", "1");
    let node = Node::start(&dir);
    let waiting = || node.metric("tidegate_waiting{limit=\"hashing\"}");
    assert_eq!(waiting(), 0);
    let mut raw = Raw::open(&dir, node.quic).await;
    for number in 0..ASKED {
        let mut head = head(Opcode::SignIn);
        head.idempotency_key = [number + 1; 16];
        head.remaining_ms = 60_000;
        let body = v1::SignIn {
            identifier: v1::Identifier {
                kind: 3,
                text: Text(format!("nobody-{number}")),
            },
            password: Text("correct horse".into()),
            device: None,
            remember: 0,
            source: None,
        };
        raw.write(&frame(&head, &body)).await;
    }
    while waiting() == 0 {}
    for _ in 0..ASKED {
        raw.read().await.unwrap();
    }
    assert_eq!(waiting(), 0);
}
