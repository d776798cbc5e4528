//! Why a node closes a connection: QUIC application codes, stable numbers and
//! names.

macro_rules! closes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $message:literal;)+) => {
        /// Why a node closes a connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Close {
            $($(#[$doc])* $name = $number,)+
        }

        impl Close {
            /// Every reason.
            pub const ALL: &[Close] = &[$(Close::$name),+];

            /// Its stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Close::$name => $text,)+ }
            }

            /// A sentence for a person who operates or integrates.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self { $(Close::$name => $message,)+ }
            }
        }
    };
}

closes! {
    /// The node is going down.
    Draining = 0x00, "draining", "The node is going down.";
    /// The certificate is neither a gateway's nor an operator's.
    NotAGateway = 0x10, "not_a_gateway", "The certificate is neither a gateway's nor an operator's.";
    /// No gateway of this name is known, or not with this certificate.
    UnknownGateway = 0x11, "unknown_gateway", "The node knows no gateway of this name with this certificate.";
    /// The gateway has as many connections as it may.
    TooManyConnections = 0x12, "too_many_connections", "The gateway has as many connections as it may.";
    /// The gateway's rights were taken.
    RightsWithdrawn = 0x13, "rights_withdrawn", "The gateway's rights were taken.";
    /// The certificate has ended.
    CertificateExpired = 0x14, "certificate_expired", "The gateway's certificate has ended.";
}

impl Close {
    /// The reason with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Close> {
        let known = |close: &Close| u64::from(*close as u32) == number;
        Close::ALL.iter().copied().find(known)
    }
}
