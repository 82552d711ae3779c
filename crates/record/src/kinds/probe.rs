//! RECORD=probe: the account of the probe itself, every interval; counts are since the start.

crate::field::fields! {
    PKTS_SEEN "PKTS_SEEN" Count "mfnano.probe.pkts_seen" "packets that the kernel or the file had for the probe";
    PKTS_PARSED "PKTS_PARSED" Count "mfnano.probe.pkts_parsed" "packets that were decoded and given to a flow, or were not IP";
    PKTS_FILTERED "PKTS_FILTERED" Count "mfnano.probe.pkts_filtered" "packets left out as background, by filter-net, drop, filter-bpf or as the probe's own or second copies";
    PKTS_SAMPLED "PKTS_SAMPLED" Count "mfnano.probe.pkts_sampled" "packets of flows left out under the CPU limit (counted in the kernel; at the moments at which the share changes a few may count twice or not at all), and packets passed over by the brake";
    PKTS_LOST "PKTS_LOST" Count "mfnano.probe.pkts_lost" "packets lost by the kernel because the ring was full";
    PKTS_MALFORMED "PKTS_MALFORMED" Count "mfnano.probe.pkts_malformed" "packets whose headers made no sense";
    MALFORMED_BY "MALFORMED_BY" Text "mfnano.probe.malformed_by" "malformed packets by reason, `reason=n` list";
    FILTERED_BY "FILTERED_BY" Text "mfnano.probe.filtered_by" "filtered packets by reason, `reason=n` list";
    SAMPLED_BY "SAMPLED_BY" Text "mfnano.probe.sampled_by" "sampled packets by place, `place=n` list: kernel (the filter), engine (what the filter cannot see through), brake (passed over)";
    NOT_IP "NOT_IP" Count "mfnano.probe.not_ip" "parsed packets that are not IP (ARP, LLDP and the like)";
    FLOWS_LIVE "FLOWS_LIVE" Count "mfnano.probe.flows_live" "flows in the table";
    FLOWS_MADE "FLOWS_MADE" Count "mfnano.probe.flows_made" "flows begun";
    FLOWS_EVICTED "FLOWS_EVICTED" Count "mfnano.probe.flows_evicted" "flows ended early for want of room";
    SESSIONS "SESSIONS" Text "mfnano.probe.sessions" "sessions reported, `protocol=n` list";
    UNPAIRED "UNPAIRED" Count "mfnano.probe.unpaired" "answers without a request, requests without an answer";
    SESSIONS_SAMPLED "SESSIONS_SAMPLED" Count "mfnano.probe.sessions_sampled" "sessions left out by `jsonsample`";
    ANOMALIES "ANOMALIES" Text "mfnano.probe.anomalies" "what parsers did not understand, `protocol.reason=n` list";
    STREAM "STREAM" Text "mfnano.probe.stream" "reassembly: gaps, overlaps, bytes dropped for want of room, `reason=n` list";
    MEM_HELD "MEM_HELD" Bytes "mfnano.probe.mem_held" "bytes held by flows, reassembly, sessions and queues";
    MEM_LIMIT "MEM_LIMIT" Bytes "mfnano.probe.mem_limit" "the budget";
    RECORDS_MADE "RECORDS_MADE" Count "mfnano.probe.records_made" "records made";
    RECORDS_SENT "RECORDS_SENT" Count "mfnano.probe.records_sent" "records given to all sinks";
    RECORDS_DROPPED "RECORDS_DROPPED" Count "mfnano.probe.records_dropped" "records dropped before a sink";
    DROPPED_BY "DROPPED_BY" Text "mfnano.probe.dropped_by" "why, `sink.reason=n` list";
    GOVERNOR "GOVERNOR" Word "mfnano.probe.governor" "step of the CPU governor: none, compress, bodies, sessions, l7-off, packets or brake; each leaves out what those before it do, and more";
    GOVERNOR_TIME "GOVERNOR_TIME" Text "mfnano.probe.governor_time" "ms in each step over the interval, `step=n` list";
    SHED "SHED" Text "mfnano.probe.shed" "what else was left out under the CPU limit, `what=n` list: uncompressed (records sent so), shortened (sessions told with shorter fields), unread (conversations whose contents were not read), unread-bytes (of theirs)";
    CPU_LIMIT "CPU_LIMIT" Count "mfnano.probe.cpu_limit" "`cpu-limit`, percent of one CPU";
    CPU "CPU" Hundredths "mfnano.probe.cpu" "CPU use of the probe in percent of one CPU over the interval";
    RSS "RSS" Bytes "mfnano.probe.rss" "resident memory of the probe";
}
