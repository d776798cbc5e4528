//! The real engine in a made-up world: virtual time, seeded randomness, a
//! network, a store of many machines, processors with calibrated costs.
//!
//! Same seed and inputs, same trace, in any process, on any machine
//! (docs/simulation.md).
#![cfg_attr(
    not(test),
    allow(
        clippy::cast_precision_loss,
        reason = "counts become figures for people"
    )
)]

#[cfg(not(tokio_unstable))]
compile_error!(
    "the simulator needs a fixed order of tasks: build inside the repository, whose \
     .cargo/config.toml sets it, or with RUSTFLAGS='--cfg tokio_unstable'"
);

mod again;
mod agenda;
mod authenticator;
mod book;
mod calibration;
mod compare;
mod diary;
mod fuzz;
mod gateway;
mod inputs;
mod invariants;
mod machine;
mod mailbox;
mod network;
mod node;
mod people;
mod plan;
mod plant;
mod ports;
mod quic;
mod random;
mod report;
mod scenario;
mod trace;
mod visits;
mod world;

pub use again::quoted;
pub use calibration::{Calibration, CalibrationError, Origin};
pub use compare::compare;
pub use fuzz::{Failure, fuzz_one, given_of, scenario_of, shrink};
pub use inputs::{Input, Mark};
pub use plan::{Fleet, Headroom, Lost, Plan, PlanAsk, PlanError, PlanReport, plan, plan_page};
pub use plant::Plant;
pub use quic::QuicError;
pub use report::{
    ClassReport, DuringFault, FaultReport, GivesOut, MomentReport, ObjectiveReport, PeopleReport,
    Quantiles, Report, SecondReport, SprayReport, StoreReport, Window, page,
};
pub use scenario::{Given, Objective, Scenario, ScenarioError};
pub use world::{Played, WorldError, play, play_with};
