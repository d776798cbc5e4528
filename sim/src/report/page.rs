//! The night as one page, whole in itself: nothing is fetched when it is read.

mod verdict;

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use super::chart::{Line, Scale, distribution, over_time};
use super::text::{escape, short};
use super::{MomentReport, Quantiles, Report, SecondReport};
use crate::inputs::Input;
pub(crate) use verdict::faults;

pub(crate) const HEAD: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>
:root{--ink:#1c1c1c;--pale:#6b6b6b;--rule:#ddd;--good:#15803d;--bad:#b91c1c;--noted:#b45309;--paper:#fff;--band:#fde68a}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--pale:#a0a0a0;--rule:#3a3a3a;--good:#4ade80;--bad:#f87171;--noted:#f59e0b;--paper:#161616;--band:#5b4a12}}
body{font:15px/1.55 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:var(--ink);background:var(--paper)}
h1{margin-bottom:.2rem}h2{margin-top:2.2rem;font-size:1.1rem}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid var(--rule);font-variant-numeric:tabular-nums}
td:first-child,th:first-child{text-align:left}
.verdict{font-size:1.15rem;margin:1rem 0;padding:.7rem 1rem;border-left:.35rem solid var(--good)}.verdict.noted{border-color:var(--noted)}.verdict.missed{border-color:var(--bad)}
.met{color:var(--good)}.missed .no,.no{color:var(--bad)}
figure{margin:1.6rem 0}figcaption{font-weight:600}.note{color:var(--pale)}code{font-size:.92em}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--pale)}
</style>"#;

/// The page of a report.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn page(report: &Report) -> Result<String, fmt::Error> {
    let mut page = String::from(HEAD);
    write!(
        page,
        "<title>{0}</title><h1>{0}</h1><p>{1}</p>",
        escape(&report.scenario),
        escape(&report.about)
    )?;
    verdict::verdict(&mut page, report)?;
    people(&mut page, report)?;
    for spray in &report.sprays {
        write!(page, "<p>Attackers' {}.</p>", escape(&spray.words()))?;
    }
    classes(&mut page, report)?;
    distribution(&mut page, &report.classes)?;
    charts(&mut page, report)?;
    stands_on(&mut page, &report.inputs, &report.extrapolated)?;
    write!(
        page,
        "<h2>How it came about</h2><p class=\"note\">{:.0} s of virtual time in {:.1} s; {} \
         requests. Costs of operations: {}. Trace {}. The same again: <code>{}</code></p></html>",
        report.virtual_seconds,
        report.wall_seconds,
        report.requests,
        escape(&report.calibration),
        report.trace_hash,
        escape(&report.again)
    )?;
    Ok(page)
}

fn people(page: &mut String, report: &Report) -> fmt::Result {
    let people = &report.people;
    if people.wanted_in == 0 {
        return Ok(());
    }
    let time = &people.time_to_be_in_ms;
    write!(
        page,
        "<h2>The people's view</h2><p>{} wanted in. At the first attempt: {:.2} %. Within 1 s: \
         {:.2} %; within 10 s: {:.2} %; within a minute: {:.2} %. Never, or gone: {}. From the \
         first attempt to being in: half within {}, 99 % within {}, 99.9 % within {}.</p>",
        people.wanted_in,
        people.at_first_attempt_percent,
        people.in_within_1s_percent,
        people.in_within_10s_percent,
        people.in_within_60s_percent,
        people.never,
        duration(time.p50),
        duration(time.p99),
        duration(time.p99_9)
    )
}

fn classes(page: &mut String, report: &Report) -> fmt::Result {
    page.push_str(
        "<h2>Requests</h2><table><tr><th></th><th>calls</th><th>answered</th><th>failed</th>\
         <th>attempts</th><th>shed</th><th>sent on</th><th>unknown</th><th>degraded</th><th>p50 ms</th><th>p99</th><th>p99.9</th>\
         <th>max</th></tr>",
    );
    for (name, class) in &report.classes {
        let Quantiles {
            p50,
            p99,
            p99_9,
            max,
        } = class.latency_ms;
        write!(
            page,
            "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{p50:.2}</td><td>{p99:.2}</td><td>{p99_9:.2}</td><td>{max:.2}</td></tr>",
            class.calls,
            class.served,
            class.failed,
            class.attempts,
            class.shed,
            class.redirected,
            class.unknown,
            class.degraded,
        )?;
    }
    page.push_str("</table>");
    page.push_str(
        "<p class=\"note\">A call is what a gateway asks of its client library, with all its \
         retries; an attempt is one request on its way to a node. Latency is that of calls that \
         were answered, from the call to its answer: shedding shows in the people's view, not \
         here. Degraded: answered from what was known before the store went.</p>",
    );
    Ok(())
}

/// Where every input comes from, and what was never compared.
pub(crate) fn stands_on(
    page: &mut String,
    inputs: &[Input],
    extrapolated: &[String],
) -> fmt::Result {
    page.push_str(
        "<h2>What it stands on</h2><table><tr><th>input</th><th>taken as</th><th></th></tr>",
    );
    for input in inputs {
        let (what, value) = (escape(&input.what), escape(&input.value));
        let mark = input.mark;
        write!(
            page,
            "<tr><td>{what}</td><td>{value}</td><td>{mark}</td></tr>"
        )?;
    }
    page.push_str("</table>");
    if !extrapolated.is_empty() {
        page.push_str(
            "<p>Extrapolated: it lies outside of what predictions were compared with.</p><ul>",
        );
        for why in extrapolated {
            write!(page, "<li>{}</li>", escape(why))?;
        }
        page.push_str("</ul>");
    }
    Ok(())
}

fn charts(page: &mut String, report: &Report) -> fmt::Result {
    let chart = |page: &mut String, title: &str, scale, lines: &[Line]| {
        over_time(page, title, scale, lines, &report.faults)
    };
    let seconds = &report.seconds;
    let sum = |of: fn(&MomentReport) -> u64| {
        let value =
            move |second: &SecondReport| second.classes.values().map(of).sum::<u64>() as f64;
        seconds.iter().map(value).map(Some).collect::<Vec<_>>()
    };
    let line = |name: &str, values| Line {
        name: name.to_owned(),
        values,
    };
    page.push_str("<h2>Over time</h2>");
    let requests = [
        line("attempts", sum(|moment| moment.attempts)),
        line("answered", sum(|moment| moment.served)),
        line("shed", sum(|moment| moment.shed)),
        line("failed", sum(|moment| moment.failed)),
        line("degraded", sum(|moment| moment.degraded)),
    ];
    chart(page, "Requests a second", Scale::Linear, &requests)?;
    let names: BTreeSet<&String> = seconds
        .iter()
        .flat_map(|second| second.classes.keys())
        .collect();
    let by_class = |of: fn(&MomentReport) -> f64| -> Vec<Line> {
        let values = |name: &String| {
            let value = |second: &SecondReport| second.classes.get(name).map(of);
            seconds.iter().map(value).collect()
        };
        names.iter().map(|name| line(name, values(name))).collect()
    };
    for (title, of) in [
        (
            "Latency, p50, ms",
            (|moment| moment.p50_ms) as fn(&MomentReport) -> f64,
        ),
        ("Latency, p99, ms", |moment| moment.p99_ms),
        ("Latency, p99.9, ms", |moment| moment.p99_9_ms),
    ] {
        chart(page, title, Scale::Logarithmic, &by_class(of))?;
    }
    chart(
        page,
        "Shed a second, by class",
        Scale::Linear,
        &by_class(|moment| moment.shed as f64),
    )?;
    let nodes = seconds
        .iter()
        .map(|second| second.cores.len())
        .max()
        .unwrap_or(0);
    let of_node = |of: fn(&SecondReport) -> &Vec<f64>, node: usize| {
        let value = move |second: &SecondReport| of(second).get(node).copied();
        seconds.iter().map(value).collect::<Vec<_>>()
    };
    let mut cores: Vec<Line> = (0..nodes)
        .map(|node| {
            let values = of_node(|second| &second.cores, node);
            line(&format!("node {}", node + 1), values)
        })
        .collect();
    let hashing = |second: &SecondReport| Some(second.hashing_cores.iter().sum());
    cores.push(line(
        "hashing, in all",
        seconds.iter().map(hashing).collect(),
    ));
    chart(page, "Cores in use", Scale::Linear, &cores)?;
    let count = |of: fn(&SecondReport) -> f64| seconds.iter().map(of).map(Some).collect::<Vec<_>>();
    let waits = [
        line("passwords", count(|second| second.hashing_waiting as f64)),
        line("requests", count(|second| second.waiting as f64)),
    ];
    chart(page, "Waiting", Scale::Linear, &waits)?;
    let warm = [
        line("warm", count(|second| second.warm as f64)),
        line("hot", count(|second| second.hot as f64)),
    ];
    chart(page, "People in memory", Scale::Linear, &warm)?;
    let memory = [line("warm people", count(|second| second.warm_mib))];
    chart(page, "Memory of warm people, MiB", Scale::Linear, &memory)?;
    let store = [
        line("commits", count(|second| second.commits as f64)),
        line("reads", count(|second| second.reads as f64)),
    ];
    chart(page, "The store, a second", Scale::Linear, &store)
}

fn duration(ms: f64) -> String {
    match ms {
        ms if ms >= 1_000.0 => format!("{} s", short(ms / 1_000.0)),
        ms => format!("{} ms", short(ms)),
    }
}
