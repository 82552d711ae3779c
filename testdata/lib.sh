# Sourced by the record.sh scripts: three network namespaces in a row (client - router - server), real
# programs in them, and tcpdump on the client's side. Needs root; all is gone when the script ends.
#
#   client 10.7.1.2, fd07:1::2  --  router  --  server 10.7.2.2, fd07:2::2
#
# shellcheck shell=bash
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
chmod 755 "$work"
ns=mfr$$
C="ip netns exec ${ns}c"
R="ip netns exec ${ns}r"
S="ip netns exec ${ns}s"
pids=()

cleanup() {
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    for n in c r s; do ip netns del "$ns$n" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

# Segments as on a wire: nothing is joined, cut or left without its checksum for a card to do.
no_offload() { # namespace command, device
    $1 python3 - "$2" <<'PY'
import array, fcntl, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for command in (0x15, 0x17, 0x1f, 0x24, 0x2c):  # rx and tx checksums, TSO, GSO, GRO
    value = array.array('B', struct.pack('II', command, 0))
    request = struct.pack('16sP', sys.argv[1].encode(), value.buffer_info()[0])
    try:
        fcntl.ioctl(s, 0x8946, request)
    except OSError:
        pass
PY
}

network() {
    for n in c r s; do ip netns add "$ns$n"; ip -n "$ns$n" link set lo up; done
    ip link add c0 netns "${ns}c" type veth peer name rc netns "${ns}r"
    ip link add s0 netns "${ns}s" type veth peer name rs netns "${ns}r"
    local dev
    for dev in "c c0 1 2" "r rc 1 1" "r rs 2 1" "s s0 2 2"; do
        # shellcheck disable=SC2086
        set -- $dev
        ip netns exec "$ns$1" sysctl -qw "net.ipv6.conf.$2.accept_dad=0" "net.ipv6.conf.$2.router_solicitations=0"
        no_offload "ip netns exec $ns$1" "$2"
        ip -n "$ns$1" addr add "10.7.$3.$4/24" dev "$2"
        ip -n "$ns$1" addr add "fd07:$3::$4/64" dev "$2" nodad
        ip -n "$ns$1" link set "$2" up
    done
    $R sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n "${ns}c" route add default via 10.7.1.1
    ip -n "${ns}c" route add default via fd07:1::1
    ip -n "${ns}s" route add default via 10.7.2.1
    ip -n "${ns}s" route add default via fd07:2::1
    # Neighbours are known before anything is recorded.
    $C python3 -c 'import socket
for a in ("10.7.2.2", "fd07:2::2"):
    with socket.socket(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_DGRAM) as s: s.sendto(b"", (a, 9))'
    sleep 0.3
}

# Runs a server in the background until the script ends.
serve() { # command...
    "$@" >"$work/log.$1.$RANDOM" 2>&1 &
    pids+=($!)
}

wait_port() { # port
    for _ in $(seq 100); do
        $C python3 -c "import socket; socket.create_connection(('10.7.2.2', $1), 1).close()" 2>/dev/null && return
        sleep 0.1
    done
    echo "nothing listens on $1" >&2
    return 1
}

# Records what the commands on standard input do: `record CASE "what it proves" [FILTER] <<'DO'`.
record() { # case, note, capture filter
    local dir=$here/$1 script
    script=$(cat)
    if [ -n "${ONLY:-}" ] && [ "$ONLY" != "$1" ]; then return; fi
    mkdir -p "$dir"
    $C tcpdump -q -i c0 -p -U --immediate-mode -s 65535 -w "$dir/in.pcap" "${3:-tcp}" 2>"$work/tcpdump" &
    local dump=$!
    pids+=("$dump")
    until grep -q listening "$work/tcpdump"; do sleep 0.05; done
    sleep 0.3
    eval "$script" >"$work/out.$1" 2>&1 || { cat "$work/out.$1"; echo "$1 failed" >&2; exit 1; }
    sleep 0.4
    kill -INT "$dump"
    wait "$dump" || true
    note "$1" "$2"
    echo "$1: $(stat -c %s "$dir/in.pcap") bytes"
}

# A capture made of another one by taking frames out or moving them: `derive CASE FROM "what" EDIT`, where EDIT
# is Python over `frames`, a list of [time, bytes, wire length].
derive() { # case, from, note, python
    local dir=$here/$1
    if [ -n "${ONLY:-}" ] && [ "$ONLY" != "$1" ]; then return; fi
    mkdir -p "$dir"
    python3 - "$here/$2/in.pcap" "$dir/in.pcap" "$4" <<'PY'
import struct, sys
raw = open(sys.argv[1], 'rb').read()
frames, at = [], 24
while at < len(raw):
    sec, sub, cap, wire = struct.unpack_from('<IIII', raw, at)
    frames.append([(sec, sub), raw[at + 16:at + 16 + cap], wire])
    at += 16 + cap
def data(f):  # payload bytes of a TCP segment over IPv4
    ip = f[1][14:]
    head = (ip[0] & 15) * 4
    return struct.unpack('>H', ip[2:4])[0] - head - (ip[head + 12] >> 4) * 4
def server(f):  # sent by the server
    return f[1][26:30] == bytes([10, 7, 2, 2])
def swap(i, j):  # the times of the places stay
    frames[i][1:], frames[j][1:] = frames[j][1:], frames[i][1:]
exec(sys.argv[3])
with open(sys.argv[2], 'wb') as out:
    out.write(raw[:24])
    for (sec, sub), frame, wire in frames:
        out.write(struct.pack('<IIII', sec, sub, len(frame), wire) + frame)
PY
    note "$1" "$3"
    echo "$1: $(stat -c %s "$dir/in.pcap") bytes"
}

note() { # case, text
    printf '# %s\n\n%s\n\nRecorded by `../record.sh`.\n' "$1" "$2" >"$here/$1/NOTE.md"
}
