//! Figures of a real node in a process of its own, built beside this program:
//! `cargo build --release -p tidegate-node && cargo run --release -p tidegate-node --example figures -- WHAT`
//!
//! - `sign-ins`: password sign-ins a second beside the raw Argon2id rate, in turn
//! - `ready PEOPLE`: from `serve` to ready with that many people on disk
//! - `limits`: checks while each limit is filled, beside checks of a quiet node
//! - `rotation PEOPLE`: the index key rotated while checks go on
//! - `backup PEOPLE`: backup while checks go on, restore, ready again
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that is run by hand"
)]

mod day_two;
mod limits;
mod load;
mod node;
mod people;
mod ready;
mod sign_ins;

/// Least, middle and greatest.
fn median(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    )
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let people = args.next().map_or(1_000_000, |n| n.parse().unwrap());
    match what.as_str() {
        "sign-ins" => runtime.block_on(sign_ins::compare()),
        "ready" => runtime.block_on(ready::ready(people)),
        "people" => people::populate(people, std::path::Path::new(&args.next().unwrap())),
        "limits" => limits::run(&runtime),
        "rotation" => day_two::rotation(people),
        "backup" => day_two::backup(people),
        _ => println!("sign-ins | ready PEOPLE | limits | rotation PEOPLE | backup PEOPLE"),
    }
}
