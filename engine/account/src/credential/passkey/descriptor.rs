//! How a credential is named in options, and over what it is reached.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::id::CredentialId;

/// How a browser may reach an authenticator: WebAuthn L3 §5.8.4. It is a hint,
/// and a name that is not one of these is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// USB.
    Usb,
    /// Near field communication.
    Nfc,
    /// Bluetooth Low Energy.
    Ble,
    /// An ISO/IEC 7816 smart card.
    SmartCard,
    /// A phone beside another device.
    Hybrid,
    /// The device itself.
    Internal,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 6] = [
        Transport::Usb,
        Transport::Nfc,
        Transport::Ble,
        Transport::SmartCard,
        Transport::Hybrid,
        Transport::Internal,
    ];

    /// Its name in WebAuthn.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Transport::Usb => "usb",
            Transport::Nfc => "nfc",
            Transport::Ble => "ble",
            Transport::SmartCard => "smart-card",
            Transport::Hybrid => "hybrid",
            Transport::Internal => "internal",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Transport> {
        let mut all = Transport::ALL.into_iter();
        all.find(|transport| transport.name() == name)
    }
}

/// A credential that is allowed, or excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its id.
    pub id: CredentialId,
    /// How it was said to be reached when it was registered.
    pub transports: Vec<Transport>,
}

/// `PublicKeyCredentialDescriptorJSON` (WebAuthn L3 §5.1.8).
#[derive(Serialize)]
pub(super) struct DescriptorJson {
    r#type: &'static str,
    id: String,
    transports: Vec<&'static str>,
}

impl Descriptor {
    pub(super) fn to_json(&self) -> DescriptorJson {
        DescriptorJson {
            r#type: "public-key",
            id: self.id.to_base64url(),
            transports: self.transports.iter().map(|it| it.name()).collect(),
        }
    }
}
