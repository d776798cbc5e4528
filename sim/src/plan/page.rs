//! A plan as one page, whole in itself.

use std::fmt::{self, Write};

use super::{Fleet, Headroom, PlanReport};
use crate::report::{HEAD, ObjectiveReport, escape, faults, stands_on};

/// The page of a plan.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn plan_page(report: &PlanReport) -> Result<String, fmt::Error> {
    let mut page = String::from(HEAD);
    let plan = &report.plan;
    write!(
        page,
        "<title>Plan: {0}</title><h1>Plan: {0}</h1><p>{1}</p>",
        escape(&report.scenario),
        escape(&report.about)
    )?;
    match &plan.smallest {
        Some(fleet) => smallest(&mut page, fleet, report.seeds)?,
        None => page.push_str("<div class=\"verdict missed\">No fleet that was tried holds.</div>"),
    }
    if let Some(fleet) = &plan.smaller {
        write!(page, "<h2>What breaks with {}</h2>", escape(&fleet.words()))?;
        objectives(&mut page, &fleet.broken())?;
        if let Some(gives_out) = &fleet.gives_out {
            write!(page, "<p>{}</p>", escape(&gives_out.words()))?;
        }
    }
    if let Some(headroom) = &plan.headroom {
        room(&mut page, headroom)?;
    }
    stands_on(&mut page, &plan.inputs, &plan.extrapolated)?;
    write!(
        page,
        "<p class=\"note\">The same again: <code>{}</code></p></html>",
        escape(&report.again)
    )?;
    Ok(page)
}

fn smallest(page: &mut String, fleet: &Fleet, seeds: u64) -> fmt::Result {
    write!(
        page,
        "<div class=\"verdict\">Smallest fleet: {}.",
        escape(&fleet.words())
    )?;
    for lost in &fleet.lost {
        write!(
            page,
            " It holds when node {}, with {} of 4096 slots, is lost at the worst moment.",
            lost.node, lost.slots
        )?;
    }
    page.push_str("</div>");
    write!(page, "<h2>On the worst of {seeds} seeds</h2>")?;
    objectives(page, &fleet.worst)?;
    let mut rows = vec![
        (
            "busiest second of a node",
            format!("{:.0}% of its cores", fleet.busiest_percent),
        ),
        (
            "hashing",
            format!(
                "{:.1} cores needed at most, {} given",
                fleet.hashing_cores,
                fleet.hashing_given()
            ),
        ),
        (
            "store",
            format!(
                "{} commits/s and {} reads/s at most",
                fleet.commits_per_s, fleet.reads_per_s
            ),
        ),
        (
            "network",
            format!("{} requests/s at most", fleet.requests_per_s),
        ),
    ];
    if let (Some(per_hour), Some(cost)) = (fleet.cost_per_hour, fleet.cost) {
        let words = format!("{per_hour:.2} an hour, {cost:.2} this night");
        rows.push(("cost", words));
    }
    if let Some(cost) = fleet.cost_per_million() {
        let words = format!("{cost:.2} at this night's rate");
        rows.push(("cost of a million sign-ins", words));
    }
    page.push_str("<table>");
    for (name, words) in rows {
        write!(page, "<tr><td>{name}</td><td>{words}</td></tr>")?;
    }
    page.push_str("</table>");
    Ok(())
}

/// Objectives, and their values.
fn objectives(page: &mut String, all: &[ObjectiveReport]) -> fmt::Result {
    page.push_str("<ul>");
    for objective in all {
        let class = match objective.met {
            true => "met",
            false => "no",
        };
        write!(
            page,
            "<li><code>{}</code>: <span class=\"{class}\">{}</span>, {}",
            escape(&objective.objective),
            objective.word(),
            escape(&objective.words())
        )?;
        // It may be met in every window, and missed only while a node is gone.
        faults(page, objective)?;
        page.push_str("</li>");
    }
    page.push_str("</ul>");
    Ok(())
}

fn room(page: &mut String, headroom: &Headroom) -> fmt::Result {
    write!(
        page,
        "<h2>Headroom</h2><p>{:.2} times the night's rates.</p>",
        headroom.times
    )?;
    if headroom.breaks.is_empty() {
        return Ok(());
    }
    page.push_str("<p>A little more breaks</p>");
    objectives(page, &headroom.breaks)?;
    match &headroom.gives_out {
        Some(gives_out) => write!(page, "<p>{}</p>", escape(&gives_out.words())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DuringFault, Window};

    #[test]
    fn what_is_missed_only_while_a_node_is_gone_is_said() {
        let window = |value| Window {
            from_s: 10.0,
            to_s: 20.0,
            value,
        };
        let missed = ObjectiveReport {
            objective: "p99(check) < 50ms".to_owned(),
            value: 2.0,
            unit: " ms".to_owned(),
            met: false,
            seen: 100,
            night: 2.0,
            worst: Some(window(2.0)),
            unanswered: None,
            faults: vec![DuringFault {
                what: "node 1 is killed".to_owned(),
                window: window(300.0),
                met: false,
                seen: 9,
            }],
        };
        let mut page = String::new();
        objectives(&mut page, &[missed]).unwrap();
        let expected = "<li><code>p99(check) &lt; 50ms</code>: <span class=\"no\">missed</span>, \
                        2.00 ms in the worst 10 s (10 to 20 s), 2.00 ms over the whole night<ul>\
                        <li>while node 1 is killed (10 to 20 s): <span class=\"no\">300.00 ms</span></li>\
                        </ul></li>";
        assert_eq!(page, format!("<ul>{expected}</ul>"));
    }
}
