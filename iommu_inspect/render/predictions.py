"""The table of ``predict``: the kernel's answers and why."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.kernel.answers import HOST_CRASH
from iommu_inspect.kernel.ownership.in_place_of_container import BY_IOMMUFD
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
    before: Prediction | None = None
    for prediction in predictions:
        answer = prediction.answer
        same_group = before is not None and prediction.group == before.group
        same = same_group and before and answer.because == before.answer.because
        rows.append(
            [
                "" if same_group else prediction.group or "-",
                _asked(prediction, before),
                answer.result,
                "same" if same else answer.because,
            ]
        )
        before = prediction
    headers = ["GROUP", "OPERATION", "RESULT", "BECAUSE"]
    return table(headers, rows, style, paints={2: _RESULT_COLOURS})


def _asked(prediction: Prediction, before: Prediction | None) -> str:
    """Return what is asked of whom; a long name is not said twice in a row."""
    operation, target = prediction.operation, prediction.target
    if before is not None and (operation, target) == (
        f"{before.operation}{BY_IOMMUFD}",
        before.target,
    ):
        return "the same with an iommufd"
    return operation if target == prediction.group else f"{operation} {target}"


def result_colour(result: str) -> str:
    """Return the colour of a result, an empty string for none."""
    return _RESULT_COLOURS.get(result, "red" if result.startswith("-E") else "")
