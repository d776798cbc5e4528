//! Frames and bodies, byte for byte as `docs/protocol.md` lays them out.
//! Nothing of ours helps here: what the document leaves out, this cannot write.

/// The head of a request, without what follows from its body.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) correlation: u64,
    pub(crate) tenant: u64,
    pub(crate) epoch: u64,
    pub(crate) remaining_ms: u32,
    pub(crate) max_age_ms: u32,
    pub(crate) key: [u8; 16],
}

/// A whole request frame.
pub(crate) fn request(head: &Head, opcode: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let length = u32::try_from(52 + body.len()).unwrap();
    frame.extend(length.to_le_bytes());
    frame.push(1);
    frame.push(0);
    frame.extend(opcode.to_le_bytes());
    frame.extend(head.correlation.to_le_bytes());
    frame.extend(head.tenant.to_le_bytes());
    frame.extend(head.epoch.to_le_bytes());
    frame.extend(head.remaining_ms.to_le_bytes());
    frame.extend(head.max_age_ms.to_le_bytes());
    frame.extend(head.key);
    frame.extend(body);
    frame
}

/// Fields side by side, some of which point back at what stands before.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    offsets: Vec<Offset>,
}

/// An offset that is known when it is known where the fields stand.
struct Offset {
    /// Where the eight bytes begin from which it counts.
    from: usize,
    /// Where its own four bytes stand.
    at: usize,
    /// What it points at, from the start of the body.
    to: usize,
}

impl Fields {
    fn text(&mut self, before: &mut Vec<u8>, text: &str) {
        let from = self.bytes.len();
        if text.len() <= 8 {
            self.bytes.extend(text.as_bytes());
            self.bytes.resize(from + 8, 0xFF);
            return;
        }
        let length = u32::try_from(text.len()).unwrap();
        let marked = 0b1000_0000 | (length & 0b0011_1111) | ((length >> 6) << 8);
        self.bytes.extend(marked.to_le_bytes());
        self.point(from, before.len());
        before.extend(text.as_bytes());
    }

    fn point(&mut self, from: usize, to: usize) {
        let at = self.bytes.len();
        self.offsets.push(Offset { from, at, to });
        self.bytes.extend([0; 4]);
    }

    /// Their bytes, when they stand at this place of the body.
    fn standing_at(mut self, place: usize) -> Vec<u8> {
        for offset in &self.offsets {
            let from = i32::try_from(place + offset.from).unwrap();
            let distance = i32::try_from(offset.to).unwrap() - from;
            self.bytes[offset.at..offset.at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        self.bytes
    }
}

/// A body: what does not fit in place, then the root.
#[derive(Default)]
pub(crate) struct Body {
    before: Vec<u8>,
    root: Fields,
}

impl Body {
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Body {
        self.root.bytes.extend(bytes);
        self
    }

    pub(crate) fn u8(self, number: u8) -> Body {
        self.bytes(&[number])
    }

    pub(crate) fn u64(self, number: u64) -> Body {
        self.bytes(&number.to_le_bytes())
    }

    pub(crate) fn text(mut self, text: &str) -> Body {
        self.root.text(&mut self.before, text);
        self
    }

    /// No optional value, where one would take so many bytes.
    pub(crate) fn none(self, value_bytes: usize) -> Body {
        self.bytes(&vec![0; 1 + value_bytes])
    }

    /// A list of identifiers: first their texts, then they themselves.
    pub(crate) fn identifiers(mut self, identifiers: &[(u8, &str)]) -> Body {
        let mut elements = Fields::default();
        for (kind, text) in identifiers {
            elements.bytes.push(*kind);
            elements.text(&mut self.before, text);
        }
        let place = self.before.len();
        self.before.extend(elements.standing_at(place));
        self.root.point(self.root.bytes.len(), place);
        let count = u32::try_from(identifiers.len()).unwrap();
        self.bytes(&count.to_le_bytes())
    }

    pub(crate) fn end(self) -> Vec<u8> {
        let place = self.before.len();
        let mut body = self.before;
        body.extend(self.root.standing_at(place));
        body
    }
}

/// A reply frame, read.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) correlation: u64,
    pub(crate) epoch: u64,
    pub(crate) age_ms: u32,
    pub(crate) retry_after_ms: u32,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn read(frame: &[u8]) -> Reply {
        let mut head = Reader {
            bytes: frame,
            at: 0,
        };
        let length = usize::try_from(head.u32()).unwrap();
        assert_eq!(length, frame.len() - 4);
        assert_eq!((head.u8(), head.u8()), (1, 0), "version and zero");
        Reply {
            code: head.u16(),
            correlation: head.u64(),
            epoch: head.u64(),
            age_ms: head.u32(),
            retry_after_ms: head.u32(),
            body: frame[32..].to_vec(),
        }
    }

    /// The root of its body, which takes so many bytes.
    pub(crate) fn root(&self, root_bytes: usize) -> Reader<'_> {
        Reader {
            bytes: &self.body,
            at: self.body.len() - root_bytes,
        }
    }
}

/// Reads fields one after the other.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let array = self.bytes[self.at..self.at + N].try_into().unwrap();
        self.at += N;
        array
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    pub(crate) fn text(&mut self) -> String {
        let from = self.at;
        let field: [u8; 8] = self.array();
        let text = match field[0] & 0b1100_0000 == 0b1000_0000 {
            false => field.split(|byte| *byte == 0xFF).next().unwrap(),
            true => {
                let mut field = Reader {
                    bytes: &field,
                    at: 0,
                };
                let marked = field.u32();
                let length = (marked & 0b0011_1111) | ((marked >> 8) << 6);
                let start = pointed(from, field.array());
                &self.bytes[start..start + usize::try_from(length).unwrap()]
            }
        };
        std::str::from_utf8(text).unwrap().to_owned()
    }

    /// A list's elements, each of which takes so many bytes.
    pub(crate) fn list(&mut self, element_bytes: usize) -> Vec<Reader<'a>> {
        let start = pointed(self.at, self.array());
        let count = usize::try_from(self.u32()).unwrap();
        let places = (0..count).map(|place| start + place * element_bytes);
        let bytes = self.bytes;
        places.map(|at| Reader { bytes, at }).collect()
    }
}

/// What an offset points at, which counts from here.
fn pointed(from: usize, offset: [u8; 4]) -> usize {
    from.checked_add_signed(i32::from_le_bytes(offset).try_into().unwrap())
        .unwrap()
}
