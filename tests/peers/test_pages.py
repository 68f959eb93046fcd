"""Pages about other libraries: their Python blocks run, in an environment with these libraries."""

import re
from pathlib import Path

import page_blocks
import pytest

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
MODULES = {
    "with_envpool": "envpool",
    "with_minari": "jax",  # minari[create]
    "with_stable_baselines3": "stable_baselines3",
    "with_torchrl": "torchrl",
}
"""Module that each page needs; the files of `OWN_TESTS` run the other pages and check their values."""
OWN_TESTS = {"with_cleanrl": "test_cleanrl", "with_ray": "test_ray", "with_tianshou": "test_tianshou"}


@pytest.mark.peers
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up", r"ignore:`\w+` is set to None")  # Minari's
@pytest.mark.filterwarnings("ignore:env_spec is not serializable")
@pytest.mark.filterwarnings("ignore:.*precision lowered by casting")  # EnvPool's spaces
@pytest.mark.parametrize("page", sorted(MODULES))
def test_blocks_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(MODULES[page], reason="the library is not installed: `make test-peers`")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    page_blocks.run_blocks(GUIDES / f"{page}.md")


def test_every_page_runs() -> None:
    pages = {path.stem for path in GUIDES.glob("with_*.md")}
    assert pages == MODULES.keys() | OWN_TESTS.keys()
    for page, file in OWN_TESTS.items():
        assert f"{page}.md" in (Path(__file__).parent / f"{file}.py").read_text()


def test_the_command_installs_the_libraries_of_all_pages() -> None:
    installed = re.search(r"^PEERS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert installed is not None
    project = (ROOT / "pyproject.toml").read_text()
    missing = []
    for path in GUIDES.glob("with_*.md"):
        for line in re.findall(r"^pip install (.+?)(?:  #.*)?$", path.read_text(), re.MULTILINE):
            for name, extras in re.findall(r"([\w-]+)(?:\[([\w,]+)\])?", line):
                wanted = [f"{name}[{extra}]" for extra in extras.split(",")] if extras else [name]
                missing += [one for one in wanted if one not in installed[1] + project]
    assert missing == []


def test_the_command_is_documented() -> None:
    for file in ("CONTRIBUTING.md", "docs/architecture.md", "docs/guides/index.md"):
        assert "`make test-peers`" in (ROOT / file).read_text(), file
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    names = {"with_stable_baselines3": "Stable-Baselines3", "with_torchrl": "TorchRL"}
    for page in sorted(MODULES.keys() | OWN_TESTS.keys()):
        assert names.get(page, page.removeprefix("with_")).lower() in contributing.lower(), page
