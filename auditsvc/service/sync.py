"""Takes in what CI left in a bucket: the newest successful builds of the configured Prow jobs, as runs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from auditsvc.config import Config, SyncJob
from auditsvc.core.prow import build_commit, build_version
from auditsvc.core.runs import Run
from auditsvc.errors import AuditsvcError, FetchError, StoreError
from auditsvc.fetch.fetcher import Fetcher
from auditsvc.fetch.gcs import GCS_ENDPOINT
from auditsvc.fetch.http import Trust
from auditsvc.service.builds import Build, Builds, Progress, find_builds
from auditsvc.service.runs import RunService, RunUpload

_MOST_BROKEN = 3
"""After so many broken builds something else is broken: a template, or the job."""


def no_progress(_what: str, _done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


class Synced(msgspec.Struct, frozen=True):
    """What came of it: new runs; skipped builds and jobs without a usable build, each with the reason."""

    runs: list[Run] = []
    skipped: list[str] = []
    failed: list[str] = []


class Sync:
    """The builds of the configured jobs. ``spool`` is the folder for what is on its way into the store."""

    def __init__(self, runs: RunService, config: Config, clock: Callable[[], datetime], spool: Path) -> None:
        self._runs = runs
        self._config = config
        self._clock = clock
        self._spool = spool

    def run(self, jobs: Iterable[SyncJob] | None = None, *, progress: Progress = no_progress) -> Synced:
        """Takes in the newest successful builds that are not there yet: of these jobs, else of all.

        What is wrong with one build or job does not hinder the others. A build that is there is not fetched
        again, so a sync that was cut off goes on where it was. Raises StoreError.
        """
        synced = Synced()
        with self._fetcher() as fetcher:
            for job in self._config.sync.jobs if jobs is None else jobs:
                for builds in find_builds(job, fetcher):
                    try:
                        self._take_newest(builds, synced, progress)
                    except FetchError as error:
                        synced.failed.append(f"{job.job}: {error}")
        return synced

    def _take_newest(self, builds: Builds, synced: Synced, progress: Progress) -> None:
        found = broken = 0
        for build in builds.newest(self._clock()):
            try:
                found += self._is_there(build) or self._take(build, synced, progress)
            except StoreError:
                raise
            except AuditsvcError as error:
                broken += 1
                synced.skipped.append(f"{build.url}: {error}")
            if found == builds.job.limit or broken == _MOST_BROKEN:
                break
        if not found:
            raise FetchError(f"no build in {builds.url} was successful and can be used")

    def _is_there(self, build: Build) -> bool:
        return self._runs.find(job=build.job.job, build=build.id, limit=0)[1] > 0

    def _take(self, build: Build, synced: Synced, progress: Progress) -> bool:
        """Takes a build in, if it was successful."""
        progress(build.url, 0, None)
        stages = build.stages(self._clock())
        if stages is None:
            return False
        started, finished = stages
        commit, version = (
            build_commit(started, finished),
            build_version(started, finished) or build.job.version,
        )
        with self._folder() as folder:
            upload = RunUpload(
                kind=build.job.kind,
                cluster=build.job.cluster,
                job=build.job.job,
                build=build.id,
                pull=build.pull,
                revision=commit,
                version=version,
                started=started.at,
                finished=finished.at,
                **build.documents(commit=commit, version=version),
                logs=build.download_logs(
                    folder,
                    limit=self._config.max_upload_bytes,
                    unpacked_limit=self._config.max_unpacked_bytes,
                    progress=progress,
                ),
            )
            run, new = self._runs.add(upload, progress=_Counted(build.url, progress))
        if new:
            synced.runs.append(run)
        return True

    def _fetcher(self) -> Fetcher:
        return Fetcher(
            gcs_endpoint=self._config.sync.gcs_endpoint or GCS_ENDPOINT,
            gcs=Trust(token_file=self._config.sync.gcs_token_file),
            cache=self._config.data / "cache",
        )

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        try:
            folder = TemporaryDirectory(prefix="sync-", dir=self._spool)
        except OSError as error:
            raise StoreError(f"cannot write to {self._spool}: {error.strerror}") from error
        with folder as name:
            yield Path(name)


class _Counted:
    """What is told while a log is read: how much of it was, in all."""

    def __init__(self, what: str, progress: Progress) -> None:
        self._what = what
        self._progress = progress
        self._done = 0

    def __call__(self, more: int, _events: int) -> None:
        self._done += more
        self._progress(self._what, self._done, None)
