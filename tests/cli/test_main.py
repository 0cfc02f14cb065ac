"""The command line as a whole: its start, its help, and how it ends when something goes wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from auditsvc import __version__
from auditsvc.cli import COMMANDS, cli
from auditsvc.store import Store
from tests.cli.conftest import CommandLine

HEAVY = (
    *("rich", "requests", "urllib3", "flask", "flask_smorest", "marshmallow", "gunicorn", "sqlite_utils"),
    *("sqlite3", "msgspec", "yaml", "zstandard", "multiprocessing", "concurrent.futures", "asyncio", "ssl"),
    *("auditsvc.core", "auditsvc.audits", "auditsvc.service", "auditsvc.store", "auditsvc.config"),
)


PARSE_NEEDS = {"msgspec", "auditsvc.core"}
INGEST_NEEDS = {*PARSE_NEEDS, "sqlite3", "auditsvc.service", "auditsvc.store", "auditsvc.config"}


def test_help_imports_nothing_heavy(auditsvc: CommandLine) -> None:
    """``--help`` answers from the table of commands: it reads none of their modules, nor a heavy library."""
    ran, modules = importing(auditsvc, "--help")
    assert modules.isdisjoint(HEAVY)
    assert {name for name in modules if name.startswith("auditsvc")} == {
        "auditsvc",
        "auditsvc.cli",
        "auditsvc.errors",
    }
    assert all(f"  {name} " in ran.stdout for name in COMMANDS)


def test_parse_imports_only_what_it_needs(auditsvc: CommandLine, demo_data: Path) -> None:
    """``parse`` with one job starts no processes, opens no store, draws no bar, and speaks to nobody."""
    swagger = str(demo_data / "openapi-v2.json.gz")
    log = str(demo_data / "ci-audit.log.gz")
    _, modules = importing(auditsvc, "parse", log, "--swagger", swagger, "--jobs", "1")
    assert modules.isdisjoint(set(HEAVY) - PARSE_NEEDS)
    assert "auditsvc.core.counting" in modules


def test_ingest_imports_only_what_it_needs(auditsvc: CommandLine, demo_data: Path, tmp_path: Path) -> None:
    """``ingest`` into a store that is up to date audits nothing, compares nothing and changes no schema."""
    swagger = ("--swagger", str(demo_data / "openapi-v2.json.gz"), "--data", str(tmp_path), "--jobs", "1")
    Store.open(tmp_path).close()
    _, modules = importing(auditsvc, "ingest", str(demo_data / "ci-audit.log.gz"), "--kind", "ci", *swagger)
    assert modules.isdisjoint(set(HEAVY) - INGEST_NEEDS)
    assert modules.isdisjoint({"auditsvc.sources", "auditsvc.core.coverage", "auditsvc.core.costs"})
    assert "auditsvc.store.usage" in modules


def importing(auditsvc: CommandLine, *arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Runs a command in a process of its own; what it imported."""
    script = (
        f"import sys\nfrom auditsvc.cli import main\ncode = main({arguments!r})\n"
        "print(*sys.modules, sep='\\n', file=sys.stderr)\nsys.exit(code)"
    )
    # What checks a variable is imported where one is set.
    unset = {name: value for name, value in auditsvc.environment.items() if not name.startswith("AUDITSVC_")}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=unset
    )
    return ran, set(ran.stderr.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_commands_say(name: str) -> None:
    """What ``--help`` lists without importing is each command's name and the first line of its own help."""
    command = cli.get_command(cli.make_context("auditsvc", [name, "--help"], resilient_parsing=True), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").partition("\n")[0] == COMMANDS[name][1]


def test_version(auditsvc: CommandLine) -> None:
    """``--version`` prints the name and the version."""
    ran = auditsvc("--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"auditsvc {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'. (auditsvc --help tells more)"),
        (["parse"], "Missing argument 'LOG...'. (auditsvc parse --help tells more)"),
        (["parse", "a.log"], "Missing option '--swagger'. (auditsvc parse --help tells more)"),
        (
            ["ingest", "a.log"],
            "Missing option '--kind'. Choose from: ci, pull, app, live (auditsvc ingest --help tells more)",
        ),
        (
            ["parse", "a.log", "--swagger", "s", "--jobs", "0"],
            "Invalid value for '--jobs': 0 is not in the range x>=1. (auditsvc parse --help tells more)",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_2(auditsvc: CommandLine, arguments: list[str], message: str) -> None:
    """Wrong usage is one line on standard error that names the command's help, and exit code 2."""
    ran = auditsvc(*arguments)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"auditsvc: {message}\n")


def test_no_command_shows_the_help(auditsvc: CommandLine) -> None:
    """Without a command the help goes to standard error, as nothing was done."""
    ran = auditsvc()
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("Usage: auditsvc")


def test_a_message_is_one_line_whatever_is_in_it(auditsvc: CommandLine, demo_data: Path) -> None:
    """Newlines, control characters and bytes that are no text are escaped in what an error says."""
    name = os.fsdecode(b"a\nb\x1b[31m\xff.log")
    ran = auditsvc("parse", name, "--swagger", demo_data / "openapi-v2.json.gz")
    assert ran.returncode == 2
    assert ran.stderr == "auditsvc: cannot read a\\nb\\x1b[31m\\udcff.log: No such file or directory\n"


def test_a_full_disk_is_one_line(auditsvc: CommandLine) -> None:
    """Where the output cannot be written there is one line, and no traceback from the interpreter's end."""
    command = auditsvc.command("openapi")
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=auditsvc.environment
        )
    assert (ran.returncode, ran.stderr) == (2, "auditsvc: No space left on device\n")


def test_a_reader_that_leaves_is_no_error(auditsvc: CommandLine) -> None:
    """``auditsvc openapi | head -1`` says nothing; its code is that of a process ended by SIGPIPE."""
    with subprocess.Popen(
        auditsvc.command("openapi"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=auditsvc.environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 128 + signal.SIGPIPE


def test_out_of_memory_is_one_line(auditsvc: CommandLine, tmp_path: Path) -> None:
    """Where memory ends there is one line that says so."""
    large = tmp_path / "swagger.json"
    with large.open("wb") as file:
        file.truncate(200 << 20)
    command = auditsvc.command("swagger", "v1.34.0", large)
    ran = subprocess.run(
        ["sh", "-c", 'ulimit -v 180000; exec "$@"', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        env=auditsvc.environment,
    )
    assert (ran.returncode, ran.stderr) == (
        2,
        "auditsvc: out of memory; for a log, a lower --jobs needs less\n",
    )


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_at_once(
    auditsvc: CommandLine, demo_data: Path, tmp_path: Path, how: signal.Signals, code: int
) -> None:
    """Ctrl-C and SIGTERM end a command that waits for input: no traceback, no output, no half of a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    output = tmp_path / "out.txt"
    process = auditsvc.start("parse", pipe, "--swagger", demo_data / "openapi-v2.json.gz", "--output", output)
    with pipe.open("w"):  # returns when the command has opened it too
        process.send_signal(how)
        started = time.monotonic()
        out, said = process.communicate(timeout=10)
    assert time.monotonic() - started < 5
    assert (process.returncode, out, said.strip()) == (code, "", "")
    assert not output.exists()
