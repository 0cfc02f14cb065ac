"""Times the mapping alone: ``python -m benchmarks.mapping SWAGGER ROUNDS`` prints JSON.

The URIs are made from all operations of a swagger with names of their own, so that none comes twice.
"""

import gc
import json
import re
import sys
import time
from collections import deque
from collections.abc import Iterable
from itertools import cycle, repeat
from statistics import median

from auditsvc.core.mapper import OperationMapper
from auditsvc.core.swagger import Operation, Swagger, parse_swagger
from auditsvc.core.tally import CACHED_PATHS, Places, Tallies
from auditsvc.fetch import read

URIS = 1_000_000

_PARAMETER = re.compile(r"\{(\w+)\}")


def requests(swagger: Swagger, number: int) -> tuple[list[str], list[str]]:
    """So many distinct requests, as their verbs and their URIs: every operation as often as any other."""
    operations = list(zip(range(number), cycle(swagger.operations.values())))
    return [one.method.lower() for _, one in operations], [_uri(one, at) for at, one in operations]


def measure(swagger: Swagger, rounds: int) -> dict[str, float]:
    """How many URIs are mapped and how many cut in a second, and how many paths were cached at most."""
    mapper = OperationMapper(swagger)
    verbs, uris = requests(swagger, URIS)
    times = [
        (_seconds(map(mapper.map, verbs, uris)), _seconds(map(str.split, uris, repeat("/"))))
        for _ in range(rounds)
    ]
    mapped, cut = (URIS / median(seconds) for seconds in zip(*times, strict=True))
    cached = _most_cached(mapper, (uri.partition("?")[0] for uri in uris))
    return {"uris": len(set(uris)), "mapped": mapped, "cut": cut, "cached": cached, "bound": CACHED_PATHS}


def _uri(operation: Operation, at: int) -> str:
    """A URI that no other number has: by its names, or by its query where the path holds none."""
    uri = _PARAMETER.sub(rf"\1-{at}", operation.path)
    return uri if uri != operation.path else f"{uri}?resourceVersion={at}"


def _seconds(work: Iterable[object]) -> float:
    """How long it takes to go through all of it, with nothing done at each step."""
    start = time.perf_counter()
    deque(work, maxlen=0)
    return time.perf_counter() - start


def _most_cached(mapper: OperationMapper, paths: Iterable[str]) -> int:
    endpoints = Places(mapper, Tallies())
    most = 0
    for path in paths:
        endpoints[path]
        most = max(most, len(endpoints))
    return most


if __name__ == "__main__":
    gc.disable()  # as `auditsvc parse` does
    json.dump(measure(parse_swagger(read(sys.argv[1])), int(sys.argv[2])), sys.stdout)
