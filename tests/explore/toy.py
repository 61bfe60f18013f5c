"""A problem in closed form, to explore in a blink: importable by worker processes, too."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archsim.base.errors import CheckError, ConfigError, InfeasibleError
from archsim.base.hashing import hash_data
from archsim.explore.axis import Parameter
from archsim.explore.goals import Goals
from archsim.explore.problem import Job
from archsim.explore.space import Space
from archsim.explore.study import Constraint

SPACE = {
    "a": Parameter(path="x.a", values=list(range(12))),
    "b": Parameter(path="x.b", values=list(range(12))),
    "kind": Parameter(path="x.kind", values=["plain", "fancy"]),
}


def evaluate(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return two objectives in conflict; or do what ``trouble`` says."""
    trouble = payload.get("trouble", "")
    if "log" in payload:  # who computed what, one line each, whole by O_APPEND
        with Path(payload["log"]).open("a") as stream:
            stream.write(f"{os.getpid()} {payload['a']} {payload['b']} {payload['kind']}\n")
    if payload.get("sleep_s"):
        time.sleep(payload["sleep_s"])
    if trouble == "die":
        os._exit(9)
    if trouble.startswith("die once"):
        mark = Path(trouble.removeprefix("die once "))
        if not mark.exists():
            mark.touch()
            os._exit(9)
    if trouble == "bug" or (trouble == "bug at 3" and payload["a"] == 3):
        raise KeyError("nothing there")
    if trouble == "check":
        raise CheckError("two bytes in one")
    a, b = payload["a"], payload["b"]
    if a + b > 18:
        raise InfeasibleError(
            "too much of both", demand=a + b, bound=18, unit="bytes", levers=("less a", "less b"),
            place="x.a",
        )  # fmt: skip
    fancy = payload["kind"] == "fancy"
    cheap = 1.0 if not payload.get("cheap") else 0.9 + 0.01 * ((a * 7 + b) % 5)
    time_s = (1 + a**2 + (b - 3) ** 2) * (0.8 if fancy else 1.0) * cheap
    area = 1 + (a - 11) ** 2 + (b - 8) ** 2 + (5 if fancy else 0)
    return {"time_s": time_s, "area_mm2": area, "psnr_db": 40.0 - a - b, "exact": False,
            "bottleneck": "dram", "share.dram.busy": 0.5}  # fmt: skip


class Toy:
    """One job per point."""

    version = "toy-version-0123456789"

    def __init__(self, **extra: Any):
        self.evaluate = evaluate
        self.extra = extra

    def jobs(self, settings: Mapping[str, Any]) -> dict[str, Job]:
        values = {path.removeprefix("x."): value for path, value in settings.items()}
        if values.get("kind") == "forbidden":
            raise ConfigError("there is no such kind", remedy="use another")
        payload = {**values, **self.extra}
        at = {k: values.get(k) for k in ("a", "b", "kind", "cheap")}
        return {"x": Job(hash_data(at), payload)}

    def columns(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {f"{name}.{key}": value for name, row in rows.items() for key, value in row.items()}


def goals() -> Goals:
    return Goals(
        {"x.time_s": "minimize", "x.area_mm2": "minimize"}, {"x.psnr_db": Constraint(at_least=22)}
    )


def space() -> Space:
    return Space(SPACE)
