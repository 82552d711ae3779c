//! Texts of prepared statements by the handles that the server gave them.

/// Statements kept of a connection: one that leaks them loses those with the lowest handles.
const STATEMENTS: usize = 1024;
/// Bytes of all their texts: they stay as long as the connection.
const HEAP: usize = 1024 * 1024;

/// Those of one connection, in the order of their handles.
#[derive(Debug, Default)]
pub(super) struct Statements {
    all: Vec<(i64, Box<[u8]>)>,
    heap: usize,
}

impl Statements {
    /// A statement was prepared.
    pub(super) fn put(&mut self, handle: i64, text: Box<[u8]>) {
        self.remove(handle);
        if let Err(at) = self.all.binary_search_by_key(&handle, |s| s.0) {
            self.heap = self.heap.saturating_add(text.len());
            self.all.insert(at, (handle, text));
        }
        while self.all.len() > 1 && (self.all.len() > STATEMENTS || self.heap > HEAP) {
            let first = self.all.first().map_or(0, |s| s.0);
            let lowest = if first == handle { self.all.get(1).map_or(0, |s| s.0) } else { first };
            self.remove(lowest);
        }
    }

    /// Its text; empty when it was prepared unseen.
    pub(super) fn text(&self, handle: i64) -> &[u8] {
        let at = self.all.binary_search_by_key(&handle, |s| s.0);
        at.ok().and_then(|at| self.all.get(at)).map_or(&[], |s| &s.1)
    }

    /// A handle was given back.
    pub(super) fn remove(&mut self, handle: i64) {
        if let Ok(at) = self.all.binary_search_by_key(&handle, |s| s.0) {
            let (_, text) = self.all.remove(at);
            self.heap = self.heap.saturating_sub(text.len());
        }
    }

    /// All were.
    pub(super) fn clear(&mut self) {
        *self = Statements::default();
    }

    pub(super) fn held(&self) -> usize {
        self.all.capacity().saturating_mul(size_of::<(i64, Box<[u8]>)>()).saturating_add(self.heap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_leaks_statements_costs_a_bounded_heap() {
        let mut all = Statements::default();
        for handle in 0..5000 {
            all.put(handle, vec![b'x'; 2000].into());
        }
        assert!(all.held() < 2 * HEAP);
        assert_eq!((all.text(4999).len(), all.text(0).len()), (2000, 0));
        all.put(-1, vec![b'y'; HEAP].into());
        assert_eq!((all.text(-1).len(), all.all.len()), (HEAP, 1), "the newest stays");
        all.remove(-1);
        assert_eq!(all.heap, 0);
    }
}
