#!/usr/bin/env bash
# Real drivers (pymongo, Node.js) against a real server (mongo-java-server, by Maven), plain and through a proxy
# that compresses; what the drivers say they asked is compared with the records.
#   tests/live/mongodb/run.sh PROBE [WORK]     needs root, java, mvn, python3, node, npm, tcpdump; WORK is kept
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
probe=$(realpath "$1")
work=${2:-$(mktemp -d)}
mkdir -p "$work"
ns=mfmongo$$
run="timeout 120 ip netns exec $ns"
pids=()
cleanup() {
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    ip netns del "$ns" 2>/dev/null || true
}
trap cleanup EXIT

[ -e "$work/cp" ] || mvn -q -B -f "$here/pom.xml" dependency:build-classpath "-Dmdep.outputFile=$work/cp" >"$work/mvn.log"
[ -e "$work/venv" ] || { python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install pymongo python-snappy zstandard; }
[ -e "$work/node_modules" ] || npm --prefix "$work" install mongodb@6 snappy >"$work/npm.log"

ip netns add "$ns"
ip -n "$ns" link set lo up
ip netns exec "$ns" java -cp "$(cat "$work/cp")" "$here/Server.java" 27017 >"$work/server.log" 2>&1 &
pids+=($!)
port=28000
for name in snappy zlib zstd; do
    port=$((port + 1))
    ip netns exec "$ns" "$work/venv/bin/python" "$here/proxy.py" "$port" 27017 "$name" 2>"$work/proxy.$name.log" &
    pids+=($!)
done
for _ in $(seq 100); do grep -q ready "$work/server.log" && break; sleep 0.2; done
grep -q ready "$work/server.log" || { cat "$work/server.log"; exit 1; }

status=0
one() { # name, port, command...
    local name=$1
    shift
    rm -f "$work/$name.tcpdump"
    : >"$work/$name.tcpdump"
    # Only what the client sees: not what the proxy asks the server behind it.
    ip netns exec "$ns" tcpdump -q -U --immediate-mode -s0 -i lo -B 65536 -w "$work/$name.pcap" tcp port "$1" 2>"$work/$name.tcpdump" &
    local dump=$!
    pids+=("$dump")
    until grep -q listening "$work/$name.tcpdump"; do sleep 0.1; done
    shift
    "$@" >"$work/$name.out" 2>&1 || { echo "$name: the client failed"; tail -3 "$work/$name.out"; status=1; }
    sleep 0.5
    kill "$dump"
    wait "$dump" 2>/dev/null || true
    "$probe" read --auto-check=1 --bodylen=65536 "$work/$name.pcap" >"$work/$name.jsonl"
    echo "$name: $(python3 "$here/check.py" "$work/$name.jsonl" "$work/$name.log")" || status=1
}
export NODE_PATH=$work/node_modules
one python 27017 $run "$work/venv/bin/python" "$here/client.py" 27017 "$work/python.log"
one node 27017 $run node "$here/client.js" 27017 "$work/node.log"
one python-snappy 28001 $run "$work/venv/bin/python" "$here/client.py" 28001 "$work/python-snappy.log" snappy
one python-zlib 28002 $run "$work/venv/bin/python" "$here/client.py" 28002 "$work/python-zlib.log" zlib
one python-zstd 28003 $run "$work/venv/bin/python" "$here/client.py" 28003 "$work/python-zstd.log" zstd
one node-snappy 28001 $run node "$here/client.js" 28001 "$work/node-snappy.log" snappy
one node-zlib 28002 $run node "$here/client.js" 28002 "$work/node-zlib.log" zlib
exit $status
