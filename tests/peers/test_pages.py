"""Pages about other libraries: their Python blocks run."""

from pathlib import Path

import page_blocks
import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
PEERS = {"with_stable_baselines3": "stable_baselines3", "with_torchrl": "torchrl"}
"""Module of the library of each page."""


@pytest.mark.peers
@pytest.mark.parametrize("page", sorted(GUIDES.glob("with_*.md")), ids=lambda page: page.stem)
def test_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(PEERS[page.stem], reason="the library is not installed: `make test-peers`")
    monkeypatch.chdir(tmp_path)
    page_blocks.run_blocks(page)
