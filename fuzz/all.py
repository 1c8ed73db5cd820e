"""Fuzz all targets in turn: ``python -m fuzz.all --hours 1`` (``make fuzz``).

Each turn is a process of its own, so that a crash of the interpreter ends a turn only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from fuzz.ledger import read

__all__ = ["TARGETS"]

TARGETS = (
    *("machines", "archives", "settings", "texts", "options", "pastes", "lspci_text"),
    "config_space",
)
_ROOT = Path(__file__).resolve().parents[1]
# A killed interpreter says nothing; so long a turn may take beside its CPU time.
_PATIENCE = 40


def _turn(name: str, seed: int, seconds: float, ledger: Path, found: Path) -> bool:
    words = [sys.executable, "-m", f"fuzz.{name}", f"--seconds={seconds}"]
    words += [f"--seed={seed}", f"--ledger={ledger}", f"--found={found}"]
    try:
        patience = _PATIENCE * seconds + 600
        done = subprocess.run(words, cwd=_ROOT, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        print(f"{name}, from seed {seed}: does not end", file=sys.stderr)
        return False
    if done.returncode not in (0, 1):
        print(f"{name}, from seed {seed}: status {done.returncode}", file=sys.stderr)
    return not done.returncode


def main() -> int:
    """Run all targets until so much CPU time is used; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=0.1, help="of CPU, all together")
    parser.add_argument("--turn", type=float, default=60, help="seconds of one turn")
    parser.add_argument("--seed", type=int, default=1, help="where to begin")
    parser.add_argument("--ledger", type=Path, default=Path("fuzz-found/ledger.tsv"))
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"))
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no target is called {', '.join(sorted(unknown))}")
    asked.targets = asked.targets or TARGETS
    asked.ledger.parent.mkdir(parents=True, exist_ok=True)
    asked.ledger.touch()
    seeds = dict.fromkeys(asked.targets, asked.seed)
    before = len(read([asked.ledger]))
    good, used = True, 0.0
    while used < asked.hours * 3600:
        for name in asked.targets:
            ledger, found = asked.ledger.resolve(), asked.found.resolve()
            good &= _turn(name, seeds[name], asked.turn, ledger, found)
            mine = [e for e in read([ledger])[before:] if e.target == name]
            # A turn that never came to its end is not tried for ever.
            seeds[name] = max([seeds[name] + 1, *(e.seed + e.inputs for e in mine)])
        used = sum(e.cpu for e in read([asked.ledger])[before:]) or used + 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
