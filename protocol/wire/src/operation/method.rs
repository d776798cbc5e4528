//! How people prove who they are, by number.

use super::number::numbered;

numbered! {
    /// What a person shows.
    Method {
        /// A password.
        Password = 1,
        /// A passkey.
        Passkey = 2,
        /// A code sent by mail.
        EmailCode = 3,
        /// A code sent by text message.
        SmsCode = 4,
        /// A link sent by mail.
        Link = 5,
        /// A code of an authenticator app.
        Totp = 6,
        /// A saved recovery code.
        RecoveryCode = 7,
    }
}
