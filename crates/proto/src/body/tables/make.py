#!/usr/bin/env python3
"""Makes the tables of charsets beside this file from Python's codecs.

Each table: code points of 16 bits (0 = none), each as its difference from the one before,
all high bytes and then all low bytes, deflated (RFC 1951).
"""
import os
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
SINGLE = ["cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
          "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8", "iso8859_10",
          "iso8859_13", "iso8859_14", "iso8859_15", "iso8859_16", "koi8_r", "koi8_u", "cp866", "mac_roman"]


def char(codec, code):
    try:
        s = bytes(code).decode(codec)
    except UnicodeDecodeError:
        return 0
    return ord(s) if len(s) == 1 and ord(s) < 0x10000 else 0


def write(name, table):
    last, diffs = 0, []
    for x in table:
        diffs.append((x - last) & 0xFFFF)
        last = x
    planes = bytes(d >> 8 for d in diffs) + bytes(d & 255 for d in diffs)
    best = b""
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED):
        z = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy)
        out = z.compress(planes) + z.flush()
        best = out if not best or len(out) < len(best) else best
    with open(os.path.join(HERE, name + ".bin"), "wb") as f:
        f.write(best)
    print(name, len(table), len(best))


def two(codec, leads, trails):
    return [char(codec, (lead, trail)) for lead in leads for trail in trails]


def span(*ranges):
    return [x for a, b in ranges for x in range(a, b + 1)]


write("gb18030", two("gb18030", span((0x81, 0xFE)), span((0x40, 0x7E), (0x80, 0xFE))))
write("big5", two("cp950", span((0xA1, 0xF9)), span((0x40, 0x7E), (0xA1, 0xFE))))
write("euckr", two("cp949", span((0x81, 0xFE)), span((0x41, 0xFE))))
write("sjis", two("cp932", span((0x81, 0x9F), (0xE0, 0xFC)), span((0x40, 0x7E), (0x80, 0xFC))))
write("single", [char(c, (b,)) for c in SINGLE for b in range(0x80, 0x100)])
