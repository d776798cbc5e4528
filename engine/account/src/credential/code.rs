//! One-time codes and links, sent by mail or text message.
//!
//! A code answers one attempt in one browser (SP 800-63B-4, 3.1.3): it is kept
//! as a keyed hash that is bound to the account, the tenant, the identifier, the
//! purpose and the attempt. For an identifier that is nobody's, the same is done
//! under the id of a decoy.
//!
//! [`LiveCode`] has the rules: it is sent, sent anew, charged, compared.

mod digits;
mod link;
mod live;
mod sends;
mod stored;

pub use digits::{Code, CodeDigits, CodeFault};
pub use link::{LINK_SECRET_BYTES, LinkFault, LinkSecret, MatchNumber};
pub use live::{
    Bound, Channel, Charge, Charged, CodePolicy, Judged, LiveCode, Order, Presented, Sending, Sent,
};
pub use sends::{SEND_LOG_BYTES, SENDS_KEPT, SendLog};
pub use stored::LIVE_CODE_BYTES;
