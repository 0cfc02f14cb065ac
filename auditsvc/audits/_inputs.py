"""All that a check may ask for."""

from datetime import timedelta
from typing import Protocol

import msgspec

from auditsvc.core.apps import Apps
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import CloudCost, CostHours, Costs
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.gate import GatedRelease
from auditsvc.core.releases import Releases
from auditsvc.core.runs import Runs
from auditsvc.core.submission import Submission
from auditsvc.core.swagger import Operation, Swagger
from auditsvc.core.usage import ExercisedBy
from auditsvc.core.waivers import Waiver
from auditsvc.core.window import Window


class Catalogue(msgspec.Struct, frozen=True):
    """The operations as the store keeps them, to be held against the document that they came from."""

    operations: tuple[Operation, ...]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a configuration may change about the audits.

    Floats agree within ``max(rel_tol * larger, abs_tol)``, costs within ``cost_tolerance``; counts agree when
    equal. A log may be silent for up to ``max_gap``. ``target_release`` (``v1.36``) is the one that the
    clusters are to be upgraded to. Findings that the ``waivers`` accept do not count.
    """

    exercised_by: ExercisedBy = ExercisedBy.HIT
    rel_tol: float = 1e-6
    abs_tol: float = 1e-9
    max_gap: timedelta = timedelta(minutes=10)
    target_release: str | None = None
    waivers: tuple[Waiver, ...] = ()
    cost_tolerance: CostTolerance = CostTolerance()


class Inputs(Protocol):
    """What the checks look at, for one window; each member is read at most once, when first asked for.

    A member raises NoDataError (or another AuditsvcError) where its source holds nothing or cannot be read;
    the check that asked is then Failed with that reason.
    """

    @property
    def window(self) -> Window:
        """The window under audit."""

    @property
    def settings(self) -> Settings:
        """The configured settings."""

    @property
    def runs(self) -> Runs:
        """The window's subjects with their baselines; empty where no run finished in the window."""

    @property
    def logs(self) -> Runs:
        """Those of the runs that were counted from a log; the reason names the others."""

    @property
    def apps(self) -> Apps:
        """The applications whose runs finished in the window, each by its newest one there."""

    @property
    def releases(self) -> Releases:
        """Every minor version with its operations, as uploaded; empty where none is."""

    @property
    def swagger(self) -> Swagger:
        """The swagger document of the newest subject, else the one that holds for the window."""

    @property
    def catalogue(self) -> Catalogue:
        """The stored operations of that document."""

    @property
    def lists(self) -> EndpointLists:
        """The lists of the newest subject, else those that held at the end of the window."""

    @property
    def costs(self) -> Costs:
        """The window's allocations and assets, and the tables of totals and aggregates kept for them."""

    @property
    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """What the cloud provider billed for the window."""

    @property
    def cost_hours(self) -> CostHours:
        """The allocations and assets of the window's hours."""

    @property
    def coverage(self) -> tuple[GatedRelease, ...]:
        """The releases of the subjects, else the newest one, each as the conformance gate sees it."""

    @property
    def submission(self) -> Submission:
        """A conformance submission; no store holds one."""

    def received(self, source: str) -> bool:
        """Whether this store was ever given that kind of source (a member's name).

        The window and the settings are none. What an audit can do without is asked for all the same, so
        without any ``runs`` and ``lists`` are empty.
        """
