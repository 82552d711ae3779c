#!/bin/sh
# Records the captures of this folder from a real server, on loopback, as root.
# Needs: postgresql (PG = its bin folder), tcpdump, tshark, python3 with psycopg and psycopg2.
# Then: UPDATE=1 ONLY=postgresql/ cargo test -p mfnano --test golden
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PG=${PG:-/usr/lib/postgresql/15/bin}
port=${PORT:-5498}
work=$(mktemp -d)
as() { runuser -u postgres -- "$@"; }
clean() { as "$PG/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$work"; }
trap clean EXIT
chown postgres "$work"
echo only-for-tests >"$work/pw"; chmod 644 "$work/pw"
as "$PG/initdb" -D "$work/data" -A scram-sha-256 --pwfile="$work/pw" >/dev/null
cat >>"$work/data/postgresql.conf" <<END
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
fsync = off
END
as "$PG/pg_ctl" -D "$work/data" -l "$work/log" -w start >/dev/null
for case in simple extended errors copy login; do
    mkdir -p "$here/$case"
    tcpdump -i lo -s 0 -U -w "$work/$case.pcap" "tcp port $port" 2>/dev/null &
    dump=$!
    sleep 1
    timeout 30 python3 "$here/client.py" "$port" "$case"
    sleep 1
    kill "$dump"; wait "$dump" || :
    cp "$work/$case.pcap" "$here/$case/in.pcap"
done
# Losses: the login and more was not captured; one answer was not captured.
mkdir -p "$here/midstream" "$here/gap"
tshark -r "$here/extended/in.pcap" -Y 'frame.number > 24' -F pcap -w "$here/midstream/in.pcap" 2>/dev/null
tshark -r "$here/simple/in.pcap" -Y 'not (tcp.srcport == '"$port"' and tcp contains "SELECT 9")' -F pcap -w "$here/gap/in.pcap" 2>/dev/null
ls -l "$here"/*/in.pcap
