#!/usr/bin/env python3
"""Makes the tables of charsets beside this file from Python's codecs; 0 = none. Packed by pack.py.
"""
import os

from pack import charset

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


def write(name, packed):
    with open(os.path.join(HERE, name + ".bin"), "wb") as f:
        f.write(packed)
    print(name, len(packed))


def two(codec, leads, trails):
    return [char(codec, (lead, trail)) for lead in leads for trail in trails]


def span(*ranges):
    return [x for a, b in ranges for x in range(a, b + 1)]


write("gb18030", charset(two("gb18030", span((0x81, 0xFE)), span((0x40, 0x7E), (0x80, 0xFE))), 126, 190, (32, 96), False))
write("big5", charset(two("cp950", span((0xA1, 0xF9)), span((0x40, 0x7E), (0xA1, 0xFE))), 89, 157, (0, 0), False))
write("euckr", charset(two("cp949", span((0x81, 0xFE)), span((0x41, 0xFE))), 126, 190, (32, 96), False))
write("sjis", charset(two("cp932", span((0x81, 0x9F), (0xE0, 0xFC)), span((0x40, 0x7E), (0x80, 0xFC))), 60, 188, (0, 0), False))
write("single", charset([char(c, (b,)) for c in SINGLE for b in range(0x80, 0x100)], 26, 128, (0, 0), True))
