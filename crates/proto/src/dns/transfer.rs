//! Zone transfers: one answer of many messages.

use super::fill::{Cut, MAX_RESULT_IP, put_rcode, write_addresses, write_others};
use super::text::Stop;
use super::wire::{Message, Rr, rtype};
use crate::session::{Cx, Limits, Txn};
use base::Mark;
use record::f;

/// A zone transfer whose answer has begun: RFC 5936 section 2.2, RFC 1995 section 4.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    /// Serial of the first SOA record: the zone's new one.
    serial: Option<u32>,
    /// SOA records with that serial that are still to come.
    wanted: u8,
    records: u64,
    ips: String,
    texts: String,
    bad: bool,
    /// The latest packet of the answer.
    pub(super) last: Mark,
}

impl Transfer {
    pub(super) fn heap(&self) -> usize {
        self.ips.capacity().saturating_add(self.texts.capacity())
    }

    /// One message of the answer; true when it was the last.
    pub(super) fn take(&mut self, m: &Message<'_>, qtype: u16, limits: &Limits, keep: bool) -> bool {
        if keep {
            let left = MAX_RESULT_IP.saturating_sub(self.ips.len());
            let first = self.ips.is_empty();
            let _ = write_addresses(&mut Cut { out: &mut self.ips, left }, m, first);
            let left = limits.text.saturating_sub(self.texts.len());
            let first = self.texts.is_empty();
            if write_others(&mut Cut { out: &mut self.texts, left }, m, first) == Err(Stop::Bad) {
                self.bad = true;
            }
        }
        let mut over = false;
        for rr in m.answers() {
            over = self.record(&rr, qtype);
        }
        // A lone SOA answers IXFR when the asker is up to date (RFC 1995 section 2). A message
        // that does not begin with SOA, or nothing at all, is no transfer.
        over || self.serial.is_none() || (self.records == 1 && qtype == rtype::IXFR)
    }

    /// True when this record ends the transfer.
    fn record(&mut self, rr: &Rr<'_>, qtype: u16) -> bool {
        self.records = self.records.saturating_add(1);
        let serial = (rr.rtype == rtype::SOA).then(|| soa_serial(rr)).flatten();
        match (self.serial, serial) {
            (None, Some(_)) if self.records == 1 => {
                self.serial = serial;
                self.wanted = 1;
                false
            }
            // Differences begin with the old SOA; the new one comes before the last additions
            // and once more at the end.
            (Some(new), Some(s)) if self.records == 2 && qtype == rtype::IXFR && s != new => {
                self.wanted = 2;
                false
            }
            (Some(new), Some(s)) if s == new => {
                self.wanted = self.wanted.saturating_sub(1);
                self.wanted == 0
            }
            _ => false,
        }
    }

    /// Puts what was gathered into the record.
    pub(super) fn tell(self, cx: &mut Cx<'_>, txn: &mut Txn, rcode: u16) {
        if self.bad {
            cx.anomaly("record_data");
        }
        let Some(r) = &mut txn.record else { return };
        put_rcode(r, rcode);
        if !self.ips.is_empty() {
            r.text(&f::dns::RESULT_IP, self.ips.as_bytes());
        }
        if !self.texts.is_empty() {
            r.text(&f::dns::ANSWERS, self.texts.as_bytes());
        }
    }
}

/// The serial of a SOA record: behind two names.
fn soa_serial(rr: &Rr<'_>) -> Option<u32> {
    let mut data = rr.data;
    data.name().ok()?;
    data.name().ok()?;
    data.r.be32("").ok()
}
