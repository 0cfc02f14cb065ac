import os
import signal
import subprocess
import sys
from pathlib import Path

from auditsvc.store.processes import SPOOL, Process, left_behind, living

_ENTER = """
import sys
from pathlib import Path
from auditsvc.store.processes import Process

process = Process.enter(Path(sys.argv[1]))
(process.folder / "half").write_bytes(b"an upload")
print(process.name, flush=True)
sys.stdin.read()
"""


def test_a_process_lives_until_it_leaves(tmp_path: Path) -> None:
    """Each of several has a folder of its own, which goes with it."""
    first, second = Process.enter(tmp_path), Process.enter(tmp_path)
    (first.folder / "upload").touch()
    assert living(tmp_path) == {first.name, second.name}
    assert left_behind(tmp_path) == []
    first.leave()
    assert living(tmp_path) == {second.name}
    assert second.folder.is_dir()
    second.leave()
    assert list((tmp_path / SPOOL).iterdir()) == []


def test_a_killed_process_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    """It lives no more at once; what it was in the middle of is there until somebody enters."""
    command = [sys.executable, "-c", _ENTER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert living(tmp_path) == {name}
        os.kill(process.pid, signal.SIGKILL)
    assert living(tmp_path) == set()
    assert left_behind(tmp_path) == [tmp_path / SPOOL / name]
    next_one = Process.enter(tmp_path)
    assert [entry.name for entry in (tmp_path / SPOOL).iterdir()] == [next_one.name]
    next_one.leave()


def test_what_else_lies_in_the_spool_goes(tmp_path: Path) -> None:
    """Files and links that no process is at are cleared away; what a link leads to stays."""
    (tmp_path / SPOOL).mkdir()
    (tmp_path / SPOOL / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / SPOOL / "link").symlink_to(tmp_path / "elsewhere")
    assert living(tmp_path) == set()
    Process.enter(tmp_path).leave()
    assert list((tmp_path / SPOOL).iterdir()) == []
    assert (tmp_path / "elsewhere").is_dir()


def test_nobody_was_ever_there(tmp_path: Path) -> None:
    """A folder without a spool has no process."""
    assert (living(tmp_path), left_behind(tmp_path)) == (set(), [])
