"""The files of ``deploy/``, read as strictly as those who get them would."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


class _Strict(yaml.SafeLoader):
    """PyYAML's safe loader, that refuses a key given twice, as Kubernetes does: PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key twice among {keys}"
        return super().construct_mapping(node, deep=deep)


def parse_yaml(text: str) -> Any:
    """The one document of a YAML text."""
    return yaml.load(text, _Strict)  # noqa: S506 - a safe loader


def read_yaml(name: str) -> Any:
    """The one document of a file of ``deploy/``."""
    return parse_yaml((DEPLOY / name).read_text(encoding="utf-8"))
