#!/usr/bin/env bash
# Records the Redis captures: a redis-server; redis-py, ioredis, node-redis and redis-cli as clients, and lines typed by hand.
# PYTHON (default: python3) must have redis, NODE_PATH ioredis and redis.
# `ONLY=case testdata/redis/record.sh` records one anew. Then: UPDATE=1 ONLY=redis/ cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network
python=${PYTHON:-python3}
live=$here/../../tests/live/redis

serve $S redis-server --port 6379 --bind 10.7.2.2 --save '' --dir "$work" --protected-mode no --repl-diskless-sync-delay 0
wait_port 6379
client() { timeout 30 $C "$python" "$live/client.py" 10.7.2.2 6379 "$@"; }
typed() { timeout 10 $C python3 -c 'import socket, sys, time
s = socket.create_connection(("10.7.2.2", 6379))
for part in sys.argv[1:]:
    s.sendall(part.encode().decode("unicode_escape").encode()); time.sleep(0.1); s.recv(65536)
s.close()' "$@"; }

record commands "redis-py: one command after the other, RESP2; errors, scripts, MULTI, a blocking pop, a value cut at bodylen." <<'DO'
client commands
DO
record resp3 "The same over RESP3: HELLO, maps, sets, doubles, null." <<'DO'
client resp3
DO
record pipelines "redis-py: batches of 16 commands." <<'DO'
client pipelines
DO
record pubsub "Subscriptions over RESP2: an answer a channel, messages are no answers, UNSUBSCRIBE of all." <<'DO'
client pubsub
DO
record push "Subscriptions over RESP3: pushes." <<'DO'
client push
DO
record secrets "AUTH, HELLO AUTH, ACL, CONFIG: no password is told, neither of the command nor of its answer." <<'DO'
client secrets
DO
record node "ioredis and node-redis: many commands under way on one connection." <<'DO'
timeout 30 $C node "$live/client.js" 10.7.2.2 6379
DO
record inline "Typed lines, and CLIENT REPLY: OFF and SKIP are not answered, the answers behind them are not shifted." <<'DO'
typed 'PING\r\nset a "b c"\r\nget a\r\n\r\nno such\r\n' 'CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nGET k1\r\nGET k2\r\n' 'QUIT\r\n'
DO
record monitor "MONITOR: its lines are no answers." <<'DO'
typed 'MONITOR\r\n' & sleep 0.05; client pipelines; wait $!
typed 'MONITOR\r\n' 'RESET\r\nGET k1\r\n'
DO
record replica "PSYNC: what a replica asks is told, the stream behind it is left alone." <<'DO'
timeout 10 $C redis-cli -h 10.7.2.2 --rdb "$work/copy.rdb"
DO

derive gap commands "The capture \`commands\` without one packet of each side: those commands have no answer, all others theirs." '
get = [i for i, f in enumerate(frames) if b"GET\r\n" in f[1]]
for i in sorted((get[23], get[29] + 1), reverse=True): del frames[i]'
derive midstream commands "The capture \`commands\` from the tenth GET on." '
del frames[:[i for i, f in enumerate(frames) if b"GET\r\n" in f[1]][10]]'
