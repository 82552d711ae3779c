#!/usr/bin/env bash
# Records the DNS captures: unbound and dnsmasq as servers, dig and plain sockets as clients.
# `ONLY=case testdata/dns/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network

cat >"$work/unbound.conf" <<CONF
server:
    interface: 10.7.2.2
    interface: fd07:2::2
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    use-syslog: no
    chroot: ""
    username: ""
    directory: "$work"
    pidfile: "$work/unbound.pid"
    do-daemonize: no
    module-config: "iterator"
    max-udp-size: 4096
    edns-buffer-size: 4096
    identity: "ns.example"
    local-zone: "example." static
    local-data: "example. 3600 IN SOA ns.example. admin.example. 7 3600 600 86400 300"
    local-data: "example. 3600 IN NS ns.example."
    local-data: "example. 3600 IN MX 10 mail.example."
    local-data: "example. 3600 IN MX 20 backup.example."
    local-data: 'example. 3600 IN TXT "v=spf1 -all" "a \"quoted\" word"'
    local-data: 'example. 3600 IN CAA 0 issue "ca.example"'
    local-data: "www.example. 300 IN A 192.0.2.1"
    local-data: "www.example. 300 IN A 192.0.2.2"
    local-data: "www.example. 300 IN A 192.0.2.3"
    local-data: "www.example. 300 IN AAAA 2001:db8::1"
    local-data: "alias.example. 300 IN CNAME www.example."
    local-data: "_ldap._tcp.example. 300 IN SRV 1 2 389 dc.example."
    local-data: '_e164.example. 300 IN NAPTR 10 20 "u" "E2U+sip" "!^.*\$!sip:info@example!" .'
    local-data: "host.example. 300 IN SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789"
    local-data: "_443._tcp.example. 300 IN TLSA 3 1 1 aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899"
    local-data: "svc.example. 300 IN HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.9"
    local-data-ptr: "192.0.2.1 www.example"
$(for i in $(seq 12); do
    echo "    local-data: 'long.example. 300 IN TXT \"$i $(printf 'x%.0s' $(seq 190))\"'"
done)
    local-zone: "refused.example." refuse
CONF
serve $S unbound -d -c "$work/unbound.conf"
serve $S dnsmasq -k -C /dev/null -p 54 -a 10.7.2.2 -z --no-resolv --no-hosts --auth-server=ns.zone.test,10.7.2.2 \
    --auth-peer=10.7.1.2 --auth-zone=zone.test,192.0.2.0/24 --auth-soa=5,admin.zone.test,1200,120,1209600 \
    --host-record=a.zone.test,192.0.2.11 --host-record=b.zone.test,192.0.2.12 --cname=c.zone.test,a.zone.test \
    --mx-host=zone.test,a.zone.test,5 --txt-record=zone.test,hello
sleep 1
Q="$C dig @10.7.2.2 +tries=1 +time=2"

record lookup "dig asks unbound for A (three addresses), AAAA, an alias (A and AAAA), a name that is not there, a type that is not
there, a pointer, and a zone that refuses: RCODE, RESULT_IP and ANSWERS of each." udp <<'DO'
for q in "www.example A" "www.example AAAA" "alias.example A" "alias.example AAAA" "nothing.example A" "www.example MX" "-x 192.0.2.1" "x.refused.example A"; do
    $Q $q
done
DO
record alias "dig asks dnsmasq for an alias: CNAME and the address that it leads to in one answer." udp <<'DO'
$C dig @10.7.2.2 -p 54 +tries=1 +time=2 c.zone.test A
DO
record types "dig asks unbound for MX, TXT, SRV, CAA, SOA, NS, NAPTR, SSHFP, TLSA, HTTPS and for version.bind in class CHAOS: what
ANSWERS says of types other than addresses." udp <<'DO'
for q in "example MX" "example TXT" "_ldap._tcp.example SRV" "example CAA" "example SOA" "example NS" "_e164.example NAPTR" "host.example SSHFP" \
    "_443._tcp.example TLSA" "svc.example HTTPS" "id.server CH TXT"; do
    $Q $q
done
DO
record edns "The same question with EDNS (DO bit, a cookie, padding, client subnet), without EDNS, and with bits that stub resolvers set: one
record each, and the option record is no answer." udp <<'DO'
$Q www.example A +dnssec +cookie +subnet=198.51.100.0/24 +padding=64
$Q www.example A +noedns
$Q www.example A +noedns +norec +adflag +cdflag
$Q wWw.ExAmPlE A
DO
record rcodes "dig asks unbound with an operation that it does not know (STATUS: NOTIMP) and an EDNS version that does not exist (BADVERS,
whose upper bits are in the option record), and a plain socket sends a
question that breaks off (FORMERR). Only the second is told as DNS; of the others there is the flow." udp <<'DO'
$Q +opcode=2 www.example A
$Q +edns=100 +noednsnegotiation www.example A
$C python3 - <<'PY'
import socket, struct
q = struct.pack('>HHHHHH', 9, 0x100, 2, 0, 0, 0) + b'\3www\7example\0\0\1\0\1'
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('10.7.2.2', 53))
s.settimeout(1)
s.send(q)
print(s.recv(512))
PY
DO
record truncated-tcp "An answer longer than the client takes over UDP: the truncated answer, then the same question over TCP. Two
records." "port 53" <<'DO'
$Q long.example TXT +bufsize=512
DO
record tcp "Three questions over one TCP connection by dig, then two in one segment and one in single bytes by a plain socket." "port 53" <<'DO'
$Q +tcp +keepopen www.example A www.example AAAA example MX
$C python3 - <<'PY'
import socket, struct, time
def ask(n, name):
    q = struct.pack('>HHHHHH', n, 0x100, 1, 0, 0, 0) + b''.join(bytes([len(l)]) + l for l in name.split(b'.')) + b'\0\0\1\0\1'
    return struct.pack('>H', len(q)) + q
s = socket.create_connection(('10.7.2.2', 53))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.sendall(ask(1, b'www.example') + ask(2, b'alias.example'))
time.sleep(0.2)
for b in ask(3, b'nothing.example'):
    s.send(bytes([b]))
    time.sleep(0.002)
time.sleep(0.2)
s.close()
PY
DO
record axfr "dig transfers a zone from dnsmasq over TCP: one record for the whole transfer." "port 54" <<'DO'
$C dig @10.7.2.2 -p 54 +tries=1 zone.test AXFR
DO
record fragments "An answer of more than 2,000 bytes over UDP comes in fragments, over IPv4 and over IPv6; the answer is read whole." "host 10.7.2.2 or host fd07:2::2" <<'DO'
$Q long.example TXT +bufsize=4096
$C dig @fd07:2::2 +tries=1 +time=2 long.example TXT +bufsize=4096
DO
record ipv6 "dig asks unbound over IPv6." udp <<'DO'
$C dig @fd07:2::2 +tries=1 +time=2 www.example AAAA
DO
record asked-again "The router loses the first question; dig asks again after a second. One answer came: what is told of the question
that got none and of the one that did." udp <<'DO'
$R nft add table ip loss
$R nft 'add chain ip loss f { type filter hook forward priority 0; }'
$R nft 'add rule ip loss f udp dport 53 limit rate 1/hour burst 1 packets drop'
$C dig @10.7.2.2 +tries=2 +time=1 www.example A
$R nft delete table ip loss
DO
record same-id-again "A plain socket sends the same question (same id, same port) three times before the answer comes back: three
datagrams, three answers, as unbound gives them." udp <<'DO'
$C python3 - <<'PY'
import socket, struct, time
q = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + b'\3www\7example\0\0\1\0\1'
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('10.7.2.2', 53))
for _ in range(3): s.send(q)
time.sleep(0.3)
PY
DO
record unanswered "Nobody answers: the router loses every question of dig's three tries. Records without an answer." udp <<'DO'
$R nft add table ip loss
$R nft 'add chain ip loss f { type filter hook forward priority 0; }'
$R nft 'add rule ip loss f udp dport 53 drop'
$C dig @10.7.2.2 +tries=3 +time=1 www.example A || true
$R nft delete table ip loss
DO
record closed-port "dig asks a port where nobody listens: the ICMP error that comes back quotes the question, and is counted on its
flow (ICMP_ERR)." "udp or icmp" <<'DO'
$C dig @10.7.2.2 -p 5300 +tries=1 +time=1 www.example A || true
DO
