//! The bodies of `docs/protocol.md`, field by field.

use crate::layout::{Body, Reader, Reply};

pub(crate) const PING: u16 = 1;
pub(crate) const CHECK: u16 = 2;
pub(crate) const REFRESH: u16 = 3;
pub(crate) const SIGN_IN: u16 = 4;
pub(crate) const SIGN_UP: u16 = 5;
pub(crate) const REVOKE: u16 = 6;
pub(crate) const SESSIONS: u16 = 7;

pub(crate) const MAIL: u8 = 1;
pub(crate) const USER_NAME: u8 = 3;

/// What takes part in a check, and in what a session is shown with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) user: [u8; 16],
    pub(crate) id: u64,
    pub(crate) secret: [u8; 24],
}

impl Session {
    fn body(&self) -> Body {
        let body = Body::default().bytes(&self.user).u64(self.id);
        body.bytes(&self.secret)
    }

    /// The body of a check and of a list of sessions.
    pub(crate) fn shown(&self) -> Vec<u8> {
        self.body().end()
    }

    pub(crate) fn revoke(&self, scope: u8, target: u64) -> Vec<u8> {
        self.body().u8(scope).u64(target).end()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Device {
    pub(crate) id: u64,
    pub(crate) secret: [u8; 24],
}

#[derive(Clone, Copy)]
pub(crate) struct SignIn<'a> {
    pub(crate) kind: u8,
    pub(crate) identifier: &'a str,
    pub(crate) password: &'a str,
    pub(crate) device: Option<Device>,
    pub(crate) remember: u8,
    pub(crate) source: Option<(u8, [u8; 16])>,
}

impl SignIn<'_> {
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = Body::default().u8(self.kind).text(self.identifier);
        let body = body.text(self.password);
        let body = match &self.device {
            None => body.none(8 + 24),
            Some(device) => body.u8(1).u64(device.id).bytes(&device.secret),
        };
        let body = body.u8(self.remember);
        match &self.source {
            None => body.none(1 + 16),
            Some((kind, bytes)) => body.u8(1).u8(*kind).bytes(bytes),
        }
        .end()
    }
}

/// A sign-in by user name, without anything that can be left out.
pub(crate) fn plain<'a>(name: &'a str, password: &'a str) -> SignIn<'a> {
    SignIn {
        kind: USER_NAME,
        identifier: name,
        password,
        device: None,
        remember: 0,
        source: None,
    }
}

/// A sign-up without a source.
pub(crate) fn sign_up(identifiers: &[(u8, &str)], password: &str) -> Vec<u8> {
    let body = Body::default().identifiers(identifiers).text(password);
    body.none(1 + 16).end()
}

/// The answer to a sign-in and to a refresh.
#[derive(Debug, PartialEq)]
pub(crate) struct Granted {
    pub(crate) session: Session,
    pub(crate) family: [u8; 24],
    pub(crate) refresh: [u8; 24],
    pub(crate) idle_expires_at: u64,
    pub(crate) expires_at: u64,
    pub(crate) assurance: u8,
    pub(crate) methods: u8,
    pub(crate) device: Option<Device>,
}

impl Granted {
    pub(crate) fn read(reply: &Reply) -> Granted {
        assert_eq!((reply.code, reply.body.len()), (0, 147));
        let mut root = reply.root(147);
        Granted {
            session: session(&mut root),
            family: root.array(),
            refresh: root.array(),
            idle_expires_at: root.u64(),
            expires_at: root.u64(),
            assurance: root.u8(),
            methods: root.u8(),
            device: match root.u8() {
                0 => None,
                _ => Some(Device {
                    id: root.u64(),
                    secret: root.array(),
                }),
            },
        }
    }

    /// The body that asks for this refresh token's successor.
    pub(crate) fn refresh_body(&self) -> Vec<u8> {
        let body = Body::default().bytes(&self.session.user);
        let body = body.u64(self.session.id).bytes(&self.family);
        body.bytes(&self.refresh).end()
    }
}

fn session(root: &mut Reader<'_>) -> Session {
    Session {
        user: root.array(),
        id: root.u64(),
        secret: root.array(),
    }
}

/// The answer to a check.
#[derive(Debug, PartialEq)]
pub(crate) struct Checked {
    pub(crate) user: [u8; 16],
    pub(crate) idle_expires_at: u64,
    pub(crate) expires_at: u64,
    pub(crate) assurance: u8,
    pub(crate) methods: u8,
}

impl Checked {
    pub(crate) fn read(reply: &Reply) -> Checked {
        assert_eq!((reply.code, reply.body.len()), (0, 34));
        let mut root = reply.root(34);
        Checked {
            user: root.array(),
            idle_expires_at: root.u64(),
            expires_at: root.u64(),
            assurance: root.u8(),
            methods: root.u8(),
        }
    }
}

/// One session of a list.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) session: u64,
    pub(crate) created_at: u64,
    pub(crate) used_at: u64,
    pub(crate) idle_expires_at: u64,
    pub(crate) expires_at: u64,
    pub(crate) assurance: u8,
    pub(crate) methods: u8,
}

impl Row {
    pub(crate) fn list(reply: &Reply) -> Vec<Row> {
        assert_eq!(reply.code, 0);
        let row = |mut row: Reader<'_>| Row {
            session: row.u64(),
            created_at: row.u64(),
            used_at: row.u64(),
            idle_expires_at: row.u64(),
            expires_at: row.u64(),
            assurance: row.u8(),
            methods: row.u8(),
        };
        reply.root(8).list(42).into_iter().map(row).collect()
    }
}

/// Which slot another node owns, and where that node is.
pub(crate) fn redirect(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.code, 304);
    let mut root = reply.root(10);
    (root.u16(), root.text())
}
