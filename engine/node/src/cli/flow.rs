//! A flow by hand: `begin` says what may be shown, `answer` shows it.

use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidegate_client::{
    Begin, BrowserToken, CallError, Decision, DeviceToken, Flow, FlowNext, FlowSaid, Method,
    NextState, Purpose, SessionToken, Shown,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::connection::Connection;
use super::input;
use super::person::{Fields, MaybePerson, ask, fields, grant_fields, with_token};

#[derive(Subcommand)]
pub(super) enum FlowCommand {
    /// Begin a flow: print its continuation, the secret of the browser that it is
    /// bound to, and what may be shown next. Without an identifier a passkey says who
    /// signs in. For step-up and add a session token is read from standard input.
    Begin(BeginArgs),
    /// Answer in a flow. One JSON object is read from standard input:
    /// `continuation`, `browser`, `method`, and what the method shows (`code`,
    /// `password`, `credential`); without that a code is sent.
    Answer(AnswerArgs),
}

/// What a flow is for.
#[derive(Clone, Copy, ValueEnum)]
enum For {
    /// A session of an account that is there.
    SignIn,
    /// A new account.
    SignUp,
    /// More assurance for a session.
    StepUp,
    /// A way back into an account.
    Recover,
    /// One more credential.
    Add,
    /// Another credential or identifier in the place of one: not yet.
    Change,
}

#[derive(Args)]
pub(super) struct BeginArgs {
    /// What the flow is for.
    #[arg(long, value_enum, default_value = "sign-in")]
    purpose: For,
    #[command(flatten)]
    person: MaybePerson,
    /// The language of what is sent: a tag such as de or pt-BR.
    #[arg(long, value_name = "TAG", default_value = "")]
    language: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct AnswerArgs {
    #[command(flatten)]
    connection: Connection,
}

/// A text that is wiped when it was used.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
struct Hidden(String);

/// What is read from standard input.
#[derive(Deserialize)]
struct Answered {
    continuation: Hidden,
    browser: Hidden,
    method: String,
    code: Option<Hidden>,
    password: Option<Hidden>,
    /// What a browser's or a library's ceremony came to.
    credential: Option<Value>,
    /// What a passkey that is made is called.
    #[serde(default)]
    name: String,
    #[serde(default)]
    language: String,
    device: Option<Hidden>,
    #[serde(default)]
    remember: Remember,
}

/// Whether the device asks to be known next time.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Remember {
    #[default]
    Nothing,
    Device,
}

pub(super) fn run(command: &FlowCommand) -> anyhow::Result<u8> {
    match command {
        FlowCommand::Begin(args) => begin(args),
        FlowCommand::Answer(args) => answer(args),
    }
}

fn begin(args: &BeginArgs) -> anyhow::Result<u8> {
    let purpose = match args.purpose {
        For::SignIn => Purpose::SignIn,
        For::SignUp => Purpose::SignUp,
        For::StepUp => Purpose::StepUp,
        For::Recover => Purpose::Recover,
        For::Add => Purpose::Add,
        For::Change => Purpose::Change,
    };
    let told = |begin: Begin| {
        let begin = begin.in_language(&args.language);
        match args.person.identifier() {
            Some(identifier) => begin.named(identifier),
            None => begin,
        }
    };
    match purpose {
        Purpose::SignIn | Purpose::SignUp | Purpose::Recover => {
            let begin = told(Begin::without(purpose));
            ask(&args.connection, async |client| {
                Ok(client.begin(&begin).await?.map(said))
            })
        }
        Purpose::StepUp | Purpose::Add | Purpose::Change => with_token(
            &args.connection,
            "session token",
            async |client, token: SessionToken| {
                let begin = told(Begin::of_session(purpose, token));
                Ok(client.begin(&begin).await?.map(said))
            },
        ),
    }
}

fn answer(args: &AnswerArgs) -> anyhow::Result<u8> {
    let text = input::object("answer")?;
    // What serde says of a field may repeat what stands in it.
    let answered = serde_json::from_str::<Answered>(&text);
    let answered = answered.map_err(|error| {
        anyhow::anyhow!(
            "standard input holds no answer, a JSON object with continuation, browser and method \
             (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let browser = BrowserToken::from_str(&answered.browser.0).context("browser")?;
    let flow = Flow::resume(&answered.continuation.0, browser);
    let shown = shown(&answered)?;
    ask(&args.connection, async |client| {
        let said: Result<Decision<FlowSaid>, CallError> = flow.answer(&client, &shown).await;
        Ok(said?.map(self::said))
    })
}

/// What a method wants.
fn wanted<'a>(
    text: Option<&'a Hidden>,
    name: &str,
    answered: &Answered,
) -> anyhow::Result<&'a str> {
    match text {
        Some(text) => Ok(&text.0),
        None => bail!("the method {} wants {name:?}", answered.method),
    }
}

fn shown(answered: &Answered) -> anyhow::Result<Shown> {
    let shown = match method(&answered.method)? {
        method @ Method::Password => {
            let password = wanted(answered.password.as_ref(), "password", answered)?;
            Shown::new(method, password)
        }
        method @ (Method::EmailCode | Method::SmsCode) => match &answered.code {
            Some(code) if code.0.trim().is_empty() => bail!("\"code\" is empty"),
            Some(code) => Shown::new(method, &code.0),
            None => Shown::nothing(method),
        },
        method @ (Method::Totp | Method::RecoveryCode | Method::Link) => {
            Shown::new(method, wanted(answered.code.as_ref(), "code", answered)?)
        }
        method @ Method::Passkey => match &answered.credential {
            Some(credential) => {
                Shown::new(method, &credential.to_string()).labelled(&answered.name)
            }
            None => bail!("the method passkey wants \"credential\""),
        },
    };
    let shown = shown.in_language(&answered.language);
    Ok(match (&answered.device, answered.remember) {
        (Some(device), _) => shown.from_device(DeviceToken::from_str(&device.0).context("device")?),
        (None, Remember::Device) => shown.remember_device(),
        (None, Remember::Nothing) => shown,
    })
}

const METHODS: [(Method, &str); 7] = [
    (Method::Password, "password"),
    (Method::Passkey, "passkey"),
    (Method::EmailCode, "email_code"),
    (Method::SmsCode, "sms_code"),
    (Method::Link, "link"),
    (Method::Totp, "totp"),
    (Method::RecoveryCode, "recovery_code"),
];

pub(super) fn method(name: &str) -> anyhow::Result<Method> {
    let found = METHODS.iter().find(|(_, known)| *known == name);
    match found {
        Some((method, _)) => Ok(*method),
        None => {
            let names = METHODS.map(|(_, name)| name);
            bail!("\"method\" is one of {}", names.join(", "))
        }
    }
}

pub(super) fn method_name(method: Method) -> &'static str {
    let found = METHODS.iter().find(|(known, _)| *known == method);
    found.map_or("", |(_, name)| name)
}

fn said(said: FlowSaid) -> Fields {
    match said {
        FlowSaid::Granted(granted) => grant_fields(&granted),
        FlowSaid::Next(flow) => {
            let next: Vec<Value> = flow.next.iter().map(offered).collect();
            fields(json!({
                "continuation": *flow.continuation,
                "browser": *flow.browser.to_text(),
                "next": next,
            }))
        }
    }
}

fn offered(next: &FlowNext) -> Value {
    let mut fields = Map::new();
    fields.insert("method".into(), method_name(next.method).into());
    let wait_ms = next.wait_ms;
    match next.state {
        NextState::Open => {}
        NextState::New => {
            fields.insert("new".into(), true.into());
        }
        NextState::Sent => {
            fields.insert("sent".into(), true.into());
            fields.insert("resend_after_ms".into(), wait_ms.into());
        }
        NextState::NotSent => {
            fields.insert("sent".into(), false.into());
            fields.insert("resend_after_ms".into(), wait_ms.into());
        }
    }
    if let Some(number) = next.number {
        fields.insert("number".into(), format!("{number:02}").into());
    }
    if let Some(options) = &next.options {
        let options = serde_json::from_str(options);
        fields.insert("options".into(), options.unwrap_or(Value::Null));
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_name() {
        for (known, name) in METHODS {
            assert_eq!(method(name).unwrap(), known);
            let core = tidegate_account::assurance::Method::of(known.number()).unwrap();
            assert_eq!(core.name(), name);
        }
        let error = method("pasword").unwrap_err().to_string();
        assert!(error.contains("password, passkey, email_code"), "{error}");
    }
}
