"""One property is one test with many examples."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["each"]

Test = Callable[..., None]


def each(names: str, cases: Collection[Any]) -> Callable[[Test], Test]:
    """Call the test with each case, as ``parametrize`` does, but as one test.

    What fails says for which case. All cases share the test's fixtures.
    """
    keys = names.replace(" ", "").split(",")
    assert cases

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def looped(*arguments: Any, **fixtures: Any) -> None:
            for case in cases:
                values = case if len(keys) > 1 else (case,)
                named = dict(zip(keys, values, strict=True))
                try:
                    test(*arguments, **fixtures, **named)
                except BaseException as error:
                    error.add_note(f"with {named}")
                    raise

        signature = inspect.signature(test)
        left = [p for p in signature.parameters.values() if p.name not in keys]
        looped.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return looped

    return decorate
