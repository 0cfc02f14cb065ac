"""Holds a conformance submission against what cncf/k8s-conformance asks for."""

from collections.abc import Iterator, Mapping, Sequence

from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.submission import (
    FILES,
    JUNIT,
    LOG,
    PRODUCT,
    JunitResults,
    Submission,
    TestLog,
    is_web_address,
)

_REQUIRED = ("vendor", "name", "version", "type", "description", "website_url", "documentation_url")
_ADDRESSES = ("website_url", "documentation_url", "repo_url", "product_logo_url")
_WANTED = {
    "product_logo_url": "name a logo in SVG, AI or EPS; without one the company's is used",
    "contact_email_address": "name an address: submissions for newer releases are asked for it",
}
_TYPES = ("distribution", "hosted platform", "installer")

_ADD = "put the file into the folder, as the conformance run wrote it"
_RUN_AGAIN = "run the conformance tests again, all of them in one run, and submit what they wrote"
_SAME_RUN = "submit the e2e.log and the junit_01.xml of one run, unchanged"


@audit("AuditConformanceSubmission", key="conformanceSubmission", maps=("Results",))
def conformance_submission(submission: Submission) -> Iterator[Observation]:
    """A conformance submission is whole, and proves that every conformance test passed.

    ``Results["files"]`` counts the files that are there and can be read, ``["folder"]`` is 1 where it is
    called vX.Y/product. ``["product"]`` are fields, addresses and type of PRODUCT.yaml, ``["log"]`` how
    e2e.log ended, ``["junit"]`` what junit_01.xml counts against e2e.log, ``["tests"]`` the release's
    conformance tests against those that passed. ``["version"]`` is 1 where a version in e2e.log is of the
    release.
    """
    yield Note(f"submission {submission.folder}")
    problems = [f"{name}: {submission.problems[name]}" for name in FILES if name in submission.problems]
    yield _counted("files", len(FILES), problems, tuple(submission.problems), _ADD)
    wrong = [] if submission.release else [f"{submission.folder} is not vX.Y/product"]
    yield _counted("folder", 1, wrong, tuple(wrong), "name the folder by the release and the product")
    if submission.product is not None:
        yield from _product(submission.product)
    if submission.log is not None:
        yield from _log(submission.log)
        yield from _versions(submission, submission.log)
    if submission.junit is not None:
        yield from _agreement(submission.junit, submission.log)
        yield from _tests(submission.junit, submission.required)
    for name in submission.extra:
        yield Missing(name, f"{name} is not asked for", "remove the file: only the four are to be submitted")


def _counted(
    rule: str, expected: int, problems: Sequence[str], keys: tuple[str, ...], resolution: str
) -> Compared:
    detail = "; ".join(problems)
    return Compared(
        "Results", tuple(rule.split(".")), expected, expected - len(keys), detail, resolution, keys=keys
    )


def _product(product: Mapping[str, str]) -> Iterator[Observation]:
    absent = tuple(name for name in _REQUIRED if name not in product)
    hint = f"give the fields a value in {PRODUCT}"
    yield _counted("product.fields", len(_REQUIRED), absent, absent, hint)
    given = [name for name in _ADDRESSES if name in product]
    bad = tuple(name for name in given if not is_web_address(product[name]))
    said = [f"{name}: {product[name]}" for name in bad]
    yield _counted(
        "product.addresses", len(given), said, bad, "write a whole address: https://example.org/product"
    )
    if kind := product.get("type"):
        wrong = [kind] if kind.lower() not in _TYPES else []
        yield _counted("product.type", 1, wrong, tuple(wrong), f"it is one of {', '.join(_TYPES)}")
    for name, resolution in _WANTED.items():
        if name not in product:
            yield Missing(name, f"{PRODUCT} has no {name}", resolution)


def _log(log: TestLog) -> Iterator[Observation]:
    if log.counts is None or log.ran is None or log.total is None:
        yield _one("log", "ended", f"{LOG} does not say how many tests ran and passed at its end", _RUN_AGAIN)
        return
    failed = log.counts.get("Failed", 0)
    yield Compared("Results", ("log", "failed"), 0, failed, f"{LOG} counts failed tests", _RUN_AGAIN)
    ended = log.counts.get("Passed", 0) + failed
    yield Compared("Results", ("log", "ran"), log.ran, ended, f"passed and failed of {LOG}", _SAME_RUN)
    every = sum(log.counts.values())
    yield Compared("Results", ("log", "total"), log.total, every, f"all counts of {LOG}", _SAME_RUN)


def _versions(submission: Submission, log: TestLog) -> Iterator[Observation]:
    if submission.release is None:
        return
    wanted = "v{}.{}".format(*submission.release)
    hint = f"run the tests of {wanted} on a cluster of {wanted}, or name the folder by what ran"
    for name in ("e2e test", "kube-apiserver"):
        found = log.versions.get(name)
        if found is None:
            yield Missing(LOG, f"{LOG} names no {name} version", _RUN_AGAIN)
        elif found.release != submission.release:
            yield _one("version", name, f"{name} version {found.text} in the folder of {wanted}", hint)
        else:
            yield Compared("Results", ("version", name), 1, 1)


def _agreement(junit: JunitResults, log: TestLog | None) -> Iterator[Observation]:
    failed = len(junit.failed)
    detail = "; ".join(junit.failed)
    yield Compared("Results", ("junit", "failed"), 0, failed, detail, _RUN_AGAIN, keys=junit.failed)
    yield from _suites(junit)
    if log is None or log.counts is None:
        return
    ran = junit.specs - junit.skipped
    yield _agreed("passed", ran - failed, log.counts.get("Passed", 0))
    yield _agreed("failures", failed, log.counts.get("Failed", 0))
    if junit.skipped:  # a report may leave out what did not run
        yield _agreed("skipped", junit.skipped, log.counts.get("Skipped", 0) + log.counts.get("Pending", 0))


def _suites(junit: JunitResults) -> Iterator[Observation]:
    """What the suites say of themselves; Ginkgo counted the tests that ran in them, or all of them."""
    said = f"the suites of {JUNIT} against the tests in them"
    if junit.suite_tests is not None:
        fitting = (junit.cases, junit.specs, junit.specs - junit.skipped)
        expected = junit.suite_tests if junit.suite_tests in fitting else junit.specs
        yield Compared("Results", ("junit", "suite tests"), expected, junit.suite_tests, said, _SAME_RUN)
    if junit.suite_failures is not None:
        failed = len(junit.failed)
        yield Compared("Results", ("junit", "suite failures"), failed, junit.suite_failures, said, _SAME_RUN)


def _agreed(name: str, expected: int, actual: int) -> Compared:
    return Compared("Results", ("junit", name), expected, actual, f"{JUNIT} and {LOG} differ", _SAME_RUN)


def _tests(junit: JunitResults, required: Sequence[ConformanceTest] | None) -> Iterator[Observation]:
    if required is None:
        found = "the release's conformance tests are not known, so not whether all of them passed"
        yield Missing("conformance.yaml", found, "give the conformance.yaml of the release (--conformance)")
        return
    missing = tuple(test.codename for test in required if not junit.has_passed(test.codename))
    yield _counted("tests", len(required), missing, missing, _RUN_AGAIN)


def _one(section: str, name: str, detail: str, resolution: str) -> Compared:
    return Compared("Results", (section, name), 1, 0, detail, resolution)
