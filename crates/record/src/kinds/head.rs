//! Fields that records of several kinds share: times, ends, identity.

crate::field::fields! {
    RECORD "RECORD" Word "event.dataset" "kind of the record: `flow`, `http`, `dns`, ...";
    BEGIN_TIME "BEGIN_TIME" LocalTime "event.start" "first packet of the request, local time";
    END_TIME "END_TIME" LocalTime "event.end" "last packet of the answer (of the request without an answer), local time";
    TIMESTAMP "TIMESTAMP" EpochTime "@timestamp" "BEGIN_TIME as seconds since the epoch with microseconds, free of time zones";
    PROBE_VER "PROBE_VER" Word "observer.version" "version of the probe (`sys-version`)";
    HOST "host" ("host") Word "observer.ip" "address of the probe (`host-address`)";
    SYSTEM "SYSTEM" Word "host.os.full" "name and version of the operating system";
    SRC_IP "SRC_IP" Ip "source.ip" "address of the initiator";
    DST_IP "DST_IP" Ip "destination.ip" "address of the other end";
    SRC_PORT "SRC_PORT" Port "source.port" "port of the initiator";
    DST_PORT "DST_PORT" Port "destination.port" "port of the other end";
    SRC_MAC "SRC_MAC" Mac "source.mac" "Ethernet address by which the initiator's packets came";
    DST_MAC "DST_MAC" Mac "destination.mac" "Ethernet address to which the initiator's packets went";
    NIC "NIC" Word "observer.ingress.interface.alias" "configured device";
    CARD "CARD" Word "observer.ingress.interface.name" "interface that the packets really came by";
    CARD_IP "CARD_IP" Ip "mfnano.card.ip" "address of that interface";
    SYNACK_PKTS "SYNACK_PKTS" Count "mfnano.tcp.synack_pkts" "SYN-ACK segments seen in the connection so far";
    BYTES "BYTES" Bytes "network.bytes" "frame bytes on the wire, both ways, Ethernet header included";
    SRC_NET_DELAY "SRC_NET_DELAY" Millis "mfnano.delay.src_net" "data sent by the destination to the initiator's first ACK that covers it; mean";
    DST_NET_DELAY "DST_NET_DELAY" Millis "mfnano.delay.dst_net" "data sent by the initiator to the destination's first ACK that covers it; mean";
    NET_DELAY "NET_DELAY" Millis "mfnano.delay.net" "SRC_NET_DELAY + DST_NET_DELAY";
    RETRANS_PKTS "RETRANS_PKTS" Count "mfnano.tcp.retrans_pkts" "retransmitted segments, both ways";
    RST_PKTS "RST_PKTS" Count "mfnano.tcp.rst_pkts" "RST segments, both ways";
    L7_PROTOCOL "L7_PROTOCOL" Word "network.protocol" "application protocol; `ip` or `ipv6` in flow records";
    L4_PROTOCOL "L4_PROTOCOL" Word "network.transport" "`tcp`, `udp`, `icmp`";
    FLOW_ID "FLOW_ID" Word "mfnano.flow.id" "joins the records of one connection";
    COMMUNITY_ID "COMMUNITY_ID" Word "network.community_id" "Community ID v1, the same in Zeek, Suricata and Arkime";
    VLAN "VLAN" Word "network.vlan.id" "VLAN ids from the outside in, when the packets carried them";
    TUNNEL "TUNNEL" Word "mfnano.tunnel.type" "innermost encapsulation that was taken off";
    VNI "VNI" Count "mfnano.tunnel.id" "its network number, key or tunnel id";
    QUALITY "QUALITY" WordList "mfnano.quality" "only when not perfect: `midstream`, `gap`, `truncated`, `sampled`, `no-response`";
    MESSAGE "message" ("_host_name") Word "host.name" "host name";
    MESSAGE_TYPE "message-type" Word "mfnano.message_type" "`comm` for traffic, `proc` for host and process";
    COLLECTOR "gl2_source_collector" Word "observer.serial_number" "id of the probe (`probe-id`)";
    DISK_RATIO "DISK_RATIO" Hundredths "mfnano.host.disk_ratio" "disk use of the probe's host in percent";
    TOTAL_CPU "TOTAL_CPU" Count "mfnano.host.cpus" "number of CPUs of the probe's host";
    LICENSE "LICENSE" Word "mfnano.license" "constant `free`";
}
