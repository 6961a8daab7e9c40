"""The command line, for users and scripts."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cds_service.cli.main import main
from tests.conftest import SAMPLES
from tests.support.forked import run
from tests.support.notation import body_of, bundle, request_of

FLAGS = body_of({"lines": "93350, Q9957x2"})
PASSES = body_of({"lines": "93350, 93352, Q9957x2"})


def test_no_findings_is_exit_code_0() -> None:
    result = run("check", "-", stdin=PASSES)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"no findings" in result.stdout


def test_a_call_without_an_echo_says_that_nothing_was_checked() -> None:
    result = run("check", "-", stdin=body_of({"lines": "99213"}))
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"  nothing of an echo was found, so nothing was checked\n" in result.stdout
    assert b"passed" not in result.stdout
    answer = json.loads(run("check", "--json", "-", stdin=body_of({"lines": "99213"})).stdout)
    assert answer == {"cards": []}, "the answer to a call stays as it is"


def test_a_warning_is_exit_code_1_and_reads_like_advice() -> None:
    result = run("check", "-", stdin=FLAGS)
    text = result.stdout.decode()
    assert result.returncode == 1
    assert "WARNING: Contrast was given at this stress echo: add 93352." in text
    assert "ChargeItem/line-1" in text
    assert "[1] Add 93352" in text
    assert "\x1b" not in text, "plain where the output is not a terminal"


def test_a_request_on_our_hook_is_answered_under_any_namespace() -> None:
    """The samples carry the example namespace; a site that has its own checks them all the same."""
    sample = "sample_bundles/add-on-modifier/flags-26-on-93352.json"
    result = run("check", sample, CDS_HOOK_NAMESPACE="org.foo", PATH=os.environ["PATH"])
    assert (result.returncode, result.stderr) == (1, b"")
    assert b"93352 never takes 26" in result.stdout


def test_advice_at_info_is_exit_code_0() -> None:
    result = run("check", "-", stdin=body_of({"hook": "order", "ordered": ["93350", "Definity"]}))
    assert result.returncode == 0
    assert b"INFO: " in result.stdout


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"not json", "expected JSON"),
        (b"{}", "Bundle"),
        (b'{"resourceType": "Patient"}', "or a case in billers' notation; found a single Patient"),
        (b'{"hook": "patient-view"}', "expected one of claim-review, encounter-discharge, order-select, order-sign"),
        (b'{"hook": "order-sign"}', "`hookInstance` is required"),
        (b'{"hook": 5}', "expected JSON (a FHIR Bundle,"),
        (PASSES.decode().encode("utf-16"), "expected JSON in UTF-8"),
        (PASSES.decode().encode("utf-16-le"), "expected JSON in UTF-8"),
        ('{"hook": "é"}'.encode("latin-1"), "expected JSON in UTF-8"),
    ],
)
def test_unreadable_input_is_exit_code_2_and_one_plain_line(content: bytes, expected: str) -> None:
    result = run("check", "-", stdin=content)
    assert result.returncode == 2
    assert expected in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1
    assert b"Traceback" not in result.stderr


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    for name, content, expected in (("call.json", FLAGS, 1), ("bundle.json", json.dumps(bundle([])).encode(), 0)):
        path = tmp_path / name
        path.write_bytes(content.decode().encode("utf-8-sig"))
        result = run("check", str(path))
        assert (result.returncode, result.stderr) == (expected, b"")


def test_a_missing_file_is_exit_code_2_and_the_others_are_still_read(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(FLAGS)
    result = run("check", str(tmp_path / "none.json"), str(good))
    assert result.returncode == 2
    assert b"no such file" in result.stderr
    assert b"add 93352" in result.stdout


def test_json_is_the_response() -> None:
    result = run("check", "--json", "-", stdin=FLAGS)
    (card,) = json.loads(result.stdout)["cards"]
    assert card["source"]["topic"]["code"] == "contrast-add-on-missing"


def test_a_bundle_is_reviewed_as_it_is() -> None:
    request = request_of({"lines": "93350", "given": ["Definity 1.3 mL"]})
    entries = request["context"]["draftCharges"]["entry"] + request["prefetch"]["medicationAdministrations"]["entry"]
    body = json.dumps(bundle([entry["resource"] for entry in entries])).encode()
    result = run("check", "-", stdin=body)
    assert result.returncode == 1
    assert b"add 93352 and Q9957" in result.stdout


def test_a_bundle_of_orders_is_reviewed_as_at_order_time() -> None:
    request = request_of({"hook": "order", "ordered": ["93350", "Definity"]})
    result = run("check", "-", stdin=json.dumps(request["context"]["draftOrders"]).encode())
    assert result.returncode == 0
    assert b"INFO: Contrast with this stress echo" in result.stdout


def test_strict_names_what_fhir_does_not_allow() -> None:
    request = request_of({"lines": "93350, 93352, Q9957x2"})
    request["context"]["draftCharges"]["entry"][0]["resource"]["colour"] = "Smith"
    result = run("check", "--strict", "-", stdin=json.dumps(request).encode())
    assert b"context.draftCharges.entry[0].resource.colour" in result.stdout
    assert b"Smith" not in result.stdout
    assert b"colour" not in run("check", "-", stdin=json.dumps(request).encode()).stdout


def test_a_wrong_setting_is_named() -> None:
    result = run("check", "-", stdin=PASSES, CDS_HOOK_NAMESPACE="nonsense", PATH="/usr/bin")
    assert result.returncode == 2
    assert b"CDS_HOOK_NAMESPACE" in result.stderr
    assert b"Traceback" not in result.stderr


def test_all_samples_at_once() -> None:
    result = run("check", *[str(path) for path in SAMPLES])
    assert result.returncode == 1
    assert result.stderr == b""
    text = result.stdout.decode()
    assert all(str(path) in text for path in SAMPLES)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_help_text_has_an_example(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(main, [*path, "--help"]).output
    assert re.search(r"^  Examples?:$", text, re.MULTILINE), text
    typed = ("audit",) if path == ("audit", "run") else path  # its default command is not typed
    assert f"    cds-service {' '.join(typed)}".rstrip() in text
