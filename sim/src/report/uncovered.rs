//! What failed though no objective speaks of it: a green verdict says nothing of
//! it, so it is said beside it.

use tidegate_wire::Class;

use super::{ClassReport, PeopleReport};
use crate::scenario::{Objective, Target, name_of};

/// In words, one for each class, and one for people.
pub(super) fn uncovered<'a>(
    objectives: &[Objective],
    class_of: impl Fn(&str) -> Option<&'a ClassReport>,
    people: &PeopleReport,
) -> Vec<String> {
    let bounds = |target: Target| objectives.iter().any(|one| one.target == target);
    let mut all = Vec::new();
    for class in Class::ALL {
        let name = name_of(class);
        let failed = class_of(name).filter(|one| one.failed > 0);
        if let Some(one) = failed.filter(|_| !bounds(Target::Failed(class))) {
            all.push(format!(
                "{} of {} {name} calls failed",
                one.failed, one.calls
            ));
        }
    }
    let is_of_people = |one: &Objective| matches!(one.target, Target::InWithin(_));
    if people.never > 0 && !objectives.iter().any(is_of_people) {
        all.push(format!(
            "{} of {} people never got in",
            people.never, people.wanted_in
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Calibration, Given, Report, page, play};

    /// The store is away for longer than a sign-up waits.
    fn report(objectives: &str) -> Report {
        let text = format!(
            "about = \"x\"\npeople = 100\ncurve = [[0, 20], [12, 20]]\n\
             objectives = [{objectives}]\n[ask]\ncheck = 1\nsign_up = 1\n[patience]\ngive_up_s = 4\n\
             [[fault]]\nat_s = 2\nfor_s = 8\nwhat = \"store-down\"\n"
        );
        let given = Given::parse("x", Path::new("x.toml"), &text).unwrap();
        let calibration = Calibration::shipped().unwrap();
        let played = play(&given, &calibration, 1, &|_| {}).unwrap();
        Report::of(&given, &calibration, &played, 0.0)
    }

    #[test]
    fn what_failed_beside_every_objective_is_said_at_the_top() {
        let silent = report("\"shed(check) = 0\"");
        let failed = silent.classes["sign-up"].failed;
        assert!(failed > 0, "{:?}", silent.classes);
        let calls = silent.classes["sign-up"].calls;
        let words = format!("{failed} of {calls} sign-up calls failed");
        assert!(silent.uncovered.contains(&words), "{:?}", silent.uncovered);
        let people = format!("{} people never got in", silent.people.wanted_in);
        let named = |one: &String| one.ends_with(&people);
        assert!(silent.uncovered.iter().any(named), "{:?}", silent.uncovered);
        let page = page(&silent).unwrap();
        assert!(page.contains("No objective covers: "), "{page}");
        let covered = "\"failed(sign-up) <= 0\", \"failed(check) = 0\", \"in_within(1s) >= 0%\"";
        let covered = report(covered);
        assert_eq!(covered.uncovered, [""; 0]);
        assert!(!covered.met());
    }
}
