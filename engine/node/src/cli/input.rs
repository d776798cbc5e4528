//! Secrets come from the terminal or standard input, never from the command
//! line, where every user of the machine could read them.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// The longest line that is read, in bytes: more than any password or token.
const LINE_MAX_BYTES: usize = 4_096;

/// Reads one secret, without its line ending.
pub(super) fn secret(what: &str) -> anyhow::Result<Zeroizing<String>> {
    let input = io::stdin();
    if input.is_terminal() {
        let line = rpassword::prompt_password(format!("{what}: "));
        return Ok(Zeroizing::new(line.context("the terminal cannot be read")?));
    }
    line(what, &mut input.lock())
}

/// The most that is read of an answer, in bytes.
const OBJECT_MAX_BYTES: usize = 128 * 1024;

/// Reads one JSON object, which may hold secrets.
pub(super) fn object(what: &str) -> anyhow::Result<Zeroizing<String>> {
    whole(what, io::stdin().lock())
}

fn whole(what: &str, input: impl io::Read) -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(OBJECT_MAX_BYTES + 1));
    let limit = u64::try_from(OBJECT_MAX_BYTES + 1)?;
    let mut input = input.take(limit);
    io::Read::read_to_end(&mut input, &mut bytes).context("standard input cannot be read")?;
    if bytes.len() > OBJECT_MAX_BYTES {
        bail!("the {what} is longer than {OBJECT_MAX_BYTES} bytes");
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => bail!("the {what} is not UTF-8"),
    }
}

fn line(what: &str, input: &mut impl BufRead) -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_MAX_BYTES));
    let limit = u64::try_from(LINE_MAX_BYTES)?;
    io::Read::take(input, limit)
        .read_until(b'\n', &mut bytes)
        .context("standard input cannot be read")?;
    if bytes.is_empty() {
        bail!("standard input holds no {what}");
    }
    if bytes.len() == LINE_MAX_BYTES {
        bail!("the {what} is longer than {LINE_MAX_BYTES} bytes");
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    if bytes.ends_with(b"\r") {
        bytes.pop();
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => bail!("the {what} is not UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_read_without_its_ending() {
        for input in ["pass word\nrest", "pass word\r\n", "pass word"] {
            assert_eq!(
                *line("password", &mut input.as_bytes()).unwrap(),
                "pass word"
            );
        }
    }

    #[test]
    fn what_is_no_line_is_told() {
        let error = |bytes: &[u8]| line("token", &mut &*bytes).unwrap_err().to_string();
        assert_eq!(error(b""), "standard input holds no token");
        assert_eq!(error(b"\xFF\xFE\n"), "the token is not UTF-8");
        let error_of = |bytes: &[u8]| whole("answer", bytes).unwrap_err().to_string();
        assert_eq!(error_of(b"\xFF"), "the answer is not UTF-8");
        let long = [b' '; OBJECT_MAX_BYTES + 1];
        assert_eq!(error_of(&long), "the answer is longer than 131072 bytes");
        assert_eq!(error(&[b'a'; 5_000]), "the token is longer than 4096 bytes");
    }
}
