"""Sound files made odd: octets, DER, JSON and lines changed, and what is known to hurt put in."""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

Mutate = Callable[[random.Random, bytes], bytes]
_LONG = b"9" * 5000
_TOKENS = (
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b"'",
        b'"',
        b"'''",
        b'"""',
        b"#",
        b"=",
        b",",
    ),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"[" * 2000,
        b"a." * 3000 + b"b = 1\n",
        b'{"a":' * 2000,
        b"a = {" * 50,
        b"\\",
        b"%(x)s",
        b"*",
        b"-",
    ),
    *(
        _LONG,
        b"0x" + b"f" * 5000,
        b"-1",
        b"1e999",
        b"nan",
        b"NaN",
        b"Infinity",
        b"null",
        b"true",
        b"[]",
    ),
    *(
        b"9999-12-31T23:59:59+00:00",
        b"0001-01-01T00:00:00+14:00",
        b"0000-00-00",
        b"25:61:61",
        b"{}",
    ),
    *(
        "\u0661".encode(),
        "\u202e".encode(),
        "\U0001f512".encode(),
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b'"\\ud800"',
    ),
    *(
        b"1 example.test\n",
        b"_70000._tcp.x.test",
        b"_25.tcp.x.test",
        b"a" * 300,
        b"\xc3\xa4" * 2000,
        b"..",
    ),
)
_ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        10**400,
        1e300,
        float("nan"),
        float("inf"),
        "",
        "\0",
        "\ud800",
        "a" * 5000,
    ),
    *(
        [],
        {},
        [[]],
        "9999-12-31T23:59:59+00:00",
        "0001-01-01T00:00:00+14:00",
        "2026-01-01",
        "zz",
        "-",
    ),
    *([None], {"a": 1}, "*", "..", "1" * 300, 2**63, -(2**63), 0.5, "2026-06-01T12:00:00+00:00"),
)


def octets(dice: random.Random, data: bytes) -> bytes:
    """Octets changed, taken out, doubled; what is known to hurt put in."""
    odd = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        at = dice.randrange(len(odd) + 1)
        match dice.randrange(6):
            case 0 if at < len(odd):
                odd[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(odd):
                odd[at] = dice.randrange(256)
            case 2:
                del odd[at : at + dice.choice((1, 2, 16, 4096))]
            case 3:
                odd[at:at] = odd[at : at + dice.choice((1, 4, 64))]
            case 4:
                end = at + dice.choice((0, 0, 1, 5, 20))
                odd[at:end] = dice.choice(_TOKENS)
            case _:
                del odd[at:]
    return bytes(odd)


def der(dice: random.Random, data: bytes) -> bytes:
    """DER with its lengths kept, mostly: tags, versions, dates and names changed in place."""
    odd = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at = dice.randrange(len(odd))
        match dice.randrange(5):
            case 0:
                odd[at] ^= 1 << dice.randrange(8)
            case 1:
                odd[at] = dice.choice(
                    b"\x00\x01\x02\x05\x06\x0c\x13\x17\x18\x30\x31\x80\x81\x82\x83\xa0\xa3\xff"
                )
            case 2:  # a tag with the length behind it
                odd[at] = (odd[at] + dice.choice((1, -1, 2, 0x80))) % 256
            case 3:
                span = dice.choice((2, 4, 13))
                odd[at : at + span] = bytes(dice.randrange(256) for _ in odd[at : at + span])
            case _:
                other = dice.randrange(len(odd))
                odd[at : at + 3] = odd[other : other + 3]
    return bytes(odd)


_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----\n(.*?)-----END [A-Z ]+-----\n", re.DOTALL)


def armoured(dice: random.Random, data: bytes) -> bytes:
    """The DER in PEM blocks made odd, or now and then the text around it."""
    if not dice.randrange(5):
        return octets(dice, data)
    blocks = _BLOCK.findall(data)
    chosen = dice.randrange(len(blocks))
    made = []
    for number, (label, text) in enumerate(blocks):
        inside = base64.b64decode(text)
        inside = der(dice, inside) if number == chosen else inside
        made.append(
            b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, base64.encodebytes(inside), label)
        )
    return b"".join(made)


def documents(dice: random.Random, data: bytes) -> bytes:
    """JSON with a value somewhere replaced, or now and then its octets."""
    if not dice.randrange(3):
        return octets(dice, data)
    document = json.loads(data)
    for _ in range(dice.choice((1, 1, 2))):
        holders = list(_holders(document))
        if not holders:
            break
        holder, key = dice.choice(holders)
        match dice.randrange(4):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1:
                other, place = dice.choice(holders)
                holder[key] = json.loads(json.dumps(other[place]))
            case _:
                holder[key] = copy.deepcopy(dice.choice(_ODD_VALUES))
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        yield value, key
        yield from _holders(item)


def lines(dice: random.Random, data: bytes) -> bytes:
    """Lines changed, doubled, out of order, or with another value; or now and then octets."""
    if not dice.randrange(3):
        return octets(dice, data)
    rows = data.splitlines(keepends=True)
    for _ in range(dice.choice((1, 1, 2))):
        at = dice.randrange(len(rows))
        name, equals, _value = rows[at].partition(b"=")
        match dice.randrange(4):
            case 0:
                rows.insert(at, dice.choice(rows))
            case 1:
                rows[at : at + 1] = []
                rows = rows or [b""]
            case 2 if equals:
                rows[at] = name + b"= " + _written(dice) + b"\n"
            case _:
                rows[at] = octets(dice, rows[at] or b"\n")
    return b"".join(rows)


def _written(dice: random.Random) -> bytes:
    """A value, in quotes or not, or a list or table of it."""
    token = dice.choice(_TOKENS)
    form = dice.choice((b"%b", b'"%b"', b"[%b]", b'["%b"]', b"{ a = %b }", b"'''%b'''"))
    return form % token
