//! A passkey: what never changes of it.
//!
//! Format 1: version u8 | transports u8 | model 16 | length u16 LE, id | length u16
//! LE, COSE key | length u16 LE, name in UTF-8. Transports have one bit each, in the
//! order of the table below.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::corrupt::Corrupt;
use crate::credential::held::{PasskeyName, PasskeyPart};
use crate::credential::passkey::{CredentialId, PublicKey, Transport};
use crate::fields::Fields;

const VERSION: u8 = 1;

/// By bit, the lowest first.
const TRANSPORTS: [Transport; 6] = [
    Transport::Usb,
    Transport::Nfc,
    Transport::Ble,
    Transport::SmartCard,
    Transport::Hybrid,
    Transport::Internal,
];

pub(super) fn encode_passkey(passkey: &PasskeyPart) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
    let mut bytes = Zeroizing::new(Vec::new());
    bytes.extend_from_slice(&[VERSION, bits(&passkey.transports)]);
    bytes.extend_from_slice(&passkey.aaguid);
    for counted in [
        passkey.id.as_bytes(),
        passkey.public_key.as_cose(),
        passkey.name.expose().as_bytes(),
    ] {
        let length = u16::try_from(counted.len()).map_err(|_| Corrupt)?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(counted);
    }
    Ok(bytes)
}

/// Reads an opened passkey.
///
/// # Errors
/// [`Corrupt`] when it is none of a version that this code reads.
pub(crate) fn read_passkey(bytes: &[u8]) -> Result<PasskeyPart, Corrupt> {
    let mut fields = Fields(bytes);
    let [VERSION, transports] = fields.next()? else {
        return Err(Corrupt);
    };
    let aaguid = fields.next()?;
    let id = CredentialId::new(fields.counted()?).map_err(|_| Corrupt)?;
    let public_key = PublicKey::parse(fields.counted()?).map_err(|_| Corrupt)?;
    let name = core::str::from_utf8(fields.counted()?).map_err(|_| Corrupt)?;
    fields.end()?;
    Ok(PasskeyPart {
        id,
        public_key,
        transports: of_bits(transports)?,
        aaguid,
        name: PasskeyName::of_stored(name).ok_or(Corrupt)?,
    })
}

fn bits(transports: &[Transport]) -> u8 {
    let places = TRANSPORTS.iter().enumerate();
    let set = places.filter(|(_, transport)| transports.contains(transport));
    set.fold(0, |bits, (place, _)| bits | 1 << place)
}

fn of_bits(bits: u8) -> Result<Vec<Transport>, Corrupt> {
    if bits >> TRANSPORTS.len() != 0 {
        return Err(Corrupt);
    }
    let places = TRANSPORTS.iter().enumerate();
    let set = places.filter(|(place, _)| bits >> place & 1 == 1);
    Ok(set.map(|(_, transport)| *transport).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passkey_reads_back_and_nothing_else_does() {
        let x = [7; 32];
        let cose = [
            &[0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20][..],
            &x,
        ]
        .concat();
        let passkey = PasskeyPart {
            id: CredentialId::new(&[1, 2, 3]).unwrap(),
            public_key: PublicKey::parse(&cose).unwrap(),
            transports: [Transport::Usb, Transport::Internal].into(),
            aaguid: [9; 16],
            name: PasskeyName::new("Ada's phone"),
        };
        let bytes = encode_passkey(&passkey).unwrap();
        let golden = [
            &[1, 0b10_0001][..],
            &[9; 16],
            &[3, 0, 1, 2, 3, 42, 0],
            &cose,
            &[11, 0],
            b"Ada's phone",
        ];
        assert_eq!(bytes[..], golden.concat());
        assert_eq!(read_passkey(&bytes), Ok(passkey));
        for cut in 0..bytes.len() {
            assert_eq!(read_passkey(&bytes[..cut]), Err(Corrupt));
        }
        for (at, value) in [(0, 2), (1, 0x40), (19, 1), (23, 0xA5)] {
            let mut other = bytes.to_vec();
            other[at] = value;
            assert_eq!(read_passkey(&other), Err(Corrupt), "{at}");
        }
    }
}
