"""A run with either executor gives the same bytes."""

import json
from pathlib import Path

import pytest

import archsim
from archsim.base.errors import ConfigError
from archsim.cli import app

CONFIG = {
    "workload": {
        "kind": "gs3d", "scene": "builtin:object", "gaussians": 1500, "resolution": [96, 64],
    },
    "systems": {
        "orin-nx": {"machine": "orin-nx-16gb", "method": {"kind": "tile-raster"}},
        "gscore": {"machine": "gscore", "method": {"kind": "gscore"}},
        "streaminggs": {
            "machine": "streaminggs",
            "method": {"kind": "streaminggs", "voxel_size": "extent/8", "group": [32, 32]},
        },
    },
    "baseline": "orin-nx",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path / "cache"))


def test_engines_give_the_same_bytes_and_the_manifest_names_them(tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(json.dumps(CONFIG))
    for engine in ("simpy", "compiled"):
        out = tmp_path / engine
        arguments = ["run", str(config), "--engine", engine, "--out", str(out)]
        app(arguments, standalone_mode=False)
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["engines"] == {name: [engine] for name in CONFIG["systems"]}
    simpy, compiled = tmp_path / "simpy", tmp_path / "compiled"
    assert (simpy / "result.json").read_bytes() == (compiled / "result.json").read_bytes()
    for file in simpy.glob("tables/*"):
        assert file.read_bytes() == (compiled / file.relative_to(simpy)).read_bytes(), file


def test_an_unknown_engine_is_refused_before_the_work() -> None:
    with pytest.raises(ConfigError, match="no engine 'fast'"):
        archsim.run(CONFIG, engine="fast")
