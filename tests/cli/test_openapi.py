"""``auditsvc openapi``."""

import yaml

from tests.cli.conftest import CommandLine


def test_prints_the_description(auditsvc: CommandLine) -> None:
    """The API's description is YAML on standard output, and no store is made for it."""
    ran = auditsvc("openapi")
    assert (ran.returncode, ran.stderr) == (0, "")
    document = yaml.safe_load(ran.stdout)
    assert document["openapi"].startswith("3.1")
    assert "/audit" in document["paths"]
    assert not auditsvc.data.exists()
