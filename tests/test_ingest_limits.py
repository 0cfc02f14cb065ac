"""What a packed log may ask for: so many bytes unpacked, so much memory."""

import bz2
import gzip
import io
import lzma
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.swagger import parse_swagger
from auditsvc.errors import InputError, TooLargeError
from auditsvc.ingest import Log, count_logs
from auditsvc.ingest.xz import Unxz
from tests.web.made import log_bytes, swagger_bytes

PACKINGS = {"gzip": gzip.compress, "zstandard": zstd.compress, "xz": lzma.compress, "bzip2": bz2.compress}


@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)
def test_limit_holds_to_the_byte(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """However it is packed; a plain log has the limit of its upload."""
    text = log_bytes() * 1000
    (tmp_path / "packed").write_bytes(pack(text))
    (tmp_path / "plain").write_bytes(text)
    with Log.at(tmp_path / "packed", limit=len(text)).opened() as stream:
        assert stream.read() == text
    with Log.at(tmp_path / "plain", limit=1).opened() as stream:
        assert stream.read() == text
    limit = len(text) - 1
    refused = rf"^packed: unpacks to more than {limit} bytes \(max_unpacked_bytes\)$"
    with (
        Log.at(tmp_path / "packed", limit=limit).opened() as stream,
        pytest.raises(TooLargeError, match=refused),
    ):
        stream.read()


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("line", [b"", b"{}\n"], ids=["no line", "lines"])
def test_a_bomb_is_refused_in_little_memory(tmp_path: Path, jobs: int, line: bytes) -> None:
    """Among others, too, whose order is looked for; in this process and in another one."""
    (tmp_path / "bomb").write_bytes(gzip.compress(line) + gzip.compress(bytes(1 << 26)) * 8)
    (tmp_path / "log").write_bytes(log_bytes())
    logs = [Log.at(tmp_path / "log"), Log.at(tmp_path / "bomb", limit=1 << 28)]
    swagger = parse_swagger(swagger_bytes())
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match="bomb: unpacks to more than 268435456 bytes"):
            count_logs(logs, swagger, jobs=jobs)
        assert tracemalloc.get_traced_memory()[1] < 128 << 20
    finally:
        tracemalloc.stop()


def greedy() -> bytes:
    """A short xz file whose header asks for 2 GB to unpack it."""
    packed = bytearray(lzma.compress(log_bytes()))
    end = 12 + 4 * packed[12]  # of the block's header, where its checksum is (xz-file-format 3.1)
    assert packed[14:16] == b"\x21\x01"  # LZMA2, with one byte of properties: the size of the dictionary
    packed[16] = 38
    packed[end : end + 4] = zlib.crc32(packed[12:end]).to_bytes(4, "little")
    return bytes(packed)


@pytest.mark.parametrize("before", [b"", lzma.compress(b"{}\n")], ids=["first", "later"])
def test_a_header_cannot_ask_for_gigabytes(tmp_path: Path, before: bytes) -> None:
    """Of any stream in the file."""
    (tmp_path / "a.xz").write_bytes(before + greedy())
    refused = pytest.raises(InputError, match=r"^cannot read a.xz: Memory usage limit exceeded$")
    with refused, Log.at(tmp_path / "a.xz").opened() as stream:
        stream.read()


@given(
    streams=st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 3)), min_size=1, max_size=9),
    size=st.integers(1, 500),
)
def test_xz_streams_are_one_after_the_other(streams: list[tuple[bytes, int]], size: int) -> None:
    """With the padding between them that the format allows, in pieces of any size."""
    packed = b"".join(lzma.compress(text, preset=0) + bytes(4 * padding) for text, padding in streams)
    unpacked = io.BufferedReader(Unxz(io.BytesIO(packed)), 64)
    assert b"".join(iter(lambda: unpacked.read(size), b"")) == b"".join(text for text, _ in streams)


@pytest.mark.parametrize("preset", [6, 9, 9 | lzma.PRESET_EXTREME])
def test_every_preset_of_xz_is_unpacked(preset: int) -> None:
    """The highest ones need the most memory."""
    text = log_bytes() * 1000
    assert Unxz(io.BytesIO(lzma.compress(text, preset=preset))).readall() == text


@pytest.mark.parametrize("cut", [1, 13, 40])
def test_xz_that_breaks_off_is_told(tmp_path: Path, cut: int) -> None:
    """As any packing that does."""
    (tmp_path / "a.xz").write_bytes(lzma.compress(log_bytes())[:-cut])
    refused = pytest.raises(InputError, match=r"^cannot read a.xz: it ends in the middle$")
    with refused, Log.at(tmp_path / "a.xz").opened() as stream:
        stream.read()
