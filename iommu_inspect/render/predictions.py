"""The table of ``predict``: the kernel's answers and why."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.kernel.answers import HOST_CRASH
from iommu_inspect.kernel.ownership.inquiry import Prediction
from iommu_inspect.render.layout import PLAIN, Style, table

__all__ = ["predict_table", "result_colour"]

_RESULT_COLOURS = {
    "0": "green",
    "viable": "green",
    "unknown": "yellow",
    "n/a": "",
    "not-viable": "red",
    HOST_CRASH: "red",
}


def predict_table(predictions: Iterable[Prediction], style: Style = PLAIN) -> str:
    """Return the table of ``predict``: who is asked, what, the answer, why.

    A reason that is that of the line above is not repeated.
    """
    rows: list[list[str]] = []
    group: str | None = ""
    because = ""
    for prediction in predictions:
        answer = prediction.answer
        same_group = prediction.group == group
        operation = prediction.operation
        if prediction.target != prediction.group:
            operation = f"{operation} {prediction.target}"
        rows.append(
            [
                "" if same_group else prediction.group or "-",
                operation,
                answer.result,
                "same" if same_group and answer.because == because else answer.because,
            ]
        )
        group, because = prediction.group, answer.because
    headers = ["GROUP", "OPERATION", "RESULT", "BECAUSE"]
    return table(headers, rows, style, paints={2: _RESULT_COLOURS})


def result_colour(result: str) -> str:
    """Return the colour of a result, an empty string for none."""
    return _RESULT_COLOURS.get(result, "red" if result.startswith("-E") else "")
