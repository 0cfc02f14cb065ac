"""A conformance submission in small, in the shapes that Ginkgo and Kubernetes' suite write."""

from auditsvc.core.conformance import ConformanceTest, parse_conformance

README = b"# How to reproduce\n"
PRODUCT = b"""vendor: Example
name: Product
version: 1.2
type: distribution
description: A product.
website_url: https://example.org/
documentation_url: https://example.org/docs
product_logo_url: https://example.org/logo.svg
contact_email_address: product@example.org
"""
LOG = b"""Will run 3 of 5 specs
------------------------------
  Jan  1 00:00:01.000: INFO: e2e test version: v1.34.1
  Jan  1 00:00:01.000: INFO: kube-apiserver version: v1.34.1+product1
------------------------------
SS

Ran 3 of 5 Specs in 10.000 seconds
SUCCESS! -- 3 Passed | 0 Failed | 0 Pending | 2 Skipped
PASS
"""
NAMES = (
    "[sig-node] Pods should run [Conformance]",
    "[sig-apps] Job should end [Conformance]",
    "[sig-network] Service should serve [Conformance]",
)
CONFORMANCE = "".join(
    f"- testname: test {number}\n  codename: '{name}'\n  release: v1.9\n  file: x.go\n"
    for number, name in enumerate(NAMES)
)


def junit(passed: tuple[str, ...] = NAMES, failed: tuple[str, ...] = (), skipped: int = 2) -> bytes:
    """A report of tests that ended so."""
    cases = [f'<testcase name="[It] {name}" status="passed"></testcase>' for name in passed]
    cases += [f'<testcase name="[It] {name}"><failure>no</failure></testcase>' for name in failed]
    cases += [
        f'<testcase name="[It] [sig-apps] Job should be slow {number}"><skipped/></testcase>'
        for number in range(skipped)
    ]
    around = '<testcase name="[SynchronizedBeforeSuite]" status="passed"></testcase>'
    end = '<testcase name="[ReportAfterSuite] Kubernetes e2e suite report" status="passed"></testcase>'
    counts = f'tests="{len(cases) + 2}" failures="{len(failed)}" errors="0"'
    text = f"<testsuites><testsuite {counts}>{around}{''.join(cases)}{end}</testsuite></testsuites>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


JUNIT = junit()


def files(**changed: bytes) -> dict[str, bytes]:
    """The files of one that is right; changed are ``readme, product, log, junit``."""
    whole = {"readme": README, "product": PRODUCT, "log": LOG, "junit": JUNIT} | changed
    names = {"readme": "README.md", "product": "PRODUCT.yaml", "log": "e2e.log", "junit": "junit_01.xml"}
    return {names[kind]: content for kind, content in whole.items()}


def required() -> tuple[ConformanceTest, ...]:
    """The conformance tests of the release."""
    return parse_conformance(CONFORMANCE)
