"""A Dask cluster of two processes: same results as here, and deaths survived."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import toy

pytest.importorskip("distributed")

SCRIPT = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(Path(toy.__file__).parent)!r})
import toy
from archsim.explore.driver import Driver
from archsim.explore.fleets import here, on_cluster
from archsim.explore.problem import Job
from archsim.explore.search import make_searcher
from archsim.explore.store import Store
from archsim.explore.study import StudyConfig
from archsim.explore.workers import Workers

STUDY = StudyConfig(base="toy", space={{"u": {{"path": "p", "values": [1]}}}},
                    objectives={{"x.time_s": "minimize", "x.area_mm2": "minimize"}},
                    search={{"kind": "nsga2", "population": 8, "batch": 8}},
                    budget={{"points": 40}})

def explored(folder, fleet):
    problem = toy.Toy(sleep_s=0.002)
    with Store(Path(folder), problem.version, "mine") as store, fleet as place:
        driver = Driver(toy.space(), toy.goals(), problem, store,
                        Workers(place, problem.evaluate), lambda progress: None)
        found = driver.run("search", make_searcher(STUDY, toy.space()), batch=8,
                           budget=STUDY.budget)
    return [[o.asked, o.point, o.status, dict(o.columns)] for o in found]

def main():
    from distributed import LocalCluster
    out = Path(sys.argv[1])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        same = explored(out / "a", on_cluster(address)) == explored(out / "b", here())
        base = {{"a": 1, "b": 2, "kind": "plain"}}
        with on_cluster(address) as place:
            workers = Workers(place, toy.evaluate)
            for a in range(6):
                workers.submit(Job(str(a), {{**base, "a": a, "sleep_s": 0.05}}))
            workers.submit(Job("guilty", {{**base, "trouble": "die"}}))
            found = {{}}
            while workers.busy:
                found.update({{job.key: record["status"] for job, record in workers.wait(5)}})
            count = place.workers
    print(json.dumps({{"same": same, "found": found, "workers": count}}))

if __name__ == "__main__":
    main()
"""


def test_a_local_cluster_gives_what_this_process_gives(tmp_path: Path) -> None:
    script = tmp_path / "on_dask.py"
    script.write_text(SCRIPT)
    shown = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True,
                           check=False, timeout=240, cwd=tmp_path)  # fmt: skip
    assert shown.returncode == 0, shown.stderr[-3000:]
    said = json.loads(shown.stdout.splitlines()[-1])
    assert said["same"]
    assert said["found"] == {"guilty": "failed", **{str(a): "measured" for a in range(6)}}
    assert said["workers"] >= 1
