"""What ships, and what a fresh machine is told: files, wheel, Makefile, .ci/run, Dockerfile."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

import auditsvc

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "auditsvc" / "demo"

# As a person's shell has it: without what an outer make, such as `make test`, hands down.
SHELL = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The files that git keeps or would add; skips outside a clone."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone: there is no list of the files that belong to it")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listing.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The project's wheel, built with the tools at hand and no network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True)
    (built,) = folder.glob("auditsvc-*.whl")
    return zipfile.Path(built)


# --------------------------------------------------------------------------------------- what ships


def test_top_level_holds_only_what_has_a_place_there(tracked: list[Path]) -> None:
    """A new file finds its folder; the top level stays one screen."""
    allowed = {
        *("auditsvc", "tests", "benchmarks", "deploy", "pyproject.toml", "openapi.yaml"),
        *("Dockerfile", "Makefile", "README.md", "LICENSE"),
    }
    top = {path.parts[0] for path in tracked}
    assert {name for name in top if not name.startswith(".")} <= allowed
    assert {"auditsvc", "tests", "pyproject.toml", "LICENSE"} <= top


def test_licence_is_the_apache_licence_whole() -> None:
    """The text people know, from its title to its appendix."""
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert text.rstrip().endswith("limitations under the License.")


def test_notice_says_whose_each_demo_file_is() -> None:
    """Every file of the demo is named, and Kubernetes' document with its authors and licence."""
    notice = (DEMO / "NOTICE").read_text(encoding="utf-8")
    data = {path.name for path in DEMO.iterdir() if path.suffix in {".gz", ".yaml"}}
    assert data <= set(re.findall(r"[\w.-]+", notice))
    assert "Copyright The Kubernetes Authors" in notice
    assert "Apache License, Version 2.0" in notice


@pytest.mark.parametrize(
    "source",
    [
        "kubernetes-1.20.2/openapi-v2.json.gz",
        "kubernetes-1.20.2/ci-audit.log.gz",
        "kubernetes-1.20.2/pull-audit.log.gz",
        "lists/demo-1.20.2-pending.yaml",
        "lists/demo-1.20.2-ineligible.yaml",
    ],
)
def test_demo_data_is_the_recorded_data(shared_data: Path, source: str) -> None:
    """The shipped copies are byte for byte what was recorded."""
    recorded = shared_data / source
    shipped = DEMO / recorded.name
    assert hashlib.sha256(shipped.read_bytes()).digest() == hashlib.sha256(recorded.read_bytes()).digest()


def test_wheel_holds_the_whole_package(wheel: zipfile.Path, tracked: list[Path]) -> None:
    """Code, demo data, templates, static files and py.typed: what is in the folder is in the wheel."""
    names = {name for name in wheel.root.namelist() if re.match(r"auditsvc/.*[^/]$", name)}
    assert names == {path.as_posix() for path in tracked if path.parts[0] == "auditsvc"}


def test_wheel_installs_the_command_with_its_licences(wheel: zipfile.Path) -> None:
    """One console script, both licence files, and the version that the package itself tells."""
    (info,) = (entry for entry in wheel.iterdir() if entry.name.endswith(".dist-info"))
    metadata = (info / "METADATA").read_text(encoding="utf-8")
    assert f"\nVersion: {auditsvc.__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert re.findall(r"^License-File: (.*)$", metadata, re.M) == ["LICENSE", "auditsvc/demo/NOTICE"]
    assert "auditsvc = auditsvc.cli:main" in (info / "entry_points.txt").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------- make and .ci/run


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile and pyproject.toml alone, its name holding a space."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def run_make(clone: Path, target: str, *, python: str) -> subprocess.CompletedProcess[str]:
    """Runs make there; programs in the clone's `bin` go before the machine's."""
    environment = {**SHELL, "PATH": f"{clone / 'bin'}{os.pathsep}{SHELL['PATH']}"}
    command = ["make", target, f"PYTHON={python}"]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


def fake_python(clone: Path, body: str) -> str:
    """A program that answers as some machine's Python does; `body` is shell, "$real" this Python."""
    program = clone / "fake python"
    program.write_text(f"#!/bin/sh\nreal={shlex.quote(sys.executable)}\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return f"./{program.name}"


def stand_in(folder: Path, program: str, *, for_: list[str]) -> None:
    """Puts a program of this machine into the folder under other names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in for_:
        (folder / name).symlink_to(shutil.which(program) or program)


OLD = 'exec "$real" -c "import sys; sys.version_info = (3, 10, 12, \'final\', 0); $2"'
NO_ENSUREPIP = 'exec "$real" -c "import sys; sys.modules[\'ensurepip\'] = None; $2"'
VENV_FAILS = 'if [ "$1" = -m ]; then mkdir .venv; exit 1; fi; exec "$real" "$@"'


@pytest.mark.parametrize("target", ["demo", "test"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (OLD, "is not Python 3.11 or newer: apt-get install python3.11 "),
        (NO_ENSUREPIP, "cannot make environments with pip in them: apt-get install python3-venv"),
        (VENV_FAILS, "-m venv failed: apt-get install python3-venv "),
    ],
    ids=["old", "no-ensurepip", "venv-fails"],
)
def test_make_names_the_package_that_python_lacks(clone: Path, target: str, body: str, message: str) -> None:
    """One line says what to install, and no half-made environment is left for the next run to trip over."""
    done = run_make(clone, target, python=fake_python(clone, body))
    assert done.returncode == 2
    assert f"auditsvc: ./fake python {message}" in done.stderr
    assert not (clone / ".venv").exists()


def test_make_without_any_python_names_its_package(clone: Path) -> None:
    """A machine with make alone is told both packages."""
    done = run_make(clone, "demo", python="no-such-python")
    assert done.returncode == 2
    assert "auditsvc: there is no no-such-python: apt-get install python3 python3-venv" in done.stderr


def test_make_names_the_check_that_failed(clone: Path) -> None:
    """`make test` ends at the first failing check and says which one it was."""
    stand_in(clone / "bin", "true", for_=["chromium", "chromedriver", "promtool"])  # or make fetches them
    stand_in(clone / ".venv" / "bin", "true", for_=["ruff", "lint-imports", "python"])
    stand_in(clone / ".venv" / "bin", "false", for_=["mypy"])
    for stamp in (".made", ".testable"):
        (clone / ".venv" / stamp).touch()
    done = run_make(clone, "test", python=sys.executable)
    assert done.returncode == 2
    assert done.stdout.splitlines() == ["== ruff check", "== ruff format", "== mypy --strict"]
    assert 'auditsvc: the check "mypy --strict" failed' in done.stderr


def test_make_alone_lists_the_targets(clone: Path) -> None:
    """Whoever types `make` learns the two commands."""
    done = run_make(clone, "help", python="none")
    listed = re.findall(r"^  make (\w+)", done.stdout, re.M)
    assert listed == ["help", "demo", "test", "bench", "clean"]


def test_ci_runs_make_test_from_anywhere(tmp_path: Path) -> None:
    """The script goes to the project's folder, runs `make test` there and ends as that ends."""
    script = tmp_path / ".ci" / "run"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci" / "run", script)
    recipe = "test:\n\t@echo tested in $(notdir $(CURDIR)); exit 1\n"
    (tmp_path / "Makefile").write_text(recipe, encoding="utf-8")
    done = subprocess.run([script], cwd="/", env=SHELL, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == f"tested in {tmp_path.name}\n"


# ---------------------------------------------------------------------------------------- Dockerfile


@pytest.fixture(scope="module")
def image() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile's last stage, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    instructions = [(name, value) for name, _, value in lines]
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]


def test_image_runs_as_a_fixed_number_that_is_not_root(image: list[tuple[str, str]]) -> None:
    """Kubernetes' runAsNonRoot accepts it: the user is a number."""
    (user,) = (value for name, value in image if name == "USER")
    uid, _, gid = user.partition(":")
    assert int(uid) > 0
    assert int(gid) > 0


def test_image_keeps_its_data_in_a_volume_that_its_user_owns(image: list[tuple[str, str]]) -> None:
    """AUDITSVC_DATA is the volume, and the folder was made for the user before it became one."""
    assert ("VOLUME", "/data") in image
    assert ("USER", "10001:10001") in image
    (made,) = (value for name, value in image if name == "RUN")
    assert re.fullmatch(r"install -d -o 10001 -g 10001 .* /data", made)
    settings = " ".join(value for name, value in image if name == "ENV")
    assert "AUDITSVC_DATA=/data" in settings.split()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_image_checks_its_health_with_what_it_has(
    image: list[tuple[str, str]], httpserver: HTTPServer, status: int, code: int
) -> None:
    """A slim image has no curl: Python asks /healthz on the port that is served, past any proxy."""
    (check,) = (value for name, value in image if name == "HEALTHCHECK")
    httpserver.expect_request("/healthz", method="GET").respond_with_data(status=status)
    command = json.loads(check.partition("CMD ")[2].replace("8080", str(httpserver.port)))
    environment = {**SHELL, "http_proxy": "http://127.0.0.1:1"}
    done = subprocess.run([sys.executable, *command[1:]], env=environment, check=False)
    assert done.returncode == code
    assert command[0] == "python"
    assert "'127.0.0.1', 8080" in check
    assert ("EXPOSE", "8080") in image


def test_image_serves_on_every_address(image: list[tuple[str, str]]) -> None:
    """Inside a container loopback reaches nobody."""
    assert ("ENTRYPOINT", '["auditsvc"]') in image
    assert ("CMD", '["serve", "--host", "0.0.0.0", "--port", "8080"]') in image
