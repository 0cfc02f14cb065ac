"""What the audits look at, from the store for a window or a run."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property

from msgspec.structs import replace

from auditsvc.audits import (
    Catalogue,
    Classification,
    RecordedApp,
    RecordedInputs,
    RecordedSubject,
    Settings,
    audit_types,
)
from auditsvc.core.apps import App, Apps, newest_of_apps
from auditsvc.core.costs import CloudCost, CostHours, Costs
from auditsvc.core.endpoints import EndpointList, EndpointLists
from auditsvc.core.gate import ConformanceTested, GatedRelease
from auditsvc.core.releases import Minor, Release, Releases, parse_release, release_name
from auditsvc.core.runs import (
    Baseline,
    BaselineRule,
    RecordedRun,
    Run,
    RunKind,
    RunResult,
    Runs,
    Subject,
    choose_baseline,
    choose_subjects,
    explain_no_baseline,
)
from auditsvc.core.submission import Submission
from auditsvc.core.swagger import Swagger, minor_version
from auditsvc.core.usage import ExercisedBy, Usage
from auditsvc.core.window import Window
from auditsvc.errors import NoDataError
from auditsvc.sources.costs import StoredCosts
from auditsvc.sources.coverage import StoredCoverage
from auditsvc.sources.given import NO_SUBMISSION, of_logs
from auditsvc.store import Store
from auditsvc.store.lists import ListKind
from auditsvc.store.swaggers import SwaggerRecord

_TIME = "%Y-%m-%dT%H:%M:%S%z"


class StoreInputs:
    """Inputs from the store: of a window, or of one run alone (``window`` is then that run's day)."""

    def __init__(
        self,
        store: Store,
        window: Window,
        *,
        settings: Settings,
        rule: BaselineRule,
        now: datetime,
        run: Run | None = None,
    ) -> None:
        self.window = window
        self.settings = settings
        self._now = now
        self._today = now.astimezone(UTC).date()
        self._costs = StoredCosts(store, window, now=now)
        self._coverage = StoredCoverage(store, at=window.end)
        self._store = store
        self._rule = rule
        self._run = run
        self._usages: dict[str, Usage] = {}

    @cached_property
    def runs(self) -> Runs:
        """The window's subjects, or the one run."""
        if not self._subjects:
            return Runs(reason=f"no pull run and no successful ci run finished in {self.window}")
        return Runs(tuple(map(self._subject, self._subjects)))

    @cached_property
    def logs(self) -> Runs:
        """Those of the runs that were counted from a log."""
        return of_logs(self.runs)

    @cached_property
    def apps(self) -> Apps:
        """The applications, each by the newest of its runs by the window's end, or the one run.

        An application is not run every day, and a release that came since may lack what it uses.
        """
        if not self._app_runs:
            return Apps(reason=f"no app run finished before {self.window.end:{_TIME}}")
        return Apps(
            tuple(App(run, self._usage(run), self._swagger(self._classify(run))) for run in self._app_runs)
        )

    @property
    def releases(self) -> Releases:
        """The minor versions whose swagger is stored."""
        return self._coverage.uploaded

    @cached_property
    def swagger(self) -> Swagger:
        """The newest subject's swagger, else that of the highest version that holds at the window's end."""
        return self._swagger(self._classification)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The stored operations of that swagger."""
        return Catalogue(self._store.swaggers.catalogue(_swagger_of(self._classification)))

    @cached_property
    def lists(self) -> EndpointLists:
        """The newest subject's lists, else those that hold at the window's end."""
        return self._lists(self._classification)

    @cached_property
    def coverage(self) -> tuple[GatedRelease, ...]:
        """The releases of the subjects, else the highest one that holds at the window's end."""
        return tuple(self._gated(minor, run) for minor, run in self._gated_releases.items())

    @property
    def costs(self) -> Costs:
        """The window's cost data."""
        return self._costs.costs

    @property
    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """What the cloud provider billed for the window."""
        return self._costs.cloud_costs

    @property
    def cost_hours(self) -> CostHours:
        """The window's hours."""
        return self._costs.hours

    @property
    def submission(self) -> Submission:
        """There is none."""
        raise NoDataError(NO_SUBMISSION)

    def received(self, source: str) -> bool:
        """Whether the store was ever given that kind of source; costs are no matter of a single run."""
        stored = {
            "runs": self._store.runs.received,
            "logs": self._store.runs.received_log,
            "swagger": self._store.swaggers.received,
            "catalogue": self._store.swaggers.received,
            "releases": self._store.swaggers.received,
            "lists": self._store.lists.received,
            "coverage": self._coverage.received,
            "apps": self._has_apps,
        }
        if source in stored:
            return stored[source]()
        if source in ("costs", "cloud_costs", "cost_hours"):
            return self._run is None and self._costs.received(source)
        return source in ("window", "settings")

    def fingerprint(self) -> str:
        """A hash of all that the audits of this window look at, without reading it."""
        parts = [
            (run.id, [other.id for other in self._baseline_runs(run)], self._classify(run))
            for run in self._subjects
        ]
        parts += [(run.id, [], self._classify(run)) for run in self._app_runs]
        gate = [
            (release, self._coverage.fingerprint(release), [run.id for run in self._ci_runs_up_to(release)])
            for release in (self._gated_releases if self._coverage.received() else ())
        ]
        releases = [(one.version, one.hash) for one in self._newer_swaggers]
        costs = self._costs.fingerprint()
        # A waiver's last day changes what is found.
        expired = [waiver.line for waiver in self.settings.waivers if waiver.is_expired(self._today)]
        judging = (self.settings, self._rule, expired)
        return _digest(parts, gate, releases, self._classification, judging, costs)

    def recorded(self) -> RecordedInputs:
        """What the audits of this window had to look at; to be asked when they have run."""
        sources = {source for known in audit_types() for source in known.required}
        releases = self._coverage.known if self._coverage.received() else ()
        return RecordedInputs(
            now=self._now,
            settings=self.settings,
            rule=self._rule,
            received=tuple(sorted(filter(self.received, sources))),
            subjects=tuple(map(self._recorded_subject, self._subjects)),
            documents=self._classification,
            swaggers=self._coverage.swaggers,
            releases=releases,
            ci_runs=tuple(
                (release, run.id)
                for release in releases
                for run in self._ci_runs(release)
                if run.id in self._usages  # those that were read
            ),
            coverage=self._store.coverage.sources(),
            costs=self._costs.recorded(),
            apps=tuple(RecordedApp(run=run.id, documents=self._classify(run)) for run in self._app_runs),
        )

    def _recorded_subject(self, run: Run) -> RecordedSubject:
        baseline = tuple(other.id for other in self._baseline_runs(run))
        return RecordedSubject(
            run=run.id,
            baseline=baseline,
            no_baseline="" if baseline else self._no_baseline(run),
            documents=self._classify(run),
        )

    @property
    def _newer_swaggers(self) -> list[SwaggerRecord]:
        """The uploads of later minor versions than the oldest subject's: they tell what goes away.

        All of them where there are applications: it is told which serve all that these use.
        """
        oldest = min((minor_version(run.version) or (0, 0) for run in self._subjects), default=(0, 0))
        if self._app_runs:
            oldest = (0, 0)
        return [one for one in self._store.swaggers.all() if parse_release(one.version) > oldest]

    @cached_property
    def _subjects(self) -> tuple[Run, ...]:
        if self._run is not None:
            return (self._run,)
        return choose_subjects(self._store.runs.find(finished_in=self.window)[0])

    @cached_property
    def _app_runs(self) -> tuple[Run, ...]:
        if self._run is not None:
            return newest_of_apps([self._run])
        runs = self._store.runs.find(kind=RunKind.APP)[0]
        return newest_of_apps(run for run in runs if run.finished < self.window.end)

    def _has_apps(self) -> bool:
        return bool(self._app_runs)

    @cached_property
    def _candidates(self) -> list[Run]:
        """Every CI run: what a baseline is chosen from."""
        return self._store.runs.find(kind=RunKind.CI)[0]

    @cached_property
    def _classification(self) -> Classification:
        if self._subjects:
            return self._classify(self._subjects[-1])
        held = self._store.swaggers.holding(None, self.window.end)
        return Classification(
            None,
            held.hash if held else None,
            self._held_list(ListKind.PENDING),
            self._held_list(ListKind.INELIGIBLE),
        )

    def classified(self, run: Run) -> Run:
        """The run, naming by their hashes the documents that it is judged with."""
        held = self._classify(run)
        return replace(run, swagger=held.swagger, pending=held.pending, ineligible=held.ineligible)

    def _classify(self, run: Run) -> Classification:
        """What the run brought, else what held when it finished."""
        held = self._store.swaggers.holding(minor_version(run.version), run.finished)
        return Classification(
            run.version,
            run.swagger or (held.hash if held else None),
            run.pending or self._held_list(ListKind.PENDING, run),
            run.ineligible or self._held_list(ListKind.INELIGIBLE, run),
        )

    @cached_property
    def _gated_releases(self) -> dict[Minor, Run | None]:
        """The releases of the subjects, each with the newest of these; else the newest release, if any."""
        named = {minor: run for run in self._subjects if (minor := minor_version(run.version))}
        held = None if named else self._store.swaggers.holding(None, self.window.end)
        return {**named, **({parse_release(held.version): None} if held else {})}

    def _gated(self, minor: Minor, run: Run | None) -> GatedRelease:
        classification = self._classify(run) if run else self._classification
        return self._coverage.gated(
            Release(release_name(minor), self._swagger(classification).operations),
            lists=self._lists(classification),
            tested=self._conformance_tested,
        )

    def _conformance_tested(self, release: Minor) -> ConformanceTested | None:
        """What the newest ci run of a release, its subject (a pull run may add tests) and the import tell.

        A run that is judged alone stands for the ci runs of its release.
        """
        subject = self._gated_releases.get(release)
        by_subject = self._tested_by([subject] if subject else [])
        by_ci = None if subject and self._run else self._tested_by(self._ci_runs(release))
        return _together(by_ci, by_subject, self._coverage.imported_tested(release))

    def _tested_by(self, runs: Iterable[Run]) -> ConformanceTested | None:
        """What conformance tests hit in the first run that was counted from a log; a report has no tests.

        None where they hit nothing: emptiness must not pass for knowledge.
        """
        for run in runs:
            usage = self._usage(run)
            if not usage.imported:
                endpoints = usage.exercised(ExercisedBy.CONF_TESTED)
                return ConformanceTested(endpoints, str(run)) if endpoints else None
        return None

    def _ci_runs(self, release: Minor) -> list[Run]:
        """The successful ci runs of a release that finished before the window's end, the newest first."""
        return [
            run
            for run in self._candidates
            if minor_version(run.version) == release
            and run.result is RunResult.SUCCESS
            and run.finished < self.window.end
        ]

    def _ci_runs_up_to(self, release: Minor) -> list[Run]:
        known = {release, *(one for one in self._coverage.known if one < release)}
        return [run for one in sorted(known) for run in self._ci_runs(one)[:1]]

    def _held_list(self, kind: ListKind, run: Run | None = None) -> str | None:
        held = self._store.lists.holding(kind, run.finished if run else self.window.end)
        return held.hash if held else None

    def _swagger(self, classification: Classification) -> Swagger:
        return self._store.swaggers.get(_swagger_of(classification))

    def _lists(self, classification: Classification) -> EndpointLists:
        pending, ineligible = (
            self._store.lists.get(digest) if digest else EndpointList()
            for digest in (classification.pending, classification.ineligible)
        )
        return EndpointLists(pending, ineligible)

    def _baseline_runs(self, run: Run) -> tuple[Run, ...]:
        return choose_baseline(run, self._candidates, self._rule)

    def _subject(self, run: Run) -> Subject:
        classification = self._classify(run)
        chosen = self._baseline_runs(run)
        recorded = tuple(RecordedRun(other, self._usage(other)) for other in chosen)
        return Subject(
            run=run,
            usage=self._usage(run),
            swagger=self._swagger(classification),
            lists=self._lists(classification),
            baseline=Baseline(recorded, min(self._rule.quorum, len(recorded))) if recorded else None,
            no_baseline="" if recorded else self._no_baseline(run),
            policy=self._store.policies.text(run.policy) if run.policy else None,
        )

    def _no_baseline(self, run: Run) -> str:
        return explain_no_baseline(run, self._candidates, self._rule)

    def _usage(self, run: Run) -> Usage:
        if run.id not in self._usages:
            self._usages[run.id] = self._store.runs.usage(run.id)
        return self._usages[run.id]


def _swagger_of(classification: Classification) -> str:
    """The hash of the swagger. Raises NoDataError where there is none."""
    if classification.swagger is None:
        which = f"swagger of version {classification.version}" if classification.version else "swagger"
        raise NoDataError(f"no {which} is stored (PUT /swagger/<version>, or auditsvc swagger VERSION FILE)")
    return classification.swagger


def _together(*told: ConformanceTested | None) -> ConformanceTested | None:
    """What all of them tell; None where none tells anything."""
    known = list(dict.fromkeys(one for one in told if one is not None))
    endpoints = frozenset[str]().union(*(one.endpoints for one in known))
    return ConformanceTested(endpoints, " and ".join(one.source for one in known)) if known else None


def _digest(*parts: object) -> str:
    """A hash of values whose repr says all that matters: frozen Structs, texts, numbers."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
