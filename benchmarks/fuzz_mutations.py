"""Damage for `fuzz.py`: bytes, texts, trees of JSON and YAML, and the headers of binary formats.

Every function takes a `random.Random` and what is to be damaged, and gives the damaged copy.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

Mutation = Callable[[random.Random, bytes], bytes]

MOST = 4_000_000  # bytes of a damaged file
ITEMS = 20_000  # of a damaged tree
PNG = b"\x89PNG\r\n\x1a\n"
NUMBERS = (0, -1, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64, 10**30, 10**400, 1e308, -1e308, 1e-320, 0.5,
           float("nan"), float("inf"), -float("inf"))  # fmt: skip
TEXTS = ("", " ", "a" * 100_000, "\ud800", "\x00", "../../../etc/passwd", "/dev/zero", "C:\\x", "%s%n{0}", "[red]",
         "data:;base64,AAAA", "data:", "nan", "1e999", "\u202e", "y\u0301")  # fmt: skip

SHAPES = ("(0,)", "()", "(8, 8, 3)", "(99999999999, 3, 3)", "(-1, 8, 3)", "(2**70,)", "(1000000000000, 4)", "(" * 200,
          "(8192, 8192, 3)", "(1, 8, 8, 3)", f"({'9' * 5000}, 1, 3)", "(True, 8, 3)")  # fmt: skip
DTYPES = ("<f4", "<f8", "<f2", "|O", "|u1", "<u2", "<u8", "<c16", "|V99", "<M8[ns]", "<U9", "|S0", "<f16")


def absurd(draw: random.Random, value: Any) -> Any:
    """Something else in a value's place."""
    kind = draw.randrange(8)
    if kind < 3:
        return draw.choice(NUMBERS)
    if kind == 3:
        return draw.choice(TEXTS)
    if kind == 4:
        return draw.choice((None, True, False, [], {}, [[]], {"": {}}, [None], [1, 2, 3], ["a"]))
    if kind == 5:
        return nested(draw.choice((2, 50, 900, 5000)), draw.random() < 0.5)
    if kind == 6:
        return [value] * min(draw.choice((2, 3, 4, 16, 1000, 20_000)), max(2, ITEMS // (1 + len(places(value)))))
    return {"": value, "x": [value], "\ud800": value}


def nested(depth: int, lists: bool) -> Any:
    """A value so many levels deep."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if lists else {"a": value}
    return value


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Some (container, key) in a tree, all of them where it is small."""
    found: list[tuple[Any, Any]] = []
    left = [tree]
    while left and len(found) < ITEMS:
        value = left.pop()
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            found.append((value, key))
            left.append(inner)
    return found


def damaged_tree(draw: random.Random, tree: Any) -> Any:
    """One to three values replaced, removed, exchanged, moved to another key or repeated."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        known = places(tree)
        if not known:
            return absurd(draw, tree)
        place, key = draw.choice(known)
        other, there = draw.choice(known)
        kind = draw.randrange(10)
        if kind < 5:
            place[key] = absurd(draw, place[key])
        elif kind == 5 and isinstance(place[key], (int, float)) and abs(place[key]) < 1e300:
            place[key] = place[key] * draw.choice((-1, 2, 1e6, 1e-6)) + draw.choice((0, 1, -1))
        elif kind == 6 and isinstance(place, dict):
            place.pop(key)
        elif kind == 6:
            del place[key:]
        elif kind == 7 and not isinstance(other[there], (dict, list)):
            place[key] = other[there]
        elif kind == 8 and isinstance(place, dict):
            place[draw.choice((*TEXTS, "views", "x"))] = place.pop(key)
        elif isinstance(place, list):
            place.extend(place[:1] * min(draw.choice((1, 10, 3000)), 1 + ITEMS // (1 + len(places(place[:1])))))
    return draw.choice((absurd(draw, tree), tree, *[tree] * 20))


def encoded(tree: Any) -> bytes:
    """As JSON, whatever is in it, lone surrogates and all."""
    try:
        return json.dumps(tree)[:MOST].encode()
    except RecursionError:
        return b'{"views":' * 50_000
    except ValueError:  # an integer of too many digits
        return b'{"views": [' + b"9" * 10_000 + b"]}"


def damaged_json(draw: random.Random, data: bytes) -> bytes:
    """A document with damage in the tree, or in the text."""
    if draw.random() < 0.2:
        return damaged_text(draw, data)
    return encoded(damaged_tree(draw, json.loads(data)))


def damaged_text(draw: random.Random, data: bytes) -> bytes:
    """Words, lines, quotes and line ends changed."""
    kind = draw.randrange(9)
    lines = data.split(b"\n")
    words = data.split(b" ")
    at = draw.randrange(len(words))
    if kind < 3:
        words[at] = str(draw.choice((*NUMBERS[:9], *NUMBERS[10:], *TEXTS))).encode("utf-8", "replace")
        return b" ".join(words)[:MOST]
    if kind == 3:
        at = draw.randrange(len(lines))
        return b"\n".join(lines[:at] + lines[at : at + 1] * draw.choice((2, 1000, 20_000)) + lines[at:])[:MOST]
    if kind == 4:
        draw.shuffle(lines)
        return b"\n".join(lines)
    if kind == 5:
        return data.replace(b"\n", draw.choice((b"", b"\r", b"\\\n", b"\0\n", b" \t" * 20_000 + b"\n")), 8)[:MOST]
    if kind == 6:
        mark = draw.choice((b"[", b"{", b"(", b"- ", b"&a ", b"*a ", b"'", b'"', b"? ", b"<<: ", b"-1 ", b"9"))
        words[at] = mark * draw.choice((1, 100, 10_000, 100_000))
        return b" ".join(words)[:MOST]
    if kind == 7:
        return draw.choice((b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"")) + data[:: draw.choice((1, 1, 2))]
    return damaged_bytes(draw, data)


def damaged_bytes(draw: random.Random, data: bytes) -> bytes:
    """Bits flipped, numbers overwritten, the end cut off, blocks inserted, removed, repeated or moved."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        size = max(len(found), 1)
        at = draw.randrange(size)
        kind = draw.randrange(8)
        if kind == 0 and found:
            found[at % len(found)] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del found[at:]
        elif kind == 2:
            found[at:at] = draw.randbytes(draw.choice((1, 2, 4, 100)))
        elif kind == 3:
            length = draw.choice((1, 2, 4, 8))
            number = draw.choice((0, 1, 2 ** (8 * length) - 1, 2 ** (8 * length - 1), 2 ** (8 * length - 1) - 1))
            place = min(at, draw.choice((size, 128, 32)))
            found[place : place + length] = number.to_bytes(length, draw.choice(("little", "big")))
        elif kind == 4:
            del found[at : at + draw.choice((1, 4, 100))]
        elif kind == 5:
            found[at:at] = found[at : at + 100] * draw.choice((2, 100, 10_000))
        elif kind == 6:
            other = draw.randrange(size)
            found[at : at + 64] = found[other : other + 64]
        else:
            found[at : at + draw.choice((1, 16, 1000))] = bytes(draw.choice((1, 16, 1000)))
        del found[MOST:]
    return bytes(found)


def damaged_png(draw: random.Random, data: bytes) -> bytes:
    """Sizes, kinds and contents of chunks changed, their checksums right; or any bytes."""
    if draw.random() < 0.3:
        return damaged_bytes(draw, data)
    chunks, at = [], len(PNG)
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += size + 12
    kind = draw.choice((0, 1, 3, 4, 5)) if draw.random() < 0.97 else 2
    head = bytearray(chunks[0][1])
    if kind == 0:
        head[0:8] = struct.pack(">II", *(draw.choice((0, 1, 4096, 8192, 60_000, 2**31 - 1)) for _ in range(2)))
    elif kind == 1:
        head[draw.randrange(8, 13)] = draw.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    elif kind == 2:  # a plain picture of the largest size that is allowed, or twice that
        height = draw.choice((4096, 8192))
        head = bytearray(struct.pack(">IIBBBBB", 8192, height, 8, draw.choice((0, 2, 6)), 0, 0, 0))
        chunks = [chunks[0], (b"IDAT", bomb((8192 * {0: 1, 2: 3, 6: 4}[head[9]] + 1) * height)), (b"IEND", b"")]
    elif kind == 3:
        which = draw.choice((b"zTXt", b"iCCP", b"tRNS", b"PLTE", b"eXIf", b"acTL", b"gAMA", b"iTXt"))
        content = draw.choice((b"", b"a\0\0" + bomb(50_000_000), draw.randbytes(40), b"a\0\1\0\0\0" + bomb(50_000_000)))
        chunks.insert(draw.randrange(1, len(chunks)), (which, content))
    else:
        i = draw.randrange(len(chunks))
        chunks[i] = (chunks[i][0], damaged_bytes(draw, chunks[i][1]))
    if kind != 4:
        chunks[0] = (b"IHDR", bytes(head))
    return PNG + b"".join(
        struct.pack(">I", len(c)) + name + c + struct.pack(">I", zlib.crc32(name + c)) for name, c in chunks
    )


@cache
def bomb(size: int) -> bytes:
    """So many zeros, compressed."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(1 << 20, size - done))) for done in range(0, size, 1 << 20)]
    return b"".join(parts) + packer.flush()


def damaged_npy(draw: random.Random, data: bytes) -> bytes:
    """Another header before the same numbers, or any bytes."""
    if draw.random() < 0.4:
        return damaged_bytes(draw, data)
    (length,) = struct.unpack_from("<H", data, 8)
    shape = draw.choice(SHAPES)
    kind = draw.choice(DTYPES)
    header = f"{{'descr': '{kind}', 'fortran_order': {draw.choice((True, False, 7))}, 'shape': {shape}, }}".encode()
    body = data[10 + length :]
    return data[:6] + draw.choice((b"\1\0", b"\2\0", b"\3\0", b"\1\1")) + struct.pack("<H", len(header)) + header + body


def damaged_exr(draw: random.Random, data: bytes) -> bytes:
    """An attribute of the header or the table of offsets changed, or any bytes."""
    kind = draw.randrange(3)
    if kind == 0:
        return damaged_bytes(draw, data)
    found = bytearray(data)
    if kind == 1:
        name = draw.choice((b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"))
        at = data.index(name) + len(name) + 4 + 4 * draw.randrange(4)
        found[at : at + 4] = struct.pack("<i", draw.choice((-(2**31), -1, 0, 1, 7, 8191, 65535, 10**6, 2**31 - 1)))
    else:
        end = data.index(b"\0\0", data.index(b"screenWindowWidth")) + 1
        at = min(end + draw.randrange(64), len(data) - 8)
        found[at : at + 8] = struct.pack(
            "<Q", draw.choice((0, 8, len(data), 2**63, 2**64 - 1, draw.randrange(len(data))))
        )
    return bytes(found)


def damaged_glb(draw: random.Random, data: bytes) -> bytes:
    """The JSON changed, the chunks right again; or any bytes."""
    if draw.random() < 0.3:
        return damaged_bytes(draw, data)
    (size,) = struct.unpack_from("<I", data, 12)
    text = damaged_gltf(draw, data[20 : 20 + size])
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


def damaged_gltf(draw: random.Random, data: bytes) -> bytes:
    """Nodes in circles or many times over, counts and offsets beyond the buffer; or any JSON."""
    tree = json.loads(data)
    kind = draw.randrange(12)
    many = draw.choice((2, 30, 3000, 50_000))
    if kind == 0:
        tree["nodes"] = [{"mesh": 0, "children": [draw.randrange(3)]} for _ in range(3)]
    elif kind == 1:
        tree["nodes"] = [{"children": [i + 1, i + draw.choice((1, 2))]} for i in range(many)] + [{"mesh": 0}] * 2
    elif kind == 2:
        tree["nodes"], tree["scenes"] = [{"mesh": 0}] * many, [{"nodes": list(range(many))}]
    elif kind == 3:
        tree["meshes"][0]["primitives"] *= many
    elif kind == 4:
        draw.choice(tree["accessors"])["count"] = draw.choice((0, -1, 10**6, 2**31, 2**63, 1.5))
    elif kind == 5:
        accessor = draw.choice(tree["accessors"])
        accessor.pop("bufferView", None)
        accessor["count"] = draw.choice((1, 10**6, 10**9))
    elif kind == 6:
        view = draw.choice(tree["bufferViews"])
        view[draw.choice(("byteOffset", "byteLength", "byteStride"))] = draw.choice((0, 1, -8, 2**31, 2**63))
    elif kind == 7:
        tree[draw.choice(("bufferViews", "accessors", "buffers"))] *= many
    elif kind == 8:
        tree["buffers"][0]["uri"] = draw.choice(
            ("../a.bin", "/dev/zero", "/etc/passwd", "a.bin", ".", "data:;base64,AA")
        )
    elif kind == 9:
        key = draw.choice(("matrix", "scale", "translation", "rotation"))
        tree["nodes"][0][key] = [draw.choice(NUMBERS[:9] + NUMBERS[10:])] * draw.choice((3, 4, 16))
    else:
        return damaged_json(draw, data)
    return encoded(tree)


def damaged_checkpoint(draw: random.Random, data: bytes) -> bytes:
    """Header, record or arrays changed, the digest right again where that can be; or any bytes."""
    if draw.random() < 0.3:
        return damaged_bytes(draw, data)
    (size,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + size]), bytearray(data[8 + size :])
    metadata = header["__metadata__"]
    kind = draw.randrange(4)
    if kind == 0:
        metadata["record"] = encoded(damaged_tree(draw, json.loads(metadata["record"]))).decode()
    elif kind == 1:
        header = damaged_tree(draw, header)
    else:
        for _ in range(draw.choice((1, 3, 30))):
            at = 4 * draw.randrange(len(body) // 4)
            body[at : at + 4] = struct.pack("<I", draw.choice((0, 1, 2**31 - 1, 2**32 - 1, 0x7FC00000, 0x7F800000)))
    text = encoded(_redigested(header, bytes(body)))
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _redigested(header: Any, body: bytes) -> Any:
    try:
        metadata = header["__metadata__"]
        found = hashlib.blake2b(digest_size=16)
        for text in (metadata["fingerprint"], metadata["record"]):
            found.update(f"{len(text)} {text}".encode())
        names = {"F32": "float32", "I32": "int32", "F64": "float64", "I64": "int64"}
        for name, entry in sorted((item for item in header.items() if item[0] != "__metadata__"), key=lambda i: i[0]):
            found.update(f"{name} {names[entry['dtype']]} {tuple(entry['shape'])}".encode())
            found.update(body[slice(*entry["data_offsets"])])
        metadata["digest"] = found.hexdigest()
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return header
    return header
