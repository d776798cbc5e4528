//! Attempts that wait until others are known: a queue for each thing that they
//! depend on, of a length that is bounded.
//!
//! One is woken at a time. It looks again, and when it leaves, with an answer or
//! without, it wakes the next: none is woken that can do nothing, and none is left
//! behind. One that looks in vain wakes none: what it depends on is still
//! under way, and wakes one when it is known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ports::Clock;

/// The queues of everything that can be waited for.
pub(crate) struct Queues<K: Ord + Copy> {
    /// How many may wait in one of them.
    longest: usize,
    queues: Mutex<BTreeMap<K, Queue>>,
}

/// It is there only while an attempt stands in it.
#[derive(Default)]
struct Queue {
    waiting: usize,
    next: Arc<Notify>,
}

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is time to look again.
    Come,
    /// The deadline has passed.
    Late,
    /// There was no place to wait.
    Full,
}

impl<K: Ord + Copy> Queues<K> {
    /// In each of them so many may wait.
    pub(crate) fn new(longest: usize) -> Queues<K> {
        Queues {
            longest,
            queues: Mutex::default(),
        }
    }

    /// Waits for a turn to look again in this queue, and leaves any other. An
    /// attempt that comes anew looks once more before it waits: what was known
    /// before it stood here has woken none for it.
    pub(crate) async fn wait<'a>(
        &'a self,
        own: &mut Option<Waiting<'a, K>>,
        key: K,
        clock: &dyn Clock,
        deadline_ms: u64,
    ) -> Turn {
        match own {
            Some(place) if place.key == key => place.turn(clock, deadline_ms).await,
            Some(_) | None => match self.join(key) {
                Some(place) => {
                    *own = Some(place);
                    Turn::Come
                }
                None => Turn::Full,
            },
        }
    }

    /// Something that this queue waits for is known.
    pub(crate) fn wake(&self, key: K) {
        if let Some(queue) = self.queues().get(&key) {
            queue.next.notify_one();
        }
    }

    fn join(&self, key: K) -> Option<Waiting<'_, K>> {
        let mut queues = self.queues();
        let waiting = queues.get(&key).map_or(0, |queue| queue.waiting);
        if waiting >= self.longest {
            return None;
        }
        let queue = queues.entry(key).or_default();
        queue.waiting += 1;
        Some(Waiting {
            queues: self,
            key,
            next: Arc::clone(&queue.next),
        })
    }

    fn leave(&self, key: K) {
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(&key) else {
            return;
        };
        queue.waiting = queue.waiting.saturating_sub(1);
        if queue.waiting > 0 {
            queue.next.notify_one();
        } else {
            queues.remove(&key);
        }
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<K, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a queue. To drop it is to leave, and wakes the next.
pub(crate) struct Waiting<'a, K: Ord + Copy> {
    queues: &'a Queues<K>,
    key: K,
    next: Arc<Notify>,
}

impl<K: Ord + Copy> Waiting<'_, K> {
    async fn turn(&self, clock: &dyn Clock, deadline_ms: u64) -> Turn {
        let left_ms = deadline_ms.saturating_sub(clock.monotonic_ms());
        tokio::select! {
            biased;
            () = self.next.notified() => Turn::Come,
            () = clock.sleep(left_ms) => Turn::Late,
        }
    }
}

impl<K: Ord + Copy> Drop for Waiting<'_, K> {
    fn drop(&mut self) {
        self.queues.leave(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::PortFuture;
    use futures_util::FutureExt;
    use std::pin::pin;

    /// A clock that stands still.
    struct Still;

    impl Clock for Still {
        fn unix_ms(&self) -> u64 {
            0
        }

        fn monotonic_ms(&self) -> u64 {
            1_000
        }

        fn sleep(&self, ms: u64) -> PortFuture<()> {
            match ms {
                0 => Box::pin(std::future::ready(())),
                _ => Box::pin(std::future::pending()),
            }
        }
    }

    const DEADLINE_MS: u64 = 2_000;

    fn standing(queues: &Queues<u8>, key: u8) -> Option<Waiting<'_, u8>> {
        let mut own = None;
        let turn = queues.wait(&mut own, key, &Still, DEADLINE_MS);
        assert_eq!(turn.now_or_never(), Some(Turn::Come));
        own
    }

    #[test]
    fn one_is_woken_at_a_time_and_wakes_the_next_when_it_leaves() {
        let queues = Queues::new(10);
        let (mut first, mut second) = (standing(&queues, 1), standing(&queues, 1));
        let mut other = standing(&queues, 2);
        let mut second_waits = pin!(queues.wait(&mut second, 1, &Still, DEADLINE_MS));
        let mut other_waits = pin!(queues.wait(&mut other, 2, &Still, DEADLINE_MS));
        {
            let mut first_waits = pin!(queues.wait(&mut first, 1, &Still, DEADLINE_MS));
            assert_eq!(first_waits.as_mut().now_or_never(), None);
            assert_eq!(second_waits.as_mut().now_or_never(), None);
            queues.wake(1);
            assert_eq!(first_waits.as_mut().now_or_never(), Some(Turn::Come));
            assert_eq!(second_waits.as_mut().now_or_never(), None);
        }
        drop(first);
        assert_eq!(second_waits.as_mut().now_or_never(), Some(Turn::Come));
        assert_eq!(other_waits.as_mut().now_or_never(), None);
    }

    #[test]
    fn what_is_known_between_a_look_and_the_wait_is_not_missed() {
        let queues = Queues::new(10);
        let mut own = standing(&queues, 1);
        queues.wake(1);
        let waits = queues.wait(&mut own, 1, &Still, DEADLINE_MS);
        assert_eq!(waits.now_or_never(), Some(Turn::Come));
    }

    #[test]
    fn an_attempt_that_goes_to_another_queue_wakes_the_next() {
        let queues = Queues::new(10);
        let (mut first, mut second) = (standing(&queues, 1), standing(&queues, 1));
        let mut second_waits = pin!(queues.wait(&mut second, 1, &Still, DEADLINE_MS));
        assert_eq!(second_waits.as_mut().now_or_never(), None);
        let moved = queues.wait(&mut first, 2, &Still, DEADLINE_MS);
        assert_eq!(moved.now_or_never(), Some(Turn::Come));
        assert_eq!(second_waits.as_mut().now_or_never(), Some(Turn::Come));
    }

    #[test]
    fn nobody_waits_past_the_deadline() {
        let queues = Queues::new(10);
        let mut own = standing(&queues, 1);
        let waits = queues.wait(&mut own, 1, &Still, 1_000);
        assert_eq!(waits.now_or_never(), Some(Turn::Late));
    }

    #[test]
    fn no_more_wait_than_may_and_a_queue_that_was_left_takes_no_memory() {
        let queues = Queues::new(2);
        let places = [standing(&queues, 1), standing(&queues, 1)];
        let mut own = None;
        let refused = queues.wait(&mut own, 1, &Still, DEADLINE_MS);
        assert_eq!(refused.now_or_never(), Some(Turn::Full));
        assert!(own.is_none() && standing(&queues, 2).is_some());
        drop(places);
        assert!(queues.queues().is_empty());
    }
}
