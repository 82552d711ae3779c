//! Primitives that shift the offsets of what follows (`vlan`, `mpls`, `pppoes`), and what only the
//! kernel or a cooked header knows (`inbound`, `ifindex`).

use super::{Link, MPLS, Outcome, PPPOE_DISCOVERY, PPPOE_SESSION, Predicates, VlanMode};
use crate::filter::code::{Cond, TRUE};
use crate::filter::vm::anc;

impl Predicates {
    /// `vlan [id]`.
    pub(in crate::filter) fn vlan(&mut self, id: Option<u32>) -> Outcome<Cond> {
        if self.labels > 0 {
            return Err("`vlan` before `mpls`");
        }
        if self.link != Link::Ethernet {
            return Err("Ethernet frames: this link layer has no VLAN tags");
        }
        if id.is_some_and(|id| id > 0xfff) {
            return Err("a VLAN id up to 4095");
        }
        let outermost = self.vlans == 0 && !self.encapsulated;
        self.vlan_seen |= outermost;
        self.vlans += 1;
        if outermost && self.mode == VlanMode::TakenOff {
            let tag = self.graph.abs(2, anc::VLAN_TAG);
            return Ok(id.map_or(TRUE, |id| self.graph.masked(tag, 0xfff, id)));
        }
        // 802.1Q, 802.1ad, and what came before 802.1ad.
        let kinds = [0x8100, 0x88a8, 0x9100].map(|kind| self.type_eq(kind));
        let mut hit = self.any(&kinds);
        if let Some(id) = id {
            let tag = self.graph.abs(2, self.payload);
            let same = self.graph.masked(tag, 0xfff, id);
            hit = self.graph.and(hit, same);
        }
        self.payload += 4;
        self.link_type += 4;
        Ok(hit)
    }

    /// The kernel took a tag off.
    pub(in crate::filter) fn tag_taken_off(&mut self) -> Cond {
        let present = self.graph.abs(1, anc::VLAN_PRESENT);
        self.graph.eq(present, 1)
    }

    /// `mpls [label]`.
    pub(in crate::filter) fn mpls(&mut self, label: Option<u32>) -> Outcome<Cond> {
        if label.is_some_and(|label| label > 0xf_ffff) {
            return Err("an MPLS label up to 1048575");
        }
        let mut hit = if self.labels > 0 {
            // Not the bottom of the stack.
            let before = self.graph.abs(1, self.payload + 4 * self.labels - 2);
            self.graph.masked(before, 1, 0)
        } else if matches!(self.link, Link::Ethernet | Link::Ppp) {
            self.ether_type(MPLS)?
        } else {
            return Err("Ethernet frames: MPLS is not known on this link layer");
        };
        if let Some(label) = label {
            let entry = self.net(4, 0);
            let same = self.graph.masked(entry, 0xffff_f000, label << 12);
            hit = self.graph.and(hit, same);
        }
        self.labels += 1;
        Ok(hit)
    }

    /// `pppoed`.
    pub(in crate::filter) fn pppoe_discovery(&mut self) -> Outcome<Cond> {
        self.ether_type(PPPOE_DISCOVERY)
    }

    /// `pppoes [session]` (RFC 2516 section 4): six bytes, then PPP.
    pub(in crate::filter) fn pppoe_session(&mut self, session: Option<u32>) -> Outcome<Cond> {
        if session.is_some_and(|id| id > 0xffff) {
            return Err("a PPPoE session up to 65535");
        }
        let mut hit = self.ether_type(PPPOE_SESSION)?;
        if let Some(id) = session {
            let field = self.net(4, 0);
            let same = self.graph.masked(field, 0xffff, id);
            hit = self.graph.and(hit, same);
        }
        self.hdr = self.payload + 4 * self.labels + 6;
        self.link_type = self.hdr;
        self.payload = self.hdr + 2;
        self.labels = 0;
        self.link = Link::Ppp;
        self.encapsulated = true;
        Ok(hit)
    }

    /// `inbound` and `outbound`.
    pub(in crate::filter) fn outbound(&mut self) -> Outcome<Cond> {
        let field = match self.link {
            Link::Sll => self.graph.abs(2, 0),
            Link::Sll2 => self.graph.abs(1, 10),
            _ if self.mode != VlanMode::InFrame => self.graph.abs(2, anc::PKTTYPE),
            _ => return Err("a live interface or cooked capture: this file does not tell the direction"),
        };
        Ok(self.graph.eq(field, 4))
    }

    /// `ifindex N`.
    pub(in crate::filter) fn ifindex(&mut self, index: u32) -> Outcome<Cond> {
        let field = match self.link {
            Link::Sll2 => self.graph.abs(4, 4),
            _ if self.mode != VlanMode::InFrame => self.graph.abs(4, anc::IFINDEX),
            _ => return Err("a live interface or cooked capture: this file does not tell the interface"),
        };
        Ok(self.graph.eq(field, index))
    }
}
