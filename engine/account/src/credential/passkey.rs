//! The relying party of WebAuthn Level 3, as pure functions: what is asked of a
//! browser goes out as JSON ([`CreationOptions`], [`RequestOptions`]), what it
//! answers comes in as JSON ([`RegistrationResponse`], [`AuthenticationResponse`]),
//! and is held against what was asked ([`Registration`], [`Authentication`]).
//!
//! No signature is verified here: each leaves as a [`SignatureWork`], and what a
//! ceremony found holds only once the shell has verified it. No clock, no
//! randomness: challenges come in.
//!
//! Attestation is not asked for. `none` and the self attestation of `packed` are
//! taken, every other statement is refused ([`PasskeyFault::UnsupportedAttestation`]):
//! a certificate that is not followed to a root proves nothing.

mod attestation;
mod authentication;
mod authenticator_data;
mod cbor;
mod challenge;
mod client_data;
mod descriptor;
mod fault;
mod id;
mod options;
mod public_key;
mod registration;
mod relying_party;
mod response;
mod signal;
mod signature;

pub use authentication::{Asserted, Authentication, Found, SignCount, StoredPasskey};
pub use challenge::{CHALLENGE_BYTES, Challenge};
pub use descriptor::{Descriptor, Transport};
pub use fault::PasskeyFault;
pub use id::{CREDENTIAL_ID_MAX_BYTES, CredentialId, USER_HANDLE_MAX_BYTES, UserHandle};
pub use options::{CreationOptions, Hint, RequestOptions, ResidentKey, User};
pub use public_key::{Algorithm, PublicKey};
pub use registration::{NewPasskey, Registered, Registration};
pub use relying_party::{Framing, RelyingParty, UserPresence, UserVerification};
pub use response::{
    ATTESTATION_OBJECT_MAX_BYTES, AUTHENTICATOR_DATA_MAX_BYTES, AuthenticationResponse,
    CLIENT_DATA_MAX_BYTES, RESPONSE_MAX_BYTES, RegistrationResponse, TRANSPORTS_MAX,
};
pub use signal::{all_accepted_credentials, current_user_details, unknown_credential};
pub use signature::{SIGNATURE_MAX_BYTES, SignatureWork};
