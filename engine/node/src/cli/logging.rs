//! Where a node logs, and how much.

use std::env::VarError;
use std::io::{IsTerminal, stderr};

use anyhow::{Context, bail};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

const VARIABLE: &str = "TIDEGATE_LOG";
const DEFAULT: &str = "info,fjall=warn,lsm_tree=warn";

/// Logs go to standard error: as text on a terminal, as JSON lines elsewhere.
/// `TIDEGATE_LOG` sets the level (default `info`).
pub(super) fn start() -> anyhow::Result<()> {
    let filter = match std::env::var(VARIABLE) {
        Err(VarError::NotPresent) => filter(DEFAULT)?,
        Err(VarError::NotUnicode(_)) => bail!("{VARIABLE} is not UTF-8"),
        Ok(text) if text.trim().is_empty() => filter(DEFAULT)?,
        Ok(text) => filter(&text)?,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    match stderr().is_terminal() {
        true => subscriber.init(),
        false => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}

fn filter(text: &str) -> anyhow::Result<EnvFilter> {
    // A word alone would be taken for a target of which everything is shown,
    // and silence all others.
    let is_lonely = |part: &&str| {
        !part.is_empty() && !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err()
    };
    if let Some(word) = text.split(',').map(str::trim).find(is_lonely) {
        bail!(
            "{VARIABLE}: {word} is no level (error, warn, info, debug, trace, off); what is to be \
             logged of one target is TARGET=LEVEL"
        );
    }
    EnvFilter::try_new(text).with_context(|| format!("{VARIABLE}: {text} is no log filter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_says_something_else_than_was_meant_is_refused_by_name() {
        for good in [
            DEFAULT,
            "trace",
            "off",
            "info,quinn=debug",
            "WARN",
            "tidegate_node=trace",
        ] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for (bad, word) in [
            ("infoo", "infoo is no level"),
            ("quinn", "quinn is no level"),
            ("info, quinn", "quinn is no level"),
            ("info,quinn=debgu", "is no log filter"),
        ] {
            let error = format!("{:#}", filter(bad).unwrap_err());
            assert!(error.contains(VARIABLE) && error.contains(word), "{error}");
        }
    }
}
