"""Tables of methods and of EIRLI's names in docs/guides/pretrain_an_encoder.md against the registry."""

from pathlib import Path

from rlpriors.representation import RECIPES, Recipe
from rlpriors.representation.methods import EIRLI_NAMES

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "pretrain_an_encoder.md"
WORDS = {"act": "actions", "maps": "maps", "masks": "a vit"}


def needs(recipe: Recipe) -> str:
    """In words; whoever can mask has tokens."""
    found = [word for name, word in WORDS.items() if name in recipe.needs]
    if recipe.horizon > 1:
        steps = "step" if recipe.stride == 1 else "steps"
        found.insert(0, f"{recipe.horizon} frames, {recipe.stride} {steps} apart")
    return ", ".join(found)


def row(name: str) -> str:
    recipe = RECIPES[name]()
    return f"| `{name}` | {recipe.source} | {needs(recipe)} |"


def test_the_page_lists_every_method() -> None:
    """If it fails, paste the expected rows between the marks."""
    expected = "\n".join(row(name) for name in RECIPES)
    page = PAGE.read_text()
    table = page.split("<!-- begin: methods.")[1].split("|---|---|---|\n")[1].split("<!-- end: methods")[0]
    assert table.strip() == expected, f"The page must have these rows:\n{expected}"


def test_the_page_lists_eirlis_names() -> None:
    expected = "\n".join(f"| `{theirs}` | `{ours}` |" for theirs, ours in EIRLI_NAMES.items())
    page = PAGE.read_text()
    table = page.split("<!-- begin: eirli.")[1].split("|---|---|\n")[1].split("<!-- end: eirli")[0]
    assert table.strip() == expected, f"The page must have these rows:\n{expected}"
