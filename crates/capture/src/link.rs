//! The numbers of link layers in capture files (tcpdump.org "Link-layer header types").

use base::LinkType;

/// The numbers that [`link_type`] knows, as text for messages.
pub const KNOWN_LINK_TYPES: &str = "0 BSD loopback, 1 Ethernet, 9 and 50 PPP, 10 FDDI, 12, 14, 101, 228 and 229 raw IP, \
     104 Cisco HDLC, 105 802.11, 108 OpenBSD loopback, 113 and 276 Linux cooked, 127 radiotap, 239 NFLOG";

/// The link layer with this number; `None` when we cannot read such frames.
#[must_use]
pub const fn link_type(number: u32) -> Option<LinkType> {
    Some(match number {
        0 => LinkType::Null,
        1 => LinkType::Ethernet,
        9 | 50 => LinkType::Ppp,
        10 => LinkType::Fddi,
        // 12 and 14 are DLT_RAW of the BSDs and OpenBSD that leaked into files.
        12 | 14 | 101 | 228 | 229 => LinkType::Raw,
        104 => LinkType::CiscoHdlc,
        105 => LinkType::Ieee80211,
        108 => LinkType::Loop,
        113 => LinkType::LinuxSll,
        127 => LinkType::Radiotap,
        239 => LinkType::NfLog,
        276 => LinkType::LinuxSll2,
        _ => return None,
    })
}

/// The number to write for a link layer.
#[must_use]
pub const fn link_number(link: LinkType) -> u32 {
    match link {
        LinkType::Null => 0,
        LinkType::Ethernet => 1,
        LinkType::Ppp => 9,
        LinkType::Fddi => 10,
        LinkType::Raw => 101,
        LinkType::CiscoHdlc => 104,
        LinkType::Ieee80211 => 105,
        LinkType::Loop => 108,
        LinkType::LinuxSll => 113,
        LinkType::Radiotap => 127,
        LinkType::NfLog => 239,
        LinkType::LinuxSll2 => 276,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_we_write_reads_back() {
        for number in 0..70_000 {
            if let Some(link) = link_type(number) {
                assert_eq!(link_type(link_number(link)), Some(link), "{number}");
                assert!(KNOWN_LINK_TYPES.contains(&number.to_string()));
            }
        }
    }
}
