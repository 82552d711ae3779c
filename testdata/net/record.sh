#!/usr/bin/env bash
# Records what layers 2 to 4 do: echo, errors of routers, tunnels, half-open and refused connections.
# `ONLY=case testdata/net/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network

cat >"$work/echo.py" <<'PY'
import socket, struct, sys, time
def checksum(b):
    s = sum(struct.unpack('>%dH' % (len(b) // 2), b))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff
to, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
v6 = ':' in to
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)
s.settimeout(1)
for n in range(count):
    body = bytes(size)
    head = struct.pack('>BBHHH', 128 if v6 else 8, 0, 0, 77, n)
    if not v6:
        head = struct.pack('>BBHHH', 8, 0, checksum(head + body), 77, n)
    s.sendto(head + body, (to, 0))
    try:
        s.recv(65536)
    except TimeoutError:
        pass
    time.sleep(0.02)
PY
cat >"$work/http.sh" <<'SH'
exec python3 -m http.server -d "$1" --bind :: 80
SH
mkdir "$work/www"
echo 'a page' >"$work/www/index.html"
serve $S sh "$work/http.sh" "$work/www"
wait_port 80

record echo "Echo requests and answers, five over IPv4 and three over IPv6: one flow each, NET_DELAY from request to answer." "icmp or icmp6" <<'DO'
$C python3 "$work/echo.py" 10.7.2.2 5 32
$C python3 "$work/echo.py" fd07:2::2 3 32
DO
record echo-fragments "Echo of 3,000 bytes: requests and answers in three fragments each; every fragment is a packet of the flow." "icmp or ip[6:2] & 0x3fff != 0" <<'DO'
$C python3 "$work/echo.py" 10.7.2.2 2 3000
DO
record unreachable "A connection to an address without a host: the router says so by ICMP, and the flow of the SYN has ICMP_ERR." "tcp or icmp" <<'DO'
$R ip route add unreachable 10.7.3.0/24
$C curl -sS -m 2 http://10.7.3.1/ || true
DO
record refused "Connections to a port where nobody listens: SYN and RST, END_REASON refused." tcp <<'DO'
$C curl -sS -m 2 http://10.7.2.2:81/ || true
$C curl -sS -m 2 -g 'http://[fd07:2::2]:81/' || true
DO
record syn-lost "The router loses the first SYN: HAND_DELAY has the wait, RETRANS_PKTS the SYN sent again. Then a port of which
every SYN is lost: END_REASON unanswered." tcp <<'DO'
$R nft add table ip loss
$R nft 'add chain ip loss f { type filter hook forward priority 0; }'
$R nft 'add rule ip loss f tcp dport 80 tcp flags syn limit rate 1/hour burst 1 packets drop'
$R nft 'add rule ip loss f tcp dport 82 drop'
$C curl -sS -m 5 http://10.7.2.2/ || true
$C curl -sS -m 2 http://10.7.2.2:82/ || true
$R nft delete table ip loss
DO
record half-close "The client sends its FIN before the answer is there (half closed); the server's data come after it." tcp <<'DO'
$C python3 - <<'PY'
import socket
s = socket.create_connection(('10.7.2.2', 80))
s.sendall(b'GET /index.html HTTP/1.0\r\n\r\n')
s.shutdown(socket.SHUT_WR)
while s.recv(65536): pass
s.close()
PY
DO
record zero-window "The client does not read: the server fills its window, stands still, and goes on when the client reads. ZEROWIN_PKTS; its
empty window probes are no retransmissions, the tail loss probe that it sends early on is one." tcp <<'DO'
head -c 20000 /dev/zero >"$work/www/zeros"
$C python3 - <<'PY'
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
s.connect(('10.7.2.2', 80))
s.sendall(b'GET /zeros HTTP/1.0\r\n\r\n')
time.sleep(1.2)
while s.recv(65536): time.sleep(0.002)
s.close()
PY
DO
record vxlan "HTTP, and a datagram to a closed port, inside VXLAN (VNI 4242) between client and server: reported by the inner addresses, with TUNNEL and
VNI, and whole frame lengths." "udp port 4789" <<'DO'
$C ip link add vx type vxlan id 4242 local 10.7.1.2 remote 10.7.2.2 dstport 4789
$S ip link add vx type vxlan id 4242 local 10.7.2.2 remote 10.7.1.2 dstport 4789
for x in c s; do
    ip netns exec "$ns$x" sysctl -qw net.ipv6.conf.vx.disable_ipv6=1
    no_offload "ip netns exec $ns$x" vx
done
$C ip addr add 172.16.0.1/24 dev vx; $C ip link set vx up
$S ip addr add 172.16.0.2/24 dev vx; $S ip link set vx up
sleep 0.2
$C curl -sS -m 3 http://172.16.0.2/index.html
$C python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x" * 30, ("172.16.0.2", 9))'
DO
