//! Every person's first request after a restart, while a few warm people go on.

use super::checks::{CHECKED, Checks};
use super::day_two::show;
use super::{PeopleArgs, tokens};
use crate::ceiling::checks_alone;
use crate::load::Pace;
use crate::machine::{Side, pin};
use crate::mix::Draw;
use crate::report::Setting;
use crate::run::{Bed, ShapeArgs, shape_of};

const PER_S: f64 = 20_000.0;
const QUIET: std::time::Duration = std::time::Duration::from_secs(5);

pub(crate) async fn cold(args: &PeopleArgs) -> anyhow::Result<()> {
    pin(Side::Generator);
    let mut mix = checks_alone(Draw::InTurn);
    mix.curve = vec![(0.0, PER_S), (args.people as f64 / PER_S, PER_S)];
    let spawned = ShapeArgs::spawned(args.people).cold();
    let mut shape = shape_of(&spawned, Pace::Open);
    shape.warm_up_s = 0.0;
    let mut bed = Bed::make(&spawned, &mix).await?;
    let (dir, Some(at)) = (bed.dir().to_owned(), bed.addresses()) else {
        anyhow::bail!("there is no node of our own");
    };
    let sessions = tokens(&dir).into_iter().take(CHECKED);
    let sessions: Vec<_> = sessions.map(|(session, _)| session).collect();
    let checks = Checks::start(&dir, at, &sessions, super::day_two::PER_S);
    std::thread::sleep(QUIET);
    show("warm, before", &checks.stop());
    let checks = Checks::start(&dir, at, &sessions, super::day_two::PER_S);
    let storm = bed.load(&mix, &shape, Setting::new("cold", &mix)).await?;
    show("warm, meanwhile", &checks.stop());
    storm.print();
    Ok(())
}
