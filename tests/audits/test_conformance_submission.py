import pytest

from auditsvc.core.results import AuditResult
from auditsvc.core.submission import read_submission
from tests.audits.given import Given, floats, missing, outcome
from tests.submissions import JUNIT, LOG, NAMES, PRODUCT, files, junit, required


def judged(
    folder: str = "v1.34/product", *, known: bool = True, extra: tuple[str, ...] = (), **changed: bytes
) -> AuditResult:
    """The result of a submission with some of its files changed."""
    given_files = files(**changed) | dict.fromkeys(extra, b"")
    return outcome(
        "conformanceSubmission",
        Given(submitted=read_submission(folder, given_files, required() if known else None)),
    )


def test_a_good_one_passes() -> None:
    """Every rule was looked at, and nothing was found."""
    result = judged()
    assert (result.status, missing(result), result.notes) == ("Passed", [], ("submission v1.34/product",))
    assert result.checked == 17


def test_without_one_there_is_nothing_to_judge() -> None:
    """It is Failed by name and stays null otherwise."""
    result = outcome("conformanceSubmission", Given())
    assert result.problem == "nothing to compare: no submission ever received"


@pytest.mark.parametrize(
    ("changed", "path", "values", "said"),
    [
        ({"readme": b""}, ("files",), (4, 3), "README.md: empty"),
        ({"junit": b"<a>"}, ("files",), (4, 3), "junit_01.xml: line 1, column 4: not XML"),
        ({"product": PRODUCT.replace(b"vendor: Example\n", b"")}, ("product", "fields"), (7, 6), "vendor"),
        (
            {"product": PRODUCT.replace(b"https://example.org/docs", b"docs")},
            ("product", "addresses"), (3, 2), "documentation_url: docs",
        ),
        ({"product": PRODUCT.replace(b"distribution", b"cluster")}, ("product", "type"), (1, 0), "cluster"),
        ({"log": b"nothing\n"}, ("log", "ended"), (1, 0), "e2e.log does not say how many tests"),
        ({"log": LOG.replace(b"Ran 3 of", b"Ran 4 of")}, ("log", "ran"), (4, 3), "passed and failed of"),
        ({"junit": junit(NAMES[1:], NAMES[:1])}, ("junit", "failed"), (0, 1), NAMES[0]),
        ({"junit": junit(NAMES[1:], NAMES[:1])}, ("tests",), (3, 2), NAMES[0]),
        ({"junit": junit(NAMES[1:], NAMES[:1])}, ("junit", "passed"), (2, 3), "junit_01.xml and e2e"),
        ({"junit": junit(NAMES[1:])}, ("tests",), (3, 2), NAMES[0]),
        ({"junit": JUNIT.replace(b'"7"', b'"9"')}, ("junit", "suite tests"), (5, 9), "the suites of"),
        ({"junit": JUNIT.replace(b's="0"', b's="1"', 1)}, ("junit", "suite failures"), (0, 1), "the suites"),
        ({"log": LOG.replace(b"of 5 Specs", b"of 6 Specs")}, ("log", "total"), (6, 5), "all counts of"),
        ({"junit": junit(skipped=1)}, ("junit", "skipped"), (1, 2), "junit_01.xml and e2e"),
        ({"log": LOG.replace(b"0 Failed", b"1 Failed")}, ("log", "failed"), (0, 1), "e2e.log counts"),
        ({"log": LOG.replace(b"0 Failed", b"1 Failed")}, ("junit", "failures"), (0, 1), "junit_01.xml"),
        (
            {"log": LOG.replace(b"v1.34.1+product1", b"v1.33.4")},
            ("version", "kube-apiserver"), (1, 0), "kube-apiserver version v1.33.4 in the folder of v1.34",
        ),
        ({"folder": "v1.33/product"}, ("version", "e2e test"), (1, 0), "e2e test version v1.34.1"),
        ({"folder": "product"}, ("folder",), (1, 0), "product is not vX.Y/product"),
    ],
)  # fmt: skip  # one mistake each
def test_hard(
    changed: dict[str, bytes], path: tuple[str, ...], values: tuple[float, float], said: str
) -> None:
    """Each mistake fails at its place and says what it is and what to do."""
    result = judged(**changed)  # type: ignore[arg-type]  # the folder is text
    assert floats(result)["Results", *path] == values
    [found] = [one for one in result.floats if one.path == path]
    assert found.detail.startswith(said)
    assert found.resolution


@pytest.mark.parametrize(
    ("known", "extra", "product", "log", "found"),
    [
        (
            False,
            (),
            PRODUCT,
            LOG,
            ("conformance.yaml", "the release's conformance tests are not known, so not "),
        ),
        (True, ("sonobuoy.tar.gz",), PRODUCT, LOG, ("sonobuoy.tar.gz", "sonobuoy.tar.gz is not asked for")),
        (
            True,
            (),
            PRODUCT[: PRODUCT.index(b"contact")],
            LOG,
            ("contact_email_address", "PRODUCT.yaml has no con"),
        ),
        (
            True,
            (),
            PRODUCT,
            LOG.replace(b"e2e test version", b"version"),
            ("e2e.log", "e2e.log names no e2e test "),
        ),
    ],
)
def test_soft(
    known: bool, extra: tuple[str, ...], product: bytes, log: bytes, found: tuple[str, str]
) -> None:
    """What a reviewer would ask about is a warning."""
    result = judged(known=known, extra=extra, product=product, log=log)
    assert result.status == "Warning"
    [(key, description)] = missing(result)
    assert (key, description[: len(found[1])]) == found


@pytest.mark.parametrize("counts", [b"", b'tests="5" failures="0"', b'tests="3" failures="0"', b'tests="?"'])
def test_suites_count_as_they_do(counts: bytes) -> None:
    """All tests or those that ran, with what is around them or without; or they do not tell."""
    assert judged(junit=JUNIT.replace(b'tests="7" failures="0" errors="0"', counts)).status == "Passed"


def test_a_report_without_skipped_tests_is_right() -> None:
    """It may leave out what did not run."""
    assert judged(junit=junit(skipped=0)).status == "Passed"


def test_a_product_without_a_type_lacks_a_field() -> None:
    """It is not told twice."""
    result = judged(product=PRODUCT.replace(b"type: distribution\n", b""))
    assert floats(result) == {("Results", "product", "fields"): (7, 6)}


def test_an_absent_log_is_one_finding() -> None:
    """What it would have said is not asked for."""
    result = judged(log=b"")
    assert floats(result) == {("Results", "files"): (4, 3)}


def test_an_empty_folder_is_told_whole() -> None:
    """All four files, and no more."""
    found = read_submission("v1.34/product", {}, required())
    result = outcome("conformanceSubmission", Given(submitted=found))
    assert floats(result) == {("Results", "files"): (4, 0)}
