//! Methods, as the protocol and as the core name them.

use tidegate_account::assurance::Method as Shows;
use tidegate_wire::v1::Method;

pub(super) fn to_method(method: Shows) -> Method {
    match method {
        Shows::Password => Method::Password,
        Shows::Passkey => Method::Passkey,
        Shows::EmailCode => Method::EmailCode,
        Shows::SmsCode => Method::SmsCode,
        Shows::Link => Method::Link,
        Shows::Totp => Method::Totp,
        Shows::RecoveryCode => Method::RecoveryCode,
    }
}

pub(super) fn of_method(method: Method) -> Shows {
    match method {
        Method::Password => Shows::Password,
        Method::Passkey => Shows::Passkey,
        Method::EmailCode => Shows::EmailCode,
        Method::SmsCode => Shows::SmsCode,
        Method::Link => Shows::Link,
        Method::Totp => Shows::Totp,
        Method::RecoveryCode => Shows::RecoveryCode,
    }
}
