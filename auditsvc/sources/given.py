"""What the audits look at, from files: for ``check``, without a store."""

import msgspec

from auditsvc.audits import Catalogue, Settings
from auditsvc.core.apps import Apps
from auditsvc.core.costs import CloudCost, CostHours, Costs
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.gate import GatedRelease
from auditsvc.core.releases import Release, Releases
from auditsvc.core.runs import Runs
from auditsvc.core.submission import Submission
from auditsvc.core.swagger import Swagger
from auditsvc.core.window import Window
from auditsvc.errors import NoDataError
from auditsvc.sources.costs import NO_COSTS

NO_SUBMISSION = "a conformance submission is a folder of its own (auditsvc submission DIR)"


class GivenInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs as they are given, for ``check``: no store, one subject or none."""

    window: Window
    settings: Settings
    swagger: Swagger
    lists: EndpointLists
    runs: Runs
    given: frozenset[str]
    """The sources that were given, by name."""

    @property
    def catalogue(self) -> Catalogue:
        """The document's own operations: without a store there is no other catalogue."""
        return Catalogue(tuple(self.swagger.operations.values()))

    @property
    def logs(self) -> Runs:
        """The run, where it was counted from a log."""
        return of_logs(self.runs)

    @property
    def releases(self) -> Releases:
        """The one of the document, where it names its version."""
        version = self.swagger.version
        return Releases((Release(version, self.swagger.operations),) if version else ())

    @property
    def apps(self) -> Apps:
        """There are none."""
        raise NoDataError("no applications without a store")

    @property
    def coverage(self) -> tuple[GatedRelease, ...]:
        """One file tells of one release."""
        raise NoDataError("no coverage of releases without a store")

    @property
    def costs(self) -> Costs:
        """There are none."""
        raise NoDataError(NO_COSTS)

    @property
    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """There are none."""
        raise NoDataError(NO_COSTS)

    @property
    def cost_hours(self) -> CostHours:
        """There are none."""
        raise NoDataError(NO_COSTS)

    @property
    def submission(self) -> Submission:
        """There is none."""
        raise NoDataError(NO_SUBMISSION)

    def received(self, source: str) -> bool:
        """Whether the source was given."""
        return source in self.given


def of_logs(runs: Runs) -> Runs:
    """The runs less those that another tool counted; the reason names these."""
    imported = [str(subject.run) for subject in runs.subjects if subject.usage.imported]
    told = [f"{run} is an imported report: its log was not seen" for run in imported]
    logs = tuple(subject for subject in runs.subjects if not subject.usage.imported)
    return Runs(logs, "; ".join(told) or runs.reason)
