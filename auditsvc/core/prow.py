"""Prow's build ids, and the two files that say how a build began and ended: started.json and finished.json.

The files have grown over the years, and which members are there depends on what ran the job (see Prow's
"Understanding started.json and finished.json"). A build id is a snowflake: its upper bits are the
milliseconds since Twitter's epoch at which Prow made it.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from auditsvc.core.runs import RunResult
from auditsvc.core.swagger import minor_version
from auditsvc.errors import ParseError

STARTED = "started.json"
FINISHED = "finished.json"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MILLISECOND = 1288834974657  # 2010-11-04T01:42:54.657Z
_COUNTER_BITS = 22
# Of all since 2018, so that ids sort as text too. Builds are not kept for as long.
_BUILD_ID = re.compile("[1-9][0-9]{18}")

_COMMIT = re.compile("[0-9a-f]{40}([0-9a-f]{24})?")
_VERSION = re.compile(r"v?[0-9]+\.[0-9]+[0-9A-Za-z.+-]*")
_KUBERNETES = ("kubernetes/kubernetes", "k8s.io/kubernetes")


class BuildStage(msgspec.Struct, frozen=True):
    """What one of the two files says."""

    at: datetime
    members: Mapping[str, Any]

    def texts(self, *names: str) -> Iterator[str]:
        """Those of its members, and then of its metadata's, that are texts."""
        metadata = self.members.get("metadata")
        for holder in (self.members, metadata if isinstance(metadata, dict) else {}):
            yield from (holder[name] for name in names if isinstance(holder.get(name), str))


def parse_build_stage(text: bytes, *, name: str) -> BuildStage:
    """A started.json or finished.json. Raises ParseError where it is no JSON object or tells no time."""
    try:
        members = msgspec.json.decode(text, type=dict[str, Any])
        return BuildStage(_EPOCH + timedelta(seconds=_seconds(members.get("timestamp"))), members)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"{name}: not a JSON object: {error}") from None
    except (ValueError, OverflowError):
        raise ParseError(f"{name}: its timestamp is no time in Unix seconds") from None


def build_result(finished: BuildStage) -> RunResult:
    """How a build ended; ``passed`` decides where there is no ``result``."""
    passed = "SUCCESS" if finished.members.get("passed") is True else "FAILURE"
    match finished.members.get("result") or passed:
        case "SUCCESS":
            return RunResult.SUCCESS
        case "ABORTED":
            return RunResult.ABORTED
    return RunResult.FAILURE


def build_commit(started: BuildStage, finished: BuildStage) -> str | None:
    """The commit under test: the pull request's own, else Kubernetes', else the job's; None if unknown.

    A pull request is tested merged into its branch, and that merge (``repo-commit``) exists nowhere else.
    """
    repositories = started.members.get("repos")
    checked_out = repositories if isinstance(repositories, dict) else {}
    pulls = [refs for refs in checked_out.values() if "," in str(refs)]
    kubernetes = [checked_out[name] for name in _KUBERNETES if name in checked_out]
    # master:5a529aa3…,93063:c25e430d… - the branch, then the pull requests
    candidates = [str(refs).rpartition(":")[2] for refs in pulls + kubernetes]
    for stage in (started, finished):
        candidates += stage.texts("repo-commit", "repo-version", "revision")
    return next(filter(_COMMIT.fullmatch, candidates), None)


def build_version(started: BuildStage, finished: BuildStage) -> str | None:
    """The version of Kubernetes under test, where any member is one; None if unknown."""
    names = ("job-version", "version", "repo-version", "revision")
    candidates = (text for stage in (finished, started) for text in stage.texts(*names))
    return next((text for text in candidates if _VERSION.fullmatch(text) and minor_version(text)), None)


def is_build_id(text: str) -> bool:
    """Whether a folder's name is a build's id."""
    return _BUILD_ID.fullmatch(text) is not None


def build_created(build_id: str) -> datetime:
    """When Prow made the build of that id, which is some time before it started."""
    return _EPOCH + timedelta(milliseconds=(int(build_id) >> _COUNTER_BITS) + _FIRST_MILLISECOND)


def first_build_id(moment: datetime) -> str:
    """The lowest id of a build made at a moment or later; ids of 2018 and later sort as text."""
    milliseconds = -((_EPOCH - moment) // timedelta(milliseconds=1))  # rounded up
    return str((milliseconds - _FIRST_MILLISECOND) << _COUNTER_BITS)


def _seconds(timestamp: object) -> int:
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        raise ValueError(timestamp)
    return timestamp
