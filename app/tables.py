"""A run's result as flat tables: rows for Parquet files and pandas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archsim.summary import RATIOS, SUMMED

__all__ = ["TABLES", "table_rows", "write_tables"]

_BOUNDED = (*SUMMED, *RATIOS)

#: table -> columns with their Arrow types
TABLES: dict[str, dict[str, str]] = {
    "systems": {
        "system": "string", "machine": "string", "mode": "string", "method": "string",
        "baseline": "bool", "exact": "bool", "psnr_db": "double", "ssim": "double",
        "dram_device": "string", "dram_peak_bytes_per_s": "double",
        **{f"{name}{end}": "double" for name in _BOUNDED for end in ("", "_low", "_high")},
    },
    "frames": {
        "system": "string", "camera": "string", "time_s": "double", "energy_j": "double",
        "dram_bytes": "int64", "exact": "bool", "psnr_db": "double", "ssim": "double",
    },
    "stages": {
        "system": "string", "camera": "string", "stage": "string", "unit": "string",
        "tasks": "int64", "busy_s": "double", "start_s": "double", "finish_s": "double",
        "bytes": "int64",
    },
    "energy": {
        "system": "string", "camera": "string", "component": "string", "energy_j": "double",
        "energy_j_low": "double", "energy_j_high": "double",
    },
    "rails": {
        "system": "string", "camera": "string", "rail": "string", "energy_j": "double",
        "energy_j_low": "double", "energy_j_high": "double",
    },
    "dram": {
        "system": "string", "camera": "string", "stream": "string", "direction": "string",
        "bytes": "int64",
    },
    "units": {
        "system": "string", "camera": "string", "unit": "string", "cause": "string",
        "time_s": "double",
    },
    "buffers": {
        "system": "string", "camera": "string", "buffer": "string", "unit": "string",
        "capacity": "int64", "peak": "int64", "mean": "double",
    },
    "bounds": {
        "system": "string", "camera": "string", "unit": "string", "what": "string",
        "items": "int64", "interval_cycles": "double", "servers": "int64", "bound_s": "double",
        "time_s": "double",
    },
}  # fmt: skip

#: table of energies -> its column of names, and a frame's values and ranges
_ENERGIES = (
    ("energy", "component", "energy_by_component_j", "energy_interval_j"),
    ("rails", "rail", "energy_by_rail_j", "energy_by_rail_interval_j"),
)


def table_rows(result: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table of :data:`TABLES` from the content of ``result.json``."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for name, system in result["systems"].items():
        rows["systems"].append(_system_row(name, system, result["baseline"]))
        for frame in system["frames"]:
            at = {"system": name, "camera": frame["camera"]}
            rows["frames"].append(at | {k: frame[k] for k in TABLES["frames"] if k not in at})
            rows["stages"] += [at | stage for stage in frame["stages"]]
            for table, key, values, ranges in _ENERGIES:
                for part, energy in frame[values].items():
                    low, high = frame[ranges][part]
                    rows[table].append(
                        at | {key: part, "energy_j": energy,
                              "energy_j_low": low, "energy_j_high": high}
                    )  # fmt: skip
            for stream, size in frame["dram_bytes_by_stream"].items():
                what, _, direction = stream.rpartition("/")
                rows["dram"].append(
                    at | {"stream": what or stream, "direction": direction, "bytes": size}
                )
            rows["buffers"] += [at | row for row in frame["buffers"]]
            rows["bounds"] += [at | row | {"time_s": frame["time_s"]} for row in frame["bounds"]]
            for unit, causes in frame["time_by_cause_s"].items():
                rows["units"] += [
                    at | {"unit": unit, "cause": cause, "time_s": time}
                    for cause, time in causes.items()
                ]
    return rows


def write_tables(result: Mapping[str, Any], folder: Path) -> None:
    """Write every table as ``folder/<table>.parquet``."""
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in table_rows(result).items():
        schema = pa.schema([(column, kind) for column, kind in TABLES[name].items()])
        table = pa.Table.from_pylist(rows, schema=schema)
        parquet.write_table(table, folder / f"{name}.parquet", compression="zstd")


def _system_row(name: str, system: Mapping[str, Any], baseline: str) -> dict[str, Any]:
    row = {
        "system": name,
        "machine": system["machine"],
        "mode": system["mode"],
        "method": system["method"].get("kind"),
        "baseline": name == baseline,
        "exact": system["exact"],
        "psnr_db": system["psnr_db"],
        "ssim": system["ssim"],
        "dram_device": system["dram_device"],
        "dram_peak_bytes_per_s": system["dram_peak_bytes_per_s"],
    }
    for key in _BOUNDED:
        low, high = system["interval"].get(key) or (None, None)
        row |= {key: system[key], f"{key}_low": low, f"{key}_high": high}
    return row
