//! RECORD=dns: one DNS query and its answer.

crate::field::fields! {
    DNS_RESPONSE "DNS_RESPONSE" Millis "mfnano.delay.response" "query to answer";
    DOMAIN "DOMAIN" Word "dns.question.name" "name asked for";
    RESULT_IP "RESULT_IP" IpList "dns.resolved_ip" "all addresses of the answer, comma list";
    QTYPE "QTYPE" Word "dns.question.type" "type asked for";
    RCODE "RCODE" Word "dns.response_code" "response code by name";
    ANSWERS "ANSWERS" Text "mfnano.dns.answers" "answers of other types, `TYPE value` list";
    RESP "RESP" Count "mfnano.answered" "did the server answer: 1 or 0";
}
