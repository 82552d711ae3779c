"""Plays the server's side of TDS 7.x after MS-TDS, for clients that are real: `server.py ADDRESS PORT`.

It keeps no data. A statement is answered by what it says: `rows N` in it gives N rows of many types (N over 100: in many
packets), `nowhere` error 208, `use X` a change of the database, `wait` an answer only to its cancellation, all else
DONE with a count of 1. The user `eve` may not log in."""
import re, socket, struct, sys, threading, time

def u(s): return s.encode('utf-16-le')
def b_varchar(s): return bytes([len(s)]) + u(s)
def token(t, body): return bytes([t]) + struct.pack('<H', len(body)) + body
def done(t=0xfd, status=0, count=0): return struct.pack('<BHHQ', t, status, 0xc1, count)
def error(number, text, t=0xaa, cls=16):
    return token(t, struct.pack('<iBB', number, 1, cls) + struct.pack('<H', len(text)) + u(text) + b_varchar('stand-in') + b_varchar('') + struct.pack('<I', 1))
def change(what, new, old=''): return token(0xe3, bytes([what]) + b_varchar(new) + b_varchar(old))

COLLATION = bytes([9, 4, 0xd0, 0, 0x34])
def column(name, info, flags=9): return struct.pack('<IH', 0, flags) + info + b_varchar(name)
COLUMNS = [column('id', b'\x38'), column('n', b'\x26\x04'), column('name', b'\xe7\x64\x00' + COLLATION), column('long', b'\xe7\xff\xff' + COLLATION),
           column('price', b'\x6a\x11\x0a\x02'), column('made', b'\x3d'), column('bits', b'\xa5\xff\xff'), column('guid', b'\x24\x10'), column('at', b'\x2a\x07')]
def row(i):
    name, text = u('row %d' % i), u('long text ' * 5)
    return (b'\xd1' + struct.pack('<i', i) + (b'\x00' if i % 3 == 0 else b'\x04' + struct.pack('<i', i)) + struct.pack('<H', len(name)) + name
        + struct.pack('<QI', len(text), len(text)) + text + struct.pack('<I', 0) + b'\x05\x01' + struct.pack('<I', i * 100 + 25) + struct.pack('<iI', 45000, i)
        + (struct.pack('<Q', 2 ** 64 - 1) if i % 2 else struct.pack('<QI', 3, 3) + b'\x01\xfd\xfe' + struct.pack('<I', 0)) + b'\x10' + bytes(range(16)) + b'\x08' + bytes(5) + b'\x01\x00\x00')
def rows(n): return b'\x81' + struct.pack('<H', len(COLUMNS)) + b''.join(COLUMNS) + b''.join(row(i) for i in range(n))

def prelogin():      # version 15, no encryption, no instance, no MARS
    options = [(0, b'\x0f\x00\x07\xd0\x00\x00'), (1, b'\x02'), (2, b'\x00'), (3, b''), (4, b'\x00')]
    head, text = b'', b''
    for t, v in options:
        head += struct.pack('>BHH', t, 5 * len(options) + 1 + len(text), len(v)); text += v
    return head + b'\xff' + text

class Conversation:
    def __init__(self, s): self.s, self.handles, self.size, self.old = s, {}, 4096, False
    def exactly(self, n):
        out = b''
        while len(out) < n:
            piece = self.s.recv(n - len(out))
            if not piece: raise EOFError
            out += piece
        return out
    def message(self):
        out = b''
        while True:
            kind, status, length = struct.unpack('>BBH', self.exactly(8)[:4])
            out += self.exactly(length - 8)
            if status & 1: return kind, out
    def answer(self, body):
        n = self.size - 8
        pieces = [body[i:i + n] for i in range(0, len(body), n)] or [b'']
        for i, p in enumerate(pieces):
            self.s.sendall(struct.pack('>BBHHBB', 4, i + 1 == len(pieces), len(p) + 8, 51, (i + 1) & 255, 0) + p)
    def statement(self, sql, inner=0xfd):
        if 'nowhere' in sql: return error(208, "Invalid object name 'nowhere'."), 2
        m = re.search(r'rows (\d+)', sql)
        if m: return rows(int(m[1])), 0x10, int(m[1])
        m = re.match(r'use \[?(\w+)', sql, re.I)
        if m: return change(1, m[1]), 0
        return b'', 0x10, 1
    def batch(self, body):
        sql = body[struct.unpack_from('<I', body)[0]:].decode('utf-16-le')
        if 'wait' in sql:
            while self.message()[0] != 6: pass
            return self.answer(done(status=0x20))
        if sql.lower().startswith('insert bulk'): return self.answer(done())
        b, status, *count = self.statement(sql)
        self.answer(b + done(status=status, count=count[0] if count else 0))
    def value(self, b, at):          # one parameter: name, flags, type, value; only what clients use here
        n = b[at]; self.name = b[at + 1:at + 1 + 2 * n].decode('utf-16-le'); at += 1 + 2 * n + 1
        t = b[at]; at += 1
        if t in (0x26, 0x68, 0x6d, 0x6e, 0x6f, 0x24): at += 1; n = b[at]; v = b[at + 1:at + 1 + n]; at += 1 + n
        elif t in (0x6a, 0x6c): at += 3; n = b[at]; v = b[at + 1:at + 1 + n]; at += 1 + n
        elif t in (0x29, 0x2a, 0x2b): at += 1; n = b[at]; v = b[at + 1:at + 1 + n]; at += 1 + n
        elif t == 0x28: n = b[at]; v = b[at + 1:at + 1 + n]; at += 1 + n
        elif t in (0xe7, 0xef, 0xa7, 0xaf, 0xa5, 0xad):
            size = struct.unpack_from('<H', b, at)[0]; at += 2 + (0 if t in (0xa5, 0xad) else 5)
            if size == 0xffff:
                total = struct.unpack_from('<Q', b, at)[0]; at += 8; v = b''
                while total != 2 ** 64 - 1:
                    n = struct.unpack_from('<I', b, at)[0]; at += 4
                    if not n: break
                    v += b[at:at + n]; at += n
            else:
                n = struct.unpack_from('<H', b, at)[0]; at += 2; n = 0 if n == 0xffff else n; v = b[at:at + n]; at += n
        elif t in (0x63, 0x23):
            at += 9; n = struct.unpack_from('<I', b, at)[0]; at += 4; n = 0 if n == 0xffffffff else n; v = b[at:at + n]; at += n
        else: raise ValueError(hex(t))
        return v, at
    def rpc(self, body):
        at = struct.unpack_from('<I', body)[0]
        n = struct.unpack_from('<H', body, at)[0]; at += 2
        if n == 0xffff: proc = {10: 'sp_executesql', 11: 'sp_prepare', 12: 'sp_execute', 13: 'sp_prepexec', 15: 'sp_unprepare'}.get(struct.unpack_from('<H', body, at)[0], '?'); at += 2
        else: proc = body[at:at + 2 * n].decode('utf-16-le'); at += 2 * n
        at += 2
        params, names = [], []
        while at < len(body):
            v, at = self.value(body, at)
            params.append(v); names.append(self.name)
        sql, handle = '', b''
        if proc == 'sp_executesql': sql = params[0].decode('utf-16-le')
        if proc in ('sp_prepare', 'sp_prepexec'):
            sql = params[2].decode('utf-16-le'); h = len(self.handles) + 1; self.handles[h] = sql
            handle = b'\xac\x00\x00' + b_varchar(names[0]) + b'\x01' + struct.pack('<IH', 0, 0) + b'\x26\x04\x04' + struct.pack('<i', h)
        if proc == 'sp_execute': sql = self.handles.get(struct.unpack('<i', params[0])[0], '')
        if proc in ('sp_prepare', 'sp_unprepare'): b, status, count = b'', None, 0
        else: b, status, *count = self.statement(sql); count = count[0] if count else 0
        mid = b'' if status is None else done(0xff, status | 1, count)
        self.answer(b + mid + b'\x79' + struct.pack('<i', 0) + handle + done(0xfe, 2 if status == 2 else 0))
    def run(self):
        try:
            while True:
                kind, body = self.message()
                if kind == 0x12: self.answer(prelogin())
                elif kind == 0x10:
                    text = lambda at: body[struct.unpack_from('<H', body, at)[0]:][:2 * struct.unpack_from('<H', body, at + 2)[0]].decode('utf-16-le')
                    if text(40) == 'eve': self.answer(error(18456, "Login failed for user 'eve'.", cls=14) + done(status=2)); return
                    ack = token(0xad, b'\x01' + body[4:8][::-1] + b_varchar('Stand-in') + b'\x10\x00\x07\xd0')
                    self.answer(change(1, text(68) or 'master', 'master') + error(5701, 'Changed database context.', 0xab, 0) + token(0xe3, b'\x07\x05' + COLLATION + b'\x00')
                        + change(4, '4096', '4096') + ack + done())
                elif kind == 1: self.batch(body)
                elif kind == 3: self.rpc(body)
                elif kind == 7: self.answer(done(status=0x10, count=2))
                elif kind == 0x0e:
                    at = struct.unpack_from('<I', body)[0]
                    what = struct.unpack_from('<H', body, at)[0]
                    env = token(0xe3, b'\x08\x08' + struct.pack('<Q', 49) + b'\x00') if what == 5 else token(0xe3, bytes([9 if what == 7 else 10]) + b'\x00\x08' + struct.pack('<Q', 49))
                    self.answer(env + done())
                elif kind == 6: self.answer(done(status=0x20))
        except (EOFError, ConnectionError): pass
        finally: self.s.close()

if __name__ == '__main__':
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
    while True:
        s, _ = listener.accept()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Conversation(s).run, daemon=True).start()
