//! Asking about every person once, so that they are warm.

use std::net::SocketAddr;

use anyhow::ensure;
use tidegate_client::Options;

use crate::load::{self, Pace, Shape};
use crate::mix::{Mix, Parts};
use crate::script::{People, Script};

/// Asks about every person in turn, as fast as is answered.
pub(super) async fn warm(options: &Options, at: SocketAddr, people: &People) -> anyhow::Result<()> {
    let mix = Mix {
        about: String::new(),
        ask: Parts {
            check: 1,
            ..Parts::default()
        },
        curve: vec![(0.0, 1.0)],
        people: crate::mix::Draw::InTurn,
        refused: crate::mix::Refused::ComeAgain,
    };
    let shape = Shape {
        connections: 16,
        in_flight: 64,
        pace: Pace::Counted {
            requests: people.len(),
        },
        warm_up_s: 0.0,
        seed: 0,
    };
    let script = Script::new(&mix, people.clone(), Vec::new(), 0);
    let connected = load::connect(at, options, &shape).await?;
    let (book, _) = load::run(connected, &mix, &shape, script).await?;
    let all = book.all();
    ensure!(
        all.wrong == 0 && all.failed == 0,
        "warming: {} wrong, {} failed: {:?} {:?}",
        all.wrong,
        all.failed,
        book.wrong,
        book.failures,
    );
    Ok(())
}
