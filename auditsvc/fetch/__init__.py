"""What is behind a path, an http(s):// or a gs:// URL: documents, objects of a bucket, downloads to a file.

gs:// is read over the public API of Google Cloud Storage, or of what answers like it: a mirror, an emulator.
Every message is one line that names the path or URL. The proxy variables are heeded, as requests does it.

What speaks to servers is slow to import, so it is imported when a URL is read.
"""

from auditsvc.fetch.local import LIMIT_BYTES, is_url, read_file

__all__ = ["LIMIT_BYTES", "is_url", "read"]


def read(source: str, *, limit: int = LIMIT_BYTES) -> bytes:
    """What a file or URL holds, unpacked; FetchError where it cannot be read or is over ``limit`` bytes."""
    if "://" not in source:
        return read_file(source, limit)
    from auditsvc.fetch.fetcher import Fetcher

    with Fetcher() as fetcher:
        return fetcher.read(source, limit=limit)
