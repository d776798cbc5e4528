//! The verdict of a page.

use std::fmt::{self, Write};

use super::escape;
use crate::report::{ObjectiveReport, Report};

/// The box at the top: what held, what did not, and what was not asked for.
pub(super) fn verdict(page: &mut String, report: &Report) -> fmt::Result {
    let missed = report.objectives.iter().filter(|objective| !objective.met);
    let missed = missed.count();
    let (class, words) = match (report.wrong, missed, report.objectives.len()) {
        (0, 0, 0) => ("", "No objectives were stated.".to_owned()),
        (0, 0, all) => ("", format!("Held: all {all} objectives are met.")),
        (0, missed, all) => (
            " missed",
            format!("Not held: {missed} of {all} objectives are missed."),
        ),
        (wrong, _, _) => (" missed", format!("Broken: {wrong} answers cannot be.")),
    };
    let class = match (class, report.uncovered.is_empty()) {
        ("", false) => " noted",
        (class, _) => class,
    };
    write!(page, "<div class=\"verdict{class}\">{words}")?;
    if !report.uncovered.is_empty() {
        let all = report.uncovered.join("; ");
        write!(page, " No objective covers: {}.", escape(&all))?;
    }
    if let Some(gives_out) = &report.gives_out {
        write!(page, "<br>This night: {}.", escape(&gives_out.words()))?;
    }
    page.push_str("<ul>");
    for objective in &report.objectives {
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
        faults(page, objective)?;
        page.push_str("</li>");
    }
    for wrong in &report.wrong_first {
        write!(page, "<li class=\"no\">{}</li>", escape(wrong))?;
    }
    page.push_str("</ul></div>");
    if report.objectives.is_empty() {
        return Ok(());
    }
    write!(
        page,
        "<p class=\"note\">Latency and shares hold over the whole night, in every window of {} s and \
         while each fault lasts, counts over the whole night. Where too little was asked for a \
         quantile or a share a window goes on until there is enough.</p>",
        report.window_s
    )
}

/// The value of an objective while each fault lasted.
pub(crate) fn faults(page: &mut String, objective: &ObjectiveReport) -> fmt::Result {
    if objective.faults.is_empty() {
        return Ok(());
    }
    page.push_str("<ul>");
    for fault in &objective.faults {
        let class = match fault.met {
            true => "met",
            false => "no",
        };
        write!(
            page,
            "<li>while {} ({}): <span class=\"{class}\">{}</span></li>",
            escape(&fault.what),
            fault.window,
            fault.words(&objective.unit)
        )?;
    }
    page.push_str("</ul>");
    Ok(())
}
