import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.deploy.reading import DEPLOY, parse_yaml, read_yaml

AUDIT = DEPLOY / "audit"
README = (AUDIT / "README.md").read_text(encoding="utf-8")
KIND = read_yaml("audit/kind.yaml")
(NODE,) = KIND["nodes"]
(PATCH,) = (parse_yaml(patch) for patch in NODE["kubeadmConfigPatches"])
FLAGS = PATCH["apiServer"]["extraArgs"]

# kube-apiserver's flags for auditing, each once with `log` and once with `webhook` where both have it.
BOTH = (
    *("mode", "version", "batch-buffer-size", "batch-max-size", "batch-max-wait", "batch-throttle-enable"),
    *("batch-throttle-qps", "batch-throttle-burst", "truncate-enabled", "truncate-max-batch-size"),
    *("truncate-max-event-size",),
)
KNOWN = {
    "audit-policy-file",
    *(f"audit-log-{name}" for name in ("path", "maxage", "maxbackup", "maxsize", "format", "compress")),
    *(f"audit-webhook-{name}" for name in ("config-file", "initial-backoff")),
    *(f"audit-{backend}-{name}" for backend in ("log", "webhook") for name in BOTH),
}


@pytest.mark.parametrize("path", sorted(AUDIT.iterdir()), ids=lambda path: path.name)
def test_flags_are_the_api_server_s(path: Path) -> None:
    """It does not start with one that it does not know."""
    assert set(re.findall(r"--(audit-[a-z-]+)", path.read_text(encoding="utf-8"))) <= KNOWN


# ------------------------------------------------------------------------------------------------ kind


def test_kind_gives_the_api_server_the_policy() -> None:
    """From this folder into the node, from there into the pod, and that is where the flag looks."""
    assert (KIND["apiVersion"], KIND["kind"]) == ("kind.x-k8s.io/v1alpha4", "Cluster")
    (mount,) = NODE["extraMounts"]
    volumes = {volume["name"]: volume for volume in PATCH["apiServer"]["extraVolumes"]}
    policy = volumes["audit-policy"]
    assert (AUDIT / mount["hostPath"]).name == "audit-policy.yaml"
    assert (AUDIT / mount["hostPath"]).is_file()
    assert mount["containerPath"] == policy["hostPath"]
    assert policy["mountPath"] == FLAGS["audit-policy-file"]
    assert policy["readOnly"] is True
    assert policy["pathType"] == "File"


def test_kind_logs_to_a_folder_of_the_node() -> None:
    """The log outlives the API server's container, and rotated files lie beside it."""
    volumes = {volume["name"]: volume for volume in PATCH["apiServer"]["extraVolumes"]}
    log = volumes["audit-log"]
    assert Path(FLAGS["audit-log-path"]).parent == Path(log["mountPath"])
    assert "readOnly" not in log
    assert f"docker cp {KIND['name']}-control-plane:{log['hostPath']}/. log" in README


def test_kind_rotates_and_loses_nothing() -> None:
    """Files are cut at a size, and none is removed."""
    assert FLAGS["audit-log-maxsize"] == "100"
    assert FLAGS["audit-log-maxbackup"] == FLAGS["audit-log-maxage"] == "0"


def test_kind_patches_whatever_version_of_kubeadm() -> None:
    """A map of strings in a patch without a version: kind turns it into what kubeadm wants."""
    assert set(PATCH) == {"kind", "apiServer"}
    assert PATCH["kind"] == "ClusterConfiguration"
    assert set(FLAGS) <= KNOWN
    assert all(isinstance(value, str) for value in FLAGS.values())


# --------------------------------------------------------------------------------------------- webhook


def test_webhook_kubeconfig_is_whole() -> None:
    """Every name leads somewhere, and only what a kubeconfig knows is in it."""
    config = read_yaml("audit/webhook-kubeconfig.yaml")
    (context,), (cluster,), (user,) = (config[key] for key in ("contexts", "clusters", "users"))
    assert set(config) == {"apiVersion", "kind", "current-context", "contexts", "clusters", "users"}
    assert (config["apiVersion"], config["kind"]) == ("v1", "Config")
    assert config["current-context"] == context["name"]
    assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}
    assert set(cluster["cluster"]) == {"server", "certificate-authority"}
    assert set(user["user"]) == {"tokenFile"}


def test_webhook_goes_to_events_over_https() -> None:
    """Over http the API server would send no token; of a query it would send nothing either."""
    (cluster,) = read_yaml("audit/webhook-kubeconfig.yaml")["clusters"]
    url = urlsplit(cluster["cluster"]["server"])
    assert (url.scheme, url.path, url.query) == ("https", "/events/production", "")


# ---------------------------------------------------------------------------------------------- README


def test_readme_names_every_file() -> None:
    """The table at its top is complete."""
    assert set(re.findall(r"^\| `([\w.-]+\.yaml)`", README, re.M)) == {p.name for p in AUDIT.glob("*.yaml")}


@pytest.fixture
def collected(tmp_path: Path, demo_data: Path) -> Path:
    """What the walk's first steps leave behind: a log, its cluster's swagger and the lists."""
    files = {
        "log/audit.log": "ci-audit.log.gz",
        "openapi-v2.json": "openapi-v2.json.gz",
        "pending_eligible_endpoints.yaml": "demo-1.20.2-pending.yaml",
        "ineligible_endpoints.yaml": "demo-1.20.2-ineligible.yaml",
    }
    (tmp_path / "log").mkdir()
    for name, source in files.items():
        content = (demo_data / source).read_bytes()
        (tmp_path / name).write_bytes(gzip.decompress(content) if source.endswith(".gz") else content)
    return tmp_path


def test_readme_s_walk_can_be_walked(collected: Path) -> None:
    """The commands of steps 3 and 4, as they are written, on a real log."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)
    script = "".join(block for block in blocks if "auditsvc " in block and "--server" not in block)
    command = f'auditsvc() {{ "{sys.executable}" -m auditsvc "$@"; }}\nset -u\n{script}'
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AUDITSVC_")},
        "AUDITSVC_DATA": str(collected / "data"),
        "PYTHONPATH": str(DEPLOY.parent),
    }
    done = subprocess.run(
        ["sh", "-c", command], cwd=collected, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 1, "the demo's lists have their faults"
    for told in ("malformed lines", "e2e.test", "AuditPendingReconciliation", "judged ci run"):
        assert told in done.stdout
