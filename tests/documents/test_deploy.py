"""`deploy/`: linters of its files, the guide against the code, and the package against the image."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from cds_service.auth.surfaces import ONLY_WHERE_LISTED, SURFACES
from cds_service.cli.main import main
from cds_service.server.lifetime import STOP_SECONDS
from cds_service.settings import Settings, variable
from cds_service.web.page_password import PAGES
from tests.support.running import ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
START, END = "<!-- settings: made by `make docs` -->\n", "\n<!-- end of settings -->"


def lint(*command: str) -> None:
    program = Path(sys.executable).with_name(command[0])
    result = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_dockerfile() -> None:
    lint("hadolint", "deploy/Dockerfile")
    text = (DEPLOY / "Dockerfile").read_text()
    assert "USER 10001" in text
    assert "HEALTHCHECK" in text
    assert text.count("\nFROM ") == 2


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        ("docker", "docker build --build-arg BASE=debian --network host --file deploy/Dockerfile --tag echo:1 ."),
        ("/bin/buildah", "/bin/buildah build --build-arg BASE=debian --network host "
         "--ignorefile deploy/Dockerfile.dockerignore --file deploy/Dockerfile --tag echo:1 ."),
    ],
)  # fmt: skip
def test_the_image_is_built_by_what_is_there(builder: str, expected: str) -> None:
    options = ("BASE=debian", "IMAGE=echo:1", "IMAGE_OPTIONS=--network host")
    result = make("--dry-run", "image", f"BUILDER={builder}", *options)
    assert expected in " ".join(result.stdout.replace("\\\n", " ").split())


def test_without_a_builder_make_image_says_what_to_install() -> None:
    result = make("image", "BUILDER=")
    assert result.returncode != 0
    assert "docker, podman or buildah: install one of them" in result.stderr


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_yaml() -> None:
    lint("yamllint", "--strict", "--config-file", "deploy/yamllint.yaml", "deploy")


def test_the_compose_file() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_valid(path: Path) -> None:
    lint("kubernetes-validate", "--strict", str(path.relative_to(ROOT)))


def test_a_linter_finds_faults(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text((DEPLOY / "kubernetes" / "deployment.yaml").read_text().replace("selector:", "selektor:"))
    with pytest.raises(AssertionError, match="did not validate"):
        lint("kubernetes-validate", "--strict", str(bad))


def documents() -> dict[str, Any]:
    found = [yaml.safe_load(path.read_text()) for path in MANIFESTS]
    return {each["kind"]: each for each in found}


def test_the_manifests_fit_together() -> None:
    kinds = documents()
    expected = {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap"}
    assert expected <= set(kinds)
    pod = kinds["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert kinds["Service"]["spec"]["selector"].items() <= labels.items()
    assert kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == kinds["Deployment"]["metadata"]["name"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > STOP_SECONDS


@pytest.mark.parametrize("kind", ["Deployment", "Job", "CronJob"])
def test_no_pod_has_more_rights_than_it_needs(kind: str) -> None:
    spec = documents()[kind]["spec"]
    pod = (spec["jobTemplate"]["spec"] if kind == "CronJob" else spec)["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert {"requests", "limits"} <= set(container["resources"])


def test_files_name_only_settings_that_there_are() -> None:
    known = {variable(name) for name in Settings.model_fields}
    named = set(documents()["ConfigMap"]["data"])
    named |= set(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["service"]["environment"])
    assert {name for name in named if name.startswith("CDS_")} <= known


def test_what_production_requires_is_set_and_the_registrations_are_where_it_says() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["service"]
    (container,) = documents()["Deployment"]["spec"]["template"]["spec"]["containers"]
    mounted = {str(Path(each["mountPath"]) / "clients.yaml") for each in container["volumeMounts"]}
    for settings, files in (
        (service["environment"], {volume.split(":")[1] for volume in service["volumes"]}),
        (documents()["ConfigMap"]["data"], mounted),
    ):
        assert settings["CDS_PUBLIC_BASE_URL"]
        assert settings["CDS_CLIENTS_FILE"] in files


def test_the_guide_lists_the_settings_as_they_are() -> None:
    text = (DEPLOY / "README.md").read_text()
    printed = CliRunner().invoke(main, ["settings"]).output
    assert text.split(START)[1].split(END)[0] == printed.strip(), "run `make docs`"
    assert Settings.model_fields
    for name in Settings.model_fields:
        assert f"| `{variable(name)}` |" in printed


@pytest.mark.parametrize("name", SURFACES)
def test_the_guide_names_what_a_registration_opens(name: str) -> None:
    row = next(line for line in (DEPLOY / "README.md").read_text().splitlines() if line.startswith(f"| `{name}` |"))
    assert set(re.findall(r"`(/[a-z]*)`", row)) == set(SURFACES[name])
    assert ("| closed" in row) == (name in ONLY_WHERE_LISTED)


def test_the_guide_names_what_the_password_of_pages_opens() -> None:
    text = (DEPLOY / "README.md").read_text()
    opened = text.split("It opens the pages\nof ")[1].split(", and no service")[0]
    assert set(re.findall(r"`([^`]+)`", opened)) == set(PAGES)


def test_the_package_holds_what_the_service_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = [path for folder in ("cds_service", "hooks", "sample_bundles") for path in (ROOT / folder).rglob("*")]
    expected = {str(path.relative_to(ROOT)) for path in sources if path.is_file() and "__pycache__" not in path.parts}
    assert expected <= names
