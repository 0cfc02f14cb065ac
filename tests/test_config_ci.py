from pathlib import Path

import pytest

from auditsvc.config import CiConfig, load_config


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, CiConfig()),
        ({"ARTIFACTS": "", "GITHUB_STEP_SUMMARY": "", "GITHUB_ACTIONS": "false"}, CiConfig()),
        ({"ARTIFACTS": "/logs/artifacts"}, CiConfig(artifacts=Path("/logs/artifacts"))),
        (
            {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "/run/summary"},
            CiConfig(step_summary=Path("/run/summary"), annotations=True),
        ),
        ({"GITHUB_TOKEN": "", "GITHUB_API_URL": ""}, CiConfig()),
        (
            {"GITHUB_TOKEN": "secret", "GITHUB_API_URL": "https://git.example.org/api/v3"},
            CiConfig(github_token="secret", github_api="https://git.example.org/api/v3"),
        ),
    ],
)
def test_what_a_ci_system_tells(environ: dict[str, str], expected: CiConfig, tmp_path: Path) -> None:
    """Prow's folder of artifacts and GitHub's variables are read; an empty one is as one that is not set."""
    assert load_config(environ, home=tmp_path).ci == expected
