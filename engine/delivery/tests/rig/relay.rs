//! A small SMTP server that takes mail or does not.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the relay does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Takes,
    /// Byte after byte.
    TakesSlowly,
    /// Answers with this once it was told so much: `MAIL`, `RCPT`, `DATA`, `.`, or
    /// nothing yet.
    Says(&'static str, &'static str),
    /// Says nothing any more from then on.
    FallsSilent(&'static str),
    /// Ends the connection then.
    Closes(&'static str),
    /// Refuses the recipient and then does not even say goodbye.
    RefusesAndFallsSilent,
}

/// What it was given.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    mails: Vec<Vec<u8>>,
    connections: usize,
    commands: Vec<String>,
}

impl Seen {
    pub(crate) fn mails(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().mails.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.0.lock().unwrap().connections
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.0.lock().unwrap().commands.clone()
    }
}

/// Begins to listen; its port, and what it sees.
pub(crate) async fn listen(manner: Manner, tls: Option<TlsAcceptor>) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let told = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            seen.0.lock().unwrap().connections += 1;
            let (seen, tls) = (seen.clone(), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, manner, &seen).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, manner, &seen).await,
                        Err(_) => None,
                    },
                }
            });
        }
    });
    (port, told)
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, manner: Manner, line: &str) -> Option<()> {
    let line = format!("{line}\r\n");
    if manner != Manner::TakesSlowly {
        return stream.write_all(line.as_bytes()).await.ok();
    }
    for byte in line.bytes() {
        stream.write_all(&[byte]).await.ok()?;
        stream.flush().await.ok()?;
        tokio::task::yield_now().await;
    }
    Some(())
}

/// Answers one command; nothing when the connection ends.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    manner: Manner,
    verb: &str,
    usual: &str,
) -> Option<()> {
    match manner {
        Manner::Says(at, line) if at == verb => say(stream, manner, line).await,
        Manner::FallsSilent(at) if at == verb => std::future::pending().await,
        Manner::Closes(at) if at == verb => None,
        Manner::RefusesAndFallsSilent if verb == "RCPT" => {
            say(stream, manner, "550 5.1.1 no such mailbox").await
        }
        Manner::RefusesAndFallsSilent if verb == "QUIT" => std::future::pending().await,
        _ => say(stream, manner, usual).await,
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    manner: Manner,
    seen: &Seen,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    answer(&mut stream, manner, "", "220 relay.example ESMTP").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let verb = line.get(..4)?.to_uppercase();
        seen.0
            .lock()
            .unwrap()
            .commands
            .push(line.trim_end().to_owned());
        let usual = match &*verb {
            "EHLO" => "250-relay.example\r\n250-AUTH PLAIN\r\n250 8BITMIME",
            "AUTH" => "235 2.7.0 welcome",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 2.0.0 fine",
        };
        answer(&mut stream, manner, &verb, usual).await?;
        if verb == "DATA" && !matches!(manner, Manner::Says("DATA", _)) {
            let mut mail = Vec::new();
            while !mail.ends_with(b"\r\n.\r\n") {
                mail.push(stream.read_u8().await.ok()?);
            }
            mail.truncate(mail.len() - 3);
            let taken = "250 2.0.0 taken";
            answer(&mut stream, manner, ".", taken).await?;
            if !matches!(manner, Manner::Says(".", _)) {
                seen.0.lock().unwrap().mails.push(mail);
            }
        }
    }
}
