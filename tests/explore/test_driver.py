"""The loop: same asks and results on any number of workers, resumed or not."""

import random
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import toy

from archsim.base.errors import ConfigError, ResourceError
from archsim.explore.driver import Driver, Progress
from archsim.explore.fleets import here, on_processes
from archsim.explore.goals import Goals
from archsim.explore.problem import Outcome
from archsim.explore.screen import Screening
from archsim.explore.search import make_searcher
from archsim.explore.store import Store
from archsim.explore.study import Budget, Screen, StudyConfig
from archsim.explore.workers import Fleet, Workers


def study(**changes: Any) -> StudyConfig:
    plain = {
        "base": "toy", "space": {"unused": {"path": "p", "values": [1]}},
        "objectives": {"x.time_s": "minimize", "x.area_mm2": "minimize"},
        "constraints": {"x.psnr_db": {"at_least": 22}}, "budget": {"points": 60}, "seed": 3,
    }  # fmt: skip
    return StudyConfig(**{**plain, **changes})


def explore(folder: Path, fleet: AbstractContextManager[Fleet] | None = None, *,
            screen: Screen | None = None, problem: toy.Toy | None = None,
            goals: Goals | None = None, **changes: Any
            ) -> tuple[list[Outcome], Driver]:  # fmt: skip
    config = study(**changes)
    problem, goals = problem or toy.Toy(), goals or toy.goals()
    screening = Screening(screen, goals) if screen is not None else None
    seen: list[Progress] = []
    with Store(folder, problem.version, "mine") as store, fleet or here() as place:
        workers = Workers(place, problem.evaluate)
        driver = Driver(toy.space(), goals, problem, store, workers, seen.append, screening)
        searcher = make_searcher(config, toy.space())
        found = driver.run("search", searcher, batch=config.search.batch, budget=config.budget)
    assert seen[-1].done == len(found)
    return found, driver


def plain(outcomes: list[Outcome]) -> list[tuple]:
    """What an export holds: everything but times and where a point came from."""
    return [(o.asked, o.point, o.status, o.columns, o.violations, o.infeasible) for o in outcomes]


KINDS = [{"kind": "random"}, {"kind": "sobol"}, {"kind": "latin-hypercube"},
         {"kind": "refine", "first": 16}, {"kind": "nsga2", "population": 8},
         {"kind": "tpe", "first": 12}]  # fmt: skip


@pytest.mark.parametrize("search", KINDS, ids=lambda s: s["kind"])
def test_the_same_study_asks_the_same_and_finds_all_in_its_store(
    tmp_path: Path, search: dict
) -> None:
    first, _ = explore(tmp_path / "one", search={**search, "batch": 8})
    again, _ = explore(tmp_path / "one", search={**search, "batch": 8})
    fresh, _ = explore(tmp_path / "two", search={**search, "batch": 8})
    assert plain(first) == plain(again) == plain(fresh)
    # a hypercube's points may coincide where values are few; refining ends by itself
    assert len(first) == 60 or search["kind"] in ("refine", "latin-hypercube")
    assert all(o.reused for o in again)
    assert not any(o.reused for o in fresh if o.status != "infeasible")
    other, _ = explore(tmp_path / "two", search={**search, "batch": 8}, seed=4)
    assert plain(other) != plain(first)


def test_workers_change_nothing(tmp_path: Path) -> None:
    """Jobs of different lengths are done in another order on two processes than on one."""
    search = {"kind": "nsga2", "population": 8, "batch": 8}
    alone, _ = explore(tmp_path / "here", search=search)
    slow = toy.Toy(sleep_s=0.005)
    both, _ = explore(tmp_path / "two", on_processes(2), problem=slow, search=search)
    assert plain(alone) == plain(both)


def test_a_grid_ends_by_itself_and_visits_everything(tmp_path: Path) -> None:
    found, driver = explore(tmp_path, search={"kind": "grid"}, budget={})
    assert len(found) == 288 == toy.space().size
    assert driver.ended == "the search is complete"
    infeasible = [o for o in found if o.status == "infeasible"]
    assert len(infeasible) == sum(a + b > 18 for a in range(12) for b in range(12)) * 2
    assert {o.infeasible.gap for o in infeasible if o.infeasible} == {1, 2, 3, 4}
    assert {o.violations for o in found if o.point["a"] + o.point["b"] == 18} == {(0.0,)}


def test_budgets_end_a_search(tmp_path: Path) -> None:
    found, driver = explore(tmp_path, search={"kind": "random", "batch": 7})
    assert (len(found), driver.ended) == (60, "the budget of points is spent")
    found, driver = explore(
        tmp_path, search={"kind": "random"}, budget={"points": 5000, "no_improvement": 10}
    )
    assert len(found) < 200
    assert "points in a row left the front as it was" in driver.ended
    _, driver = explore(tmp_path, search={"kind": "random"}, budget={"time_s": "0.05 s"})
    assert driver.ended in ("the budget of 0.05 s is spent",
                            "the search asks for known points only")  # fmt: skip


def test_a_random_search_of_a_small_space_ends_when_it_knows_all(tmp_path: Path) -> None:
    found, driver = explore(tmp_path, search={"kind": "random"}, budget={"points": 10_000})
    assert driver.ended == "the search asks for known points only"
    assert len(found) > 250


def test_an_objective_that_no_result_has_is_an_error(tmp_path: Path) -> None:
    goals = Goals({"x.counts.blend": "minimize"}, {})
    with pytest.raises(ConfigError, match=r"objectives: no result has a column 'x\.counts\.blend'"):
        explore(tmp_path, goals=goals, search={"kind": "random"})


def test_failures_are_recorded_and_the_search_goes_on(tmp_path: Path) -> None:
    found, _ = explore(tmp_path, problem=toy.Toy(trouble="bug at 3"), search={"kind": "nsga2"})
    failed = [o for o in found if o.status == "failed"]
    assert 0 < len(failed) == sum(o.point["a"] == 3 for o in found) < len(found) == 60
    assert failed[0].error == "KeyError: 'nothing there'"
    mended, _ = explore(tmp_path, search={"kind": "nsga2"})
    assert not any(o.status == "failed" for o in mended)  # an earlier sweep's failure is retried


def test_a_sweep_whose_first_points_all_fail_gives_up(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="all of the first 16 points failed: KeyError: 'noth"):
        explore(tmp_path, problem=toy.Toy(trouble="bug"), search={"kind": "random"})


def test_screening_spares_the_full_model_and_finds_the_same_front(tmp_path: Path) -> None:
    """The cheap model is 0 to 4 % off around a bias of -10 %: within its measured error."""
    full, whole = explore(tmp_path / "full", search={"kind": "grid"}, budget={})
    screen = Screen(set={"x.cheap": True}, calibrate=24)
    found, part = explore(tmp_path / "part", screen=screen, search={"kind": "grid"}, budget={})
    front = [o.point for o in whole._front]
    assert sorted(map(str, front)) == sorted(str(o.point) for o in part._front)
    measured = sum(o.status == "measured" for o in found)
    screened = [o for o in found if o.status == "screened"]
    assert measured + len(screened) == sum(o.status == "measured" for o in full)
    assert len(screened) > measured
    assert not any(o.valid for o in screened)
    again, _ = explore(tmp_path / "part", screen=screen, search={"kind": "grid"}, budget={})
    assert plain(again) == plain(found)


KILLED = {"kind": "nsga2", "population": 8, "batch": 8}


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_any_moment_a_sweep_goes_on_to_the_same_end(tmp_path: Path, kills: int) -> None:
    """Also on real models and to the byte of the export: tests/app/test_sweep_slow.py."""
    code = f"""
import sys; sys.path.insert(0, {str(Path(toy.__file__).parent)!r})
from pathlib import Path
import toy, test_driver
test_driver.explore(Path({str(tmp_path / "killed")!r}), problem=toy.Toy(sleep_s=0.004),
                    search=test_driver.KILLED, budget={{"points": 200}})
print("done", flush=True)
"""
    expected, _ = explore(tmp_path / "whole", search=KILLED, budget={"points": 200})
    log = tmp_path / "killed" / toy.Toy.version[:16] / "mine.log"
    moments = random.Random(7)
    for _ in range(kills):
        before = log.stat().st_size if log.exists() else 0
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
        growth = moments.randrange(900)  # bytes of up to four records
        while child.poll() is None and (not log.exists() or log.stat().st_size <= before + growth):
            time.sleep(0.0005)
        time.sleep(moments.random() * 0.005)
        child.kill()
        assert child.wait() != 0, "the sweep ended: make it longer"
    found, _ = explore(tmp_path / "killed", search=KILLED, budget={"points": 200})
    assert plain(found) == plain(expected)
    assert any(o.reused for o in found)


def test_budget_is_a_model_of_its_own() -> None:
    assert Budget(time_s="2 min").time_s == 120  # type: ignore[arg-type]
    assert Budget(time_s="0.5 h").time_s == 1800  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="or min, h, d"):
        Budget(time_s="2 fortnights")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"needs budget\.points or budget\.time_s to end"):
        study(search={"kind": "tpe"}, budget={})
