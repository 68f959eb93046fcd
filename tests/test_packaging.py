"""Packaging: the package table, folders and links agree, and a wheel holds all modules."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import rlpriors

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
TOP_PACKAGES = ("agents", "rewards", "scripts", "wrappers")


def tracked() -> dict[str, str]:
    """Every file that git tracks, with its mode; `120000` is a link."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: nothing to compare with")
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--stage"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {line.split("\t")[1]: line.split()[0] for line in listing.splitlines()}


def package_folders() -> Iterator[str]:
    """Dotted names of the folders that hold an `__init__.py`, links followed."""
    yield "rlpriors"
    for package in sorted((ROOT / "src/rlpriors").iterdir()):
        if (package / "__init__.py").exists():
            yield f"rlpriors.{package.name}"
            for inner in sorted(package.rglob("__init__.py")):
                if inner.parent != package:
                    yield ".".join(["rlpriors", package.name, *inner.parent.relative_to(package).parts])


def test_package_table_names_every_folder() -> None:
    """A package missing in the table works in the checkout and is absent from the wheel."""
    assert sorted(SETUPTOOLS["packages"]) == sorted(package_folders())


def test_package_dir_maps_packages_to_the_top() -> None:
    expected = {"": "src"} | {f"rlpriors.{package}": package for package in TOP_PACKAGES}
    assert SETUPTOOLS["package-dir"] == expected
    assert all((ROOT / package / "__init__.py").is_file() for package in TOP_PACKAGES)


@pytest.mark.parametrize("package", TOP_PACKAGES)
def test_top_level_packages_are_linked(package: str) -> None:
    link = ROOT / "src/rlpriors" / package
    assert link.is_symlink(), f"{link} is a copy of {ROOT / package}, restore the link"
    assert link.readlink() == Path("../..", package)


def test_git_tracks_links_as_links() -> None:
    links = {name for name, mode in tracked().items() if mode == "120000"}
    assert links == {f"src/rlpriors/{package}" for package in TOP_PACKAGES}


def test_tests_are_no_packages() -> None:
    """pytest's `importlib` mode names test modules by their path; only plugins are imported by name."""
    packages = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("__init__.py")]
    assert all(path.parts[0] == "plugins" for path in packages)


@pytest.mark.parametrize("package", TOP_PACKAGES)
def test_bare_names_stay_free_for_users(package: str, tmp_path: Path) -> None:
    code = f"import importlib.util; assert importlib.util.find_spec({package!r}) is None"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, env={"PATH": "/nowhere"})


def test_package_is_importable_outside_the_checkout(tmp_path: Path) -> None:
    packages = [name for name in SETUPTOOLS["packages"] if name != "rlpriors"]
    code = f"import importlib.util; assert all(importlib.util.find_spec(name) for name in {packages!r})"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, check=True, env={"PATH": "/nowhere"})


def test_wheel_built_from_the_sdist_holds_every_module(tmp_path: Path) -> None:
    """The way to PyPI: what git tracks -> sdist -> wheel.  Each step has lost linked folders before."""
    checkout, dist = tmp_path / "checkout", tmp_path / "dist"
    for name, mode in tracked().items():
        if mode != "120000" and (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    tiny = Path("rlpriors/encoders/pretrained/tiny")
    shipping = {(tiny / file).as_posix() for file in ("model.safetensors", "config.json", "README.md")}
    (checkout / "src" / tiny).mkdir(parents=True)
    for name in shipping:
        (checkout / "src" / name).write_text("an encoder that ships\n")
    _build("sdist", checkout, dist)
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        # Debian 12's Python has no `filter` argument; from 3.12 on its absence is a warning.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path / "sdist")
    (unpacked,) = (tmp_path / "sdist").iterdir()
    _build("wheel", unpacked, dist)

    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licenses = [name for name in wheel.namelist() if name.endswith("LICENSE")]
    expected = {"rlpriors/py.typed"}
    for name in tracked():
        path = Path(name)
        if path.suffix in (".py", ".json") and path.parts[0] in TOP_PACKAGES:
            expected.add(f"rlpriors/{name}")
        elif (path.suffix in (".py", ".json", ".html") or "pretrained" in path.parts) and path.parts[
            0
        ] == "src":
            expected.add(path.relative_to("src").as_posix())
    assert shipped == {name for name in expected if (ROOT / "src" / name).exists()} | shipping
    assert len(licenses) == 1


def test_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert rlpriors.__version__ == project["version"]


def _build(kind: str, source: Path, target: Path) -> None:
    """Run the build backend as pip does, but in this environment: no network."""
    target.mkdir(exist_ok=True)
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
    result = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
