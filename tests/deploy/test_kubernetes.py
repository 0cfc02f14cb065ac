import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.test import Client

import auditsvc
from auditsvc.config import load_config
from auditsvc.service import open_service
from auditsvc.web import create_app
from tests.deploy.reading import DEPLOY, read_yaml
from tests.deploy.schema import find_problems

KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZATION = read_yaml("kubernetes/kustomization.yaml")
OBJECTS = {name: read_yaml(f"kubernetes/{name}") for name in KUSTOMIZATION["resources"]}
SECRET = read_yaml("kubernetes/admin-token.example.yaml")
DEPLOYMENT = OBJECTS["deployment.yaml"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = POD["containers"]
ENVIRONMENT = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}


@pytest.mark.parametrize("manifest", [*OBJECTS.values(), SECRET], ids=lambda manifest: manifest["kind"])
def test_manifest_fits_kubernetes_own_schema(definitions: dict[str, Any], manifest: dict[str, Any]) -> None:
    """No unknown field, no missing one, no wrong type, by the definitions of Kubernetes 1.36."""
    assert find_problems(manifest, definitions) == []


def test_kustomization_names_every_manifest() -> None:
    """What is in the folder is applied; the settings become a ConfigMap, and the example stays one."""
    apart = {"kustomization.yaml", "auditsvc.yaml", "admin-token.example.yaml"}
    assert {path.name for path in KUBERNETES.iterdir()} == {*OBJECTS} | apart
    assert set(KUSTOMIZATION) == {
        *("apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images"),
    }


def test_kustomize_builds_objects_that_fit(definitions: dict[str, Any]) -> None:
    """`kubectl kustomize` puts all into the namespace, and the pod names the generated ConfigMap."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl to build with")
    command = ["kubectl", "kustomize", str(KUBERNETES)]
    built = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    manifests = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(built)}
    assert len(manifests) == len(OBJECTS) + 1
    assert [find_problems(manifest, definitions) for manifest in manifests.values()] == [[]] * len(manifests)
    homes = {m["metadata"].get("namespace") for kind, m in manifests.items() if kind != "Namespace"}
    assert homes == {manifests["Namespace"]["metadata"]["name"]} == {SECRET["metadata"]["namespace"]}
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    configured = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    assert configured == [manifests["ConfigMap"]["metadata"]["name"]] != ["auditsvc"]
    assert pod["containers"][0]["image"] == f"auditsvc:{auditsvc.__version__}"


def test_image_is_of_this_version() -> None:
    """A release that forgets the manifests is noticed; the Deployment itself names no version."""
    assert KUSTOMIZATION["images"] == [{"name": CONTAINER["image"], "newTag": auditsvc.__version__}]


# ------------------------------------------------------------------------------------------ one writer


def test_one_pod_writes_and_the_old_one_ends_first() -> None:
    """Never two on the volume, not even while an update rolls."""
    assert DEPLOYMENT["replicas"] == 1
    assert DEPLOYMENT["strategy"] == {"type": "Recreate"}
    claim = OBJECTS["persistentvolumeclaim.yaml"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    source = {"persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
    assert {"name": "data", **source} in POD["volumes"]


def test_every_volume_is_mounted_and_every_mount_has_its_volume() -> None:
    """And the data folder, the settings and the token lie where the variables say."""
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in POD["volumes"]}
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    (file,) = generated["files"]
    (key,) = SECRET["stringData"]
    assert ENVIRONMENT["AUDITSVC_DATA"] == mounts["data"]
    assert ENVIRONMENT["AUDITSVC_CONFIG"] == f"{mounts['config']}/{file}"
    assert ENVIRONMENT["AUDITSVC_ADMIN_TOKEN_FILE"] == f"{mounts['admin-token']}/{key}"
    named = {volume["secret"]["secretName"] for volume in POD["volumes"] if "secret" in volume}
    assert named == {SECRET["metadata"]["name"]}


def test_settings_are_settings(tmp_path: Path) -> None:
    """auditsvc itself reads the file."""
    environ = {"AUDITSVC_DATA": str(tmp_path), "AUDITSVC_CONFIG": str(KUBERNETES / "auditsvc.yaml")}
    assert load_config(environ, home=tmp_path).jobs == 1


# ---------------------------------------------------------------------------------------------- closed


def test_pod_meets_the_restricted_standard() -> None:
    """As its namespace demands: not root, no capability, no escalation, the runtime's seccomp profile."""
    labels = OBJECTS["namespace.yaml"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    assert {kind for volume in POD["volumes"] for kind in volume if kind != "name"} <= allowed


def test_pod_runs_as_the_image_s_user() -> None:
    """The volume's group is the user's, too."""
    (user,) = re.findall(
        r"^USER (\d+):(\d+)$", (DEPLOY.parent / "Dockerfile").read_text(encoding="utf-8"), re.M
    )
    context = POD["securityContext"]
    assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user
    assert context["fsGroup"] == context["runAsGroup"]


def test_pod_gets_no_account_token_and_no_service_variables() -> None:
    """It has no business with the API server, and AUDITSVC_PORT is Kubernetes' name for a Service."""
    account = OBJECTS["serviceaccount.yaml"]
    assert POD["serviceAccountName"] == account["metadata"]["name"]
    assert account["automountServiceAccountToken"] is False
    assert POD["automountServiceAccountToken"] is False
    assert POD["enableServiceLinks"] is False


def test_network_policy_lets_in_the_port_and_out_what_fetching_needs() -> None:
    """8080 in; names and https out."""
    policy = OBJECTS["networkpolicy.yaml"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": 8080, "protocol": "TCP"}]}]
    ports = {(port["port"], port["protocol"]) for rule in policy["egress"] for port in rule["ports"]}
    assert ports == {(53, "UDP"), (53, "TCP"), (443, "TCP")}


def test_everything_selects_the_pod() -> None:
    """Deployment, Service and NetworkPolicy mean the same labels."""
    labels = DEPLOYMENT["template"]["metadata"]["labels"]
    assert DEPLOYMENT["selector"]["matchLabels"] == labels
    assert OBJECTS["service.yaml"]["spec"]["selector"] == labels
    assert OBJECTS["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"] == labels


# ---------------------------------------------------------------------------------------------- probes


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of the real application."""
    with open_service(load_config({"AUDITSVC_DATA": str(tmp_path)}, home=tmp_path)) as service:
        yield create_app(service).test_client()


@pytest.mark.parametrize(
    ("probe", "path"),
    [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")],
)
def test_probes_ask_what_the_server_answers(client: Client, probe: str, path: str) -> None:
    """The path is one of the server's, and the port the container's own, by name."""
    asked = CONTAINER[probe]["httpGet"]
    assert asked == {"path": path, "port": CONTAINER["ports"][0]["name"]}
    assert client.get(asked["path"]).status_code == 200


def test_service_leads_to_the_image_s_port() -> None:
    """The container's port by name, and that is the one that the image exposes."""
    (port,) = OBJECTS["service.yaml"]["spec"]["ports"]
    assert port["targetPort"] == CONTAINER["ports"][0]["name"]
    (exposed,) = re.findall(
        r"^EXPOSE (\d+)$", (DEPLOY.parent / "Dockerfile").read_text(encoding="utf-8"), re.M
    )
    assert CONTAINER["ports"][0]["containerPort"] == int(exposed) == port["port"]
