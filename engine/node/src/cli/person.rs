//! One request each, through the client library.

use std::future::Future;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use serde_json::{Map, Value, json};
use tidegate_account::{Password, PasswordFault};
use tidegate_client::{
    CallError, Client, Code, Decision, DeviceToken, Granted, Identifier, Knowledge, Options,
    Refusal, RevokeScope, SignIn, UserId, Verification, Verify,
};

use super::connection::Connection;
use super::{NO, input, output};
use crate::folder::write_private;

#[derive(Args)]
#[command(group = ArgGroup::new("person").required(true))]
pub(super) struct Person {
    /// The person's mail address.
    #[arg(long, value_name = "ADDRESS", group = "person")]
    email: Option<String>,
    /// The person's phone number, in international form (+49...).
    #[arg(long, value_name = "NUMBER", group = "person")]
    phone: Option<String>,
    /// The person's user name.
    #[arg(long, value_name = "NAME", group = "person")]
    username: Option<String>,
}

/// A person, or nobody.
#[derive(Args)]
#[command(group = ArgGroup::new("maybe_person"))]
pub(super) struct MaybePerson {
    /// The person's mail address.
    #[arg(long, value_name = "ADDRESS", group = "maybe_person")]
    email: Option<String>,
    /// The person's phone number, in international form (+49...).
    #[arg(long, value_name = "NUMBER", group = "maybe_person")]
    phone: Option<String>,
    /// The person's user name.
    #[arg(long, value_name = "NAME", group = "maybe_person")]
    username: Option<String>,
}

impl MaybePerson {
    pub(super) fn identifier(&self) -> Option<Identifier> {
        let email = self.email.as_deref().map(Identifier::email);
        let phone = self.phone.as_deref().map(Identifier::phone);
        let username = self.username.as_deref().map(Identifier::username);
        email.or(phone).or(username)
    }
}

#[derive(Args)]
pub(super) struct SignUpArgs {
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct SignInArgs {
    #[command(flatten)]
    person: Person,
    /// Keep this device known: the file holds its token, and is made when
    /// it does not exist.
    #[arg(long, value_name = "FILE")]
    device_file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
#[command(group = ArgGroup::new("shown").required(true))]
struct Shown {
    /// The mail address.
    #[arg(long, value_name = "ADDRESS", group = "shown")]
    email: Option<String>,
    /// The phone number, in international form (+49...).
    #[arg(long, value_name = "NUMBER", group = "shown")]
    phone: Option<String>,
}

#[derive(Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    shown: Shown,
    /// Whose account, as `sign-up` printed it.
    #[arg(long, value_name = "ID")]
    user: String,
    /// No password: the person who shows the identifier takes the account over.
    #[arg(long)]
    without_password: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct ClaimArgs {
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct EraseArgs {
    /// Whose account, as `sign-up` printed it.
    #[arg(long, value_name = "ID")]
    user: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct RefreshArgs {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct SessionsArgs {
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
#[command(group = ArgGroup::new("scope"))]
pub(super) struct RevokeArgs {
    /// End the session with this id, as `sessions` shows it.
    #[arg(long, value_name = "ID", group = "scope")]
    session: Option<String>,
    /// End all sessions but this one.
    #[arg(long, group = "scope")]
    others: bool,
    /// End all sessions.
    #[arg(long, group = "scope")]
    all: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) type Fields = Map<String, Value>;

pub(super) fn sign_up(args: &SignUpArgs) -> anyhow::Result<u8> {
    let password = input::secret("password")?;
    let person = args.person.with(&password)?;
    ask_with(&args.connection, Some(&password), async |client| {
        let decision = client.sign_up(&person).await?;
        Ok(decision.map(|user| fields(json!({ "user": user.to_string() }))))
    })
}

pub(super) fn sign_in(args: &SignInArgs) -> anyhow::Result<u8> {
    let device = args.device_file.as_deref().map(read_device).transpose()?;
    let password = input::secret("password")?;
    let mut person = args.person.with(&password)?;
    person = match device {
        None => person,
        Some(None) => person.remember_device(),
        Some(Some(device)) => person.from_device(device),
    };
    let mut made = None;
    let status = ask_with(&args.connection, Some(&password), async |client| {
        let decision = client.sign_in(&person).await?;
        if let Decision::Yes(granted) = &decision {
            made = granted.device.as_ref().map(DeviceToken::to_text);
        }
        Ok(decision.map(|granted| grant_fields(&granted)))
    })?;
    if let (Some(file), Some(token)) = (&args.device_file, made) {
        write_private(file, format!("{}\n", *token).as_bytes())
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(status)
}

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<u8> {
    with_token(&args.connection, "session token", async |client, token| {
        let decision = client.check(&token).await?;
        Ok(decision.map(|checked| {
            let known = fields(json!({
                "user": checked.user.to_string(),
                "active": true,
                "assurance": checked.assurance,
                "idle_expires_at": checked.idle_expires_at,
                "expires_at": checked.expires_at,
            }));
            resting_on(known, checked.knowledge)
        }))
    })
}

pub(super) fn refresh(args: &RefreshArgs) -> anyhow::Result<u8> {
    with_token(&args.connection, "refresh token", async |client, token| {
        let decision = client.refresh(&token).await?;
        Ok(decision.map(|granted| grant_fields(&granted)))
    })
}

pub(super) fn revoke(args: &RevokeArgs) -> anyhow::Result<u8> {
    let scope = match (&args.session, args.others, args.all) {
        (Some(id), _, _) => RevokeScope::One(session_id(id)?),
        (None, true, _) => RevokeScope::Others,
        (None, false, true) => RevokeScope::All,
        (None, false, false) => RevokeScope::This,
    };
    with_token(&args.connection, "session token", async |client, token| {
        let decision = client.revoke(&token, scope).await?;
        Ok(decision.map(|count| fields(json!({ "revoked": count }))))
    })
}

pub(super) fn sessions(args: &SessionsArgs) -> anyhow::Result<u8> {
    with_token(&args.connection, "session token", async |client, token| {
        let decision = client.sessions(&token).await?;
        Ok(decision.map(|sessions| {
            let rows = sessions.iter().map(|session| {
                json!({
                    "session": format!("{:016x}", session.id),
                    "current": session.id == token.session,
                    "created_at": session.created_at,
                    "used_at": session.used_at,
                    "idle_expires_at": session.idle_expires_at,
                    "expires_at": session.expires_at,
                    "assurance": session.assurance,
                })
            });
            let rows: Vec<Value> = rows.collect();
            fields(json!({ "user": token.user.to_string(), "sessions": rows }))
        }))
    })
}

pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<u8> {
    let user = user_id(&args.user)?;
    let mut verify = Verify::new(user, args.shown.identifier()?);
    let password = match args.without_password {
        true => None,
        false => Some(input::secret("password")?),
    };
    if let Some(password) = &password {
        verify = verify.with_password(password);
    }
    let password = password.as_deref().map(String::as_str);
    act(&args.connection, password, async |client| {
        let decision = client.verify(&verify).await?;
        Ok(decision.map(|verification| {
            let verification = match verification {
                Verification::Confirmed => "confirmed",
                Verification::TakenOver => "taken_over",
            };
            fields(json!({ "user": user.to_string(), "verification": verification }))
        }))
    })
}

pub(super) fn claim(args: &ClaimArgs) -> anyhow::Result<u8> {
    let identifier = args.shown.identifier()?;
    with_token(&args.connection, "session token", async |client, token| {
        let decision = client.claim(&token, &identifier).await?;
        Ok(decision.map(|until| fields(json!({ "until": until }))))
    })
}

pub(super) fn erase(args: &EraseArgs) -> anyhow::Result<u8> {
    let user = user_id(&args.user)?;
    act(&args.connection, None, async |client| {
        let decision = client.erase(user).await?;
        Ok(decision.map(|at| fields(json!({ "user": user.to_string(), "erased_at": at }))))
    })
}

fn user_id(text: &str) -> anyhow::Result<UserId> {
    let user = text.parse().ok();
    user.context("--user takes the id that `sign-up` prints")
}

impl Shown {
    fn identifier(&self) -> anyhow::Result<Identifier> {
        match (&self.email, &self.phone) {
            (Some(email), _) => Ok(Identifier::email(email)),
            (_, Some(phone)) => Ok(Identifier::phone(phone)),
            (None, None) => bail!("--email or --phone must name what was shown"),
        }
    }
}

impl Person {
    fn with(&self, password: &str) -> anyhow::Result<SignIn> {
        match (&self.email, &self.phone, &self.username) {
            (Some(email), _, _) => Ok(SignIn::email(email, password)),
            (_, Some(phone), _) => Ok(SignIn::phone(phone, password)),
            (_, _, Some(name)) => Ok(SignIn::username(name, password)),
            (None, None, None) => bail!("--email, --phone or --username must name the person"),
        }
    }
}

pub(super) fn grant_fields(granted: &Granted) -> Fields {
    let granted_fields = fields(json!({
        "user": granted.user.to_string(),
        "session": *granted.session.to_text(),
        "refresh": *granted.refresh.to_text(),
        "idle_expires_at": granted.idle_expires_at,
        "expires_at": granted.expires_at,
        "assurance": granted.assurance,
    }));
    resting_on(granted_fields, granted.knowledge)
}

/// Says so where an answer rests on old knowledge.
fn resting_on(mut fields: Fields, knowledge: Knowledge) -> Fields {
    let (code, age_ms) = match knowledge {
        Knowledge::Current => return fields,
        Knowledge::Degraded { age_ms } => (Code::Degraded, age_ms),
        Knowledge::Provisional { age_ms } => (Code::Provisional, age_ms),
    };
    fields.insert("knowledge".into(), code.name().into());
    fields.insert("age_ms".into(), age_ms.into());
    fields
}

pub(super) fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

fn session_id(text: &str) -> anyhow::Result<u64> {
    u64::from_str_radix(text, 16)
        .with_context(|| "--session takes the 16 hexadecimal digits that `sessions` shows")
}

/// The token in the file; none when there is no file yet.
fn read_device(file: &std::path::Path) -> anyhow::Result<Option<DeviceToken>> {
    let shown = file.display();
    match std::fs::read_to_string(file).map(zeroize::Zeroizing::new) {
        Ok(text) => {
            let token = text.trim().parse();
            Ok(Some(token.with_context(|| {
                format!("{shown} holds no device token")
            })?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{shown} cannot be read")),
    }
}

/// Reads a token and asks with it. A text that is no token is the same "no" as
/// a token that was never issued, and needs no node to say so.
pub(super) fn with_token<T: std::str::FromStr>(
    connection: &Connection,
    what: &str,
    call: impl AsyncFnOnce(Client, T) -> Result<Decision<Fields>, CallError>,
) -> anyhow::Result<u8> {
    let text = input::secret(what)?;
    let Ok(token) = text.trim().parse::<T>() else {
        let refusal = Refusal {
            code: Code::InvalidToken,
            retry_after_ms: None,
        };
        output::no(connection.format(), refusal);
        return Ok(NO);
    };
    ask(connection, async |client| call(client, token).await)
}

pub(super) fn ask(
    connection: &Connection,
    call: impl AsyncFnOnce(Client) -> Result<Decision<Fields>, CallError>,
) -> anyhow::Result<u8> {
    ask_with(connection, None, call)
}

/// Asks for the person who is there.
fn ask_with(
    connection: &Connection,
    password: Option<&str>,
    call: impl AsyncFnOnce(Client) -> Result<Decision<Fields>, CallError>,
) -> anyhow::Result<u8> {
    let options = connection.options(connection.for_people())?;
    told(connection, &options, password, call)
}

/// Acts on an account.
fn act(
    connection: &Connection,
    password: Option<&str>,
    call: impl AsyncFnOnce(Client) -> Result<Decision<Fields>, CallError>,
) -> anyhow::Result<u8> {
    let options = connection.options(connection.for_accounts())?;
    told(connection, &options, password, call)
}

/// Asks with a password, where there is one, and says what is wrong with it
/// when that is the answer. The code has no room for it; the rule is the same
/// here.
fn told(
    connection: &Connection,
    options: &Options,
    password: Option<&str>,
    call: impl AsyncFnOnce(Client) -> Result<Decision<Fields>, CallError>,
) -> anyhow::Result<u8> {
    let answer = block_on(async {
        let client = Client::new(options)?;
        anyhow::Ok(call(client).await)
    })??;
    let Some(fault) = fault_of(&answer, password) else {
        return Ok(output::answer(connection.format(), answer));
    };
    let message = format!("The password cannot be taken: {fault}.");
    let code = Code::InvalidPassword.name();
    output::refusal(connection.format(), code, &message, None);
    Ok(NO)
}

fn fault_of(
    answer: &Result<Decision<Fields>, CallError>,
    password: Option<&str>,
) -> Option<PasswordFault> {
    match answer {
        Ok(Decision::No(refusal)) if refusal.code == Code::InvalidPassword => {
            Password::parse(password?).err()
        }
        Ok(Decision::Yes(_) | Decision::No(_)) | Err(_) => None,
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("a runtime cannot be started")?;
    Ok(runtime.block_on(future))
}
