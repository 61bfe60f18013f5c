"""The store: nothing written is lost, whatever moment the writer is killed at."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.base.errors import ConfigError, InputError, OutputError
from archsim.explore.store import Store

VERSION = "0123456789abcdef0123"
KEYS = [f"key{i:02d}" for i in range(6)]


def record(i: int) -> dict:
    return {"status": "measured", "row": {"time_s": 0.1 * i, "text": "é\n" * i}, "took_s": 0.5}


def filled(folder: Path) -> Path:
    with Store(folder, VERSION, "mine") as store:
        for i, key in enumerate(KEYS):
            store.put(key, record(i))
        return store.path


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    filled(tmp_path)
    with Store(tmp_path, VERSION, "mine") as store:
        assert [store.get(key) for key in KEYS] == [record(i) for i in range(6)]
        assert store.get("other") is None
        assert (len(store), store.notes) == (6, [])


def test_later_sweeps_find_records_but_not_failures(tmp_path: Path) -> None:
    filled(tmp_path)
    with Store(tmp_path, VERSION, "mine") as store:
        store.put("bad", {"status": "failed", "error": "no memory", "took_s": 0.0})
        assert store.get("bad") is not None
    with Store(tmp_path, VERSION, "mine") as again:
        assert again.get("bad") is None
    with Store(tmp_path, VERSION, "theirs") as other:
        assert other.get(KEYS[3]) == record(3)
        assert other.get("bad") is None


def test_other_models_find_nothing(tmp_path: Path) -> None:
    filled(tmp_path)
    with Store(tmp_path, "f" * 20, "mine") as store:
        assert store.get(KEYS[0]) is None


def test_a_log_cut_at_any_byte_keeps_every_whole_record(tmp_path: Path) -> None:
    whole_log = filled(tmp_path).read_bytes()
    data = whole_log[: whole_log.index(KEYS[3].encode()) - 9]  # three records are enough
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    path = tmp_path / "cut" / VERSION[:16] / "mine.log"
    path.parent.mkdir(parents=True)
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        whole = max(sum(end <= cut for end in ends) - 1, 0)  # the head is a line, too
        with Store(tmp_path / "cut", VERSION, "mine") as store:
            assert [store.get(key) for key in KEYS[:whole]] == [record(i) for i in range(whole)]
            assert all(store.get(key) is None for key in KEYS[whole:3])
            torn = cut not in ends and cut > 0
            assert bool(store.notes) == torn
            for i, key in enumerate(KEYS[whole:3], whole):
                store.put(key, record(i))
        assert path.read_bytes() == data


@settings(deadline=None)
@given(st.data())
def test_damage_costs_only_the_records_it_hits(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = filled(Path(folder))
        whole = bytearray(path.read_bytes())
        head = whole.index(b"\n") + 1
        place = data.draw(st.integers(head, len(whole) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda b: b != whole[place]))
        hit = whole[head:place].count(b"\n")  # the record it is in; its end joins it to the next
        whole[place] = byte
        path.write_bytes(whole)
        with Store(Path(folder), VERSION, "mine") as store:
            lost = {i for i, key in enumerate(KEYS) if store.get(key) != record(i)}
            assert hit in lost
            assert lost <= {hit, hit + 1}
            assert all(store.get(KEYS[i]) is None for i in lost)


def test_damage_in_the_middle_is_said_and_left(tmp_path: Path) -> None:
    path = filled(tmp_path)
    data = bytearray(path.read_bytes())
    data[data.index(b"key02") + 12] ^= 1
    path.write_bytes(data)
    with Store(tmp_path, VERSION, "mine") as store:
        assert store.get("key02") is None
        assert store.get("key05") == record(5)
        (note,) = store.notes
        assert "damaged bytes in the middle" in note
        store.put("key02", record(2))
    assert path.read_bytes()[: len(data)] == data
    with Store(tmp_path, VERSION, "mine") as again:
        assert again.get("key02") == record(2)


def test_two_sweeps_on_one_log_are_refused(tmp_path: Path) -> None:
    with Store(tmp_path, VERSION, "mine") as store:
        store.put("a", record(1))
        with pytest.raises(ConfigError, match="another sweep is writing this store's log"):
            Store(tmp_path, VERSION, "mine")
        with Store(tmp_path, VERSION, "theirs") as other:  # beside it is fine
            assert other.get("a") == record(1)
    assert filled(tmp_path).exists()


def test_a_log_of_another_format_is_refused_and_left(tmp_path: Path) -> None:
    path = filled(tmp_path)
    text = path.read_bytes().replace(b"archsim-store-1", b"archsim-store-9")
    path.write_bytes(text)
    with pytest.raises(InputError, match="is no store of this version: it begins with "
                       "'archsim-store-9"):  # fmt: skip
        Store(tmp_path, VERSION, "mine")
    assert path.read_bytes() == text


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A limit on the file's size writes a part and then fails, as a full disk does."""
    code = f"""
import signal, resource, sys
from pathlib import Path
from archsim.base.errors import OutputError
from archsim.explore.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store(Path({str(tmp_path)!r}), {VERSION!r}, "mine") as store:
    store.put("first", {{"status": "measured", "row": {{}}}})
    size = store.path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
    try:
        store.put("second", {{"status": "measured", "row": {{"long": "x" * 100}}}})
    except OutputError as error:
        print(error.render())
    assert store.path.stat().st_size == size
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "the store cannot be written: File too large" in shown.stdout
    assert "--resume; what is stored stays" in shown.stdout
    with Store(tmp_path, VERSION, "mine") as store:
        assert store.get("first") is not None
        assert store.get("second") is None
        assert store.notes == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="the store cannot be written"):
        Store(tmp_path / "file", VERSION, "mine")


def test_a_killed_writer_leaves_the_log_free(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from archsim.explore.store import Store
store = Store(Path({str(tmp_path)!r}), {VERSION!r}, "mine")
i = 0
print("ready", flush=True)
while True:
    store.put(f"k{{i}}", {{"status": "measured", "row": {{"i": i}}}})
    i += 1
"""
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    with Store(tmp_path, VERSION, "mine") as store:
        assert all(store.get(f"k{i}") == {"status": "measured", "row": {"i": i}}
                   for i in range(len(store)))  # fmt: skip
