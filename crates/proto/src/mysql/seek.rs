//! Behind a loss: a command or an answer begins with a segment, so only there it is looked for.

use crate::session::Cx;

/// Where a packet begins.
pub(super) enum Sought {
    /// With the first byte.
    Here,
    /// Perhaps with the first byte: more must be seen.
    More,
    /// Behind so many bytes, perhaps; not in what is there.
    Behind(Option<usize>),
}

/// What was found at an offset where one may begin.
pub(super) fn sought_at(at: usize, found: Option<bool>) -> Sought {
    match (found, at) {
        (Some(false), _) => Sought::Behind(None),
        (Some(true), 0) => Sought::Here,
        (None, 0) => Sought::More,
        _ => Sought::Behind(Some(at)),
    }
}

/// Looks for the beginning of a packet where segments begin. The bytes lie `from` behind those that were given.
pub(super) fn sought(
    cx: &Cx<'_>,
    from: usize,
    bytes: &[u8],
    found: impl Fn(&[u8]) -> Option<bool>,
) -> Sought {
    let from = cx.base.saturating_add(from);
    let inner = cx.spans.iter().map(|s| s.end.saturating_sub(from)).filter(|at| *at > 0);
    for at in std::iter::once(0).chain(inner) {
        let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) else { break };
        match sought_at(at, found(rest)) {
            Sought::Behind(None) => {}
            answer => return answer,
        }
    }
    Sought::Behind(None)
}
