"""Builds the image without a registry of images: a base by mmdebstrap, from the mirror that apt uses here."""

import os
import platform
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

from tests.support.running import ROOT

BASE, IMAGE = "localhost/contrast-echo-cds-test-base", "localhost/contrast-echo-cds-test"
TOOLS = ("mmdebstrap", "buildah", "podman", "runc")
PACKAGES = "python3,python3-venv,ca-certificates"


def build(folder: Path) -> None:
    """Build the base and, on it, the image with `make image`. Fails where a tool is missing."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    assert not missing, f"install {', '.join(missing)}: `make image-tools`, as root on Debian"
    _make_base(folder)
    options = ["--isolation", "chroot", "--network", "host"]  # needs no more rights than root has in a container
    for name, path in (("pip", _pip_settings(folder)), ("ca", _certificates())):
        options += ["--secret", f"id={name},src={path}"] if path else []
    run("make", "image", "BUILDER=buildah", f"BASE={BASE}", f"IMAGE={IMAGE}", f"IMAGE_OPTIONS={' '.join(options)}")


def remove() -> None:
    """Remove the image and its base."""
    run("podman", "rmi", "--force", IMAGE, BASE)


def run(*command: str) -> str:
    """The output of a command, run from the top of the repository; fails with what it said."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command[0]}: {result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result.stdout


def _make_base(folder: Path) -> None:
    """A base with Debian's Python, of the release that runs here."""
    sources, settings, base = folder / "sources.list", folder / "apt.conf", folder / "base.tar"
    sources.write_text(_apt_sources())
    settings.write_text(run("apt-config", "dump", "Acquire"))
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    options = ("--variant=minbase", f"--include={PACKAGES}", f"--aptopt={settings}")
    run("mmdebstrap", *options, release, str(base), str(sources))
    run("podman", "import", str(base), BASE)
    base.unlink()


def _apt_sources() -> str:
    """Debian's entries in the machine's own list of sources."""
    keys = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    target = f"$(ORIGIN)\tdeb {keys} $(REPO_URI) $(RELEASE) $(COMPONENT)"
    listed = run("apt-get", "indextargets", "--format", target, "Created-By: Packages").splitlines()
    found = dict.fromkeys(line.partition("\t")[2] for line in listed if line.startswith("Debian\t"))
    assert found, "apt has no list of Debian's packages: run `apt-get update`"
    return "".join(f"{line}\n" for line in found)


def _pip_settings(folder: Path) -> Path | None:
    """The package index that this machine's pip uses, if it is not pip's own."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    index = os.environ.get("PIP_INDEX_URL") or told
    if not index:
        return None
    path = folder / "pip.conf"
    path.write_text(f"[global]\nindex-url = {index}\n")
    return path


def _certificates() -> Path | None:
    """The certificates that this machine trusts, which may name a proxy's."""
    named = ssl.get_default_verify_paths().cafile
    return Path(named) if named else None
