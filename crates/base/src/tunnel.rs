//! The encapsulations that are taken off.

/// What carried a packet: the innermost encapsulation that was taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tunnel {
    /// The packet travelled plain.
    #[default]
    None,
    /// GRE, RFC 2784 and 2890.
    Gre,
    /// ERSPAN type I, II or III: mirrored frames in GRE.
    Erspan,
    /// VXLAN, RFC 7348, and VXLAN-GPE.
    Vxlan,
    /// Geneve, RFC 8926.
    Geneve,
    /// IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, 2473, 4213).
    IpIp,
    /// GTP-U, 3GPP TS 29.281.
    Gtp,
    /// Teredo: IPv6 in UDP, RFC 4380.
    Teredo,
    /// MPLS in UDP, RFC 7510.
    MplsUdp,
    /// Anything else that was recognised and taken off.
    Other,
}

impl Tunnel {
    /// The word in the field TUNNEL; empty for [`Tunnel::None`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Tunnel::None => "",
            Tunnel::Gre => "gre",
            Tunnel::Erspan => "erspan",
            Tunnel::Vxlan => "vxlan",
            Tunnel::Geneve => "geneve",
            Tunnel::IpIp => "ipip",
            Tunnel::Gtp => "gtp",
            Tunnel::Teredo => "teredo",
            Tunnel::MplsUdp => "mpls-udp",
            Tunnel::Other => "other",
        }
    }
}
