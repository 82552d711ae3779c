//! From messages to the fields of a record.

use super::text::{Stop, write_rr};
use super::wire::{Message, Survey, opcode, rcode_name, type_name};
use crate::session::{Cx, Txn};
use record::{Field, Record, f};
use std::fmt::{self, Write};

/// Addresses of an answer are told up to this many bytes, some 500 of them: far above honest use.
pub(super) const MAX_RESULT_IP: usize = 8 * 1024;

/// DOMAIN and QTYPE.
pub(super) fn put_question(txn: &mut Txn, m: &Message<'_>) {
    let (Some(q), Some(r)) = (m.question, &mut txn.record) else { return };
    r.begin_text(&f::dns::DOMAIN);
    let _ = write!(Appended(r), "{}", q.name);
    put_name(r, &f::dns::QTYPE, type_name(q.qtype), format_args!("TYPE{}", q.qtype));
}

/// RCODE, RESULT_IP and ANSWERS.
pub(super) fn put_answer(cx: &mut Cx<'_>, txn: &mut Txn, m: &Message<'_>, survey: &Survey) {
    let Some(r) = &mut txn.record else { return };
    put_rcode(r, survey.rcode);
    if m.header.opcode() == opcode::UPDATE {
        return;
    }
    if survey.addresses {
        r.begin_text(&f::dns::RESULT_IP);
        if write_addresses(&mut Cut { out: &mut Appended(r), left: MAX_RESULT_IP }, m, true).is_err() {
            cx.anomaly("addresses_cut");
        }
    }
    if survey.others {
        r.begin_text(&f::dns::ANSWERS);
        if write_others(&mut Cut { out: &mut Appended(r), left: cx.limits.text }, m, true) == Err(Stop::Bad) {
            cx.anomaly("record_data");
        }
    }
}

pub(super) fn put_rcode(r: &mut Record, rcode: u16) {
    put_name(r, &f::dns::RCODE, rcode_name(rcode), format_args!("{rcode}"));
}

fn put_name(r: &mut Record, field: &'static Field, name: Option<&'static str>, number: fmt::Arguments<'_>) {
    match name {
        Some(name) => r.word(field, name),
        None => {
            r.begin_text(field);
            let _ = Appended(r).write_fmt(number);
        }
    }
}

/// All addresses of the answer section, comma separated.
pub(super) fn write_addresses(out: &mut Cut<'_>, m: &Message<'_>, mut first: bool) -> fmt::Result {
    for ip in m.answers().filter_map(|rr| rr.address()) {
        // An address is told whole or not at all.
        if out.left < "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255,".len() {
            return Err(fmt::Error);
        }
        let sep = if std::mem::take(&mut first) { "" } else { "," };
        write!(out, "{sep}{ip}")?;
    }
    Ok(())
}

/// All else of the answer section, comma separated; how the worst of it ended.
pub(super) fn write_others(out: &mut Cut<'_>, m: &Message<'_>, mut first: bool) -> Result<(), Stop> {
    let mut bad = Ok(());
    for rr in m.answers().filter(|rr| rr.address().is_none()) {
        if !std::mem::take(&mut first) {
            out.write_char(',')?;
        }
        match write_rr(out, &rr) {
            Err(Stop::Full) => return bad.and(Err(Stop::Full)),
            Err(Stop::Bad) => bad = Err(Stop::Bad),
            Ok(()) => {}
        }
    }
    bad
}

/// The text field of a record that was begun last.
struct Appended<'a>(&'a mut Record);

impl Write for Appended<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0.append(s.as_bytes());
        Ok(())
    }
}

/// Takes so many bytes and then no more.
pub(super) struct Cut<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) left: usize,
}

impl Write for Cut<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let part = s.get(..self.left).unwrap_or(s);
        self.left = self.left.saturating_sub(part.len());
        self.out.write_str(part)?;
        if part.len() < s.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
