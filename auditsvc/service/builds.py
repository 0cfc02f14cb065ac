"""What Prow left of builds in a bucket: where they are, how they ended, their documents and audit logs.

A build is a folder: ``gs://<bucket>/logs/<job>/<build>/`` of a periodic job, of a pull request
``gs://<bucket>/pr-logs/pull/<number>/<job>/<build>/``. The ``latest-build.txt`` beside them is written when a
build starts, so it is not asked.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from auditsvc.config import SyncJob
from auditsvc.core.endpoints import parse_endpoint_list
from auditsvc.core.prow import (
    FINISHED,
    STARTED,
    BuildStage,
    build_result,
    first_build_id,
    is_build_id,
    parse_build_stage,
)
from auditsvc.core.runs import RunKind, RunResult
from auditsvc.core.swagger import parse_swagger
from auditsvc.errors import FetchError, InputError, ParseError
from auditsvc.fetch.fetcher import Fetcher
from auditsvc.fetch.gcs import RemoteObject
from auditsvc.fetch.http import Trust
from auditsvc.ingest import Log

Progress = Callable[[str, int, int | None], None]
"""Told what is fetched or read, how many bytes of it are done, and of how many (None: unknown)."""

FARTHEST = timedelta(days=30)
"""Older builds of a periodic job are not looked for: no baseline is that old."""

_MOST = 200
_AHEAD = timedelta(hours=1)  # so far may a build's clock be ahead of ours
_STAGE_BYTES = 4 << 20
_LOGS, _REPORT = "audit*.log*", "audit-endpoints.txt"


class Build(msgspec.Struct, frozen=True):
    """One build of a job, for a pull request or for none."""

    job: SyncJob
    pull: str | None
    id: str
    url: str
    fetcher: Fetcher

    def stages(self, now: datetime) -> tuple[BuildStage, BuildStage] | None:
        """How it started and finished; None where it did not, or not with success.

        Raises FetchError and ParseError, and InputError where the two times cannot be.
        """
        text = self.fetcher.read_if_there(self.url + FINISHED, limit=_STAGE_BYTES)
        if text is None:
            return None
        finished = parse_build_stage(text, name=FINISHED)
        if build_result(finished) is not RunResult.SUCCESS:
            return None
        started = parse_build_stage(self.fetcher.read(self.url + STARTED, limit=_STAGE_BYTES), name=STARTED)
        if finished.at < started.at:
            raise InputError(f"{FINISHED}: it finished at {finished.at}, before it started at {started.at}")
        if finished.at > now + _AHEAD:
            raise InputError(f"{FINISHED}: it will have finished at {finished.at}, which is yet to come")
        return started, finished

    def documents(self, *, commit: str | None, version: str | None) -> dict[str, Any]:
        """The bytes of its swagger and lists, by name: of those for which the job has a URL.

        Raises ParseError, and FetchError, also where the build does not name what a URL needs.
        """
        trusts = self.job.swagger_token_file or self.job.swagger_ca_file
        trust = Trust(token_file=self.job.swagger_token_file, ca_file=self.job.swagger_ca_file)
        sources = {
            "swagger": (self.job.swagger, trust if trusts else None),
            "pending": (self.job.pending, None),
            "ineligible": (self.job.ineligible, None),
        }
        return {
            name: self._document(name, _filled(template, commit=commit, version=version), trusted)
            for name, (template, trusted) in sources.items()
            if template
        }

    def _document(self, name: str, url: str, trust: Trust | None) -> bytes:
        document = self.fetcher.read_cached(url, trust=trust)
        try:  # before a large log is fetched in vain; and here its URL is known
            (parse_swagger if name == "swagger" else parse_endpoint_list)(document)
        except ParseError as error:
            raise ParseError(f"{url}: {error}") from error
        return document

    def download_logs(
        self, folder: Path, *, limit: int, unpacked_limit: int, progress: Progress
    ) -> list[Log]:
        """Its audit logs, else the report of them, as files in a folder; together at most ``limit`` bytes.

        Each may unpack to ``unpacked_limit``: what a pull request's job leaves is the work of a stranger.
        Raises FetchError, also where there is neither.
        """
        logs: list[Log] = []
        for number, found in enumerate(self._kept()):
            file = folder / str(number)  # not its own name, which somebody else chose
            self.fetcher.download(
                found.url,
                file,
                limit=limit,
                progress=partial(progress, found.url),
            )
            limit -= file.stat().st_size
            logs.append(Log.at(file, name=found.name, limit=unpacked_limit))
        return logs

    def _kept(self) -> list[RemoteObject]:
        artifacts = f"{self.url}artifacts/"
        found = {one.url.removeprefix(artifacts): one for one in self.fetcher.objects(f"{artifacts}audit")}
        logs = [
            one for path, one in found.items() if path == f"audit/{one.name}" and fnmatchcase(one.name, _LOGS)
        ]
        reports = [found[path] for path in (f"audit/{_REPORT}", _REPORT) if path in found]
        if not logs and not reports:
            raise FetchError(f"there is neither artifacts/audit/{_LOGS} nor {_REPORT} in it")
        return logs or reports[:1]


class Builds(msgspec.Struct, frozen=True):
    """The builds of a job, or of a job for one pull request; or the one build that was named."""

    job: SyncJob
    fetcher: Fetcher
    pull: str | None = None
    named: str | None = None

    @property
    def url(self) -> str:
        """Their folder."""
        number = f"{self.pull}/" if self.pull else ""
        return f"gs://{self.job.bucket}/{self.job.prefix}{number}{self.job.job}/"

    def newest(self, now: datetime) -> Iterator[Build]:
        """The newest first. Raises FetchError where they cannot be listed."""
        # No end: the builds of the last hour are wanted also where our clock is behind.
        since = "" if self.pull else first_build_id(now - FARTHEST)
        listed = (
            [self.named] if self.named else filter(is_build_id, self.fetcher.folders(self.url, since=since))
        )
        for build in sorted(listed, reverse=True)[:_MOST]:
            yield Build(self.job, self.pull, build, f"{self.url}{build}/", self.fetcher)


def find_builds(job: SyncJob, fetcher: Fetcher) -> Iterator[Builds]:
    """The folders of a job's builds: one, or one for each of its pull requests."""
    if not job.pulls and job.kind is not RunKind.PULL:
        yield Builds(job, fetcher)
    for pull in job.pulls:
        number, _, build = pull.partition("/")
        yield Builds(job, fetcher, number, build or None)


def _filled(template: str, **known: str | None) -> str:
    named = {name: quote(value, safe="") for name, value in known.items() if value}
    try:
        return template.format(**named)
    except KeyError as error:
        raise FetchError(f"the build does not name the {error.args[0]} for {template}") from None
