//! Signing up, in and recovering step by step.

use bytes::BytesMut;
use tidegate_account::assurance::Method as Shows;
use tidegate_account::continuation::Purpose as For;
use tidegate_account::credential::code::{Code as OneTimeCode, CodeFault};
use tidegate_account::credential::held::PasskeyName;
use tidegate_account::credential::passkey::{AuthenticationResponse, RegistrationResponse};
use tidegate_account::credential::recovery::RecoveryCode;
use tidegate_account::{
    CodeSent, DeviceId, DeviceProof, FlowReply, FlowStep, Identifier, Next, Remember, UserId,
};
use tidegate_runtime::{Answering, Beginning, Given, Task};
use tidegate_wire::v1::{self, Method, NextState, Purpose};
use tidegate_wire::{Code, ReplyHead, RequestHead, Text};
use zeroize::Zeroizing;

use super::credential::{granted, to_origin};
use super::method::to_method;
use super::text::{to_identifier, to_password};
use super::token::{proof, secret};
use super::work::{NotTaken, ToWork, Work};
use crate::answers::frame::{refuse, say};
use crate::rights::Gateway;

impl ToWork for v1::ArchivedBeginFlow {
    fn to_work(&self, _: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken> {
        let purpose = match Purpose::from_number(self.purpose)? {
            Purpose::SignIn => For::SignIn,
            Purpose::SignUp => For::SignUp,
            Purpose::Recover => For::Recover,
            Purpose::StepUp => For::StepUp,
            Purpose::Add => For::Add,
            // Not yet.
            Purpose::Change => return Err(Code::NotPermitted.into()),
        };
        let normalise = match purpose {
            For::SignUp => Identifier::parse,
            // An account of an earlier rule may have what is refused today.
            For::SignIn | For::Recover | For::StepUp | For::Add | For::Change => Identifier::find,
        };
        let identifier = self.identifier.as_ref();
        let identifier = identifier.map(|text| to_identifier(text, normalise));
        let identifier = identifier.transpose()?;
        let by = self
            .by
            .as_ref()
            .map(|by| (UserId::from_bytes(by.user), proof(by)));
        match (purpose, &identifier, &by) {
            (For::SignIn, _, None) | (For::StepUp | For::Add | For::Change, _, Some(_)) => {}
            (For::SignUp | For::Recover, Some(_), None) => {}
            (For::StepUp | For::Add | For::Change, _, None) => {
                return Err(Code::InvalidToken.into());
            }
            (For::SignUp | For::Recover, None, None) => return Err(Code::InvalidIdentifier.into()),
            // A session signs nobody in.
            (For::SignIn | For::SignUp | For::Recover, _, Some(_)) => {
                return Err(Code::NotPermitted.into());
            }
        }
        Ok(Work::Task(Task::BeginFlow(Box::new(Beginning {
            purpose,
            identifier,
            by,
            browser: secret(&self.browser),
            language: self.language.as_str().to_owned(),
            origin: to_origin(self.source.as_ref(), gateway)?,
        }))))
    }
}

impl ToWork for v1::ArchivedAnswerFlow {
    fn to_work(&self, _: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken> {
        Ok(Work::Task(Task::AnswerFlow(Box::new(Answering {
            continuation: Zeroizing::new(self.continuation.as_str().to_owned()),
            browser: secret(&self.browser),
            given: to_given(
                Method::from_number(self.method)?,
                self.shown.as_str(),
                self.label.as_str(),
            )?,
            language: self.language.as_str().to_owned(),
            device: self.device.as_ref().map(|device| DeviceProof {
                id: DeviceId(device.id.to_native()),
                secret: secret(&device.secret),
            }),
            remember: match v1::Remember::from_number(self.remember)? {
                v1::Remember::Nothing => Remember::Nothing,
                v1::Remember::Device => Remember::Device,
            },
            origin: to_origin(self.source.as_ref(), gateway)?,
        }))))
    }
}

fn to_given(method: Method, shown: &str, label: &str) -> Result<Given, NotTaken> {
    match method {
        Method::Password => Ok(Given::Password(to_password(shown)?)),
        Method::EmailCode if shown.is_empty() => Ok(Given::SendEmailCode),
        Method::EmailCode => Ok(Given::EmailCode(to_code(shown)?)),
        Method::Totp => Ok(Given::Totp(to_code(shown)?)),
        Method::RecoveryCode => {
            let code = RecoveryCode::parse(shown);
            Ok(Given::RecoveryCode(code.map_err(|_| Code::InvalidCode)?))
        }
        Method::Passkey => to_passkey(shown, label),
        // Not yet.
        Method::SmsCode | Method::Link => Err(Code::NotPermitted.into()),
    }
}

fn to_code(shown: &str) -> Result<OneTimeCode, NotTaken> {
    OneTimeCode::parse(shown).map_err(|fault| match fault {
        // What has not the form of a code is none that was sent.
        CodeFault::TooShort | CodeFault::TooLong | CodeFault::NotDigits => Code::InvalidCode.into(),
    })
}

/// One that was made has an attestation, one that is shown a signature.
fn to_passkey(shown: &str, label: &str) -> Result<Given, NotTaken> {
    let json = shown.as_bytes();
    if let Ok(response) = AuthenticationResponse::parse(json) {
        return Ok(Given::Passkey(Box::new(response)));
    }
    let response = RegistrationResponse::parse(json).map_err(|_| Code::InvalidPasskey)?;
    Ok(Given::NewPasskey {
        response: Box::new(response),
        name: PasskeyName::new(label),
    })
}

/// Appends the frame of a yes.
pub(crate) fn write(out: &mut BytesMut, head: &ReplyHead, reply: &FlowReply) {
    match reply {
        FlowReply::Step(step) => say(out, head, &to_step(step)),
        FlowReply::Granted(grant) => {
            let step = v1::FlowStep {
                continuation: Text(String::new()),
                next: Vec::new(),
                granted: Some(granted(grant)),
            };
            say(out, head, &step);
        }
        // The engine goes on with it, and answers when the account is made.
        FlowReply::Proven => refuse(out, head.correlation, Code::Unknown, 0, head.epoch),
    }
}

fn to_step(step: &FlowStep) -> v1::FlowStep {
    v1::FlowStep {
        continuation: Text(step.continuation.to_string()),
        next: step.next.iter().map(to_next).collect(),
        granted: None,
    }
}

fn to_next(next: &Next) -> v1::Next {
    let (method, state, wait_ms, options) = match next {
        Next::Secret(method) => (*method, NextState::Open, 0, ""),
        Next::Passkey(options) => (Shows::Passkey, NextState::Open, 0, options.as_str()),
        Next::New { method, options } => (*method, NextState::New, 0, options.as_str()),
        Next::Code { method, sent } => match sent {
            CodeSent::Sent { again_ms } => (*method, NextState::Sent, *again_ms, ""),
            CodeSent::NotYet { wait_ms } => (*method, NextState::NotSent, *wait_ms, ""),
        },
    };
    v1::Next {
        method: to_method(method).number(),
        state: state.number(),
        wait_ms: u32::try_from(wait_ms).unwrap_or(u32::MAX),
        number: v1::NO_NUMBER,
        options: Text(options.to_owned()),
    }
}
