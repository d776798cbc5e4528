//! The account core at its commonest change.

use tidegate_account::{
    Account, ClaimedIdentifier, Command, Completion, CredentialCommand, CredentialReply, Effect,
    Entropy, Grant, Identifier, IdentifierKind, IndexHash, Input, LedBy, Password, PasswordCheck,
    PasswordHash, PasswordWork, Policy, Remember, Reply, Request, SessionCommand, SessionReply,
    SignIn, SignUp, Source, TenantId, Ticket, UserId, tagged,
};

const USER: [u8; 16] = [7; 16];
const TENANT: TenantId = TenantId(1);
const NOW_MS: u64 = 1_700_000_000_000;

/// A signed-in account whose refresh token is replaced again and again.
pub(crate) struct Refreshing {
    account: Account,
    grant: Grant,
    policy: Policy,
    step: u64,
}

impl Refreshing {
    /// Signs a person up and in.
    pub(crate) fn new() -> Refreshing {
        let policy = Policy::default();
        let mut account = Account::absent(UserId::from_bytes(USER));
        let password = Password::parse("correct horse").unwrap();
        let email = Identifier::parse(IdentifierKind::Email, "ada@example.com").unwrap();
        let sign_up = SignUp {
            identifiers: vec![ClaimedIdentifier {
                identifier: email,
                hash: IndexHash([1; 32]),
                key_version: 1,
                older: Vec::new(),
                reservation: None,
            }],
            password: password.clone(),
        };
        let sign_in = SignIn {
            password,
            device: None,
            remember: Remember::Nothing,
            source: Source::Clear,
            led_by: LedBy::Id,
        };
        let mut granted = None;
        for (step, command) in [
            Command::Credential(CredentialCommand::SignUp(sign_up)),
            Command::Credential(CredentialCommand::SignIn(sign_in)),
        ]
        .into_iter()
        .enumerate()
        {
            let step = step as u64;
            let output = account.handle(NOW_MS, seed(step * 2), &policy, input(step, command));
            let effect = output.effects.first().unwrap();
            let Effect::Hash { work, .. } = effect else {
                continue;
            };
            let completion = match work {
                PasswordWork::New { salt, policy, .. } => Completion::Hashed(PasswordHash {
                    memory_kib: policy.memory_kib,
                    passes: policy.passes,
                    lanes: policy.lanes,
                    pepper_key: policy.pepper_key,
                    salt: *salt,
                    output: [5; 48],
                }),
                PasswordWork::Compare { .. } => Completion::Verified(PasswordCheck::Match),
            };
            let done = Input::Completion {
                pending: effect.pending(),
                completion,
            };
            let output = account.handle(NOW_MS, seed(step * 2 + 1), &policy, done);
            for (_, reply) in output.replies {
                if let Reply::Credential(CredentialReply::SignedIn(grant)) = reply {
                    granted = Some(grant);
                }
            }
        }
        Refreshing {
            account,
            grant: granted.unwrap(),
            policy,
            step: 100,
        }
    }

    /// Replaces the refresh token once.
    pub(crate) fn refresh(&mut self) -> bool {
        self.step += 1;
        let command = Command::Session(SessionCommand::Refresh {
            session: self.grant.session,
            family: self.grant.family.clone(),
            token: self.grant.refresh.clone(),
        });
        let now_ms = NOW_MS + self.step;
        let input = input(self.step, command);
        let output = self
            .account
            .handle(now_ms, seed(self.step), &self.policy, input);
        match output.replies.into_iter().next() {
            Some((_, Reply::Session(SessionReply::Refreshed(grant)))) => {
                self.grant = grant;
                true
            }
            _ => false,
        }
    }
}

fn seed(step: u64) -> Entropy {
    Entropy::new(tagged("subjects", &[&step.to_le_bytes()]))
}

fn input(step: u64, command: Command) -> Input {
    let request = Request {
        ticket: Ticket(step),
        tenant: TENANT,
        idempotency: None,
    };
    Input::Command(request, command)
}
