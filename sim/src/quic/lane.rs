//! A connection of the client library's own, with every request and answer
//! counted.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_client::{Asked, Transport};
use tidegate_wire::{Code, decode_reply, decode_request};

use crate::agenda::Agenda;
use crate::book::Book;
use crate::trace::{Happened, Trace};

pub(crate) struct Counted {
    pub(crate) lane: Arc<dyn Transport>,
    pub(crate) node: u64,
    pub(crate) agenda: Agenda,
    pub(crate) book: Arc<Book>,
    pub(crate) trace: Arc<Trace>,
}

impl Transport for Counted {
    fn ask(&self, correlation: u64, frame: Bytes) -> Asked<'_> {
        let opcode = decode_request(&frame).ok().map(|request| request.opcode);
        Box::pin(async move {
            let now_ns = self.agenda.now_ns();
            if let Some(opcode) = opcode {
                self.book.attempted(opcode.class(), now_ns);
                let values = [self.node, correlation, opcode as u64, frame.len() as u64];
                self.trace.note(now_ns, Happened::Asked, &values);
            }
            let answer = self.lane.ask(correlation, frame).await?;
            let now_ns = self.agenda.now_ns();
            let values = [self.node, correlation, answer.len() as u64];
            self.trace.note(now_ns, Happened::Answered, &values);
            if let Some(opcode) = opcode {
                let code = decode_reply(&answer).map_or(Code::Unknown, |reply| reply.code);
                self.book.told(opcode.class(), code, now_ns);
            }
            Ok(answer)
        })
    }
}
