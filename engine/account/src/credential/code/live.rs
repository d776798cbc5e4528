//! A code that was sent and is waited for: the rules.
//!
//! An attempt has one live code. What is sent anew is another code, and the one
//! before is void. Tries are the attempt's and not the code's, so that sending
//! anew buys no guesses; when none is left the attempt is over, and the account
//! is as it was. A charge is made, and becomes durable, before anything is
//! compared.

use constant_time_eq::constant_time_eq_n;

use super::digits::{Code, CodeDigits};
use super::link::{LinkSecret, MatchNumber};
use super::sends::SendLog;
use crate::continuation::{AttemptId, Purpose};
use crate::digest::{IndexHash, tagged};
use crate::entropy::Entropy;
use crate::id::{TenantId, UserId};
use crate::secret::Secret;

pub(super) const CODE_HASH_BYTES: usize = 16;
type CodeHash = [u8; CODE_HASH_BYTES];

/// By which way a code is sent. The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Channel {
    /// A mail.
    Email = 1,
    /// A text message. It goes through the telephone network, which
    /// SP 800-63B-4, 3.1.3.3, restricts.
    Sms = 2,
}

impl Channel {
    pub(super) fn of(number: u8) -> Option<Channel> {
        let mut all = [Channel::Email, Channel::Sms].into_iter();
        all.find(|channel| *channel as u8 == number)
    }
}

/// How codes are sent and judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodePolicy {
    /// How many digits a code has.
    pub digits: CodeDigits,
    /// For this long a code is taken; at most 10 minutes (SP 800-63B-4, 3.1.3.2).
    pub lifetime_ms: u64,
    /// So many answers an attempt may give, whatever is sent for it.
    pub tries: u8,
    /// Before the second send of an attempt this long is waited; before each
    /// further one twice as long as before the last.
    pub first_wait_ms: u64,
    /// The longest wait between two sends of an attempt.
    pub wait_cap_ms: u64,
    /// So many sends an address has in an hour, over all attempts; at most
    /// [`SENDS_KEPT`](super::SENDS_KEPT).
    pub sends_per_hour: u8,
}

impl Default for CodePolicy {
    fn default() -> CodePolicy {
        CodePolicy {
            digits: CodeDigits::SIX,
            lifetime_ms: 600_000,
            tries: 5,
            first_wait_ms: 30_000,
            wait_cap_ms: 600_000,
            sends_per_hour: 5,
        }
    }
}

/// What a code is bound to. Under any other it is another code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The account, or the decoy in the place of one.
    pub account: UserId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The identifier that it is sent to.
    pub identifier: IndexHash,
    /// What the flow is for.
    pub purpose: Purpose,
    /// The attempt.
    pub attempt: AttemptId,
}

impl Bound {
    /// Half of SHA-256: a code has far fewer bits, and the key is not stored.
    fn hash(&self, tag: &str, key: &Secret<32>, secret: [&[u8]; 2]) -> CodeHash {
        let [first, second] = secret;
        let parts: [&[u8]; 8] = [
            key.expose(),
            self.account.as_bytes(),
            &self.tenant.0.to_le_bytes(),
            &self.identifier.0,
            &[self.purpose.number()],
            self.attempt.as_bytes(),
            first,
            second,
        ];
        let whole = tagged(tag, &parts);
        let mut hash = [0; CODE_HASH_BYTES];
        hash.copy_from_slice(&whole[..CODE_HASH_BYTES]);
        hash
    }

    fn code_hash(&self, key: &Secret<32>, code: &Code) -> CodeHash {
        self.hash("tg-code-1", key, code.hashed())
    }

    fn link_hash(&self, key: &Secret<32>, link: &LinkSecret) -> CodeHash {
        self.hash("tg-link-1", key, [link.hashed(), &[]])
    }
}

/// What is asked to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What the code is bound to.
    pub bound: Bound,
    /// By which way it is sent.
    pub channel: Channel,
    /// The rules.
    pub policy: &'a CodePolicy,
    /// The key of the hashes.
    pub key: &'a Secret<32>,
    /// The time, in Unix milliseconds.
    pub now_ms: u64,
}

/// Whether something is sent.
#[derive(Clone, Debug)]
pub enum Sending {
    /// This is.
    Sent(Sent),
    /// Too soon, or too often.
    Held {
        /// How long to wait, in milliseconds.
        retry_after_ms: u64,
    },
    /// The attempt is over, or is another.
    Over,
}

/// What is sent, and what is kept of it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What is kept, in the place of what was kept before.
    pub live: LiveCode,
    /// The code, for the message.
    pub code: Code,
    /// The secret of the link, for the message.
    pub link: LinkSecret,
    /// What the browser that asks shows.
    pub number: MatchNumber,
}

/// Whether a code was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Use {
    Unused = 0,
    Used = 1,
}

/// A code that is waited for.
#[derive(Clone, Debug)]
pub struct LiveCode {
    pub(super) purpose: Purpose,
    pub(super) attempt: AttemptId,
    pub(super) channel: Channel,
    pub(super) used: Use,
    pub(super) tries_left: u8,
    pub(super) sends: u8,
    pub(super) number: MatchNumber,
    pub(super) issued_ms: u64,
    pub(super) expires_ms: u64,
    pub(super) code_hash: CodeHash,
    pub(super) link_hash: CodeHash,
}

/// What is presented.
#[derive(Clone, Copy, Debug)]
pub enum Presented<'a> {
    /// A code, in the browser of the attempt.
    Code(&'a Code),
    /// A link's secret, in the browser of the attempt.
    Link(&'a LinkSecret),
    /// A link's secret in another browser, and the number that the first shows.
    LinkElsewhere(&'a LinkSecret, MatchNumber),
}

/// Whether an answer may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It was charged: compare it when the charge is durable.
    Made(Charged),
    /// The code is over.
    Expired,
    /// The code was used, or no try is left.
    Spent,
    /// It is the code of another attempt or purpose.
    OtherAttempt,
}

/// One try, paid for.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
#[must_use = "a try was charged"]
pub struct Charged(());

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Right. The code is spent.
    Right,
    /// Wrong.
    Wrong {
        /// So many tries are left; at 0 the attempt is over.
        left: u8,
    },
    /// The code is over.
    Expired,
    /// The code was used, or no try is left.
    Spent,
    /// It is the code of another attempt or purpose.
    OtherAttempt,
}

impl LiveCode {
    /// Sends the first code of an attempt.
    pub fn send(order: &Order<'_>, log: &mut SendLog, entropy: &mut Entropy) -> Sending {
        Self::draw(order, order.policy.tries, 1, log, entropy)
    }

    /// Sends another code for the same attempt. This one is void from then on;
    /// tries that were charged stay charged.
    pub fn resend(&self, order: &Order<'_>, log: &mut SendLog, entropy: &mut Entropy) -> Sending {
        if self.is_other(&order.bound) || self.is_spent() {
            return Sending::Over;
        }
        match self.resend_wait_ms(order.policy, order.now_ms) {
            0 => {
                let sends = self.sends.saturating_add(1);
                Self::draw(order, self.tries_left, sends, log, entropy)
            }
            retry_after_ms => Sending::Held { retry_after_ms },
        }
    }

    /// How long the attempt waits until it may send anew, in milliseconds.
    #[must_use]
    pub fn resend_wait_ms(&self, policy: &CodePolicy, now_ms: u64) -> u64 {
        // One that a wrong date put far ahead holds nothing up until then.
        if self.issued_ms > now_ms.saturating_add(policy.wait_cap_ms) {
            return 0;
        }
        let doubled = 1u64.checked_shl(u32::from(self.sends.saturating_sub(1)));
        let wait_ms = policy
            .first_wait_ms
            .saturating_mul(doubled.unwrap_or(u64::MAX));
        let waited_ms = now_ms.saturating_sub(self.issued_ms);
        wait_ms.min(policy.wait_cap_ms).saturating_sub(waited_ms)
    }

    fn draw(
        order: &Order<'_>,
        tries_left: u8,
        sends: u8,
        log: &mut SendLog,
        entropy: &mut Entropy,
    ) -> Sending {
        match log.wait_ms(order.policy.sends_per_hour, order.now_ms) {
            0 => {}
            retry_after_ms => return Sending::Held { retry_after_ms },
        }
        log.note(order.now_ms);
        let code = Code::draw(order.policy.digits, entropy);
        let link = LinkSecret::draw(entropy);
        let number = MatchNumber::draw(entropy);
        let live = LiveCode {
            purpose: order.bound.purpose,
            attempt: order.bound.attempt,
            channel: order.channel,
            used: Use::Unused,
            tries_left,
            sends,
            number,
            issued_ms: order.now_ms,
            expires_ms: order.now_ms.saturating_add(order.policy.lifetime_ms),
            code_hash: order.bound.code_hash(order.key, &code),
            link_hash: order.bound.link_hash(order.key, &link),
        };
        Sending::Sent(Sent {
            live,
            code,
            link,
            number,
        })
    }

    /// Charges one try. Nothing was compared yet, and an answer to another
    /// attempt costs this one nothing.
    pub fn charge(&mut self, bound: &Bound, now_ms: u64) -> Charge {
        if self.is_other(bound) {
            return Charge::OtherAttempt;
        }
        if self.is_spent() {
            return Charge::Spent;
        }
        if self.is_expired(now_ms) {
            return Charge::Expired;
        }
        #[cfg(tidegate_planted)]
        if crate::planted::is(crate::planted::Bug::CodeUncharged) {
            return Charge::Made(Charged(()));
        }
        self.tries_left -= 1;
        Charge::Made(Charged(()))
    }

    /// Compares what was charged, in constant time. A right answer uses the code
    /// up, also for answers that were charged beside it.
    pub fn compare(
        &mut self,
        _charged: Charged,
        bound: &Bound,
        key: &Secret<32>,
        presented: Presented<'_>,
    ) -> Judged {
        if self.is_other(bound) {
            return Judged::OtherAttempt;
        }
        if self.used == Use::Used {
            return Judged::Spent;
        }
        let is_link = |link| constant_time_eq_n(&bound.link_hash(key, link), &self.link_hash);
        let is_right = match presented {
            Presented::Code(code) => {
                constant_time_eq_n(&bound.code_hash(key, code), &self.code_hash)
            }
            Presented::Link(link) => is_link(link),
            // Both are always compared.
            Presented::LinkElsewhere(link, number) => is_link(link) & number.matches(self.number),
        };
        match is_right {
            #[cfg(tidegate_planted)]
            true if crate::planted::is(crate::planted::Bug::CodeTwice) => Judged::Right,
            true => {
                self.used = Use::Used;
                Judged::Right
            }
            false => Judged::Wrong {
                left: self.tries_left,
            },
        }
    }

    /// Charges and compares at once, where both become durable before the answer
    /// is told.
    pub fn judge(
        &mut self,
        bound: &Bound,
        key: &Secret<32>,
        presented: Presented<'_>,
        now_ms: u64,
    ) -> Judged {
        match self.charge(bound, now_ms) {
            Charge::Made(charged) => self.compare(charged, bound, key, presented),
            Charge::Expired => Judged::Expired,
            Charge::Spent => Judged::Spent,
            Charge::OtherAttempt => Judged::OtherAttempt,
        }
    }

    /// Whether an answer may still be right.
    #[must_use]
    pub fn is_waited_for(&self, now_ms: u64) -> bool {
        !self.is_spent() && !self.is_expired(now_ms)
    }

    /// By which way it was sent.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The attempt that it is of.
    #[must_use]
    pub fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// When it ends, in Unix milliseconds.
    #[must_use]
    pub fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// How many tries are left.
    #[must_use]
    pub fn tries_left(&self) -> u8 {
        self.tries_left
    }

    /// The number that the browser which asked shows.
    #[must_use]
    pub fn number(&self) -> MatchNumber {
        self.number
    }

    fn is_other(&self, bound: &Bound) -> bool {
        (self.attempt, self.purpose) != (bound.attempt, bound.purpose)
    }

    fn is_spent(&self) -> bool {
        self.used == Use::Used || self.tries_left == 0
    }

    /// One that a wrong date put ahead by more than it lives would live too long.
    fn is_expired(&self, now_ms: u64) -> bool {
        let lifetime_ms = self.expires_ms.saturating_sub(self.issued_ms);
        let misdated = self.issued_ms > now_ms.saturating_add(lifetime_ms);
        misdated || now_ms >= self.expires_ms
    }
}

#[cfg(test)]
mod tests;
