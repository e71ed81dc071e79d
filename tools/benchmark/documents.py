"""The JSON documents that programs exchange in the benchmark: as many as a compressor needs to forget the first.

Compression by windows of 32 KiB finds a message again that it has seen before. So the documents, one after the other,
are 512 KiB before they repeat.
"""

import json
import random
import zlib
from functools import cache

TOGETHER = 1 << 19  # bytes of all documents of one size


@cache
def documents(size: int) -> list[str]:
    """Different JSON documents of exactly `size` ASCII characters, such as a program would send; always the same."""
    chance = random.Random(size)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(2000)]
    # As in any language, few words make up most of the text (Zipf's law).
    words = chance.choices(vocabulary, [1 / rank for rank in range(1, 2001)], k=50_000)
    return [_document(chance, words, size) for _ in range(TOGETHER // size)]


def _document(chance: random.Random, words: list[str], size: int) -> str:
    rows: list[str] = []
    left = size - len('{"rows": [], "note": ""}')
    while True:
        values = {
            "id": chance.randrange(10**9),
            "user": chance.choice(words),
            "text": " ".join(chance.choices(words, k=chance.randint(3, 8))),
            "price": round(chance.random() * 1000, 2),
            "at": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T{chance.randrange(24):02}:00:00Z",
            "paid": chance.random() < 0.5,
        }
        row = json.dumps(values)
        if len(row) + 2 > left:
            break
        rows.append(row)
        left -= len(row) + 2
    rest = left + 2 * bool(rows)  # there is one comma less than rows
    note = " ".join(chance.choices(words, k=rest))[:rest]
    return f'{{"rows": [{", ".join(rows)}], "note": "{note}"}}'


@cache
def bytes_at_level_6(size: int, number: int, window: int) -> float:
    """Bytes of a frame, on average, if zlib at its default level and this window compresses the first documents."""
    compressor = zlib.compressobj(wbits=-window)
    texts = documents(size)
    total = 0
    for index in range(number):
        compressed = compressor.compress(texts[index % len(texts)].encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
        payload = len(compressed) - 4  # RFC 7692, 7.2.1: the empty block at the end is not sent
        total += payload + (2 if payload < 126 else 4 if payload < 1 << 16 else 10) + 4  # the head and the mask
    return total / number
