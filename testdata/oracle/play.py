"""Plays both ends of Oracle's protocol, in the forms met in traffic of JDBC 10 (thin) and OCI 10 with a server 10: there is no public
specification and no server to be had. `play.py serve ADDRESS PORT` is the server, `play.py ask ADDRESS PORT CASE` the client.
The server answers the n-th call of a case by the n-th answer."""
import socket, struct, sys

def packet(kind, body): return struct.pack('>HHBBH', len(body) + 8, 0, kind, 0, 0) + body
def data(message): return packet(6, b'\0\0' + message)
def text(s): return bytes([len(s)]) + s.encode()
DESCRIPTOR = b'(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=shop)(CID=(PROGRAM=play)(HOST=client)(USER=ann)))(ADDRESS=(PROTOCOL=TCP)(HOST=10.7.2.2)(PORT=1521)))'
CONNECT = packet(1, struct.pack('>HHHHHHHHHHIB', 316, 300, 0, 2048, 32767, 0x4f98, 0, 1, len(DESCRIPTOR), 58, 0, 0x81).ljust(50, b'\0') + DESCRIPTOR)
ACCEPT = packet(2, struct.pack('>HHHHHHHH', 313, 0x0c01, 2048, 32767, 1, 0, 32, 0xc101).ljust(24, b'\0'))

def login(function, seq, user=b'ANN'): return data(bytes([3, function, seq]) + b'\x01\x01\x03\x01\x21\x01\x01\x02\x01\x01' + user + b'\x01\x0d\x0dAUTH_PASSWORD\x01\x06\x06SECRET\0')
def thin(seq, sql, cursor=0, options=0x8021):
    s = sql.encode()
    n = bytes([1, len(s)]) if len(s) < 256 else b'\x02' + struct.pack('>H', len(s))
    return data(bytes([3, 0x5e, seq, 2]) + struct.pack('>H', options) + (b'\0' if not cursor else bytes([1, cursor])) + (b'\x01' + n if s else b'\0\0')
        + b'\x01\x01\x0d\0\0\x04\xff\xff\xff\xff\x01\x0a\x04\x7f\xff\xff\xff' + bytes(11) + b'\x01' + s + b'\x01\x01\0\0\0\0\0\0\x01\x01\0\x02\x80\0\0\0\0\0')
def oci(seq, sql):
    p, s = b'\xfe' + b'\xff' * 7, sql.encode()
    counted = bytes([len(s)]) + s if len(s) < 250 else b'\xfe' + b''.join(bytes([len(s[i:i + 64])]) + s[i:i + 64] for i in range(0, len(s), 64)) + b'\0'
    return data(bytes([0x11, 0x69, seq - 1]) + p + b'\x01\0\0\0\0\0\0\0\x03\0\0\0' + bytes([3, 0x5e, seq]) + b'\x61\x80\0\0\0\0\0\0' + p + struct.pack('<I', len(s)) + p
        + b'\x0d\0\0\0' + p + bytes(60) + counted + b'\x01\0\0\0\x01' + bytes(40))
def thin_verdict(seq, rows=0, error=0, cursor=1, message=''):
    return (bytes([4, 1, 1, 1, seq, 1, rows]) + (b'\x02' + struct.pack('>H', error) if error else b'\0') + bytes([0, 0, 1, cursor, 0, 3, 0, 1, 0x20]) + bytes(10)
        + bytes([seq]) + b'\0\x01\x01\0\0\0\0' + (text(message) if message else b''))
def oci_verdict(seq, rows=0, error=0, cursor=1, message=''):
    b = bytearray(142)
    b[0:5] = b'\x04\x01\0\0\0'; b[7] = 1; b[8:12] = struct.pack('<I', rows); b[12:14] = struct.pack('<H', error); b[18] = cursor; b[49] = seq; b[52] = 1
    return bytes(b) + (text(message) if message else b'')
NONE = 'ORA-01403: no data found\n'
ROWS = b'\x10\x17' + bytes(range(16)) + b'\x06\x02\x01\x02'
MARKS = packet(12, b'\x01\0\x01') + packet(12, b'\x01\0\x02')
LONG = "select '%s' from dual" % ('x' * 400)

CASES = {
    'thin': [(CONNECT, ACCEPT), (login(0x76, 1), data(b'\x08\x01\x02\x01\x0c\x0cAUTH_SESSKEY')), (login(0x73, 2), data(b'\x08\x01\x02\x01\x0c\x0cAUTH_VERSION')),
        (thin(3, 'select a from t'), data(ROWS + thin_verdict(3, 2, 1403, 1, NONE))), (thin(4, 'delete from t'), data(thin_verdict(4, 7, 0, 2))),
        (thin(5, 'select a from nowhere'), MARKS + data(thin_verdict(5, 0, 942, 3, 'ORA-00942: table or view does not exist\n'))),
        (thin(6, '', 2, 0x0120), data(thin_verdict(6, 8, 0, 2))), (data(b'\x03\x0e\x07'), data(b'\x09\x01\x01\x01\x07'))],
    'oci': [(CONNECT, ACCEPT), (oci(3, 'update t set a = 1'), data(oci_verdict(3, 5))), (oci(5, LONG), data(ROWS + oci_verdict(5, 1, 1403, 2, NONE))),
        (oci(7, 'select a from nowhere'), data(oci_verdict(7, 0, 942, 2, 'ORA-00942: table or view does not exist\n')))],
    'login': [(CONNECT, ACCEPT), (login(0x76, 1, b'EVE'), data(b'\x08\x01\x02\x01\x0c\x0cAUTH_SESSKEY')),
        (login(0x73, 2, b'EVE'), MARKS + data(thin_verdict(2, 0, 1017, 0, 'ORA-01017: invalid username/password; logon denied\n')))],
}
REFUSAL = b'(DESCRIPTION=(TMP=)(VSNNUM=169869568)(ERR=12514)(ERROR_STACK=(ERROR=(CODE=12514)(EMFI=4))))'

def exactly(s):
    head = b''
    while len(head) < 8: head += s.recv(8 - len(head)) or sys.exit()
    n, body = struct.unpack('>H', head[:2])[0], head
    while len(body) < n: body += s.recv(n - len(body)) or sys.exit()
    return body

if sys.argv[1] == 'serve':
    known = {ask: answer for case in CASES.values() for ask, answer in case}
    listener = socket.create_server((sys.argv[2], int(sys.argv[3])))
    while True:
        s, _ = listener.accept()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                ask = exactly(s)
                if ask[4] == 12: continue
                # Any other client is told that there is no such service.
                s.sendall(known.get(ask) or packet(4, struct.pack('>BBH', 34, 0, len(REFUSAL)) + REFUSAL))
                if ask not in known: break
        except (SystemExit, ConnectionError): pass
        s.close()
else:
    with socket.create_connection((sys.argv[2], int(sys.argv[3]))) as s:
        for ask, answer in CASES[sys.argv[4]]:
            s.sendall(ask)
            got = b''
            while len(got) < len(answer): got += s.recv(65536)
            if answer.startswith(MARKS): s.sendall(packet(12, b'\x01\0\x02'))
