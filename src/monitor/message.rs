//! Messages of a session to the load monitor, as bytes.
//!
//! Each text is written unchanged, after its length. Its characters do not change its size, so the limits of
//! [`LoadInfo`] and [`LoadFailure`] bound every message.

use crate::ledger::{LoadFailure, LoadInfo};
use crate::pg::shared_state::RING;

// Every message fits an empty mailbox.
const _: () = assert!(LoadFailure::MOST_BYTES < RING / 2 && LoadInfo::MOST_BYTES < RING / 2);

/// A message from a session to the load monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A load has begun. The tag names its word in the mailbox.
    Begin { tag: u64, info: LoadInfo },
    /// The function of a load has returned. Its transaction is still open.
    Finish { load_id: i64 },
    /// A load has failed.
    Fail { load_id: i64, tag: u64, failure: Box<LoadFailure> },
}

impl Message {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Begin { tag, info } => {
                out.push(1);
                number(&mut out, tag.cast_signed());
                number(&mut out, info.load_id);
                bytes(&mut out, info.source.as_bytes());
                number(&mut out, info.bytes.cast_signed());
                out.push(info.changed_at.is_some().into());
                number(&mut out, info.changed_at.unwrap_or(0));
                bytes(&mut out, info.requested_by.as_bytes());
                number(&mut out, info.started_at);
                number(&mut out, info.ledger.into());
                out.push(info.one_snapshot.into());
            }
            Self::Finish { load_id } => {
                out.push(2);
                number(&mut out, *load_id);
            }
            Self::Fail { load_id, tag, failure } => {
                out.push(3);
                number(&mut out, *load_id);
                number(&mut out, tag.cast_signed());
                bytes(&mut out, &failure.encode());
            }
        }
        out
    }

    /// Decodes a message; `None` for other bytes.
    pub fn decode(encoded: &[u8]) -> Option<Self> {
        let mut input = Input(encoded);
        let message = match input.byte()? {
            1 => Self::Begin {
                tag: input.number()?.cast_unsigned(),
                info: LoadInfo {
                    load_id: input.number()?,
                    source: input.text()?,
                    bytes: input.number()?.cast_unsigned(),
                    changed_at: {
                        let is_known = input.byte()? != 0;
                        Some(input.number()?).filter(|_| is_known)
                    },
                    requested_by: input.text()?,
                    started_at: input.number()?,
                    ledger: u32::try_from(input.number()?).ok()?,
                    one_snapshot: input.byte()? != 0,
                },
            },
            2 => Self::Finish { load_id: input.number()? },
            3 => Self::Fail {
                load_id: input.number()?,
                tag: input.number()?.cast_unsigned(),
                failure: Box::new(LoadFailure::decode(input.bytes()?)?),
            },
            _ => return None,
        };
        input.0.is_empty().then_some(message)
    }
}

fn number(out: &mut Vec<u8>, number: i64) {
    out.extend(number.to_ne_bytes());
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend(bytes);
}

/// The remaining bytes.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<i64> {
        Some(i64::from_ne_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}
