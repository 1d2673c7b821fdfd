#!/usr/bin/env python3
"""A second implementation of docs/node-format.md, written from that document: makes the golden files.

    python3 test/unit/tree/golden/reference.py            compares the golden files with what it makes
    python3 test/unit/tree/golden/reference.py --write    writes them, and the seeds of the node fuzzer

Needs libxxhash.so.0. A format change means a new version byte and new files beside these, not other contents.
"""
import ctypes
import hashlib
import pathlib
import struct
import sys

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits_withSeed.restype = ctypes.c_uint64
XXHASH.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

LN2 = 0xB17217F7D1CF79AB


def draw(key, level):
    seed = (0x6B76732D74726565 + level * 0x9E3779B97F4A7C15) % 2**64
    return XXHASH.XXH3_64bits_withSeed(key, len(key), seed)


def negative_log(h):
    m = 2 * h + 1
    n = m.bit_length() - 1
    y = m >> 1 if n == 64 else m << (63 - n)
    f = 0
    for _ in range(48):
        q = y * y
        c = q >> 127
        y = q >> (63 + c)
        f = 2 * f + c
    return (((65 << 48) - ((n << 48) + f)) * LN2) >> 64


def shared_prefix(a, b):
    size = 0
    while size < min(len(a), len(b)) and a[size] == b[size]:
        size += 1
    return size


def encode(level, items):
    """Items are (key, value) in a leaf, (last key, address, entries) above."""
    prefix = shared_prefix(items[0][0], items[-1][0]) if items else 0
    entries = len(items) if level == 0 else sum(item[2] for item in items)
    out = struct.pack("<BBHHHQ", 1, level, len(items), prefix, 0, entries)
    end = 0
    for item in items:
        end += len(item[0]) - prefix
        out += struct.pack("<H", end)
    if level == 0:
        end = 0
        for item in items:
            end += len(item[1])
            out += struct.pack("<H", end)
    else:
        out += b"".join(struct.pack("<Q", item[2]) for item in items)
        out += b"".join(item[1] for item in items)
    out += items[0][0][:prefix] if items else b""
    out += b"".join(item[0][prefix:] for item in items)
    if level == 0:
        out += b"".join(item[1] for item in items)
    return out


def address(chunk):
    return hashlib.sha256(b"kvs chunk" + chunk).digest()


def cut(level, items):
    nodes, node, start = [], [], 0
    for item in items:
        size = len(item[0]) + (len(item[1]) + 4 if level == 0 else 40)
        end = start + size
        node.append(item)
        enough = level == 0 or len(node) >= 2
        hazard = end**4 - max(start, 512) ** 4
        if enough and (end >= 16384 or (end > 512 and negative_log(draw(item[0], level)) < hazard)):
            nodes.append(node)
            node, end = [], 0
        start = end
    return nodes + ([node] if node else [])


def root(entries):
    if not entries:
        return address(encode(0, []))
    level, items = 0, entries
    while True:
        nodes = cut(level, items)
        items = [
            (node[-1][0], address(encode(level, node)), len(node) if level == 0 else sum(i[2] for i in node))
            for node in nodes
        ]
        if len(items) == 1:
            return items[0][1]
        level += 1


def golden_files():
    entries = [
        (b"user:00000001", b'{"name": "Ada"}'),
        (b"user:00000002", b""),
        (b"user:1", b"\x00\xff\x7f"),
    ]
    leaf = encode(0, entries)
    internal = encode(3, [(key, bytes([len(value)]) * 32, len(value) + 1) for key, value in entries])
    return {
        "leaf.hex": leaf,
        "leaf_address.hex": address(leaf),
        "internal.hex": internal,
        "internal_address.hex": address(internal),
        "root.hex": root([(b"user:%08d" % i, b"value %d" % (i * i)) for i in range(100000)]),
    }


def fuzz_seeds():
    return {
        "empty_leaf": encode(0, []),
        "one_entry": encode(0, [(b"a", b"1")]),
        "leaf": golden_files()["leaf.hex"],
        "leaf_without_prefix": encode(0, [(b"", b"x"), (b"\x00", b""), (b"\x80", b"y" * 20), (b"\xff", b"")]),
        "nested_prefixes": encode(0, [(b"k" * i, b"v" * i) for i in range(1, 12)]),
        "internal": encode(1, [(b"user:%d" % i, bytes([i]) * 32, i) for i in range(1, 6)]),
        "one_child": encode(2, [(b"last", bytes(32), 7)]),
        "high_level": encode(63, [(b"a", b"\x11" * 32, 2**63), (b"b", b"\x22" * 32, 2**62)]),
    }


def main():
    here = pathlib.Path(__file__).resolve().parent
    files = {}
    for name, content in golden_files().items():
        digits = content.hex()
        lines = [digits[i : i + 64] for i in range(0, len(digits), 64)]
        files[here / name] = ("\n".join(lines) + "\n").encode()
    for name, content in fuzz_seeds().items():
        files[here.parents[2] / "fuzz/corpus/node" / name] = content
    if "--write" in sys.argv:
        for path, content in files.items():
            path.write_bytes(content)
        return 0
    different = [str(path) for path, content in files.items() if path.read_bytes() != content]
    print("\n".join(different) if different else "all equal")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
