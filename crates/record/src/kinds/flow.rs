//! RECORD=flow: a pair of endpoints in an interval. SRC_x = sent by the initiator, DST_x = sent by the
//! other end, x = sum. Values are of the interval.

crate::field::fields! {
    TIME "TIME" LocalSeconds "event.created" "when the record was made, local time";
    SRC_BYTES "SRC_BYTES" Bytes "source.bytes" "wire bytes (original length, Ethernet header included), sent by the initiator";
    DST_BYTES "DST_BYTES" Bytes "destination.bytes" "wire bytes (original length, Ethernet header included), sent by the other end";
    SRC_PKTS "SRC_PKTS" Count "source.packets" "packets, sent by the initiator";
    DST_PKTS "DST_PKTS" Count "destination.packets" "packets, sent by the other end";
    PKTS "PKTS" Count "network.packets" "packets, both ways";
    SRC_SYN_PKTS "SRC_SYN_PKTS" Count "mfnano.tcp.src_syn_pkts" "segments with SYN without ACK, sent by the initiator";
    DST_SYN_PKTS "DST_SYN_PKTS" Count "mfnano.tcp.dst_syn_pkts" "segments with SYN without ACK, sent by the other end";
    SYN_PKTS "SYN_PKTS" Count "mfnano.tcp.syn_pkts" "segments with SYN without ACK, both ways";
    SRC_SYN_ACK_PKTS "SRC_SYN_ACK_PKTS" Count "mfnano.tcp.src_syn_ack_pkts" "segments with SYN and ACK, sent by the initiator";
    DST_SYN_ACK_PKTS "DST_SYN_ACK_PKTS" Count "mfnano.tcp.dst_syn_ack_pkts" "segments with SYN and ACK, sent by the other end";
    SYN_ACK_PKTS "SYN_ACK_PKTS" Count "mfnano.tcp.syn_ack_pkts" "segments with SYN and ACK, both ways";
    SRC_RST_PKTS "SRC_RST_PKTS" Count "mfnano.tcp.src_rst_pkts" "segments with RST, sent by the initiator";
    DST_RST_PKTS "DST_RST_PKTS" Count "mfnano.tcp.dst_rst_pkts" "segments with RST, sent by the other end";
    SRC_FIN_PKTS "SRC_FIN_PKTS" Count "mfnano.tcp.src_fin_pkts" "segments with FIN, sent by the initiator";
    DST_FIN_PKTS "DST_FIN_PKTS" Count "mfnano.tcp.dst_fin_pkts" "segments with FIN, sent by the other end";
    FIN_PKTS "FIN_PKTS" Count "mfnano.tcp.fin_pkts" "segments with FIN, both ways";
    SRC_RETRANS_PKTS "SRC_RETRANS_PKTS" Count "mfnano.tcp.src_retrans_pkts" "segments with bytes (or SYN, SYN-ACK, FIN) that were seen before, keep-alives left out, sent by the initiator";
    DST_RETRANS_PKTS "DST_RETRANS_PKTS" Count "mfnano.tcp.dst_retrans_pkts" "segments with bytes (or SYN, SYN-ACK, FIN) that were seen before, keep-alives left out, sent by the other end";
    SRC_TINY_PKTS "SRC_TINY_PKTS" Count "mfnano.tcp.src_tiny_pkts" "packets whose IP datagram is at most 64 bytes, sent by the initiator";
    DST_TINY_PKTS "DST_TINY_PKTS" Count "mfnano.tcp.dst_tiny_pkts" "packets whose IP datagram is at most 64 bytes, sent by the other end";
    TINY_PKTS "TINY_PKTS" Count "mfnano.tcp.tiny_pkts" "packets whose IP datagram is at most 64 bytes, both ways";
    SRC_ZEROWIN_PKTS "SRC_ZEROWIN_PKTS" Count "mfnano.tcp.src_zerowin_pkts" "segments with window 0, without RST, SYN or FIN, sent by the initiator";
    DST_ZEROWIN_PKTS "DST_ZEROWIN_PKTS" Count "mfnano.tcp.dst_zerowin_pkts" "segments with window 0, without RST, SYN or FIN, sent by the other end";
    ZEROWIN_PKTS "ZEROWIN_PKTS" Count "mfnano.tcp.zerowin_pkts" "segments with window 0, without RST, SYN or FIN, both ways";
    SRC_OOO_PKTS "SRC_OOO_PKTS" Count "mfnano.tcp.src_ooo_pkts" "segments that fill a hole, sent by the initiator";
    DST_OOO_PKTS "DST_OOO_PKTS" Count "mfnano.tcp.dst_ooo_pkts" "segments that fill a hole, sent by the other end";
    OOO_PKTS "OOO_PKTS" Count "mfnano.tcp.ooo_pkts" "segments that fill a hole, both ways";
    HAND_DELAY "HAND_DELAY" Millis "mfnano.delay.hand" "SYN to the ACK that ends the handshake";
    APP_RESPONSE "APP_RESPONSE" Millis "mfnano.delay.app_response" "last data segment of a request to the first data segment of the answer; mean";
    LOAD_TRANS_DELAY "LOAD_TRANS_DELAY" Millis "mfnano.delay.load_trans" "first to last data segment of an answer; mean";
    SRC_RETRANS_DELAY "SRC_RETRANS_DELAY" Millis "mfnano.delay.src_retrans" "data of the destination that had to be sent again: first sending to the ACK that covers it; mean";
    DST_RETRANS_DELAY "DST_RETRANS_DELAY" Millis "mfnano.delay.dst_retrans" "data of the initiator that had to be sent again: first sending to the ACK that covers it; mean";
    HAND_DELAY_MAX "HAND_DELAY_MAX" Millis "mfnano.delay.hand_max" "largest sample of HAND_DELAY (with `flow-detail=1`)";
    HAND_DELAY_CNT "HAND_DELAY_CNT" Count "mfnano.delay.hand_count" "number of samples of HAND_DELAY (with `flow-detail=1`)";
    APP_RESPONSE_MAX "APP_RESPONSE_MAX" Millis "mfnano.delay.app_response_max" "largest sample of APP_RESPONSE (with `flow-detail=1`)";
    APP_RESPONSE_CNT "APP_RESPONSE_CNT" Count "mfnano.delay.app_response_count" "number of samples of APP_RESPONSE (with `flow-detail=1`)";
    LOAD_TRANS_DELAY_MAX "LOAD_TRANS_DELAY_MAX" Millis "mfnano.delay.load_trans_max" "largest sample of LOAD_TRANS_DELAY (with `flow-detail=1`)";
    LOAD_TRANS_DELAY_CNT "LOAD_TRANS_DELAY_CNT" Count "mfnano.delay.load_trans_count" "number of samples of LOAD_TRANS_DELAY (with `flow-detail=1`)";
    SRC_NET_DELAY_MAX "SRC_NET_DELAY_MAX" Millis "mfnano.delay.src_net_max" "largest sample of SRC_NET_DELAY (with `flow-detail=1`)";
    SRC_NET_DELAY_CNT "SRC_NET_DELAY_CNT" Count "mfnano.delay.src_net_count" "number of samples of SRC_NET_DELAY (with `flow-detail=1`)";
    DST_NET_DELAY_MAX "DST_NET_DELAY_MAX" Millis "mfnano.delay.dst_net_max" "largest sample of DST_NET_DELAY (with `flow-detail=1`)";
    DST_NET_DELAY_CNT "DST_NET_DELAY_CNT" Count "mfnano.delay.dst_net_count" "number of samples of DST_NET_DELAY (with `flow-detail=1`)";
    SRC_RETRANS_DELAY_MAX "SRC_RETRANS_DELAY_MAX" Millis "mfnano.delay.src_retrans_max" "largest sample of SRC_RETRANS_DELAY (with `flow-detail=1`)";
    SRC_RETRANS_DELAY_CNT "SRC_RETRANS_DELAY_CNT" Count "mfnano.delay.src_retrans_count" "number of samples of SRC_RETRANS_DELAY (with `flow-detail=1`)";
    DST_RETRANS_DELAY_MAX "DST_RETRANS_DELAY_MAX" Millis "mfnano.delay.dst_retrans_max" "largest sample of DST_RETRANS_DELAY (with `flow-detail=1`)";
    DST_RETRANS_DELAY_CNT "DST_RETRANS_DELAY_CNT" Count "mfnano.delay.dst_retrans_count" "number of samples of DST_RETRANS_DELAY (with `flow-detail=1`)";
    APP "APP" Word "mfnano.app" "application protocol recognised inside, or `unknown`";
    STATE "STATE" Word "mfnano.flow.state" "`new`, `active` or `closed`";
    END_REASON "END_REASON" Word "mfnano.flow.end_reason" "`fin`, `rst-src`, `rst-dst`, `timeout`, `refused`, `unanswered`, `evicted`";
    DURATION "DURATION" Millis "mfnano.flow.duration" "first to last packet of the flow so far";
    ICMP_ERR "ICMP_ERR" Count "mfnano.flow.icmp_errors" "ICMP errors that quoted a packet of this flow";
    VALID_TIME "VALID-TIME" Word "mfnano.valid_time" "constant `1970-01-01`, as in the original";
}
