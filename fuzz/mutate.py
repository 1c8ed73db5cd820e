"""Damage to bytes: flips, cuts, copies and the values that lists break on."""

from __future__ import annotations

import random

__all__ = ["mutated"]

_TELLING = (0x00, 0x01, 0x10, 0x34, 0x40, 0x48, 0x7F, 0x80, 0xFC, 0xFE, 0xFF)


def mutated(data: bytes, dice: random.Random, pieces: tuple[bytes, ...] = ()) -> bytes:
    """Return the data with one to eight damages.

    Args:
        data: What to damage.
        dice: The source of chance; the same seed gives the same damage.
        pieces: Words of the format to put in here and there.
    """
    found = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(found) + 1)
        match dice.randrange(6 if pieces else 5):
            case 0 if at < len(found):
                found[at] = dice.choice(_TELLING)
            case 1 if at < len(found):
                found[at] ^= 1 << dice.randrange(8)
            case 2:
                del found[at:]
            case 3:
                del found[at : at + dice.randint(1, 64)]
            case 4:
                end = at + dice.randint(1, 64)
                found[at:at] = found[at:end]
            case 5:
                found[at:at] = dice.choice(pieces)
    return bytes(found)
