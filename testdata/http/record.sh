#!/usr/bin/env bash
# Records the HTTP captures: nginx, node and Python's http.server as servers; curl and plain sockets as clients.
# `ONLY=case testdata/http/record.sh` records one anew. Then: UPDATE=1 cargo test -p mfnano --test golden
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
network

mkdir -p "$work/www/static" "$work/tmp"
python3 - "$work/www" <<'PY'
import sys
www = sys.argv[1]
open(www + '/index.html', 'w').write('<!doctype html><title>Start</title><p>It works, says the server: \u00e9\u6f22\n')
open(www + '/lines.txt', 'w').write(''.join(f'line {i} of a text that is longer than a segment\n' for i in range(400)))
open(www + '/data.json', 'w').write('{"items":[' + ','.join(f'{{"id":{i},"name":"item {i}"}}' for i in range(60)) + ']}\n')
open(www + '/latin1.txt', 'wb').write('caf\u00e9 cr\u00e8me\n'.encode('latin-1'))
open(www + '/pixel.png', 'wb').write(bytes.fromhex('89504e470d0a1a0a') + bytes(range(256)))
PY
zstd -q -f "$work/www/data.json" -o "$work/www/static/data.json.zst"
cat >"$work/nginx.conf" <<CONF
daemon off;
user root;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/nginx.log;
events {}
http {
    access_log off;
    client_body_temp_path $work/tmp; proxy_temp_path $work/tmp; fastcgi_temp_path $work/tmp;
    uwsgi_temp_path $work/tmp; scgi_temp_path $work/tmp;
    types { text/html html; text/plain txt; application/json json; image/png png; }
    gzip_types text/plain application/json;
    server {
        listen 80; listen [::]:80;
        root $work/www;
        location /gzip/ { alias $work/www/; gzip on; }
        location /latin1.txt { charset iso-8859-1; }
        location /zstd { default_type application/json; add_header Content-Encoding zstd; alias $work/www/static/data.json.zst; }
        location /accept { return 200 "taken\n"; }
        location /moved { return 301 /index.html; }
        location /forbidden { deny all; }
        location /teapot { return 418; }
        location /broken { return 500 "it broke\n"; }
        location /busy { add_header Retry-After 5 always; return 503; }
        location /nobody { proxy_pass http://127.0.0.1:9; }
        location /reset { return 444; }
    }
}
CONF
cat >"$work/app.js" <<'JS'
const http = require('http'), zlib = require('zlib'), net = require('net'), crypto = require('crypto')
const body = JSON.stringify({ items: Array.from({ length: 60 }, (_, i) => ({ id: i, name: `item ${i}` })) })
const server = http.createServer((req, res) => {
  const send = (coding, bytes) => {
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': coding }); res.end(bytes)
  }
  if (req.url === '/br') return send('br', zlib.brotliCompressSync(body))
  if (req.url === '/deflate') return send('deflate', zlib.deflateSync(body))
  if (req.url === '/raw-deflate') return send('deflate', zlib.deflateRawSync(body))
  if (req.url === '/trailer') {
    res.writeHead(200, { 'Content-Type': 'text/plain', Trailer: 'X-Sum' })
    res.write('first part, '); setTimeout(() => { res.write('second part'); res.addTrailers({ 'X-Sum': '1' }); res.end() }, 30)
    return
  }
  if (req.url === '/hints') { res.writeProcessing(); return setTimeout(() => res.end('after 102'), 20) }
  let got = 0
  req.on('data', d => { got += d.length })
  req.on('end', () => { res.setHeader('Content-Type', 'text/plain'); res.end(`${req.method} ${got} bytes\n`) })
})
server.on('upgrade', (req, socket) => {
  const accept = crypto.createHash('sha1').update(req.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  socket.on('data', () => { socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello')])); socket.end() })
})
server.on('connect', (req, socket) => {
  const [host, port] = req.url.split(':')
  const to = net.connect(+port, host, () => { socket.write('HTTP/1.1 200 Connection Established\r\n\r\n'); to.pipe(socket); socket.pipe(to) })
  to.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
})
server.listen(8080, '::')
JS
cat >"$work/old.py" <<'PY'
# Python's http.server speaks HTTP/1.0: the end of the connection ends the body.
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.end_headers()
        for i in range(30):
            self.wfile.write(b'%d: as long as the connection lasts\n' % i)
    def do_POST(self):
        got = self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(repr([self.headers['X-Folded'], got]).encode())
http.server.ThreadingHTTPServer(('10.7.2.2', 8000), Handler).serve_forever()
PY
# Sends texts over one connection, each after the answer to the one before; `--` lines part them.
cat >"$work/say.py" <<'PY'
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.settimeout(0.4)
def hear():
    got = b''
    try:
        while (b := s.recv(65536)):
            got += b
    except (TimeoutError, ConnectionError):
        pass
    return got
for part in sys.stdin.buffer.read().split(b'--\n'):
    s.sendall(part.replace(b'\n', b'\r\n'))
    print(hear())
s.close()
PY
serve $S nginx -c "$work/nginx.conf"
serve $S node "$work/app.js"
serve $S python3 "$work/old.py"
for port in 80 8080 8000; do wait_port $port; done
U=http://10.7.2.2

record keep-alive "curl asks nginx for four things over one connection: a page, a text longer than a segment, JSON, and a picture
whose body is left out. One record a request, each with its own delays and bytes." <<'DO'
$C curl -sS -o /dev/null $U/index.html -o /dev/null $U/lines.txt -o /dev/null $U/data.json -o /dev/null $U/pixel.png \
    -H 'X-Request-Id: r-1' -H 'Cookie: session=secret' -H 'Referer: http://example.com/' -H 'X-Forwarded-For: 203.0.113.9, 10.0.0.1'
DO
record pipelined "A plain socket sends five requests to nginx in one segment. Five answers come back, in order, a HEAD and a 404
among them; each belongs to its own request." <<'DO'
printf 'GET /index.html HTTP/1.1\nHost: a\n\nHEAD /lines.txt HTTP/1.1\nHost: b\n\nGET /no HTTP/1.1\nHost: c\n\nGET /data.json HTTP/1.1\nHost: d\n\nGET /latin1.txt HTTP/1.1\nHost: e\nConnection: close\n\n' | $C python3 "$work/say.py" 10.7.2.2 80
DO
record gzip-chunked "curl --compressed and nginx with gzip: chunked bodies are put together and decompressed; RSP_BYTES is the size
on the wire without the chunk lines." <<'DO'
$C curl -sS --compressed -o /dev/null $U/gzip/lines.txt -o /dev/null $U/gzip/data.json
DO
record codings "Bodies in br, deflate (zlib and raw, as servers do both) from node, and zstd from nginx: all readable." <<'DO'
$C curl -sS --compressed -o /dev/null $U:8080/br -o /dev/null $U:8080/deflate -o /dev/null $U:8080/raw-deflate
$C curl -sS -o /dev/null $U/zstd
DO
record trailer "node sends a chunked body in two parts, 30 ms apart, with a trailer; PAGELOAD is longer than HTTP_RESPONSE. Then an
interim 102 before the final answer: the record has the final one." <<'DO'
$C curl -sS -o /dev/null $U:8080/trailer -o /dev/null $U:8080/hints
DO
record post "curl posts a form, JSON, a multipart form with a file, and a chunked upload without a length, all to node. Fields are
told, the file is measured; the password in the form is masked (redaction is on by default)." <<'DO'
$C curl -sS -d 'user=jane&password=hunter2&note=caf%C3%A9' $U:8080/form
$C curl -sS -H 'Content-Type: application/json' -d '{"user":"jane","password":"hunter2","n":1}' $U:8080/json
$C curl -sS -F 'title=A file' -F 'file=@'"$work"'/www/pixel.png;type=image/png' $U:8080/multipart
$C curl -sS -T - $U:8080/upload <"$work/www/data.json"
DO
record put-delete "PUT, PATCH, DELETE and OPTIONS to node." <<'DO'
$C curl -sS -X PUT -d 'a=1' $U:8080/thing $U:8080/other
$C curl -sS -X PATCH -H 'Content-Type: application/json' -d '{"a":2}' $U:8080/thing
$C curl -sS -X DELETE $U:8080/thing
$C curl -sS -X OPTIONS $U:8080/thing
DO
record continue-100 "curl asks with Expect: 100-continue, node says 100, takes the body and says 200: one record, with the 200." <<'DO'
$C curl -sS -H 'Expect: 100-continue' --data-binary @"$work/www/lines.txt" -o /dev/null $U:8080/accept -o /dev/null $U:8080/again
DO
record early-answer "curl sends a long body, nginx answers before it has read it, then reads on: one record, and no time between the
end of the request and the answer." <<'DO'
$C curl -sS -H 'Expect: 100-continue' --data-binary @"$work/www/lines.txt" $U/accept
$C curl -sS -o /dev/null $U/index.html
DO
record head-304 "HEAD and a conditional GET answered by 304: answers with a Content-Length or none, and without a body. The next
request of the connection is still found." <<'DO'
$C curl -sS -I $U/lines.txt $U/data.json
$C curl -sS -z "$work/www/lines.txt" -o /dev/null $U/lines.txt -o /dev/null $U/index.html
DO
record websocket "node's HTTP server is asked to upgrade to WebSocket: one record with 101; the frames that follow are not HTTP
and give none." <<'DO'
printf 'GET /chat HTTP/1.1\nHost: ws.example\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n--\n\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e' | $C python3 "$work/say.py" 10.7.2.2 8080
DO
record connect "curl goes through node as a proxy with CONNECT to nginx: a record for CONNECT, then one for the request inside the
tunnel. A second CONNECT leads nowhere: 502." <<'DO'
$C curl -sS -p -x $U:8080 -o /dev/null $U/index.html
$C curl -sS -p -x $U:8080 -o /dev/null http://127.0.0.1:9/ || true
DO
record http10-close "Python's http.server speaks HTTP/1.0: the body lasts until the connection ends." <<'DO'
$C curl -sS -0 -o /dev/null $U:8000/ 
$C curl -sS -o /dev/null $U:8000/again
DO
record folded-header "A header line continued on the next one (obsolete line folding, RFC 9112 section 5.2) to Python's http.server,
which takes it." <<'DO'
printf 'POST /folded HTTP/1.1\nHost: old.example\nX-Folded: first\n second\n\tthird\nContent-Length: 4\n\nbody' | $C python3 "$work/say.py" 10.7.2.2 8000
DO
record errors "nginx answers 404, 403, 405, 418, 500, 503, 301, 502 (its backend is down), 400 (no Host), and closes without an
answer (444): a record without one. One request says HTTP/3.7 and gets 505: told as it is." <<'DO'
for path in missing forbidden teapot broken busy moved nobody; do $C curl -sS -o /dev/null $U/$path; done
$C curl -sS -o /dev/null -X DELETE $U/index.html
printf 'GET / HTTP/1.1\n\n' | $C python3 "$work/say.py" 10.7.2.2 80
printf 'GET / HTTP/3.7\nHost: a\n\n' | $C python3 "$work/say.py" 10.7.2.2 80
$C curl -sS -o /dev/null $U/reset || true
DO
record odd-requests "What robots and old clients send to nginx: an empty line first, an absolute URL, an encoded URL, lower-case header
names, a bare OPTIONS *, 8-bit bytes in a header, and a line that is no HTTP at all." <<'DO'
printf '\nGET http://abs.example/index.html HTTP/1.1\nhost: abs.example\nuser-agent: Lower/1\n\n--\nGET /%%69ndex.html?q=a%%20b&x=<script> HTTP/1.1\nHost:no-blank\nX-Name: caf\xe9\n\n--\nOPTIONS * HTTP/1.1\nHost: a\n\n--\nwhat is this\n\n' | $C python3 "$work/say.py" 10.7.2.2 80
DO
record ipv6 "curl to nginx over IPv6: two requests on one connection." <<'DO'
$C curl -sS -g -o /dev/null 'http://[fd07:2::2]/index.html' -o /dev/null 'http://[fd07:2::2]/data.json'
DO
record no-answer "The server is stopped before it answers and the client leaves with a reset: a record without an answer." <<'DO'
kill -STOP "$(cat "$work/nginx.pid")" $(pgrep -P "$(cat "$work/nginx.pid")")
$C python3 -c 'import socket, struct, time
s = socket.create_connection(("10.7.2.2", 80))
s.sendall(b"GET /index.html HTTP/1.1\r\nHost: silent\r\n\r\n")
time.sleep(0.3)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()'
kill -CONT "$(cat "$work/nginx.pid")" $(pgrep -P "$(cat "$work/nginx.pid")")
DO
record retransmission "The router loses the first segment with data of the client: it is sent again after the retransmission timeout.
One record, RETRANS_PKTS 1, and the delay counts from the request that the server got." <<'DO'
$R nft add table ip loss
$R nft 'add chain ip loss f { type filter hook forward priority 0; }'
$R nft 'add rule ip loss f tcp dport 80 tcp flags & (syn|fin|rst|psh|ack) == psh|ack limit rate 1/hour burst 1 packets drop'
$C curl -sS -o /dev/null $U/index.html -o /dev/null $U/data.json
$R nft delete table ip loss
DO
record lost-answer "The router loses the first long segment of an answer on its way: nginx sends it again, behind all the others. One
record with the whole answer; the segment that comes late is a retransmission, as the duplicate ACKs before it show." <<'DO'
$R nft add table ip loss
$R nft 'add chain ip loss f { type filter hook forward priority 0; }'
$R nft 'add rule ip loss f tcp sport 80 ip length > 1000 limit rate 1/hour burst 1 packets drop'
$C curl -sS -o /dev/null $U/lines.txt -o /dev/null $U/index.html
$R nft delete table ip loss
DO
derive midstream keep-alive "keep-alive without its first frames: handshake, first request and the head of its answer were before the
capture. The requests that follow are told; the first says \`midstream\`." \
    'del frames[:next(i for i, f in enumerate(frames) if server(f) and data(f) > 0) + 1]'
derive gap keep-alive "keep-alive without one segment in the middle of the second answer (a text): the capture missed it, the receiver
did not. That answer is told with \`gap\`, the requests after it are whole." \
    'big = [i for i, f in enumerate(frames) if server(f) and data(f) > 1000]
del frames[big[3]]'
derive gap-head keep-alive "keep-alive without the segment that begins the second answer: its head is lost. That request is told without
status, or with what can be known; the third and fourth are whole." \
    'big = [i for i, f in enumerate(frames) if server(f) and data(f) > 0]
del frames[big[1]]'
derive out-of-order keep-alive "keep-alive with two pairs of neighbouring segments of the second answer swapped, as a network with
several ways does: the same records, and OOO_PKTS." \
    'big = [i for i, f in enumerate(frames) if server(f) and data(f) > 1000 and server(frames[i + 1]) and data(frames[i + 1]) > 1000]
swap(big[1], big[1] + 1)
swap(big[-1], big[-1] + 1)'
