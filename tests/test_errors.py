import inspect
import re

import pytest

from auditsvc import errors
from auditsvc.errors import AuditsvcError

TREE = re.findall(r"^    ([│├└─ ]*)(\w+Error)", errors.__doc__ or "", re.MULTILINE)
CLASSES = {name: member for name, member in vars(errors).items() if inspect.isclass(member)}


def test_the_tree_names_every_error() -> None:
    """The docstring draws each error of the module, once."""
    assert sorted(name for _, name in TREE) == sorted(CLASSES)


@pytest.mark.parametrize(("branch", "name"), TREE, ids=[name for _, name in TREE])
def test_the_tree_is_drawn_as_it_is(branch: str, name: str) -> None:
    """Each error derives from the one that it hangs from."""
    above = TREE[: TREE.index((branch, name))]
    parent = next((CLASSES[drawn] for width, drawn in reversed(above) if len(width) < len(branch)), Exception)
    assert CLASSES[name].__bases__ == (parent,)


def test_one_boundary_catches_them_all() -> None:
    """Every error is something a user can be told in one line."""
    assert all(issubclass(error, AuditsvcError) for error in CLASSES.values())
