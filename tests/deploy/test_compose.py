from pathlib import Path
from typing import Any

import auditsvc
from tests.deploy.reading import DEPLOY, read_yaml

COMPOSE = read_yaml("compose.yaml")
SERVICE = COMPOSE["services"]["auditsvc"]


def pod() -> dict[str, Any]:
    """The pod of the Kubernetes manifests."""
    found: dict[str, Any] = read_yaml("kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    return found


def test_keys_are_known() -> None:
    """A misspelt key would be refused by compose; here is all that the file uses."""
    assert set(COMPOSE) == {"name", "services", "volumes"}
    assert set(SERVICE) == {
        *("image", "build", "restart", "stop_grace_period", "ports", "environment", "volumes", "user"),
        *("read_only", "tmpfs", "cap_drop", "security_opt", "mem_limit", "pids_limit", "healthcheck"),
    }


def test_container_is_as_closed_as_the_pod() -> None:
    """The same user, a read-only root, no capability, no new privileges, the same memory."""
    context = pod()["securityContext"]
    assert SERVICE["user"] == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    (container,) = pod()["containers"]
    assert container["resources"]["limits"]["memory"].removesuffix("i").lower() == SERVICE["mem_limit"]


def test_data_lies_in_a_volume_and_temporary_files_in_memory() -> None:
    """What is written survives the container, or is meant not to."""
    data, settings = SERVICE["volumes"]
    assert data == "data:/data"
    assert "data" in COMPOSE["volumes"]
    assert [entry.partition(":")[0] for entry in SERVICE["tmpfs"]] == ["/tmp"]  # noqa: S108 - the container's
    source, target, mode = settings.split(":")
    assert (DEPLOY / source).is_file()
    assert SERVICE["environment"]["AUDITSVC_CONFIG"] == target
    assert mode == "ro"


def test_port_is_open_to_this_machine_only() -> None:
    """Plain HTTP does not leave it."""
    assert SERVICE["ports"] == ["127.0.0.1:8080:8080"]


def test_start_without_a_token_is_refused_with_what_to_do() -> None:
    """Compose stops at a variable that is demanded and unset, and prints the text."""
    assert SERVICE["environment"]["AUDITSVC_ADMIN_TOKEN"].startswith("${AUDITSVC_ADMIN_TOKEN:?make one")


def test_image_is_of_this_version_and_built_from_here() -> None:
    """The build's context is the folder with the Dockerfile; how health is asked is left to the image."""
    assert SERVICE["image"] == f"auditsvc:{auditsvc.__version__}"
    context: Path = DEPLOY / SERVICE["build"]["context"]
    assert (context / "Dockerfile").is_file()
    assert "test" not in SERVICE["healthcheck"]
