"""All points of a study as one table: parameters, what became of them, result columns."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from archsim.explore.problem import Outcome
    from archsim.sweep_api import Study

__all__ = ["points_table", "table_bytes", "times_table"]


def points_table(study: Study) -> pa.Table:
    """Return one row per point, sorted by the point; nothing in it depends on times.

    ``param.<name>`` (null where the parameter does not exist), ``status``, ``valid``, ``front``,
    ``source``, ``asked``, for infeasible points ``reason``, ``demand``, ``bound``, ``gap``,
    ``unit``, ``place`` and ``levers``, ``error``, and ``<system>.<column>`` of every result.
    """
    import pyarrow as pa

    front = {id(o) for o in study.front}
    outcomes = study.outcomes
    columns: dict[str, Any] = {}
    for name, axis in study.resolved.space.axes.items():
        values = [o.point.get(name) for o in outcomes]
        columns[f"param.{name}"] = _array(pa, values, numbers=axis.ordered)
    columns["status"] = pa.array([o.status for o in outcomes], pa.string())
    columns["valid"] = pa.array([o.valid for o in outcomes], pa.bool_())
    columns["front"] = pa.array([id(o) in front for o in outcomes], pa.bool_())
    columns["source"] = pa.array([o.source for o in outcomes], pa.string())
    columns["asked"] = pa.array([o.asked for o in outcomes], pa.int64())
    for name in ("reason", "place", "unit"):
        columns[name] = pa.array(
            [o.infeasible and getattr(o.infeasible, name) for o in outcomes], pa.string()
        )
    for name in ("demand", "bound", "gap"):
        columns[name] = pa.array(
            [o.infeasible and getattr(o.infeasible, name) for o in outcomes], pa.float64()
        )
    columns["levers"] = pa.array(
        [" | ".join(o.infeasible.levers) if o.infeasible else None for o in outcomes], pa.string()
    )
    columns["error"] = pa.array([o.error for o in outcomes], pa.string())
    for name in sorted({name for o in outcomes for name in o.columns}):
        columns[name] = _column(pa, outcomes, name)
    return pa.table(columns)


def times_table(study: Study) -> pa.Table:
    """Return, per point in the same order, its computing time and whether the store had it."""
    import pyarrow as pa

    return pa.table({
        "asked": pa.array([o.asked for o in study.outcomes], pa.int64()),
        "took_s": pa.array([o.took_s for o in study.outcomes], pa.float64()),
        "from_store": pa.array([o.reused for o in study.outcomes], pa.bool_()),
    })  # fmt: skip


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _column(pa: Any, outcomes: list[Outcome], name: str) -> Any:
    values = [o.columns.get(name) for o in outcomes]
    known = [v for v in values if v is not None]
    if all(isinstance(v, bool) for v in known):
        return pa.array(values, pa.bool_())
    if all(isinstance(v, (int, float)) for v in known):
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def _array(pa: Any, values: list[Any], *, numbers: bool) -> Any:
    """Return parameter values: numbers as such, text as text, others as JSON."""
    known = [v for v in values if v is not None]
    if numbers:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if all(isinstance(v, str) for v in known):
        return pa.array(values, pa.string())
    return pa.array([None if v is None else json.dumps(v) for v in values], pa.string())
