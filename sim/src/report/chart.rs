//! Charts, drawn as SVG.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::text::{escape, short};
use super::{ClassReport, FaultReport};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 190.0;
const COLOURS: [&str; 6] = [
    "#1769aa", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#0f766e",
];

/// Values over time, under a name.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) values: Vec<Option<f64>>,
}

#[derive(Clone, Copy)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

/// One chart over time. Faults are bands behind it.
pub(super) fn over_time(
    page: &mut String,
    title: &str,
    scale: Scale,
    lines: &[Line],
    faults: &[FaultReport],
) -> fmt::Result {
    let length = lines
        .iter()
        .map(|line| line.values.len())
        .max()
        .unwrap_or(0);
    let values = lines.iter().flat_map(|line| line.values.iter().flatten());
    let greatest = values.clone().fold(0.0f64, |most, value| value.max(most));
    if length < 2 || greatest <= 0.0 {
        return Ok(());
    }
    let least = values
        .filter(|value| **value > 0.0)
        .fold(greatest, |least, value| value.min(least));
    let span_s = (length - 1) as f64;
    let x = |at_s: f64| at_s.clamp(0.0, span_s) / span_s * WIDTH;
    let y = |value: f64| {
        let share = match scale {
            Scale::Linear => value / greatest,
            Scale::Logarithmic if greatest > least => {
                libm::log(value.max(least) / least) / libm::log(greatest / least)
            }
            Scale::Logarithmic => 1.0,
        };
        HEIGHT - share * (HEIGHT - 18.0)
    };
    write!(
        page,
        "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 -4 {} {}\" role=\"img\" \
         aria-label=\"{title}\">",
        WIDTH + 60.0,
        HEIGHT + 24.0
    )?;
    for fault in faults {
        let (from, to) = (x(fault.at_s), x(fault.at_s + fault.for_s));
        write!(
            page,
            "<rect x=\"{from:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\" \
             fill=\"var(--band)\" opacity=\".6\"><title>{}</title></rect>",
            (to - from).max(2.0),
            escape(&fault.what)
        )?;
    }
    write!(
        page,
        "<line x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\" stroke=\"var(--rule)\"/>\
         <text x=\"{0}\" y=\"14\">{1}</text><text x=\"{0}\" y=\"{HEIGHT}\">{2}</text>\
         <text x=\"0\" y=\"{3}\">0 s</text><text x=\"{WIDTH}\" y=\"{3}\" text-anchor=\"end\">\
         {span_s:.0} s</text>",
        WIDTH + 4.0,
        short(greatest),
        match scale {
            Scale::Linear => "0".to_owned(),
            Scale::Logarithmic => short(least),
        },
        HEIGHT + 15.0
    )?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        path(page, line, colour, &x, &y)?;
    }
    legend(page, lines.iter().map(|line| line.name.as_str()))
}

fn legend<'a>(page: &mut String, names: impl Iterator<Item = &'a str>) -> fmt::Result {
    page.push_str("</svg><div>");
    for (name, colour) in names.zip(COLOURS.iter().cycle()) {
        write!(
            page,
            "<span style=\"color:{colour}\">&#9632;</span> {} &nbsp; ",
            escape(name)
        )?;
    }
    page.push_str("</div></figure>");
    Ok(())
}

/// Latency by percentile: each nine has the same width, as in a plot of an HDR
/// histogram.
pub(super) fn distribution(
    page: &mut String,
    classes: &BTreeMap<String, ClassReport>,
) -> fmt::Result {
    let values = || classes.values().flat_map(|class| &class.distribution_ms);
    let positive = || values().map(|(_, ms)| *ms).filter(|ms| *ms > 0.0);
    let greatest = positive().fold(0.0f64, f64::max);
    let least = positive().fold(greatest, f64::min);
    let nines = |percentile: f64| -libm::log10(1.0 - percentile / 100.0);
    let widest = values().fold(0.0f64, |most, (at, _)| nines(*at).max(most));
    if greatest <= least || widest <= 0.0 {
        return Ok(());
    }
    let x = |percentile: f64| nines(percentile) / widest * WIDTH;
    let y = |ms: f64| {
        let share = libm::log(ms.max(least) / least) / libm::log(greatest / least);
        HEIGHT - share * (HEIGHT - 18.0)
    };
    let title = "Latency of answered calls by percentile, ms";
    write!(
        page,
        "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 -4 {} {}\" role=\"img\" \
         aria-label=\"{title}\"><text x=\"{2}\" y=\"14\">{3}</text><text x=\"{2}\" \
         y=\"{HEIGHT}\">{4}</text>",
        WIDTH + 60.0,
        HEIGHT + 24.0,
        WIDTH + 4.0,
        short(greatest),
        short(least)
    )?;
    for (percentile, name) in [
        (50.0, "50 %"),
        (90.0, "90 %"),
        (99.0, "99 %"),
        (99.9, "99.9 %"),
    ] {
        let at = x(percentile);
        write!(
            page,
            "<line x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{HEIGHT}\" \
             stroke=\"var(--rule)\"/><text x=\"{at:.1}\" y=\"{}\" \
             text-anchor=\"middle\">{name}</text>",
            HEIGHT + 15.0
        )?;
    }
    for (class, colour) in classes.values().zip(COLOURS.iter().cycle()) {
        let mut points = String::new();
        for (place, (percentile, ms)) in class.distribution_ms.iter().enumerate() {
            let pen = if place == 0 { 'M' } else { 'L' };
            write!(points, "{pen}{:.1} {:.1}", x(*percentile), y(*ms))?;
        }
        write!(
            page,
            "<path d=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>"
        )?;
    }
    legend(page, classes.keys().map(String::as_str))
}

fn path(
    page: &mut String,
    line: &Line,
    colour: &str,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) -> fmt::Result {
    let mut points = String::new();
    let mut pen = 'M';
    for (second, value) in line.values.iter().enumerate() {
        match value {
            Some(value) => {
                write!(points, "{pen}{:.1} {:.1}", x(second as f64), y(*value))?;
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    write!(
        page,
        "<path d=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>"
    )
}
