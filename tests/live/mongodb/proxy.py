"""Between a client and a server that cannot compress: `proxy.py PORT SERVERPORT COMPRESSOR [ADDRESS]`. It offers the compressor
in the answers to `hello`, and packs and unpacks with the libraries of the compressors themselves."""
import socket, struct, sys, threading, zlib
import bson

address = sys.argv[4] if len(sys.argv) > 4 else '127.0.0.1'
port, server, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
number = {'snappy': 1, 'zlib': 2, 'zstd': 3}[name]
if name == 'snappy':
    import snappy
    pack, unpack = snappy.compress, snappy.decompress
elif name == 'zlib':
    pack, unpack = zlib.compress, zlib.decompress
else:
    import zstandard
    pack, unpack = zstandard.ZstdCompressor().compress, zstandard.ZstdDecompressor().decompress


def exactly(s, n):
    out = b''
    while len(out) < n:
        more = s.recv(n - len(out))
        if not more:
            raise EOFError
        out += more
    return out


def message(s):
    head = exactly(s, 16)
    size, ident, to, op = struct.unpack('<iiii', head)
    return ident, to, op, exactly(s, size - 16)


def send(s, ident, to, op, body):
    s.sendall(struct.pack('<iiii', len(body) + 16, ident, to, op) + body)


def offered(op, body):
    """A hello's answer with the compressor in it."""
    at = 20 if op == 1 else 5
    doc = bson.decode(body[at:])
    if 'maxWireVersion' in doc:
        doc['compression'] = [name]
        return body[:at] + bson.encode(doc)
    return body


def serve(client):
    upstream = socket.create_connection((address, server))
    try:
        while True:
            ident, to, op, body = message(client)
            packed = op == 2012
            if packed:
                op, _, by = struct.unpack('<iiB', body[:9])
                assert by == number
                body = unpack(body[9:])
            send(upstream, ident, to, op, body)
            if op == 2013 and struct.unpack('<I', body[:4])[0] & 2:
                # Answered to nobody; the server behind may not know that.
                continue
            ident, to, op, body = message(upstream)
            body = offered(op, body) if not packed else body
            if packed:
                body, op = struct.pack('<iiB', op, len(body), number) + pack(body), 2012
            send(client, ident, to, op, body)
    except EOFError:
        pass
    finally:
        client.close()
        upstream.close()


listener = socket.create_server((address, port))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
