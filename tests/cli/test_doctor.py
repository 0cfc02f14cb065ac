import json
from pathlib import Path

from auditsvc.store import Store
from tests.cli.conftest import CommandLine


def test_the_command(auditsvc: CommandLine, tmp_path: Path) -> None:
    """A line for each check and each problem; exit code 0, 1, or 2 where there is nothing to look at."""
    Store.open(auditsvc.data).close()
    whole = auditsvc("doctor")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert [line.split()[:2] for line in whole.stdout.splitlines()][:2] == [["ok", "file"], ["ok", "pages"]]
    (auditsvc.data / "spool" / "left").touch()
    broken = auditsvc("doctor")
    assert broken.returncode == 1
    [line] = [line for line in broken.stdout.splitlines() if not line.startswith("ok ")]
    assert line.startswith("problem  processes  ")
    as_json = json.loads(auditsvc("doctor", "--format", "json").stdout)
    assert as_json["whole"] is False
    assert [check["check"] for check in as_json["checks"] if check["problems"]] == ["processes"]
    nothing = CommandLine(tmp_path, tmp_path / "none")("doctor")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert nothing.stderr.startswith("auditsvc: there is no store in")
    assert not (tmp_path / "none").exists()
