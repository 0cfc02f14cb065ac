"""``auditsvc token``: made, shown once, listed, revoked."""

import re

import pytest

from tests.cli.conftest import CommandLine


def test_the_token_alone_is_on_standard_output(auditsvc: CommandLine) -> None:
    """So that a shell can capture it; what else there is to say goes to standard error, without it."""
    ran = auditsvc("token", "create", "--role", "writer", "--name", "ci", "--expires", "90d")
    assert ran.returncode == 0
    token = ran.stdout.removesuffix("\n")
    found = re.fullmatch(r"auditsvc_([0-9a-f]{12})_[\w-]{43}", token, re.ASCII)
    assert found
    expected = (
        rf"auditsvc: {found[1]} is a writer's token until [0-9-]{{10}} [0-9:]{{5}}Z; it is not shown again\n"
    )
    assert re.fullmatch(expected, ran.stderr)
    listed = auditsvc("token", "list")
    assert token not in auditsvc.stored() + listed.stdout + listed.stderr


def test_tokens_are_listed(auditsvc: CommandLine) -> None:
    """With their state, the newest first; a name cannot drive the terminal."""
    assert auditsvc("token", "list").stdout == "ID  ROLE  STATE  NAME  CREATED  LAST USED  EXPIRES\n"
    ids = []
    for role, name in (("reader", "dashboard"), ("admin", "\x1b[2J")):
        token = auditsvc("token", "create", "--role", role, "--name", name).stdout
        ids.append(token.split("_")[1])
    assert auditsvc("token", "revoke", ids[0]).returncode == 0
    heading, *rows = auditsvc("token", "list").stdout.splitlines()
    assert heading.split() == ["ID", "ROLE", "STATE", "NAME", "CREATED", "LAST", "USED", "EXPIRES"]
    assert [row.split()[:4] for row in rows] == [
        [ids[1], "admin", "holds", "\\x1b[2J"],
        [ids[0], "reader", "revoked", "dashboard"],
    ]


def test_to_revoke_the_last_one_is_told(auditsvc: CommandLine) -> None:
    """Because nobody gets in then; where another one holds there is nothing to say of that."""
    ids = [auditsvc("token", "create", "--role", "admin").stdout.split("_")[1] for _ in range(2)]
    ran = auditsvc("token", "revoke", ids[0])
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", f"auditsvc: {ids[0]} is revoked\n")
    ran = auditsvc("token", "revoke", ids[1])
    assert ran.stderr == f"auditsvc: {ids[1]} is revoked; no other token holds, and requests still need one\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create"], "Missing option '--role'. Choose from: reader, writer, admin"),
        (["create", "--role", "root"], "Invalid value for '--role': 'root' is not one of"),
        (
            ["create", "--role", "reader", "--expires", "0d"],
            "Invalid value for '--expires': 0d is not a duration such as 12h, 90d or 52w",
        ),
        (["revoke", "none"], "unknown token: none (`auditsvc token list` and GET /tokens list them)"),
        (["revoke"], "Missing argument 'ID'."),
    ],
)
def test_what_cannot_be_done_is_told(auditsvc: CommandLine, words: list[str], message: str) -> None:
    """One line and 2; nothing is made."""
    ran = auditsvc("token", *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert ran.stderr.count("\n") == 1
    assert 'insert into "tokens"' not in auditsvc.stored().lower()
