from auditsvc.core.proposals import near_misses, outlines
from auditsvc.core.resources import Resource
from tests.core.test_resources import SMALL


def test_an_outline_for_each_resource() -> None:
    """Once, however many of its endpoints are asked for; with the subresources among these."""
    asked = [one for one in SMALL if one.id in ("list", "createScale", "version")]
    [outline] = outlines(asked, SMALL)
    assert outline.resource == Resource("/apis/x.io/v1", "things")
    words = [step.word for step in outline.steps]
    assert "create scale" in words
    assert "read scale" not in words


def test_near_misses() -> None:
    """In any case; nothing for what is like nothing."""
    known = ["listCoreV1NamespacedPod", "readCoreV1NamespacedPod", "getCodeVersion"]
    assert near_misses("listcorev1namespacedpods", known)[0] == "listCoreV1NamespacedPod"
    assert near_misses("frobnicate", known) == []
