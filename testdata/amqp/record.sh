#!/usr/bin/env bash
# Records the AMQP captures: RabbitMQ; pika, amqplib (in NODE_PATH) and rabbitmq-c's tools as clients.
# `ONLY=case testdata/amqp/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network
clients=$here/../../tests/live/amqp

# A broker of its own: name, directories and ports; nothing of an installed one is touched.
mkdir "$work/rabbit"
cat >"$work/rabbit/rabbitmq.conf" <<'CONF'
listeners.tcp.1 = 10.7.2.2:5672
loopback_users.guest = false
CONF
echo '[].' >"$work/rabbit/plugins"
serve $S env HOME="$work/rabbit" RABBITMQ_NODENAME=mfr$$@localhost RABBITMQ_CONFIG_FILE="$work/rabbit/rabbitmq" \
    RABBITMQ_MNESIA_BASE="$work/rabbit/db" RABBITMQ_LOG_BASE="$work/rabbit/log" RABBITMQ_PID_FILE="$work/rabbit/pid" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$work/rabbit/plugins" RABBITMQ_CONF_ENV_FILE=/dev/null \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1" timeout 600 /usr/lib/rabbitmq/bin/rabbitmq-server
for _ in $(seq 6); do wait_port 5672 && break; done

stop() {
    # The broker's own helpers do not end with it.
    for p in $(ip netns pids "${ns}s" 2>/dev/null); do kill "$p" 2>/dev/null || true; done
    sleep 1
    cleanup
}
trap stop EXIT

pika() { $C python3 "$clients/client.py" 10.7.2.2 5672 "$1"; }

record work "A consumer on a queue that the server named, three JSON messages published and delivered, all deleted again." <<<'pika work'
record get "basic.get with and without a message; the default exchange." <<<'pika get'
record confirms "Publisher confirms: acknowledged, returned and acknowledged, refused (nack)." <<<'pika confirms'
record errors "404, 403 and 406, also for a publish; a wrong password; an unknown virtual host." <<<'pika errors'
record large "A message of 20 KB in frames of 4 KB." <<<'pika large'
record transactions "tx.select, commit, rollback." <<<'pika transactions'
record channels "Two channels by turns; the server cancels consumers whose queue is deleted." <<<'pika channels'
record pipelined "amqplib: confirms many at a time and multiple, exchange bindings, frames of 8 KB, a failed login." <<'DO'
$C node "$clients/client.js" 10.7.2.2 5672 20 1500
DO
record tools "rabbitmq-c's tools: publish, get, consume, delete, a queue that is not there, a wrong password." <<'DO'
at="-s 10.7.2.2 --port=5672"
$C amqp-declare-queue $at -q ctool
$C amqp-publish $at -r ctool -b "from C"
$C amqp-publish $at -e amq.direct -r nobody -b dropped
$C amqp-get $at -q ctool
$C amqp-publish $at -r ctool -b two -C text/plain
$C amqp-consume $at -q ctool -c 1 cat
$C amqp-delete-queue $at -q ctool
$C amqp-get $at -q nope || true
$C amqp-publish $at --password=wrong -r x -b y || true
DO
derive gap confirms "confirms without one segment of the client in the middle: what was held back for it gets its answers, the numbers
of confirms are not known behind it." '
sent = [i for i, f in enumerate(frames) if data(f) > 0 and not server(f)]
del frames[sent[len(sent) // 2]]'
derive midstream work "work without its first 20 frames: no virtual host, no user, the rest as it was." 'del frames[:20]'
