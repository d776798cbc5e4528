//! Requests about people of other regions, and identifiers that become
//! an account's where there is more than one region.

use tidegate_account::{
    ClaimedIdentifier, DegradedReply, HoldOutcome, Identifier, Refusal, Reply, Reservation,
    TenantId, UserId,
};
use tidegate_storage_api::{Region, StoreError};

use super::Engine;
use crate::answer::{Answer, Failure, Responder};
use crate::check::Outcome;
use crate::regions::{Home, Reserved};
use crate::request::Task;

impl Engine {
    /// The answer to a request about a person who is not at home here; `Err` when
    /// the directory must be asked whether there is such a region.
    pub(super) fn abroad(&self, task: &Task) -> Option<Result<Answer, Stray>> {
        // Where there is no such region, there is no such account.
        let (user, no) = match task {
            Task::SignUp { .. }
            | Task::SignIn { .. }
            | Task::BeginFlow(_)
            | Task::AnswerFlow(_) => return None,
            Task::Check(ask) => (
                ask.user,
                Answer::Checked(Outcome::No(Refusal::InvalidToken)),
            ),
            Task::Claim { user, .. } => (*user, refused(Refusal::InvalidToken)),
            Task::Attest { user, .. } => (*user, refused(Refusal::UnknownAccount)),
            Task::Account { user, command } => (*user, refused(command.no_account())),
        };
        if user.region() == self.shared().placement.ownership.region().number() {
            return None;
        }
        let region = Region::new(user.region());
        let (Some(region), Some(regions)) = (region, &self.shared().placement.regions) else {
            return Some(Ok(no));
        };
        Some(match regions.knows(region) {
            true => Ok(Answer::Failed(Failure::WrongRegion(region))),
            false => Err(Stray { region, no }),
        })
    }

    /// Asks the directory before it is said that no account has a token: a region may
    /// be newer than the list of regions.
    pub(super) async fn look_for(self, stray: Stray, responder: Responder) {
        let Stray { region, no } = stray;
        let asked = match self.shared().border() {
            Some(border) => border.is_there(region).await,
            None => Ok(false),
        };
        let answer = match asked {
            Ok(true) => Answer::Failed(Failure::WrongRegion(region)),
            Ok(false) => no,
            Err(_) => Answer::Failed(Failure::Unavailable),
        };
        responder.answer(answer, 0);
    }

    /// The region where a tenant's people must be registered, when it is
    /// another.
    pub(super) fn pinned_elsewhere(&self, tenant: TenantId) -> Option<Region> {
        let tenant = self.shared().settings.tenants.get(tenant)?;
        let here = self.shared().placement.ownership.region();
        tenant.home.filter(|home| *home != here)
    }

    /// Where the account of an identifier is at home that has none here. The owner
    /// of its decoy's slot asks the directory: other nodes send there first, as for
    /// an account that is known.
    pub(super) async fn home_of_stranger(
        &self,
        tenant: TenantId,
        identifier: &Identifier,
        decoy: UserId,
    ) -> Result<Home, Failure> {
        match self.shared().placement.ownership.epoch_of(decoy) {
            None => Err(Failure::NotOwner(decoy.slot())),
            Some(_) => Ok(self.home_of(tenant, identifier).await),
        }
    }

    async fn home_of(&self, tenant: TenantId, identifier: &Identifier) -> Home {
        let Some(regions) = &self.shared().placement.regions else {
            return Home::Here;
        };
        let hash = regions.hash(tenant, identifier);
        let pinned = self.shared().settings.tenants.get(tenant);
        let pinned = pinned.and_then(|tenant| tenant.home);
        match self.shared().border() {
            Some(border) => border.home_of(&hash, pinned).await,
            None => Home::Here,
        }
    }

    /// Asks the directory before a known account is refused, as is done for one that
    /// is not known here: neither the time that an answer takes nor what is said
    /// while the directory is away tells the two apart. Who signs in with the
    /// right password waits for nothing.
    pub(super) fn asking_first(
        &self,
        tenant: TenantId,
        identifier: &Identifier,
        responder: Responder,
    ) -> Responder {
        if self.shared().placement.regions.is_none() {
            return responder;
        }
        let (engine, identifier) = (self.clone(), identifier.clone());
        Responder::new(move |answer, epoch| {
            if !matches!(answer, Answer::Reply(Reply::No(_))) {
                return responder.answer(answer, epoch);
            }
            let asking = engine.clone();
            engine.people.spawn(async move {
                match asking.home_of(tenant, &identifier).await {
                    Home::Unknown => Engine::unsure(responder).answer(answer, epoch),
                    Home::Here | Home::There(_) => responder.answer(answer, epoch),
                }
            });
        })
    }

    /// Says no more than that it is not known, where no would be said of an account
    /// that may be at home elsewhere.
    pub(super) fn unsure(responder: Responder) -> Responder {
        Responder::new(move |answer, epoch| {
            let answer = match is_wrong_guess(&answer) {
                true => unsaid(),
                false => answer,
            };
            responder.answer(answer, epoch);
        })
    }

    /// Reserves identifiers in the directory of regions, where there is one. The
    /// answer, when they cannot be.
    pub(super) async fn reserve<'a>(
        &self,
        tenant: TenantId,
        user: UserId,
        identifiers: impl Iterator<Item = &'a mut ClaimedIdentifier>,
    ) -> Result<Vec<Reservation>, Answer> {
        let shared = self.shared();
        let mut done = Vec::new();
        let (Some(regions), Some(border)) = (&shared.placement.regions, shared.border()) else {
            return Ok(done);
        };
        // The slot's owner reserves.
        if shared.placement.ownership.epoch_of(user).is_none() {
            return Err(Answer::Failed(Failure::NotOwner(user.slot())));
        }
        for claimed in identifiers {
            let hash = regions.hash(tenant, &claimed.identifier);
            let answer = match border.reserve(hash, claimed, user).await {
                Ok(Reserved::Done(reservation)) => {
                    claimed.reservation = Some(Box::new(reservation.clone()));
                    done.push(reservation);
                    continue;
                }
                Ok(Reserved::Taken) => Answer::Reply(Reply::No(Refusal::IdentifierTaken)),
                Ok(Reserved::Later) => Answer::Failed(Failure::Unavailable),
                Err(StoreError::Corrupt) => Answer::Failed(Failure::Corrupt),
                Err(_) => Answer::Failed(Failure::Unavailable),
            };
            self.conclude(done, Conclusion::GivenUp);
            return Err(answer);
        }
        Ok(done)
    }

    /// Lets the directory follow what is answered. What is answered while
    /// nothing is known is settled later.
    pub(super) fn concluding(&self, reserved: Vec<Reservation>, responder: Responder) -> Responder {
        if reserved.is_empty() {
            return responder;
        }
        let engine = self.clone();
        Responder::new(move |answer, epoch| {
            match &answer {
                Answer::Reply(reply) => match reply.hold() {
                    HoldOutcome::Held => engine.conclude(reserved, Conclusion::Held),
                    HoldOutcome::GivenUp => engine.conclude(reserved, Conclusion::GivenUp),
                    HoldOutcome::Unrelated => {}
                },
                Answer::Checked(_)
                | Answer::DegradedDecision { .. }
                | Answer::Done
                | Answer::Failed(_) => {}
            }
            responder.answer(answer, epoch);
        })
    }

    fn conclude(&self, reserved: Vec<Reservation>, conclusion: Conclusion) {
        let engine = self.clone();
        self.people.spawn(async move {
            let Some(border) = engine.shared().border() else {
                return;
            };
            for Reservation { hash, attempt, .. } in &reserved {
                let concluded = match conclusion {
                    Conclusion::Held => border.settle(hash).await.map(drop),
                    Conclusion::GivenUp => border.give_up(hash, *attempt).await,
                };
                if let Err(error) = concluded {
                    tracing::debug!(event = "directory.unsettled", %error);
                }
            }
        });
    }
}

/// A request about a person of a region that is not known.
pub(super) struct Stray {
    region: Region,
    /// What is answered when there is no such region.
    no: Answer,
}

/// How an attempt ended.
#[derive(Clone, Copy)]
enum Conclusion {
    Held,
    GivenUp,
}

fn refused(refusal: Refusal) -> Answer {
    Answer::Reply(Reply::No(refusal))
}

fn is_wrong_guess(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Reply(Reply::No(Refusal::InvalidCredentials))
    )
}

/// Counts as a wrong guess, and says nothing.
fn unsaid() -> Answer {
    let reply = DegradedReply::Unsaid;
    Answer::DegradedDecision { reply, age_ms: 0 }
}
