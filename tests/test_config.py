from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.pretty import pretty_repr

from auditsvc.config import AccessMode, Config, LogFormat, LogLevel, load_config
from auditsvc.config.schema import ConfigSchema
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.runs import BaselineRule
from auditsvc.core.usage import ExercisedBy
from auditsvc.errors import ConfigError

# key, text, what it changes
KEYS: list[tuple[str, str, dict[str, Any]]] = [
    ("utc_offset", "+10:00", {"utc_offset": timezone(timedelta(hours=10))}),
    ("utc_offset", "-03:30", {"utc_offset": timezone(-timedelta(hours=3, minutes=30))}),
    ("exercised_by", "conf_tested", {"exercised_by": ExercisedBy.CONF_TESTED}),
    ("rel_tol", "1e-3", {"rel_tol": 0.001}),
    ("abs_tol", "0", {"abs_tol": 0.0}),
    ("max_gap", "90m", {"max_gap": timedelta(minutes=90)}),
    ("target_release", "v1.36", {"target_release": "v1.36"}),
    ("waivers", "waivers.yaml", {"waivers": Path("waivers.yaml")}),
    ("baseline_max_age", "90m", {"baseline": BaselineRule(max_age=timedelta(minutes=90))}),
    ("baseline_max_age", "2w", {"baseline": BaselineRule(max_age=timedelta(weeks=2))}),
    ("baseline_runs", "3", {"baseline": BaselineRule(runs=3)}),
    ("max_upload_bytes", "1048576", {"max_upload_bytes": 1 << 20}),
    ("max_unpacked_bytes", "1048576", {"max_unpacked_bytes": 1 << 20}),
    ("max_upload_time", "90s", {"max_upload_time": timedelta(seconds=90)}),
    ("access", "tokens", {"access": AccessMode.TOKENS}),
    ("public_reads", "true", {"public_reads": True}),
    ("rate_limit", "600", {"rate_limit": 600}),
    ("jobs", "2", {"jobs": 2}),
    ("min_free_bytes", "0", {"min_free_bytes": 0}),
    ("log_format", "json", {"log_format": LogFormat.JSON}),
    ("log_level", "debug", {"log_level": LogLevel.DEBUG}),
    ("cost_relative", "1e-4", {"cost_tolerance": CostTolerance(relative=1e-4)}),
    ("cost_per_allocation", "0", {"cost_tolerance": CostTolerance(per_allocation=0)}),
    ("cost_per_asset", "0.01", {"cost_tolerance": CostTolerance(per_asset=0.01)}),
    ("opencost_url", "http://opencost:9003", {"opencost_url": "http://opencost:9003"}),
]
WRONG = [
    ("utc_offset", "10"),
    ("utc_offset", "+25:00"),
    ("exercised_by", "hits"),
    ("exercised_by", "HIT"),
    ("rel_tol", "-1"),
    ("rel_tol", "nan"),
    ("abs_tol", "small"),
    ("baseline_max_age", "7"),
    ("baseline_max_age", "-7d"),
    ("baseline_max_age", "1y"),
    ("baseline_runs", "0"),
    ("baseline_runs", "2.5"),
    ("baseline_quorum", "0"),
    ("max_upload_bytes", "2GB"),
    ("max_unpacked_bytes", "0"),
    ("max_upload_time", "0s"),
    ("max_upload_time", "2d"),
    ("access", "open"),
    ("public_reads", "perhaps"),
    ("rate_limit", "0"),
    ("cost_relative", "-1"),
    ("cost_per_asset", "inf"),
    ("opencost_url", "file:///etc/passwd"),
    ("jobs", "true"),
    ("min_free_bytes", "-1"),
    ("log_format", "xml"),
    ("log_level", "INFO"),
    ("jobs", "9" * 5000),
]


@pytest.fixture
def default(tmp_path: Path) -> Config:
    """The configuration of a user who configured nothing."""
    return Config(data=tmp_path / ".local" / "share" / "auditsvc")


def with_file(home: Path, text: str, **variables: str) -> Config:
    """The configuration with a file in the data folder."""
    (home / "auditsvc.yaml").write_text(text, encoding="utf-8")
    return load_config({"AUDITSVC_DATA": str(home), **variables}, home=home)


def test_nothing_configured(tmp_path: Path, default: Config) -> None:
    """Without anything there are defaults, and the data is where a user's data belongs."""
    assert load_config({"PATH": "/bin", "HOME": "/nowhere"}, home=tmp_path) == default


def test_data_folder(tmp_path: Path) -> None:
    """The data folder is the environment's to name; its file is read where there is one."""
    data = tmp_path / "data"
    assert load_config({"AUDITSVC_DATA": str(data)}, home=tmp_path) == Config(data=data)
    data.mkdir()
    assert with_file(data, "jobs: 3").jobs == 3


@pytest.mark.parametrize(("key", "text", "changes"), KEYS)
def test_keys(key: str, text: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """Each key is read from the file and from its variable, and means the same."""
    expected = replace(Config(data=tmp_path), **changes)
    assert with_file(tmp_path, f"{key}: {text}\n") == expected
    assert with_file(tmp_path, f'"{key}": "{text}"\n') == expected
    assert with_file(tmp_path, "", **{f"AUDITSVC_{key.upper()}": text}) == expected


def test_every_key_is_tested() -> None:
    """No key was forgotten above, and each says what it is for."""
    assert {*(key for key, _, _ in KEYS), "baseline_quorum"} == ConfigSchema().fields.keys()
    assert all(field.metadata["description"] for field in ConfigSchema().fields.values())


def test_precedence(tmp_path: Path) -> None:
    """A variable wins over the file, an empty one does not; the other keys stay."""
    config = with_file(tmp_path, "jobs: 3\nrel_tol: 0.5", AUDITSVC_JOBS="4", AUDITSVC_REL_TOL="")
    assert (config.jobs, config.rel_tol) == (4, 0.5)


def test_named_file(tmp_path: Path) -> None:
    """A file that is named is read, and the data folder's own is not."""
    (tmp_path / "other.yaml").write_text("jobs: 5")
    assert with_file(tmp_path, "jobs: 3", AUDITSVC_CONFIG=str(tmp_path / "other.yaml")).jobs == 5


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}"])
def test_empty_file(text: str, tmp_path: Path) -> None:
    """A file that says nothing changes nothing."""
    assert with_file(tmp_path, text) == Config(data=tmp_path)


def test_foreign_variables(tmp_path: Path, default: Config) -> None:
    """A cluster sets such variables in every container, for a Service that is called auditsvc."""
    environ = {"AUDITSVC_PORT": "tcp://10.0.0.1:80", "AUDITSVC_SERVICE_HOST": "10.0.0.1", "JOBS": "9"}
    assert load_config(environ, home=tmp_path) == default


def test_token(tmp_path: Path, default: Config) -> None:
    """The token comes from the environment alone, and is not shown by accident."""
    config = load_config({"AUDITSVC_TOKEN": "hush"}, home=tmp_path)
    assert config == replace(default, token="hush")
    assert "hush" not in repr(config)
    assert "hush" not in pretty_repr(config)
    with pytest.raises(ConfigError, match="token: Unknown field"):
        with_file(tmp_path, "token: hush")


ADMIN = "0123456789abcdef"


@pytest.mark.parametrize("text", [ADMIN, f"  {ADMIN}\n", "Zm9vYmFyYmF6+/-_.~="])
def test_admin_token(text: str, tmp_path: Path, default: Config) -> None:
    """It comes from a variable or the file that one names, without the space around it, and is not shown."""
    file = tmp_path / "token"
    file.write_text(text)
    for environ in ({"AUDITSVC_ADMIN_TOKEN": text}, {"AUDITSVC_ADMIN_TOKEN_FILE": str(file)}):
        config = load_config(environ, home=tmp_path)
        assert config == replace(default, admin_token=text.strip())
        assert text.strip() not in repr(config)
        assert text.strip() not in pretty_repr(config)
    with pytest.raises(ConfigError, match="admin_token: Unknown field"):
        with_file(tmp_path, f"admin_token: {ADMIN}")


@pytest.mark.parametrize(
    "text", ["0123456789abcde", "0123456789 abcdef", "0123456789abcdéf", " ", "a\nb" * 9]
)
def test_admin_token_that_is_none(text: str, tmp_path: Path) -> None:
    """Too short to be a secret, or nothing that a header can carry; it is not repeated."""
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    for variable, value in (("AUDITSVC_ADMIN_TOKEN", text), ("AUDITSVC_ADMIN_TOKEN_FILE", str(file))):
        with pytest.raises(ConfigError) as told:
            load_config({variable: value}, home=tmp_path)
        assert str(told.value).startswith(variable)
        assert "not 16 or more visible ASCII characters without a space" in str(told.value)
        assert "0123" not in str(told.value)


def test_admin_token_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named; so is one that holds nothing, or no text."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "binary").write_bytes(b"\xff" * 20)
    for name, problem in (("none", "No such file"), ("empty", "not 16 or more"), ("binary", "'utf-8' codec")):
        with pytest.raises(ConfigError) as told:
            load_config({"AUDITSVC_ADMIN_TOKEN_FILE": str(tmp_path / name)}, home=tmp_path)
        assert str(told.value).startswith(f"AUDITSVC_ADMIN_TOKEN_FILE ({tmp_path / name})")
        assert problem in str(told.value)


def test_admin_token_given_twice(tmp_path: Path, default: Config) -> None:
    """Nobody can tell which one holds; an empty variable is none."""
    with pytest.raises(ConfigError, match="are both set: keep one of them"):
        load_config({"AUDITSVC_ADMIN_TOKEN": ADMIN, "AUDITSVC_ADMIN_TOKEN_FILE": "x"}, home=tmp_path)
    empty = {"AUDITSVC_ADMIN_TOKEN": "", "AUDITSVC_ADMIN_TOKEN_FILE": ""}
    assert load_config(empty, home=tmp_path) == default


@pytest.mark.parametrize(("key", "text"), WRONG)
def test_wrong_values(key: str, text: str, tmp_path: Path) -> None:
    """A value that cannot be used is told with its file and key, or with its variable."""
    with pytest.raises(ConfigError) as told:
        with_file(tmp_path, f"{key}: {text}\n")
    assert str(told.value).startswith(f"{tmp_path / 'auditsvc.yaml'}: {key}: ")
    with pytest.raises(ConfigError) as told:
        with_file(tmp_path, "", **{f"AUDITSVC_{key.upper()}": text})
    assert str(told.value).startswith(f"AUDITSVC_{key.upper()}: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["jobs: [1]", "jobs: {a: b}", "jobs:", "jobs: null"])
def test_no_scalar(text: str, tmp_path: Path) -> None:
    """A key takes one value."""
    with pytest.raises(ConfigError, match=r"jobs: Not a valid integer\.$"):
        with_file(tmp_path, text)


@pytest.mark.parametrize("key", ["job", "Jobs", "data", "1", "<<"])
def test_unknown_key(key: str, tmp_path: Path) -> None:
    """A key that is none is told, and which there are: a typing mistake must not go unnoticed."""
    with pytest.raises(ConfigError) as told:
        with_file(tmp_path, f"{key}: 2")
    assert f"auditsvc.yaml: {key}: Unknown field. (known keys are utc_offset, exercised_by, " in str(
        told.value
    )


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"runs": "3", "quorum": "2"}, BaselineRule(runs=3, quorum=2)),
        (
            {"runs": "3", "quorum": "3", "max_age": "1d"},
            BaselineRule(max_age=timedelta(days=1), runs=3, quorum=3),
        ),
        ({"runs": "3"}, BaselineRule(runs=3)),
        ({"quorum": "1"}, BaselineRule()),
    ],
)
def test_baseline(values: dict[str, str], rule: BaselineRule, tmp_path: Path) -> None:
    """How a baseline is chosen."""
    text = "".join(f"baseline_{name}: {value}\n" for name, value in values.items())
    assert with_file(tmp_path, text).baseline == rule


@pytest.mark.parametrize(("runs", "quorum"), [("1", "2"), ("3", "4")])
def test_quorum(runs: str, quorum: str, tmp_path: Path) -> None:
    """More runs than there are cannot agree, wherever the two numbers come from."""
    with pytest.raises(
        ConfigError, match=f"^baseline_quorum: {quorum} of {runs} baseline_runs can never agree"
    ):
        with_file(tmp_path, f"baseline_runs: {runs}", AUDITSVC_BASELINE_QUORUM=quorum)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"- jobs", "expected a mapping of keys, found a list"),
        (b"jobs", "expected a mapping of keys, found a str"),
        (b"jobs: [", "cannot read the configuration file"),
        (b"\xff\xfe", "cannot read the configuration file"),
        (b"a: 1\n---\nb: 2", "cannot read the configuration file"),
    ],
)
def test_no_configuration(content: bytes, reason: str, tmp_path: Path) -> None:
    """A file that is no configuration is named, with the reason in one line."""
    (tmp_path / "auditsvc.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as told:
        load_config({"AUDITSVC_DATA": str(tmp_path)}, home=tmp_path)
    assert reason in str(told.value)
    assert str(tmp_path / "auditsvc.yaml") in str(told.value)
    assert "\n" not in str(told.value)


def test_unreadable_file(tmp_path: Path) -> None:
    """A file that was named must be there; a data folder that cannot even be looked into is told."""
    named = tmp_path / "nowhere.yaml"
    with pytest.raises(
        ConfigError, match=f"^cannot read the configuration file {named}: No such file or directory$"
    ):
        load_config({"AUDITSVC_CONFIG": str(named)}, home=tmp_path)
    with pytest.raises(ConfigError, match=r"Is a directory$"):
        load_config({"AUDITSVC_CONFIG": str(tmp_path)}, home=tmp_path)
    with pytest.raises(ConfigError, match=r"File name too long$"):
        load_config({"AUDITSVC_DATA": "x" * 5000}, home=tmp_path)
