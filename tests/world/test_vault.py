"""Secrets are found where their sources say, and errors about them never hold what was found."""

import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import SecretMissing
from orchestration.models import Settings
from orchestration.vault import BadDotenv, looks_secret, parse_dotenv, secret_names, secrets_for

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "TOKEN": "from-variable", "OTHER": "of-another"}


async def found(written: object, directory: Path, **more: str) -> str:
    settings = Settings.model_validate({"secrets": {"NAME": written}})
    values = await secrets_for(["NAME"], settings.secrets, {**ENVIRONMENT, **more}, directory)
    return values["NAME"]


async def refused(written: object, directory: Path) -> str:
    with pytest.raises(SecretMissing) as caught:
        await found(written, directory)
    assert caught.value.name == "NAME"
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return f"{caught.value.message} ({caught.value.hint})"


async def test_a_secret_comes_from_a_variable_a_file_a_command_or_a_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("from-file\n")
    (tmp_path / ".env").write_text("TOKEN=from-dotenv\nNAME='by its own name'\n")
    assert await found("TOKEN", tmp_path) == "from-variable"
    assert await found({"env": "OTHER"}, tmp_path) == "of-another"
    assert await found({"file": "key.txt"}, tmp_path) == "from-file"
    assert await found({"file": str(tmp_path / "key.txt")}, Path("/")) == "from-file"
    assert await found({"command": "printf 'from %s\\n\\n' command"}, tmp_path) == "from command"
    assert await found({"dotenv": ".env", "key": "TOKEN"}, tmp_path) == "from-dotenv"
    assert await found({"dotenv": ".env"}, tmp_path) == "by its own name"


async def test_a_name_without_a_source_is_a_variable_of_that_name(tmp_path: Path) -> None:
    assert await secrets_for(["TOKEN"], {}, ENVIRONMENT, tmp_path) == {"TOKEN": "from-variable"}
    assert await secrets_for([], {}, ENVIRONMENT, tmp_path) == {}


async def test_a_dotenv_file_is_never_read_by_itself(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NAME=from-dotenv\n")
    assert "no variable NAME" in await refused("NAME", tmp_path)


async def test_the_home_of_a_file_is_that_of_the_given_environment(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("line one\nline two\r\n")
    assert await found({"file": "~/key.txt"}, Path("/"), HOME=str(tmp_path)) == "line one\nline two"


async def test_a_link_to_a_secret_is_followed_because_it_is_how_they_are_mounted(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mounted")
    (tmp_path / "link").symlink_to("data")
    assert await found({"file": "link"}, tmp_path) == "mounted"


async def test_a_command_sees_the_allowed_part_of_the_environment_and_runs_in_the_project(tmp_path: Path) -> None:
    code = "import os; print(sorted({'TOKEN', 'LANG', 'PATH'} & set(os.environ)), os.getcwd())"
    line = shlex.join([sys.executable, "-I", "-S", "-c", code])
    assert await found({"command": line}, tmp_path, LANG="C") == f"['LANG', 'PATH'] {tmp_path.resolve()}"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("NOWHERE", "no variable NOWHERE"),
        ({"file": "nowhere"}, "cannot be read: No such file"),
        ({"file": "."}, "is no file"),
        ({"file": "pipe"}, "is no file"),
        ({"file": "empty"}, "it is empty"),
        ({"file": "big"}, "is over 65536 bytes"),
        ({"file": "binary"}, "is not UTF-8"),
        ({"file": "zero"}, "holds a zero byte"),
        ({"file": "a\0b"}, "no name of a file"),
        ({"dotenv": "lines"}, "has no NAME"),
        ({"dotenv": "broken"}, "broken: line 2 is not KEY=VALUE"),
        ({"command": "echo hunter22; exit 3"}, "(echo …) ended with exit code 3"),
        ({"command": "kill -9 $$"}, "ended with signal 9"),
        ({"command": "no-such-program-here hunter22"}, "cannot be run: there is no program"),
        ({"command": " "}, "cannot be run"),
        ({"command": "echo"}, "it is empty"),
        ({"command": "yes hunter22 | head -c 100000"}, "printed over 65536 bytes"),
    ],
)
async def test_what_cannot_be_had_is_an_error_without_the_secret(written: object, said: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "big").write_text("hunter22" * 10_000)
    (tmp_path / "binary").write_bytes(b"hunter22\xff")
    (tmp_path / "zero").write_bytes(b"hunter22\0")
    (tmp_path / "lines").write_text("OTHER=hunter22")
    (tmp_path / "broken").write_text("OTHER=hunter22\nhunter22\n")
    message = await refused(written, tmp_path)
    assert "the secret NAME is missing" in message
    assert said in message
    assert "hunter22" not in message


@pytest.mark.slow
async def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    settings = Settings.model_validate({"secrets": {"NAME": {"command": "echo hunter22; sleep 60"}}})
    with pytest.raises(SecretMissing, match=r"took longer than 0\.3 s"):
        await secrets_for(["NAME"], settings.secrets, ENVIRONMENT, tmp_path, patience=0.3)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\nB = 2 \n\n# C=3\n  export D=4", {"A": "1", "B": "2", "D": "4"}),
        ("A=one two # three\nB=one#two\nC=#x\nD=  # x", {"A": "one two", "B": "one#two", "C": "", "D": ""}),
        ('A=\'it is # $HOME \\n\'\nB="x\\ny\\"z\\$\\\\" # c', {"A": "it is # $HOME \\n", "B": 'x\ny"z$\\'}),
        ("KEY=\"-----BEGIN-----\nabc\n\"\r\nB='x\ny'\r\n", {"KEY": "-----BEGIN-----\nabc\n", "B": "x\ny"}),
        ("A=1\nA=2", {"A": "2"}),
        ("\ufeffA=$B${C}`d`", {"A": "$B${C}`d`"}),
        ('A=a=b==\nB=\nC=""', {"A": "a=b==", "B": "", "C": ""}),
        ("A=it's\nB=x\"y", {"A": "it's", "B": 'x"y'}),
        ("", {}),
    ],
)
def test_a_dotenv_file_means_what_it_says(text: str, values: dict[str, str]) -> None:
    assert parse_dotenv(text) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nhunter22\n", "line 2 is not KEY=VALUE"),
        ("A=1\n\n1B=2", "line 3 is not KEY=VALUE"),
        ("A='hunter22\n\n", "line 1 has a quote that is not closed"),
        ('A=1\nB="hunter22', "line 2 has a quote that is not closed"),
        ("A='hunter' 22", "line 1 goes on after its value"),
    ],
)
def test_a_dotenv_file_that_is_not_understood_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadDotenv, match=said) as caught:
        parse_dotenv(text)
    assert "hunter" not in str(caught.value)


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,5}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_what_is_quoted_is_read_back(values: dict[str, str]) -> None:
    values = {name: value.replace("\r", "") for name, value in values.items()}
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    assert parse_dotenv("".join(f'{name}="{value}"\n' for name, value in quoted.items())) == values


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(BadDotenv):
        assert all(parse_dotenv(text))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "dummy-key"),
        ("PGPASSWORD", "hunter22"),
        ("MYSQL_PWD", "hunter22"),
        ("githubToken", "abcdefgh"),
        ("STRIPE_SECRET", "abcdefgh"),
        ("SENTRY_DSN", "https://abc@example.com/1"),
        ("NPM_AUTH", "abcdefgh"),
        ("TLS_PRIVATE", "abcdefgh"),
        ("ANYTHING", "sk-proj-abcdefghijklmnop1234"),
        ("ANYTHING", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("DATABASE_URL", "postgres://ada:hunter22@db.example/app"),
        ("HTTPS_PROXY", "http://ada:hunter22@proxy.example:3128"),
        ("PEM", "-----BEGIN RSA PRIVATE KEY-----\nabc"),
        ("ANYTHING", "x7Gk29QpLm4ZtR8vWb3NcYd6"),
        ("AWS_SECRET_ACCESS_KEY", "/K7MDENG/bPxRfiCYEXAMPLEKEY1aB2cD3eF4gH5"),
    ],
)
def test_what_looks_like_a_secret_is_taken_for_one(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PWD", "/srv/project"),
        ("OLDPWD", "/srv/project/long"),
        ("GIT_AUTHOR_NAME", "Ada Lovelace"),
        ("SSH_AUTH_SOCK", "/run/ssh-XXXX/agent.1"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/srv/keys/service.json"),
        ("KEYBOARD_LAYOUT", "qwertz-de"),
        ("AUTH_METHOD", "password"),
        ("USE_TOKEN", "true"),
        ("TOKEN_LIMIT", "1000000"),
        ("API_KEY", "short"),
        ("API_KEY", "disabled"),
        ("MAX_TOKENS", "100000000"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("IMAGE", "registry.example/team/service-name:1.2.3-rc4"),
        ("CLASS", "MyServiceConfigurationV2ProductionBuilder"),
        ("COMMIT", "0123456789abcdef0123456789abcdef01234567"),
        ("UUID", "123e4567-e89b-12d3-a456-426614174000"),
        ("URL", "https://example.com/a/b?c=d"),
    ],
)
def test_what_does_not_is_not(name: str, value: str) -> None:
    assert not looks_secret(name, value)


def test_the_secrets_of_a_child_are_those_that_are_named_and_those_that_look_so() -> None:
    environment = {"A": "plain", "MY_TOKEN": "abcdefgh", "B": "named", "ORCH_TOKEN": "abcdefgh", "PATH": "/bin"}
    assert secret_names(environment, ["B", "NOT_THERE"]) == {"B", "MY_TOKEN"}
    assert secret_names(environment, ["B"], guess=["A", "PATH"]) == {"B"}
