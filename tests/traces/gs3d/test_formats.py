"""Every format reads to the same axes and parameters; real files agree between formats."""

import gzip
import io
import json
import shutil
import struct
import zipfile

import numpy as np
import pytest
import zstandard
from PIL import Image

from archsim.base.errors import InputError, ResourceError
from archsim.traces.gs3d.formats import load_scene_file, open_scene_file
from archsim.traces.gs3d.formats.spz import HALF_TURN_X_SH_SIGNS
from archsim.traces.gs3d.memory import scene_bytes
from archsim.traces.gs3d.sh_rotation import sh_basis

C0 = 0.28209479177387814


def angle_deg(a, b):
    """Angles between rotations given as unit quaternions, up to sign."""
    a, b = a.astype(float), b.astype(float)
    chord = np.minimum(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))
    return np.degrees(4 * np.arcsin(chord / 2))


def write_ply(path, table, names, kinds=None):
    kinds = kinds or ["float"] * len(names)
    sizes = {"float": "<f4", "double": "<f8", "uchar": "u1"}
    records = np.zeros(len(table), [(n, sizes[k]) for n, k in zip(names, kinds)])
    for column, name in enumerate(names):
        records[name] = table[:, column]
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    head += [f"property {k} {n}" for n, k in zip(names, kinds)] + ["end_header", ""]
    path.write_bytes("\n".join(head).encode() + records.tobytes())


def inria_names(degree):
    rest = 3 * ((degree + 1) ** 2 - 1)
    return [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"),
        *(f"f_rest_{i}" for i in range(rest)),
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("shuffled", [False, True])
def test_inria_ply_activates_and_reorders(tmp_path, degree, shuffled):
    rng = np.random.default_rng(degree)
    names = inria_names(degree)
    kinds = ["float"] * len(names)
    if shuffled:
        names = [names[i] for i in rng.permutation(len(names))] + ["label"]
        kinds = [*kinds, "uchar"]
    table = rng.normal(size=(7, len(names))).astype(np.float32)
    write_ply(tmp_path / "a.ply", table, names, kinds)
    scene = load_scene_file(tmp_path / "a.ply")
    column = {n: table[:, i] for i, n in enumerate(names)}
    assert scene.sh_degree == degree
    np.testing.assert_array_equal(scene.means, np.stack([column[c] for c in "xyz"], 1))
    np.testing.assert_allclose(scene.scales[:, 1], np.exp(column["scale_1"]), rtol=1e-6)
    np.testing.assert_allclose(scene.opacities, 1 / (1 + np.exp(-column["opacity"])), rtol=1e-6)
    quats = np.stack([column[f"rot_{i}"] for i in range(4)], 1)
    quats /= np.linalg.norm(quats, axis=1)[:, None]
    np.testing.assert_allclose(scene.quats, quats, atol=1e-6)
    np.testing.assert_array_equal(scene.sh[:, 0, 2], column["f_dc_2"])
    per_channel = (degree + 1) ** 2 - 1
    for k in range(per_channel):
        for c in range(3):  # channel-major in the file
            stored = column[f"f_rest_{c * per_channel + k}"]
            np.testing.assert_array_equal(scene.sh[:, 1 + k, c], stored)


def test_compressed_ply_round_trips_within_its_steps(tmp_path):
    """Packed here from the format's description; two chunks, the second partly filled."""
    rng = np.random.default_rng(1)
    n, chunks = 300, 2
    names = [f"{m}_{f}" for f in ("x", "y", "z") for m in ("min", "max")]
    names += [f"{m}_scale_{f}" for f in ("x", "y", "z") for m in ("min", "max")]
    names += [f"{m}_{f}" for f in ("r", "g", "b") for m in ("min", "max")]
    low, high = (
        np.array([-1, 0, 2, -6, -7, -8, 0.0, 0.1, 0.2]),
        np.array([1, 4, 3, -2, -3, -4, 1, 0.9, 0.8]),
    )
    ranges = np.stack([np.stack([low, high], 1).ravel()] * chunks).astype("<f4")
    share = rng.random((n, 10))
    quats = rng.normal(size=(n, 4))
    quats /= np.linalg.norm(quats, axis=1)[:, None]

    def pack(columns, bits):
        word = np.zeros(n, np.uint64)
        for column, width in zip(columns, bits):
            word = word << width | np.round(column * ((1 << width) - 1)).astype(np.uint64)
        return word.astype("<u4")

    largest = np.abs(quats).argmax(axis=1)
    signed = quats * np.sign(quats[np.arange(n), largest])[:, None]
    three = np.stack([np.delete(q, i) for q, i in zip(signed, largest)])
    rotation = pack((three / np.sqrt(2) + 0.5).T, (10, 10, 10)) | (largest << 30).astype("<u4")
    words = np.stack([pack(share[:, :3].T, (11, 10, 11)), rotation,
                      pack(share[:, 3:6].T, (11, 10, 11)),
                      pack(share[:, 6:].T, (8, 8, 8, 8))], axis=1)  # fmt: skip
    sh = rng.integers(0, 256, (n, 9)).astype(np.uint8)
    head = ["ply", "format binary_little_endian 1.0", f"element chunk {chunks}"]
    head += [f"property float {c}" for c in names] + [f"element vertex {n}"]
    head += [f"property uint packed_{p}" for p in ("position", "rotation", "scale", "color")]
    head += [f"element sh {n}"] + [f"property uchar f_rest_{i}" for i in range(9)]
    path = tmp_path / "a.compressed.ply"
    path.write_bytes("\n".join([*head, "end_header", ""]).encode() + ranges.tobytes()
                     + words.tobytes() + sh.tobytes())  # fmt: skip
    scene = load_scene_file(path)
    values = low + share[:, :9] * (high - low)
    step = (high - low) / np.array([2047, 1023, 2047, 2047, 1023, 2047, 255, 255, 255])
    assert (np.abs(scene.means - values[:, :3]) <= 0.51 * step[:3] + 1e-6).all()
    assert (np.abs(np.log(scene.scales) - values[:, 3:6]) <= 0.51 * step[3:6] + 1e-5).all()
    assert (np.abs(scene.sh[:, 0] * C0 + 0.5 - values[:, 6:9]) <= 0.51 * step[6:] + 1e-6).all()
    assert (np.abs(scene.opacities - share[:, 9]) <= 0.51 / 255).all()
    assert angle_deg(scene.quats, quats).max() < 0.25  # 3 x half a step of sqrt(2)/1023
    assert scene.sh_degree == 1
    coded = sh.reshape(n, 3, 3).transpose(0, 2, 1)  # channel-major
    middle = (coded + 0.5) / 256 * 8 - 4
    expected = np.where(coded == 0, -4, np.where(coded == 255, 4, middle))
    np.testing.assert_allclose(scene.sh[:, 1:], expected, atol=1e-6)


def test_splat_record(tmp_path):
    record = struct.pack("<6f8B", 1, -2, 3, 0.1, 0.2, 0.3, 255, 0, 51, 204, 128, 255, 128, 128)
    (tmp_path / "a.splat").write_bytes(record)
    scene = load_scene_file(tmp_path / "a.splat")
    np.testing.assert_array_equal(scene.means, [[1, -2, 3]])
    np.testing.assert_allclose(scene.scales, [[0.1, 0.2, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(scene.quats, [[0, 1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(scene.opacities, [0.8])
    np.testing.assert_allclose(scene.sh[0, 0] * C0 + 0.5, [1, 0, 0.2], atol=1e-6)


def spz_v4(n, sections, degree=0, version=4, count=None):
    packed = [zstandard.compress(s) for s in sections]
    head = struct.pack("<4sIIBBBBI12x", b"NGSP", version, n if count is None else count,
                       degree, 12, 0, len(packed), 32)  # fmt: skip
    table = b"".join(struct.pack("<QQ", len(p), len(s)) for p, s in zip(packed, sections))
    return head + table + b"".join(packed)


def spz_sections(n, degree=0):
    rng = np.random.default_rng(2)
    widths = [9, 1, 3, 3, 4, 3 * ((degree + 1) ** 2 - 1)]
    return [rng.integers(0, 256, n * w).astype(np.uint8).tobytes() for w in widths if w]


def test_spz_turns_axes_of_position_rotation_and_harmonics(tmp_path):
    """The half turn about x: SH seen along a turned direction is the stored SH along the old."""
    sections = spz_sections(5, 3)
    (tmp_path / "a.spz").write_bytes(spz_v4(5, sections, 3))
    scene = load_scene_file(tmp_path / "a.spz")
    raw = np.frombuffer(sections[0], np.uint8).reshape(5, 3, 3).astype(int)
    fixed = raw[..., 0] + (raw[..., 1] << 8) + (raw[..., 2] << 16)
    fixed = np.where(fixed >= 1 << 23, fixed - (1 << 24), fixed) / 4096
    np.testing.assert_allclose(scene.means, fixed * (1, -1, -1), rtol=1e-6)
    stored = (np.frombuffer(sections[5], np.uint8).reshape(5, 15, 3).astype(float) - 128) / 128
    d = np.random.default_rng(3).normal(size=(9, 3))
    d /= np.linalg.norm(d, axis=1)[:, None]
    before = np.einsum("dk,nkc->dnc", sh_basis(d, 3)[:, 1:], stored)
    after = np.einsum("dk,nkc->dnc", sh_basis(d * (1, -1, -1), 3)[:, 1:], scene.sh[:, 1:])
    np.testing.assert_allclose(after, before, atol=1e-6)
    np.testing.assert_allclose(sh_basis(d * (1, -1, -1), 3), sh_basis(d, 3) * HALF_TURN_X_SH_SIGNS)


def write_sog(folder, n=5, version=2, **changes):
    """A SOG of 3 x 2 pixels with a palette of two degree-1 entries."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(4)
    pixels = {f: rng.integers(0, 256, (2, 3, 4)).astype(np.uint8)
              for f in ("means_l", "means_u", "scales", "quats", "sh0", "shN_labels")}  # fmt: skip
    for image in pixels.values():
        image[..., 3] = 255
    pixels["quats"][..., 3] = [[252, 253, 254], [255, 252, 253]]
    pixels["sh0"][..., 3] = 51 * np.arange(6).reshape(2, 3)
    pixels["shN_labels"][..., :2] = np.stack([[[0, 1, 0], [1, 1, 0]], np.zeros((2, 3))], -1)
    centroids = np.zeros((1, 64 * 3, 3), np.uint8)
    centroids[0, :6] = np.arange(18).reshape(6, 3)
    for name, image in {**pixels, "shN_centroids": centroids}.items():
        Image.fromarray(image).save(folder / f"{name}.webp", lossless=True, exact=True)
    book = np.linspace(-5, 1, 256).tolist()
    means, dc = ["means_l.webp", "means_u.webp"], ["sh0.webp"]
    meta = {
        "means": {"mins": [-1, -1, -1], "maxs": [1, 1, 1], "files": means},
        "scales": {"codebook": book, "mins": [-5] * 3, "maxs": [1] * 3, "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": book, "mins": [-5] * 3 + [-4], "maxs": [1] * 3 + [4], "files": dc},
        "shN": {"count": 2, "bands": 1, "codebook": book, "mins": -5, "maxs": 1,
                "files": ["shN_centroids.webp", "shN_labels.webp"]},
    }  # fmt: skip
    if version == 2:
        meta |= {"version": 2, "count": n}
    else:
        meta["means"]["shape"] = [n, 3]
    (folder / "meta.json").write_text(json.dumps(meta | changes))
    return pixels, np.array(book)


@pytest.mark.parametrize("version", [1, 2])
def test_sog_both_versions(tmp_path, version):
    pixels, book = write_sog(tmp_path / "sog", version=version)
    scene = load_scene_file(tmp_path / "sog")
    flat = {k: v.reshape(-1, 4)[:5].astype(int) for k, v in pixels.items()}
    log = -1 + 2 * (flat["means_u"][:, :3] * 256 + flat["means_l"][:, :3]) / 65535
    np.testing.assert_allclose(scene.means, np.sign(log) * np.expm1(np.abs(log)), atol=1e-6)
    np.testing.assert_allclose(scene.scales, np.exp(book[flat["scales"][:, :3]]), rtol=1e-5)
    np.testing.assert_allclose(scene.sh[:, 0], book[flat["sh0"][:, :3]], atol=1e-5)
    share = flat["sh0"][:, 3] / 255
    opacity = share if version == 2 else 1 / (1 + np.exp(4 - 8 * share))
    np.testing.assert_allclose(scene.opacities, opacity, atol=1e-6)
    entries = book[np.arange(18).reshape(2, 3, 3)]
    np.testing.assert_allclose(scene.sh[:, 1:], entries[[0, 1, 0, 1, 1]], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(scene.quats, axis=1), 1, atol=1e-6)
    largest = [0, 1, 2, 3, 0]
    three = (flat["quats"][:, :3] / 255 - 0.5) * np.sqrt(2)
    for quat, place, kept in zip(scene.quats, largest, three):
        ratio = np.delete(quat, place)  # equal up to the normalisation of impossible test values
        np.testing.assert_allclose(np.cross(ratio, kept), 0, atol=1e-5)


def test_sog_bundle_is_its_folder(tmp_path):
    write_sog(tmp_path / "sog")
    with zipfile.ZipFile(tmp_path / "scene.sog", "w") as archive:
        for file in (tmp_path / "sog").iterdir():
            archive.write(file, file.name)
    a, b = load_scene_file(tmp_path / "scene.sog"), load_scene_file(tmp_path / "sog" / "meta.json")
    for field in ("means", "scales", "quats", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def test_streamed_sog_takes_ranges_of_its_level(tmp_path):
    write_sog(tmp_path / "a")
    write_sog(tmp_path / "b", n=3)
    leaves = [{"lods": {"0": {"file": 0, "offset": 3, "count": 2}}},
              {"lods": {"0": {"file": 0, "offset": 0, "count": 1},
                        "1": {"file": 1, "offset": 1, "count": 2}}}]  # fmt: skip
    meta = {"lodLevels": 2, "filenames": ["a/meta.json", "b/meta.json"],
            "tree": {"children": leaves}}  # fmt: skip
    (tmp_path / "lod-meta.json").write_text(json.dumps(meta))
    whole = load_scene_file(tmp_path / "a")
    for path in (tmp_path, tmp_path / "lod-meta.json"):
        scene = load_scene_file(path)
        np.testing.assert_array_equal(scene.means, whole.means[[0, 3, 4]])
    assert len(load_scene_file(tmp_path, lod=1)) == 2


# --- real files -----------------------------------------------------------------------------


def test_three_real_points_agree_between_ply_splat_and_spz(data):
    stem = data / "gs3d/fixtures/test-splat.3-points-from-train"
    ply, splat, spz = (load_scene_file(f"{stem}.{e}") for e in ("ply", "splat", "spz"))
    np.testing.assert_array_equal(splat.means, ply.means)
    np.testing.assert_allclose(splat.scales, ply.scales, rtol=1e-6)
    np.testing.assert_allclose(spz.means, ply.means, atol=1 / 4096)
    np.testing.assert_allclose(np.log(spz.scales), np.log(ply.scales), atol=1 / 32 + 1e-6)
    for other in (splat, spz):
        np.testing.assert_allclose(other.opacities, ply.opacities, atol=1 / 255)
        assert angle_deg(other.quats, ply.quats).max() < 1.3  # steps of 1/128 and 1/511
    np.testing.assert_allclose(splat.sh[:, 0] * C0, ply.sh[:, 0] * C0, atol=1 / 255)
    np.testing.assert_allclose(spz.sh[:, 0], ply.sh[:, 0], atol=0.5 / 255 / 0.15 + 1e-6)
    np.testing.assert_allclose(spz.sh[:, 1:], ply.sh[:, 1:], atol=8.5 / 128)  # 4-bit SH
    assert np.abs(ply.sh[:, 1:]).max() > 0.0625  # so that signs are told apart


def test_biker_agrees_between_compressed_ply_and_spz(data):
    folder = data / "gs3d/playcanvas"
    ply, spz = (
        load_scene_file(folder / "biker.compressed.ply"),
        load_scene_file(folder / "biker.spz"),
    )
    assert len(ply) == len(spz) == 152_746
    np.testing.assert_allclose(ply.means, spz.means, atol=1 / 4096)
    np.testing.assert_array_equal(ply.opacities, spz.opacities)
    log = np.log(ply.scales)
    inside = log > -10  # the .spz cannot store less
    assert np.abs(log - np.log(spz.scales))[inside].max() <= 1 / 32 + 1e-5
    assert angle_deg(ply.quats, spz.quats).max() < 0.2
    np.testing.assert_allclose(ply.sh, spz.sh, atol=0.5 / 255 / 0.15 + 1e-5)


def test_minimal_fixtures_of_every_spz_version_agree(data):
    folder = data / "gs3d/fixtures"
    v2, raw, v3, v4 = (
        load_scene_file(folder / f"minimal-{v}.spz") for v in ("v2", "raw", "v3", "v4")
    )
    for field in ("means", "scales", "quats", "opacities", "sh"):
        np.testing.assert_array_equal(getattr(v2, field), getattr(raw, field))
        np.testing.assert_array_equal(getattr(v3, field), getattr(v4, field))
    np.testing.assert_allclose(v3.quats[:, 0], 1)
    np.testing.assert_array_equal(v3.means, [[-1, 0, -1], [0, 0, -1], [-1, 0, 0], [0, 0, 0]])


def test_playbot_levels_agree(data):
    """Levels of detail are other Gaussians of the same thing: counts, bounds, colours and SH."""
    path = data / "gs3d/playcanvas/playbot/lod-meta.json"
    counts = [500_000, 250_000, 125_000, 31_000, 8_406, 3_000, 1_873]
    assert [open_scene_file(path, lod).gaussians for lod in range(7)] == counts
    fine, coarse = load_scene_file(path, 2), load_scene_file(path.parent, 3)
    assert fine.sh_degree == 2
    for scene in (fine, coarse):
        np.testing.assert_allclose(scene.means.min(axis=0), [-1.03, -1.08, -1.04], atol=0.02)
    pick = np.random.default_rng(0).choice(len(coarse), 600, replace=False)
    near = [np.argmin(((fine.means - m) ** 2).sum(axis=1)) for m in coarse.means[pick]]
    for channel in range(3):
        a, b = fine.sh[near, :, channel], coarse.sh[pick, :, channel]
        alike = np.corrcoef(a.T, b.T)[:9, 9:]
        # neighbours resemble each other coefficient by coefficient: the palette's order is right
        np.testing.assert_array_equal(alike.argmax(axis=1), np.arange(9))


def test_gsply_reads_the_same_numbers(data):
    """An independent reader agrees (it leaves .spz in its own axes)."""
    gsply = pytest.importorskip("gsply")
    folder = data / "gs3d"
    theirs = gsply.plyread(str(folder / "playcanvas/biker.compressed.ply"))
    ours = load_scene_file(folder / "playcanvas/biker.compressed.ply")
    np.testing.assert_allclose(ours.means, theirs.means, atol=1e-6)
    np.testing.assert_allclose(np.log(ours.scales), theirs.scales, atol=1e-5)
    np.testing.assert_allclose(ours.sh[:, 0], theirs.sh0, atol=1e-5)
    assert angle_deg(ours.quats, theirs.quats).max() < 1e-4
    theirs = gsply.read_spz(str(folder / "playcanvas/biker.spz"))
    ours = load_scene_file(folder / "playcanvas/biker.spz")
    np.testing.assert_array_equal(ours.means, theirs.means * np.array([1, -1, -1], np.float32))


# --- refused --------------------------------------------------------------------------------


def refused(path, *words, lod=None, error=InputError):
    with pytest.raises(error) as caught:
        load_scene_file(path, lod)
    text = str(caught.value)
    for word in (*words, "remedy:"):
        assert word in text
    return text


def good_files(folder):
    """One small file of every format."""
    rng = np.random.default_rng(5)
    names = inria_names(1)
    write_ply(folder / "a.ply", rng.normal(size=(9, len(names))), names)
    record = struct.pack("<6f8B", 1, 2, 3, 1, 1, 1, 9, 9, 9, 9, 200, 1, 1, 1)
    (folder / "a.splat").write_bytes(record * 9)
    (folder / "a.spz").write_bytes(spz_v4(9, spz_sections(9)))
    sections = spz_sections(9)
    plain = struct.pack("<4sIIBBBB", b"NGSP", 3, 9, 0, 12, 0, 0) + b"".join(sections)
    (folder / "raw.spz").write_bytes(plain)
    (folder / "zipped.spz").write_bytes(gzip.compress(plain))
    write_sog(folder / "sog")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in (folder / "sog").iterdir():
            archive.write(file, file.name)
    (folder / "a.sog").write_bytes(buffer.getvalue())
    return ["a.ply", "a.splat", "a.spz", "raw.spz", "zipped.spz", "a.sog"]


def test_truncated_files_name_the_byte_offset(tmp_path):
    for name in good_files(tmp_path):
        path = tmp_path / name
        assert len(load_scene_file(path)) in (5, 9)
        whole = path.read_bytes()
        for keep in (len(whole) - 1, len(whole) // 2):
            path.write_bytes(whole[:keep])
            text = refused(path, path.name)
            assert f"byte offset {keep}" in text or "record" in text, text
    for image in ("means_l", "shN_centroids"):
        path = tmp_path / "sog" / f"{image}.webp"
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        refused(tmp_path / "sog", f"{image}.webp", "byte offset", "truncated")
        path.write_bytes(whole)
    (tmp_path / "sog" / "meta.json").write_text('{"version": 2, "cou')
    refused(tmp_path / "sog", "meta.json")


def test_truncated_real_compressed_ply(data, tmp_path):
    whole = (data / "gs3d/playcanvas/biker.compressed.ply").read_bytes()
    path = tmp_path / "biker.compressed.ply"
    path.write_bytes(whole[:1_000_000])
    refused(path, "truncated", "byte offset 1000000", "ends in record", "152746")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["y", "f_dc_1", "f_rest_4", "opacity", "scale_2", "rot_3"])
def test_nan_and_infinity_name_the_record(tmp_path, name, value):
    names = inria_names(1)
    table = np.random.default_rng(6).normal(size=(9, len(names)))
    table[4, names.index(name)] = value
    write_ply(tmp_path / "a.ply", table, names)
    offset = (tmp_path / "a.ply").stat().st_size - 5 * 4 * len(names)
    refused(tmp_path / "a.ply", "record 4", f"byte offset {offset}")


def test_zero_quaternion_and_scale_name_the_record(tmp_path):
    good = struct.pack("<6f8B", 1, 2, 3, 1, 1, 1, 9, 9, 9, 9, 200, 1, 1, 1)
    flat = struct.pack("<6f8B", 1, 2, 3, 1, 0, 1, 9, 9, 9, 9, 200, 1, 1, 1)
    unturned = struct.pack("<6f8B", 1, 2, 3, 1, 1, 1, 9, 9, 9, 9, 128, 128, 128, 128)
    (tmp_path / "a.splat").write_bytes(good * 3 + flat)
    refused(tmp_path / "a.splat", "record 3", "byte offset 96", "not positive")
    (tmp_path / "a.splat").write_bytes(good * 2 + unturned)
    refused(tmp_path / "a.splat", "record 2", "byte offset 64", "quaternion")


def test_a_very_flat_gaussian_is_not_an_error(tmp_path):
    names = inria_names(0)
    table = np.ones((2, len(names)))
    table[1, names.index("scale_0")] = -200.0
    write_ply(tmp_path / "a.ply", table, names)
    assert load_scene_file(tmp_path / "a.ply").scales[1, 0] == np.finfo(np.float32).tiny


def test_mislabelled_files(tmp_path):
    good_files(tmp_path)
    cases = (("a.ply", "b.spz"), ("a.spz", "b.ply"), ("zipped.spz", "b.splat"),
             ("a.sog", "b.ply"), ("a.splat", "c.ply"), ("a.splat", "c.spz"))  # fmt: skip
    for have, named in cases:
        shutil.copy(tmp_path / have, tmp_path / named)
        refused(tmp_path / named, "mislabelled", "byte offset 0")
    (tmp_path / "cameras.json").write_text("[]")
    refused(tmp_path / "cameras.json", "neither")
    (tmp_path / "a.obj").write_text("o thing")
    refused(tmp_path / "a.obj", "not a scene format")
    write_ply(tmp_path / "cloud.ply", np.ones((2, 3)), ["x", "y", "z"])
    refused(tmp_path / "cloud.ply", "opacity", "point cloud")


def test_empty_scenes(tmp_path):
    names = inria_names(0)
    write_ply(tmp_path / "a.ply", np.ones((0, len(names))), names)
    refused(tmp_path / "a.ply", "no Gaussians")
    (tmp_path / "a.spz").write_bytes(spz_v4(0, [b""] * 5))
    refused(tmp_path / "a.spz", "no Gaussians")
    (tmp_path / "a.splat").write_bytes(b"")
    refused(tmp_path / "a.splat", "empty")
    write_sog(tmp_path / "sog", n=0)
    refused(tmp_path / "sog", "no Gaussians")


def test_unsupported_versions_and_layouts(tmp_path):
    for version in (1, 5):
        (tmp_path / "a.spz").write_bytes(spz_v4(9, spz_sections(9), version=version))
        refused(tmp_path / "a.spz", f"version {version}", "2, 3 and 4", "byte offset 4")
    write_sog(tmp_path / "sog")
    meta = tmp_path / "sog" / "meta.json"
    meta.write_text(meta.read_text().replace('"version": 2', '"version": 3'))
    refused(tmp_path / "sog", "version 3")
    names = [*inria_names(0), "f_rest_0"]
    write_ply(tmp_path / "a.ply", np.ones((1, len(names))), names)
    refused(tmp_path / "a.ply", "1 f_rest properties", "0, 9, 24 or 45")
    (tmp_path / "b.ply").write_text("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    refused(tmp_path / "b.ply", "ascii", "line 2", "binary_little_endian")


def test_missing_files_and_levels(tmp_path, data):
    refused(tmp_path / "none.ply", "no such scene")
    refused(tmp_path, "neither meta.json nor")
    write_sog(tmp_path / "sog")
    (tmp_path / "sog" / "quats.webp").unlink()
    refused(tmp_path / "sog", "quats.webp", "lacks")
    playbot = data / "gs3d/playcanvas/playbot"
    refused(playbot, "level of detail 7", "0 (finest) to 6", lod=7)
    refused(data / "gs3d/playcanvas/biker.spz", "no levels of detail", lod=1)


def test_too_large_is_refused_before_loading(tmp_path, monkeypatch):
    good_files(tmp_path)
    file = open_scene_file(tmp_path / "a.ply")
    assert file.needed_bytes > scene_bytes(9, 1) == 9 * 4 * 23
    monkeypatch.setattr(type(file), "decode", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(ResourceError, match=r"needs .*B, allowed are 1 kB(.|\n)*remedy") as caught:
        load_scene_file(tmp_path / "a.ply", memory_limit_bytes=1000)
    assert caught.value.exit_code == 4
