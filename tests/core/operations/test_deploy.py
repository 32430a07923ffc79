"""What deploy/ holds can be used: units that systemd takes, commands that exist, an image without root."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_stage import logging_as_before
from click.testing import CliRunner

from bedside_core.app import Bedside
from bedside_core.cli import bedside
from bedside_core.config import Config
from bedside_core.serving import KEEP_ALIVE_SECONDS, uvicorn_config

DEPLOY = Path(__file__).parents[3] / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
BEDSIDE = "/opt/bedside/bin/bedside"


def settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def takes(arguments: list[str]) -> None:
    """Every option on a command line is one that the command has, with a value that it takes."""
    with logging_as_before():
        asked = CliRunner().invoke(bedside, [*arguments, "--help"])
    assert asked.exit_code == 0, asked.output
    for option in (word for word in arguments if word.startswith("--")):
        assert option in asked.output


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_units_command_exists_and_takes_its_options(unit: Path) -> None:
    [line] = settings(unit)["ExecStart"]
    program, *arguments = shlex.split(line)
    assert program == BEDSIDE
    takes(arguments)


def test_a_proxy_gives_idle_connections_up_before_the_server_does() -> None:
    [seconds] = re.findall(r"keepalive (\d+)s", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))
    served = uvicorn_config(Bedside(lambda: pytest.fail("it is not started")), 1_000)
    assert int(seconds) < served.timeout_keep_alive == KEEP_ALIVE_SECONDS


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_unit_may_do_no_more_than_it_needs(unit: Path) -> None:
    found = settings(unit)
    for name, value in {
        "User": "bedside", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "UMask": "0077",
        "PrivateTmp": "yes", "PrivateDevices": "yes", "CapabilityBoundingSet": "", "StateDirectoryMode": "0700",
        "SystemCallFilter": "@system-service", "RestrictNamespaces": "yes", "LockPersonality": "yes",
    }.items():  # fmt: skip
        assert found[name] == [value], name


@pytest.mark.needs("systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = tmp_path / "bedside"
    program.write_text(f"#!{sys.executable}\n")
    program.chmod(0o755)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text(encoding="utf-8").replace(BEDSIDE, str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "bedside" in line]
    assert complaints == []


def test_each_timer_starts_a_unit_that_is_there() -> None:
    for timer in (unit for unit in UNITS if unit.suffix == ".timer"):
        assert timer.with_suffix(".service") in UNITS
        assert settings(timer)["Persistent"] == ["yes"]


def instructions(text: str) -> list[tuple[str, str]]:
    """A container file's instructions, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines() if line.strip()]


def test_the_image_runs_as_nobody_special_and_names_no_registry() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    found = instructions(text)
    last = found[max(number for number, (name, _) in enumerate(found) if name == "FROM") :]
    by_name = dict(last)
    assert by_name["USER"] == "10001:10001"
    assert by_name["ENTRYPOINT"] == '["bedside"]'
    takes(["serve"])
    assert "/health/live" in by_name["HEALTHCHECK"]
    images = [value for name, value in found if name == "ARG"] + [
        value.split()[0] for name, value in found if name == "FROM"
    ]
    for image in images:
        assert re.fullmatch(r"(\w+=)?[a-z]+:[\w.-]+|\$\{\w+\}", image), "a short name"
    assert "http://" not in text.replace("http://127.0.0.1", "")
    assert "https://" not in text
    given = dict(re.findall(r"(BEDSIDE_\w+)=(\S+)", by_name["ENV"] if "BEDSIDE" in by_name["ENV"] else text))
    assert {name.removeprefix("BEDSIDE_").lower() for name in given} <= set(Config.model_fields)


def test_the_image_is_built_from_files_that_are_there() -> None:
    root = DEPLOY.parent
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    for name, value in instructions((DEPLOY / "Containerfile").read_text(encoding="utf-8")):
        if name == "COPY" and "--from" not in value:
            for source in value.split()[:-1]:
                assert (root / source).exists(), source
                assert any(Path(source).parts[0] == each or Path(source).match(each) for each in kept), source


def test_the_environments_file_names_variables_that_exist() -> None:
    lines = (DEPLOY / "bedside.env").read_text(encoding="utf-8").splitlines()
    names = re.findall(r"^(?:# )?BEDSIDE_(\w+)=", "\n".join(lines), re.MULTILINE)
    assert len(names) == 9
    assert {name.lower() for name in names} <= set(Config.model_fields)


@pytest.mark.rule("G4")
def test_the_proxies_overwrite_what_clients_could_have_written() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert re.findall(r"proxy_set_header (X-Forwarded-\w+|Forwarded|Host) (\S+);", nginx) == [
        ("Host", "$host"), ("X-Forwarded-For", "$remote_addr"), ("X-Forwarded-Proto", "$scheme"),
        ("X-Forwarded-Host", "$host"), ("Forwarded", '""'),
    ]  # fmt: skip
    assert nginx.count("{") == nginx.count("}")
    assert "access_log off;" in nginx
    caddy = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert "header_up -Forwarded" in caddy


@pytest.mark.rule("S8")
def test_the_proxies_log_no_address_of_a_calendar() -> None:
    nginx = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    plain, secure = re.findall(r"^server \{\n(.*?)^\}$", nginx, re.MULTILINE | re.DOTALL)
    for server in (plain, secure):
        assert "    access_log off;\n" in server
    [feeds] = re.findall(r"location /scheduling/calendar/ \{\n(.*?)\n    \}", secure, re.DOTALL)
    for quiet in (plain, feeds):
        assert re.search(r"error_log +/dev/null emerg;", quiet)
    assert feeds.endswith("proxy_pass http://127.0.0.1:8000;")
    assert re.search(r"fields \{\s+request>uri delete\s+\}", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))


@pytest.mark.needs("nginx")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    assert nginx is not None
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=clinic.example",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/ssl/clinic.example/fullchain.pem", str(certificate))
    text = text.replace("/etc/ssl/clinic.example/privkey.pem", str(key))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{text}\n}}\n", encoding="utf-8"
    )
    done = subprocess.run(
        [nginx, "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
