"""What a run of the tool promises, as answers that can be ordered.

``GOOD`` is what somebody would act on: ready, a plan without conditions, a call that
succeeds. ``OPEN`` is unknown, ``BAD`` all that speaks against it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["BAD", "GOOD", "OPEN", "Key", "answers"]

BAD, OPEN, GOOD = 0, 1, 2
Key = tuple[str, ...]
_OF_CODE = {0: GOOD, 1: BAD, 2: BAD, 3: OPEN, 4: OPEN}
_OF_WORD = {
    "ready": GOOD,
    "unknown": OPEN,
    "blocked": BAD,
    "planned": GOOD,
    "refused": BAD,
    "user": GOOD,
    "none": GOOD,
    "kernel": BAD,
    "conflict": BAD,
    "moves": GOOD,
    "released": GOOD,
    "stays": BAD,
    "never": BAD,
    "untold": OPEN,
    "0": GOOD,
    "viable": GOOD,
}


def answers(asked: tuple[str, ...], code: int, out: str) -> Mapping[Key, int]:
    """Return the answers of one run, by what they are about.

    Raises:
        ValueError: it is no document although one was asked for.
    """
    found: dict[Key, int] = {("exit",): _OF_CODE.get(code, BAD)}
    if "json" in asked and code in (0, 1, 3):
        found |= _READERS[asked[0]](json.loads(out))
    return found


def _audit(document: Any) -> dict[Key, int]:
    found: dict[Key, int] = {("verdict",): _OF_WORD[document["verdict"]]}
    for target in document["targets"]:
        about = ("verdict", target["address"] or target["target"])
        found[about] = _OF_WORD[target["verdict"]]
    return found


def _list(document: Any) -> dict[Key, int]:
    return {
        ("ownership", device["address"]): _OF_WORD[group["ownership"]]
        for group in document["groups"]
        for device in group["devices"]
    }


def _plan(document: Any) -> dict[Key, int]:
    """A plan with conditions promises nothing until they have been looked at."""
    most = OPEN if document["conditions"] else GOOD
    verdict = min(most, _OF_WORD[document["verdict"]])
    found: dict[Key, int] = {("plan",): verdict}
    for move in document["members"]:
        decided = min(_OF_WORD[move["decision"]], most)
        # Of a plan that is refused nothing is carried out.
        found["decision", move["address"]] = min(decided, verdict)
    return found


def _predict(document: Any) -> dict[Key, int]:
    return {
        (answer["operation"], answer["target"]): (
            OPEN
            if answer["result"] == "unknown"
            else GOOD
            if answer["result"] in ("0", "viable")
            else BAD
        )
        for answer in document["predictions"]
    }


def _why(document: Any) -> dict[Key, int]:
    agrees = document["recomputed"]["agrees"]
    grows = document["growth"]["can_grow"]
    return {
        ("agrees",): OPEN if agrees is None else GOOD if agrees else BAD,
        ("stays as it is",): {"no": GOOD, "unknown": OPEN}.get(grows, BAD),
        **dict(_reasons(document)),
    }


def _reasons(document: Any) -> Iterator[tuple[Key, int]]:
    """Yield each reason that was found: it has to be one at rest, too."""
    for reason in document["reasons"]:
        mechanism = reason["mechanism"]
        if mechanism != "unknown":
            yield ("together", reason["with"], mechanism), GOOD


_READERS: Mapping[str, Callable[[Any], dict[Key, int]]] = {
    "audit": _audit,
    "list": _list,
    "plan": _plan,
    "predict": _predict,
    "why": _why,
}
