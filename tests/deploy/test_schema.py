from typing import Any

import pytest

from tests.deploy.schema import find_problems

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "labels": {"app": "x"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
SERVICE = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}


@pytest.mark.parametrize("manifest", [CLAIM, SERVICE])
def test_right_object_has_no_problems(definitions: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Fields, maps of strings, lists, quantities and numbers-or-names are understood."""
    assert find_problems(manifest, definitions) == []


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({**CLAIM, "sepc": {}}, "PersistentVolumeClaim: sepc is unknown"),
        ({**CLAIM, "kind": "Claim"}, "v1 Claim: no such kind"),
        ({**CLAIM, "apiVersion": "v2"}, "v2 PersistentVolumeClaim: no such kind"),
        (
            {**CLAIM, "metadata": {"labels": {"app": 1}}},
            "PersistentVolumeClaim.metadata.labels.app: 1 is no string",
        ),
        (
            {**CLAIM, "spec": {"accessModes": "ReadWriteOnce"}},
            "PersistentVolumeClaim.spec.accessModes: 'ReadWriteOnce' is no array",
        ),
        ({**SERVICE, "spec": {"ports": [{"name": "http"}]}}, "Service.spec.ports[0]: port is missing"),
        ({**SERVICE, "spec": {"ports": [{"port": True}]}}, "Service.spec.ports[0].port: True is no integer"),
        (
            {**SERVICE, "spec": {"ports": [{"port": 80, "targetPort": True}]}},
            "Service.spec.ports[0].targetPort: True is no string",
        ),
    ],
)
def test_wrong_object_is_found_out(
    definitions: dict[str, Any], manifest: dict[str, Any], problem: str
) -> None:
    """Unknown and missing fields and wrong types are named with their place."""
    assert find_problems(manifest, definitions) == [problem]
