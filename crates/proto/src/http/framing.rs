//! How long a body is, RFC 9112 section 6.3.

use super::head::Head;
use crate::body::Chunked;
use crate::session::Cx;

/// The length of a body, as its head tells it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked(Chunked),
    /// To the end of the direction.
    Close,
}

/// How much of a blank line was seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum LineEnd {
    Text,
    Lf,
    LfCr,
}

impl Framing {
    /// Of a request: without a length there is no body.
    pub(super) fn of_request(cx: &mut Cx<'_>, head: &Head<'_>) -> Framing {
        match (head.transfer(), head.length()) {
            ((true, _), length) => {
                if !matches!(length, Ok(None)) {
                    cx.anomaly("length-and-chunked");
                }
                Framing::Chunked(Chunked::new())
            }
            ((false, _), Err(())) => {
                cx.anomaly("content-length");
                Framing::None
            }
            (_, Ok(None | Some(0))) => Framing::None,
            (_, Ok(Some(n))) => Framing::Length(n),
        }
    }

    /// Of an answer that may have a body: without a length it goes to the end.
    pub(super) fn of_response(cx: &mut Cx<'_>, head: &Head<'_>) -> Framing {
        match (head.transfer(), head.length()) {
            ((true, _), _) => Framing::Chunked(Chunked::new()),
            ((false, true), _) | (_, Ok(None)) => Framing::Close,
            (_, Ok(Some(0))) => Framing::None,
            (_, Ok(Some(n))) => Framing::Length(n),
            (_, Err(())) => {
                cx.anomaly("content-length");
                Framing::Close
            }
        }
    }
}
