//! Where a node connects to: relays of mail, systems that are called.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a connection is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportSecurity {
    /// Not at all.
    None,
    /// TLS after `STARTTLS`, or no mail (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314, RFC 9110).
    Tls,
}

/// Where mail goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Destination {
    /// To a relay.
    Smtp(SmtpUrl),
    /// Into files, to be read by who develops.
    Folder,
}

/// A relay: `SCHEME://[USER@]HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpUrl {
    /// How the connection is kept private.
    pub security: TransportSecurity,
    /// As whom to sign in.
    pub user: Option<String>,
    /// The relay's name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A system that is called: `http[s]://HOST[:PORT][/PATH]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpUrl {
    /// How the connection is kept private.
    pub security: TransportSecurity,
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Path and query, from the `/` on.
    pub path: String,
}

const SMTP_RULE: &str =
    "`folder`, or smtps://, smtp+starttls:// or smtp:// with [USER@]HOST[:PORT] and nothing more";
const HTTP_RULE: &str = "https:// or http:// with HOST[:PORT][/PATH], without user and fragment";

/// `HOST[:PORT]`, where a host is a name of letters, digits, dots and hyphens, an IPv4
/// address, or an IPv6 address in brackets.
fn authority(text: &str, port: u16) -> Option<(String, u16)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        let port = match rest {
            "" => port,
            rest => number(rest.strip_prefix(':')?)?,
        };
        return Some((host.to_owned(), port));
    }
    let (host, port) = match text.split_once(':') {
        None => (text, port),
        Some((host, port)) => (host, number(port)?),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let named = (1..=253).contains(&host.len()) && host.chars().all(fits);
    // Some systems take `2130706433` and `0x7f.1` for addresses.
    let last = host.trim_end_matches('.').rsplit('.').next()?;
    let numeric = last.starts_with(|c: char| c.is_ascii_digit());
    let sound = !numeric || host.parse::<std::net::Ipv4Addr>().is_ok();
    (named && sound).then(|| (host.to_ascii_lowercase(), port))
}

fn number(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port != 0)
}

fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

impl SmtpUrl {
    /// Whether it names this machine, without asking a resolver.
    pub(crate) fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    fn parse(text: &str) -> Option<SmtpUrl> {
        let (scheme, rest) = text.split_once("://")?;
        let (security, port) = match scheme {
            "smtps" => (TransportSecurity::Tls, 465),
            "smtp+starttls" => (TransportSecurity::StartTls, 587),
            "smtp" => (TransportSecurity::None, 25),
            _ => return None,
        };
        // A user may be an address itself; a password stands in a file.
        let (user, host) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((user, host)) => (Some(user.to_owned()), host),
        };
        let sound = |user: &String| {
            let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != ':' && c != '/';
            !user.is_empty() && user.chars().all(plain)
        };
        if !user.iter().all(sound) {
            return None;
        }
        let (host, port) = authority(host, port)?;
        Some(SmtpUrl {
            security,
            user,
            host,
            port,
        })
    }
}

impl HttpUrl {
    /// As the header `Host` has it (RFC 9110, section 7.2).
    pub(crate) fn host_header(&self) -> String {
        let host = bracketed(&self.host);
        match (self.security, self.port) {
            (TransportSecurity::None, 80) | (TransportSecurity::Tls, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    fn parse(text: &str) -> Option<HttpUrl> {
        let (scheme, rest) = text.split_once("://")?;
        let (security, port) = match scheme {
            "https" => (TransportSecurity::Tls, 443),
            "http" => (TransportSecurity::None, 80),
            _ => return None,
        };
        let (host, path) = match rest.find('/') {
            None => (rest, "/"),
            Some(at) => rest.split_at(at),
        };
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
        if !path.bytes().all(plain) {
            return None;
        }
        let (host, port) = authority(host, port)?;
        Some(HttpUrl {
            security,
            host,
            port,
            path: path.to_owned(),
        })
    }
}

impl FromStr for Destination {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Destination, &'static str> {
        match text {
            "folder" => Ok(Destination::Folder),
            url => SmtpUrl::parse(url).map(Destination::Smtp).ok_or(SMTP_RULE),
        }
    }
}

impl TryFrom<String> for Destination {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Destination, &'static str> {
        text.parse()
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<HttpUrl, &'static str> {
        HttpUrl::parse(&text).ok_or(HTTP_RULE)
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> String {
        match destination {
            Destination::Smtp(url) => url.to_string(),
            Destination::Folder => "folder".to_owned(),
        }
    }
}

impl From<HttpUrl> for String {
    fn from(url: HttpUrl) -> String {
        let scheme = match url.security {
            TransportSecurity::None => "http",
            TransportSecurity::StartTls | TransportSecurity::Tls => "https",
        };
        format!(
            "{scheme}://{}:{}{}",
            bracketed(&url.host),
            url.port,
            url.path
        )
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            TransportSecurity::None => "smtp",
            TransportSecurity::StartTls => "smtp+starttls",
            TransportSecurity::Tls => "smtps",
        };
        write!(f, "{scheme}://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

#[cfg(test)]
mod tests;
