"""Verdicts of claims, the files of published figures, and the map, without running anything."""

import importlib
from itertools import product
from types import SimpleNamespace

import pytest

from archsim.arch.operations import load_operations
from archsim.arch.scaling import area_factor, energy_factor
from archsim.base.errors import ConfigError
from archsim.base.interval import Interval
from archsim.claims import map as mapping
from archsim.claims.bench import Bench
from archsim.claims.claim import Claim, list_claims, load_claims
from archsim.claims.evaluate import chosen_claims, evaluate
from archsim.claims.gs3d import machine_area
from archsim.claims.map import DRAMS, GROUPS, INTERVALS, SORTERS, OrderMap
from archsim.claims.nodes import chip_energy_pj, node_section
from archsim.claims.sorter import sorter_section
from archsim.claims.streaminggs import MEASURES
from archsim.claims.verdict import Measured, NoData, judge
from archsim.claims_table import ours_text, published_text
from archsim.config import load_run
from archsim.progress import Silent
from archsim.traces.cache import TraceCache


def claim(**changes):
    given = {
        "id": "speed", "claim": "speed", "published": 2.0, "unit": "x", "source": "a paper",
        "certainty": "found", "role": "check", "within": 0.1, "measure": "ratio",
    }  # fmt: skip
    return Claim.model_validate(given | changes)


def bench(system, tmp_path, **options):
    cache = TraceCache(tmp_path, 10**9)
    return Bench(load_claims(system), cache=cache, reporter=Silent(), **options)


@pytest.mark.parametrize(
    ("published", "ours", "verdict"),
    [
        (2.0, [(2.0, 2.0, 2.0)], "within"),
        (2.0, [(2.21, 2.21, 2.21)], "outside"),
        (2.0, [(2.19, 2.19, 2.19)], "within"),
        (2.0, [(3.0, 1.5, 6.0)], "within"),  # the constants' range holds the figure
        (2.0, [(1.0, 1.0, 1.0), (3.0, 3.0, 3.0)], "within"),  # and so does that of the scenes
        ([2.0, 9.0], [(10.0, 9.5, 11.0)], "within"),
        ([2.0, 9.0], [(10.0, 10.0, 11.0)], "outside"),
    ],
)
def test_within_says_that_figure_and_range_meet(published, ours, verdict):
    found = Measured({f"s{i}": Interval(*one) for i, one in enumerate(ours)}, why="because")
    row = judge(claim(published=published), found)
    assert row.verdict == verdict
    assert row.reason == ("because" if verdict == "outside" else "")


def test_up_to_is_the_best_scene_and_at_least_is_a_limit():
    two = Measured({"a": Interval.exact(1.0), "b": Interval.exact(3.0)})
    assert judge(claim(), two).ours.value == 2.0
    assert judge(claim(up_to=True), two).ours.value == 3.0
    assert judge(claim(up_to=True), two).ours.low == 1.0
    least = claim(published=2.0, at_least=True, within=0.0)
    assert judge(least, Measured({"a": Interval.exact(50.0)})).verdict == "within"
    assert judge(least, Measured({"a": Interval.exact(1.9)})).verdict == "outside"
    # one scene that reaches it does not speak for another that does not
    assert judge(least, Measured({"a": Interval(1.9, 1.0, 9.0)})).verdict == "outside"


def test_figures_that_constants_were_taken_from_prove_nothing():
    row = judge(claim(role="fit"), Measured({"a": Interval.exact(2.0)}))
    assert row.verdict == "fit"
    assert judge(claim(role="fit"), Measured({"a": Interval.exact(9.0)})).verdict == "fit"


def test_what_is_missing_is_said():
    row = judge(claim(), NoData("no such machine"))
    assert (row.verdict, row.ours, row.reason) == ("no-data", None, "no such machine")
    assert ours_text(row) == ("\u2013", "")
    assert row.to_dict()["ours"] is None


def test_figures_are_written_as_published():
    assert published_text(claim(published=45.7, up_to=True)) == "up to 45.7x"
    assert published_text(claim(published=90, at_least=True, unit="FPS")) == "at least 90.0 FPS"
    assert published_text(claim(published=[2, 9], unit="FPS")) == "2.00\u20139.00 FPS"


@pytest.mark.parametrize("system", list_claims())
def test_every_figure_can_be_measured(system, tmp_path):
    claims = load_claims(system)
    measures = importlib.import_module(f"archsim.claims.{claims.measures}").MEASURES
    tried = bench(system, tmp_path)
    for row in claims.rows:
        assert row.measure in measures, row.id
        for name in measures[row.measure].systems(row.arguments):
            tried.system(name)
        kinds = row.arguments.get("scenes", "default")
        assert tried.scenes(kinds), row.id
        for scene in tried.scenes(kinds):
            assert tried.workload(scene)["kind"] == "gs3d"


def test_scenes_follow_what_is_at_hand(tmp_path):
    without = bench("streaminggs", tmp_path)
    assert without.left_out("default") == ["playbot", "biker"]
    (tmp_path / "gs3d/playcanvas").mkdir(parents=True)
    file = tmp_path / "gs3d/playcanvas/biker.compressed.ply"
    file.touch()
    some = bench("streaminggs", tmp_path, data=tmp_path)
    assert some.left_out("default") == ["playbot"]
    assert some.workload(some.scenes("default")[-1])["scene"] == str(file)
    one = bench("streaminggs", tmp_path, scene="builtin:object")
    (only,) = one.scenes("default")
    assert one.workload(only)["scene"] == "builtin:object"
    assert one.workload(only)["resolution"] == [800, 800]
    assert one.left_out("default") == []
    coarse = bench("streaminggs", tmp_path, scene="playbot/lod-meta.json", lod=2)
    assert [scene.name for scene in coarse.scenes("default")] == ["playbot"]
    assert coarse.workload(coarse.scenes("default")[0])["lod"] == 2
    with pytest.raises(ConfigError, match=r"--lod: of which scene\?\n.*--scene"):
        bench("streaminggs", tmp_path, lod=2)
    with pytest.raises(ConfigError, match=r"--finetuned: of which scene\?\n.*--scene"):
        bench("streaminggs", tmp_path, finetuned=file)


def test_wrong_names_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing published about 'gscor'.*\n.*gscore"):
        load_claims("gscor")
    with pytest.raises(ConfigError, match=r"streaminggs has no claim 'gpu-speed'.*\n.*gpu-speedup"):
        chosen_claims(bench("streaminggs", tmp_path), ["gpu-speed"])


def test_figures_that_need_no_frame(tmp_path):
    """MACs, codebooks, records, areas and rates come from counts and constants alone."""
    tried = bench("streaminggs", tmp_path)
    ids = ["macs-coarse", "macs-full", "codebooks", "vq-record", "gpu-tflops", "area", "voxel-size"]
    rows = {row.claim.id: row for row in evaluate(tried, chosen_claims(tried, ids))}
    assert rows["codebooks"].ours.value == 250.0
    assert rows["codebooks"].verdict == "fit"
    # 53 bits of indices and opacity in 7 bytes against 220
    assert rows["vq-record"].ours.value == pytest.approx(100 * (1 - 7 / 220))
    assert rows["gpu-tflops"].ours.value == pytest.approx(3.76, abs=0.01)
    assert rows["voxel-size"].verdict == "no-data"
    steps = rows["macs-coarse"].sections[0].rows
    assert sum(int(row[-2]) for row in steps[:-1]) == int(steps[-1][-2]) == 26
    # 18 products, 23 sums, 3 quotients, a root and 20 comparisons cost what their prices say
    library = load_operations("horowitz-45nm")
    prices = [library.energy_pj(op, 32).value
              for op in ("fp32_mul", "fp32_add", "div", "sqrt", "fp32_cmp")]  # fmt: skip
    counts = [int(word) for word in steps[-1][1:6]]
    assert counts == [18, 23, 3, 1, 20]
    total = sum(n * price for n, price in zip(counts, prices))
    assert float(steps[-1][-1]) == pytest.approx(total, rel=0.005)
    by_width = rows["area"].sections[1].rows
    areas = {(row[0], row[1]): float(row[2]) for row in by_width}
    assert areas["fp32", "1"] > areas["fp32", "10"] > areas["fp16", "10"]


def test_areas_scale_between_nodes_and_with_cores():
    own, _ = machine_area("gscore")
    smaller, _ = machine_area("gscore", 16)
    sixteen, _ = machine_area("gscore-16")
    assert smaller.value < own.value / 2
    assert sixteen.value == pytest.approx(4 * own.value, rel=1e-9)


def test_energy_scales_by_part_and_memory_stays():
    part = Interval.exact
    parts = {"cfu": part(100.0), "sort": part(50.0), "leakage/logic": part(10.0),
             "dram/read": part(1000.0), "memory controller": part(500.0)}  # fmt: skip
    assert chip_energy_pj(parts, 28.0).value == 160
    at_7 = chip_energy_pj(parts, 28.0, 7.0)
    energy, area = energy_factor(28.0, 7.0), area_factor(28.0, 7.0)
    assert at_7.value == pytest.approx(150 * energy.value + 10 * area.value)
    assert at_7.low == pytest.approx(150 * energy.low + 10 * area.low)
    assert at_7.low < at_7.value < at_7.high
    assert chip_energy_pj(parts, 28.0, 28.0).value == 160


def test_the_table_of_nodes_states_factors_and_what_stays(tmp_path, monkeypatch):
    parts = {"cfu": Interval(4e9, 3e9, 5e9), "leakage/logic": Interval.exact(1e9),
             "dram/read": Interval.exact(5e9)}  # fmt: skip
    frame = SimpleNamespace(energy_by_component_pj=parts, time_ps=10**10)
    gpu = SimpleNamespace(energy_by_component_pj={"gpu": Interval.exact(1e12)}, time_ps=10**11)
    monkeypatch.setattr(Bench, "on", lambda self, scene, systems: {
        name: SimpleNamespace(frames=[gpu if name == "orin-nx" else frame]) for name in systems
    })  # fmt: skip
    section = node_section(bench("streaminggs", tmp_path))
    rows = {row[0].replace("\u00a0", " "): row[1:] for row in section.rows}
    assert list(rows) == ["32 nm", "28 nm", "22 nm", "16 nm", "12 nm", "8 nm", "7 nm"]
    area, _ = machine_area("streaminggs")
    assert float(rows["32 nm"][1].split()[0]) == pytest.approx(area.value, abs=0.01)
    assert rows["32 nm"][0] == rows["32 nm"][2] == "1.00"
    assert rows["32 nm"][3].startswith("0.500 ")  # 5 mJ in 10 ms
    assert rows["32 nm"][4].startswith("10.0 ")
    assert rows["32 nm"][5].startswith("100\u00d7")
    at_7 = 4 * energy_factor(32, 7).value + area_factor(32, 7).value + 5
    assert float(rows["7 nm"][4].split()[0]) == pytest.approx(at_7, abs=0.01)
    assert "deepscaletool" not in section.note  # it does not reach from 32 nm
    assert "stillmaker-baas" in section.note


def plans_of(tried, scene, systems):
    """What a run of these systems would be made of, by name; wrong systems are errors."""
    names = list(systems)
    run = {"workload": tried.workload(scene), "baseline": names[0],
           "systems": {name: dict(tried.system(name)) for name in names}}  # fmt: skip
    return {plan.name: plan for plan in load_run(run).systems}


def test_what_hangs_on_the_sorter_is_shown_for_every_scene(tmp_path, monkeypatch):
    """Every unit passes the configuration's checks; speeds and bounds are those of its own run."""
    asked = {}

    def on(self, scene, systems):
        asked.update(plans_of(self, scene, systems))
        frame = SimpleNamespace(bounds=[{"unit": "cfu", "bound_ps": 2 * 10**9}])
        return {name: SimpleNamespace(name=name, frames=[frame]) for name in systems}

    def summary(self, results, baseline):
        return {name: {"time_s": 0.004, "psnr_db": None, "speedup": len(baseline),
                       "energy_saving": 2.0} for name in results}  # fmt: skip

    monkeypatch.setattr(Bench, "on", on)
    monkeypatch.setattr(Bench, "summary", summary)
    section = sorter_section(bench("streaminggs", tmp_path))
    assert len(section.rows) == 6 * 4
    row = section.rows[0]
    assert row[1:] == ("object", "4.00", "cfu 2.00", "\u2013", "7.00\u00d7", "2.00\u00d7",
                       "6.00\u00d7", "2.00\u00d7")  # fmt: skip
    made = [plan for name, plan in asked.items() if name.startswith("sorter-")]
    assert [plan.machine.units["voxel_sorter"].count.value for plan in made] == [1, 4, 1, 1, 1, 1]
    depths = [plan.machine.fifos["pair_filter"].depth_items.value for plan in made
              if "pair_filter" in plan.machine.fifos]  # fmt: skip
    assert depths == [1, 64]
    assert [plan.config.order for plan in made][-1] == "l1"


def test_the_loss_of_a_model_follows_its_own_error(tmp_path):
    from archsim.claims.streaminggs import _loss

    # 50 dB are a hundredth of the squared error of a 30 dB model: 10 log10(1.01)
    assert _loss([27, 30, 33], 50.0).value == pytest.approx(0.0432, abs=1e-4)
    assert _loss([27, 30, 33], None).high == 0.0
    assert "psnr_loss" in MEASURES


def test_the_reason_of_a_figure_up_to_is_that_of_its_best_scene(tmp_path, monkeypatch):
    def on(self, scene, systems):
        frame = SimpleNamespace(bounds=[], time_ps=10**9, time_by_cause_ps={
            "vru": {"busy": 9, "starved": 1, "memory": 0}})  # fmt: skip
        return {name: SimpleNamespace(name=name, frames=[frame], scene=scene.name)
                for name in systems}  # fmt: skip

    def summary(self, results, baseline):
        scene = next(iter(results.values())).scene
        speed = {"object": 2.0, "room": 5.0}.get(scene, 1.0)
        return {name: {"speedup": speed, "interval": {}} for name in results}

    monkeypatch.setattr(Bench, "on", on)
    monkeypatch.setattr(Bench, "summary", summary)
    tried = bench("streaminggs", tmp_path)
    best, mean = evaluate(tried, chosen_claims(tried, ["gpu-speedup", "gscore-speedup-lpddr3"]))
    assert (best.ours.value, mean.ours.value) == (5.0, 2.25)
    assert best.reason.startswith("on room streaminggs takes 1.00 ms")
    assert mean.reason == ""  # within


def test_figures_after_fine_tuning_stand_beside_those_before_with_their_reason(
    tmp_path, monkeypatch
):
    def result(name):
        tuned = name == "finetuned"
        counts = {f"misordered_{by}_fraction": 0.15 if tuned else 0.4
                  for by in ("group", "size", "pixel")}  # fmt: skip
        errors = {"order": {"psnr_db": 48.5}, "coverage": {"psnr_db": None}}
        quality = {"psnr_db": 44.0 if tuned else 36.0, "errors": errors}
        return SimpleNamespace(workload_counts=counts, quality=quality)

    monkeypatch.setattr(Bench, "on", lambda self, scene, systems: {n: result(n) for n in systems})
    tried = bench("streaminggs", tmp_path, scene="biker.ply", finetuned=tmp_path / "scene.ply")
    ids = ["misorder-group", "misorder-pixel", "psnr-loss"]
    group, pixel, loss = evaluate(tried, chosen_claims(tried, ids))
    assert [row.verdict for row in (group, pixel, loss)] == ["outside"] * 3
    assert pixel.ours.value == pytest.approx(15)
    assert "before fine-tuning: biker 40.0 %" in pixel.reason
    assert "behind a deeper one of another voxel" in group.reason
    assert "over their voxel's border" in pixel.reason
    assert loss.ours.value == pytest.approx(0.1695, abs=1e-3)  # 44 dB against 30
    for words in ("44.0 dB (order alone 48.5 dB, coverage alone exact)", "before: biker 0.973 dB"):
        assert words in loss.reason
    without = bench("streaminggs", tmp_path, scene="biker.ply")
    rows = evaluate(without, chosen_claims(without, ids))
    assert [row.verdict for row in rows] == ["no-data"] * 3
    assert all("--finetuned" in row.reason for row in rows)


def test_the_map_tells_where_each_statement_holds():
    base = {"full": 1.0, "no coarse filter": 2.0, "half CFU": 1.8, "no VQ": 1.3, "half FFU": 1.1,
            "half VRU": 1.0}  # fmt: skip
    at = (10, next(iter(DRAMS)), 64, next(iter(SORTERS)))

    def holds(**changes):
        times = base | {name.replace("_", " "): value for name, value in changes.items()}
        return OrderMap("s", {at: times}).holds(at)

    assert holds() == (True, True, True)
    assert holds(no_coarse_filter=1.1) == (False, True, True)
    assert holds(no_VQ=2.5) == (True, False, True)
    assert holds(half_FFU=1.4) == (True, True, False)
    assert holds(half_CFU=1.0, no_VQ=1.0, half_FFU=1.0) == (True, False, False)
    points = dict.fromkeys(product(INTERVALS, DRAMS, GROUPS, SORTERS), base)
    mapped = OrderMap("s", points)
    assert len(mapped.section().rows) == len(points)
    heat = mapped.figure().plot["data"]
    assert len(heat) == len(GROUPS) * len(SORTERS)
    assert {cell for plot in heat for line in plot["z"] for cell in line} == {3}


def test_every_point_of_the_map_is_a_run(tmp_path, monkeypatch):
    """All systems of the map pass the configuration's checks; times of their own make the map."""
    asked = {}

    def on(self, scene, systems):
        plans = plans_of(self, scene, systems)
        asked.update(plans)
        return {name: SimpleNamespace(time_s=1.0 + 0.1 * i) for i, name in enumerate(plans)}

    monkeypatch.setattr(Bench, "on", on)
    monkeypatch.setattr(mapping, "INTERVALS", (10,))
    monkeypatch.setattr(mapping, "GROUPS", (64,))
    mapped = mapping.order_map(bench("streaminggs", tmp_path))
    assert len(mapped.points) == len(DRAMS) * len(SORTERS)
    assert all(times["full"] == 1.0 for times in mapped.points.values())
    halved = [p.machine.units["cfu"].count.value for n, p in asked.items() if "half-CFU" in n]
    assert set(halved) == {8}
    assert {p.config.vq for n, p in asked.items() if "no-VQ" in n} == {"none"}
    sorters = {(p.machine.name, p.config.ray_stride) for p in asked.values()}
    assert sorters == set(SORTERS.values())
