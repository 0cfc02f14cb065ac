"""Uploads a log again and again for some seconds: ``python -m benchmarks.uploads URL LOG CLIENT SECONDS``.

Prints how many uploads there were, and ends with 1 at the first answer that is none of success.
"""

import sys
import time
from pathlib import Path

import requests

CREATED = 201


def upload(url: str, log: bytes, client: str, seconds: float) -> int:
    """How many uploads were answered, each a run of its own. Raises requests' HTTPError."""
    end, sent = time.monotonic() + seconds, 0
    with requests.Session() as session:
        while time.monotonic() < end:
            origin = {"kind": "pull", "cluster": "busy", "pull": client, "build": f"{client}-{sent}"}
            answer = session.post(
                f"{url}/runs", params={**origin, "version": "v1.20.2"}, data=log, timeout=60
            )
            answer.raise_for_status()
            sent += answer.status_code == CREATED
    return sent


if __name__ == "__main__":
    sys.stdout.write(
        str(upload(sys.argv[1], Path(sys.argv[2]).read_bytes(), sys.argv[3], float(sys.argv[4])))
    )
