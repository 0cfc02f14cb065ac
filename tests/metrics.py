"""What a test needs to read metrics: the samples of an answer, and promtool to judge files and answers."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families


def promtool(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Runs Prometheus' own checks; skips where there is no promtool."""
    beside_python = Path(sys.executable).parent
    program = shutil.which("promtool") or shutil.which("promtool", path=beside_python)
    if program is None:
        pytest.skip("no promtool: `make promtool` fetches it (Debian: apt-get install prometheus)")
    ran = subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True, check=False)
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def labelled(name: str, **labels: str) -> str:
    """A sample's name with its labels in order: ``auditsvc_jobs{state="done"}``."""
    listed = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{listed}}}" if listed else name


def read_metrics(text: str) -> dict[str, float]:
    """The samples by name and labels, as :func:`labelled` makes them."""
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[labelled(sample.name, **sample.labels)] = sample.value
    return samples


def read_names(text: str) -> dict[str, set[str]]:
    """The names of the labels of each series."""
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names
