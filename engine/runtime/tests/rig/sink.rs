//! Where messages go in tests: it answers, holds them, or breaks.

use std::sync::{Arc, Mutex};

use tidegate_runtime::ports::{Delivery, Letter, PortFuture, Sent};
use tokio::sync::oneshot;

/// How the sink behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkMood {
    Answers(Sent),
    /// It answers when [`Sink::answer`] says so.
    Holds,
    Panics,
}

pub(crate) struct Sink {
    mood: Mutex<SinkMood>,
    letters: Mutex<Vec<Letter>>,
    held: Mutex<Vec<oneshot::Sender<Sent>>>,
}

impl Sink {
    pub(crate) fn new() -> Arc<Sink> {
        Arc::new(Sink {
            mood: Mutex::new(SinkMood::Answers(Sent::Delivered)),
            letters: Mutex::default(),
            held: Mutex::default(),
        })
    }

    pub(crate) fn set(&self, mood: SinkMood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Everything that was sent, in order.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    /// Answers everything that is held, whoever still waits for it.
    pub(crate) fn answer(&self, sent: Sent) {
        for held in std::mem::take(&mut *self.held.lock().unwrap()) {
            let _ = held.send(sent);
        }
    }
}

impl Delivery for Sink {
    fn send(&self, letter: Letter) -> PortFuture<Sent> {
        self.letters.lock().unwrap().push(letter);
        let mood = *self.mood.lock().unwrap();
        match mood {
            SinkMood::Answers(sent) => Box::pin(std::future::ready(sent)),
            SinkMood::Panics => panic!("planted"),
            SinkMood::Holds => {
                let (answer, answered) = oneshot::channel();
                self.held.lock().unwrap().push(answer);
                Box::pin(async move { answered.await.unwrap_or(Sent::Failed) })
            }
        }
    }
}
