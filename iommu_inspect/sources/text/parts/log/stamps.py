"""Takes off a log line what its program put before the kernel's message."""

from __future__ import annotations

import re

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Message", "Moment", "message"]

Moment = tuple[str, tuple[int | float | str, ...]]

_GREP = re.compile(r"(?:(?=\D)[\w.+@/-]{1,200}:)?(?:\d{1,7}[:-])?(?=\S)")
_LEVEL = re.compile(r"<\d{1,3}>(?=\[)")
_FACILITY = re.compile(
    r"(?:kern|user|mail|daemon|auth|syslog|lpr|news|local\d)\s*:\s*"
    r"(?:emerg|alert|crit|err|warn|notice|info|debug)\s*:\s+"
)
_ISO = (
    r"(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?"
    r"(?:Z|[+-]\d\d:?\d\d)?"
)
_MONTHS = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
_MONTH = rf"(?:{'|'.join(_MONTHS)})"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DATES = (
    # journalctl -o short-full: "Mon 2024-11-25 12:00:00 CET host kernel: ..."
    re.compile(rf"{_DAY} {_ISO} [A-Z+-][\w+:-]{{1,9}}\s+"),
    # short-iso, rsyslog, dmesg --time-format iso
    re.compile(rf"{_ISO}\s+"),
    # syslog: "Nov 25 12:00:00 host kernel: ..."
    re.compile(
        rf"(?P<month>{_MONTH}) +(?P<day>\d{{1,2}}) (?P<clock>\d\d:\d\d:\d\d)"
        r"(?:\.(?P<part>\d{1,9}))?\s+"
    ),
    # journalctl -o short-unix
    re.compile(r"(?P<unix>\d{9,10}\.\d{1,9})\s+"),
)
_CLOCKS = (
    re.compile(r"\[ *(?P<up>\d{1,9}\.\d{3,9})(?: +<[^>\n]{1,24}>)?\]\s?"),
    # dmesg -T
    re.compile(
        rf"\[{_DAY} (?P<month>{_MONTH}) +(?P<day>\d{{1,2}}) "
        r"(?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})\]\s"
    ),
    # dmesg -e: "[Nov25 12:00]", then "[  +0.000123]"
    re.compile(rf"\[{_MONTH} ?\d{{1,2}} \d\d:\d\d\]\s|\[ *\+\d{{1,9}}\.\d{{3,9}}\]\s"),
)
# CONFIG_PRINTK_CALLER: the thread or the processor.
_CALLER = re.compile(r"\[ *[TC]\d{1,9}\]\s?")
_KERNEL = re.compile(r"(?:(?!kernel:)\S{1,255}\s+)?kernel(?:\[\d+\])?:\s")
_BARE_KERNEL = re.compile(r"kernel:\s+(?=\S)")
_TOOL_LEVEL = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR):\s+")
# Two lines that were written into one: what is behind the second one's time is whole.
_TORN = re.compile(
    r".*\d\] (?=[\w.+-]+ [0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]: )"
)


@dataclass(frozen=True, slots=True)
class Message:
    """What the kernel wrote. ``marked``: something before it shows that it is a log.

    ``moment`` has a name for its clock and a time on it, where the line has one.
    """

    text: str
    marked: bool
    moment: Moment | None = None


def message(bare: str) -> Message:
    """Take a line apart; what is before the message stays where it is no log's."""
    found = _stamped(bare)
    if found.marked:
        return found
    prefix = _GREP.match(bare)
    if prefix and prefix.end():
        behind = _stamped(bare[prefix.end() :])
        if behind.marked:
            return behind
    return found


def _stamped(text: str) -> Message:
    marked, moment = False, None
    at = 0
    if level := _LEVEL.match(text, at):
        at, marked = level.end(), True
    if facility := _FACILITY.match(text, at):
        at, marked = facility.end(), True
    for pattern in _DATES:
        if date := pattern.match(text, at):
            at, marked, moment = date.end(), True, _moment(date)
            tool = _KERNEL.match(text, at) or _TOOL_LEVEL.match(text, at)
            at = tool.end() if tool else at
            break
    else:
        if alone := _BARE_KERNEL.match(text, at):
            at, marked = alone.end(), True
    for pattern in _CLOCKS:
        if clock := pattern.match(text, at):
            at, marked, moment = clock.end(), True, _moment(clock) or moment
            # journalctl -o short-monotonic has the host behind the time.
            host = _KERNEL.match(text, at)
            at = host.end() if host else at
            break
    if marked and (caller := _CALLER.match(text, at)):
        at = caller.end()
    rest = text[at:]
    if torn := _TORN.match(rest):
        return Message(rest[torn.end() :], True)
    return Message(rest.strip(), marked, moment)


def _moment(found: re.Match[str]) -> Moment | None:
    named = found.groupdict()
    part = float(f"0.{named['part']}") if named.get("part") else 0.0
    if up := named.get("up"):
        return "up", (float(up),)
    if iso := named.get("iso"):
        return "iso", (iso.replace("T", " "), part)
    if unix := named.get("unix"):
        return "unix", (float(unix),)
    if month := named.get("month"):
        year = int(named.get("year") or 0)
        day = (year, _MONTHS.index(month), int(named["day"]))
        return "date", (*day, named["clock"], part)
    return None
