import csv
import io
import json

from auditsvc.exports.rows import Cell, render_csv, render_json, render_text

ROWS: list[dict[str, Cell]] = [
    {"endpoint": "readPod", "age": 3, "pending": True, "tested": None},
    {"endpoint": 'a "quoted", name\x1b', "age": 12, "pending": False, "tested": "1.9.0"},
]


def test_a_table_for_people() -> None:
    """Numbers to the right, what is not known or does not hold empty, nothing that drives the terminal."""
    assert render_text(ROWS).splitlines() == [
        "endpoint              age  pending  tested",
        "readPod                 3  yes",
        'a "quoted", name\\x1b   12           1.9.0',
    ]


def test_json_keeps_what_the_values_are() -> None:
    """An array of objects."""
    assert json.loads(render_json(ROWS)) == ROWS


def test_csv_reads_back() -> None:
    """A heading, and what is not known is empty."""
    records = list(csv.DictReader(io.StringIO(render_csv(ROWS))))
    assert [record["pending"] for record in records] == ["true", "false"]
    assert records[1]["endpoint"] == ROWS[1]["endpoint"]
    assert records[0]["tested"] == ""


def test_no_rows() -> None:
    """Nothing to show is nothing shown, but JSON says so."""
    assert (render_text([]), render_csv([]), render_json([])) == ("", "", "[]\n")


def test_no_formula() -> None:
    """In a CSV a text that a spreadsheet would compute is quoted; a number is a number."""
    assert render_csv([{"name": "=1+1", "count": -1}]).splitlines()[1] == "'=1+1,-1"
