"""Model cards: the README.md of a saved model, for readers and for the Hugging Face hub.

`Card`         contents of a card that the model itself knows
`render_card`  text of a card in Markdown
`write_card`   write the card next to a saved model
`is_generated` test of a text: a card without later edits
`CARD`         name of the file

Cards are written and never read back: a model is loaded from its other two files alone.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from rlpriors.settings import check_fields
from rlpriors.sharing.provenance import Provenance, read_provenance
from rlpriors.storage.atomic import write_text_atomically
from rlpriors.storage.module_files import read_config

__all__ = ["CARD", "Card", "is_generated", "render_card", "write_card"]

CARD = "README.md"
HERE = "."
"""Folder of the card itself, in its snippet."""
SEAL = re.compile(r"\n<!-- rlpriors card ([0-9a-f]{16})[^\n]*-->\n\Z")
PLAIN = re.compile(r"[\w.:/-]{1,100}")
"""Ids of environments that a card uses in code and metadata."""
NOTE = "`save` replaces this file until it is edited."
MAX_ENTRIES = 64
"""Maximum number of observation entries that a card lists."""
LICENSES = {
    "apache-2.0",
    "mit",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
}
"""License identifiers of the hub that encoders have; other ones are its "other"."""


@dataclass(frozen=True)
class Card:
    """Contents of a model card that the model itself knows.

    Raises:
        ValueError: a field has another type.
    """

    kind: Literal["reward", "prior", "encoder", "skills"]
    """Kind of the model."""

    summary: str
    """One or two sentences about the model."""

    snippet: str
    """Python code that loads and uses the model; "{name}" stands for its folder or its name on the hub."""

    facts: Mapping[str, str]
    """Rows of the table of inputs and outputs."""

    entries: Sequence[tuple[str, float, float]] = ()
    """Observation entries: name, center and scale of the normalizer inside the model."""

    usage: str = ""
    """Python code that continues the snippet in the model's environment; "{env}" stands for its id, and
    "{arguments}" for its further arguments."""

    tags: tuple[str, ...] = ()
    """Further tags on the hub."""

    pipeline_tag: str = "reinforcement-learning"
    """Task on the hub."""

    license: str | None = None
    """License of the weights; None if none is known."""

    notes: Sequence[str] = field(default_factory=tuple)
    """Further sentences, such as limits of use."""

    def __post_init__(self) -> None:
        check_fields(self)


def render_card(card: Card, config: Mapping[str, Any], name: str = HERE) -> str:
    """Return the text of a card.

    Args:
        card: contents that the model knows.
        config: configuration of the saved model, with its provenance.
        name: folder in the snippet: the card's own folder, or "hf:<owner>/<name>".

    Raises:
        CheckpointError: the provenance in the configuration is damaged.

    Example:
        >>> card = Card("reward", "A reward.", 'print("{name}")', {"class": "MLPReward"})
        >>> text = render_card(card, {"class": "MLPReward", "version": "0.1.0", "fingerprint": "ab"})
        >>> is_generated(text), is_generated(text + "My notes."), 'print(".")' in text
        (True, False, True)
    """
    origin = read_provenance(config)
    title = f"{card.kind.capitalize()} for {origin.env}" if origin.env else f"{card.kind.capitalize()}"
    parts = [_front_matter(card, origin), f"# {_line(title)} ({_line(config['class'])})", card.summary]
    parts += ["## Use", _use(card, origin, name)]
    parts += ["## Inputs and outputs", _table(("property", "value"), card.facts.items()), *card.notes]
    if card.entries:
        parts += _entries(card.entries)
    if origin.env:
        rows = {"id": f"`{origin.env}`"} | {key: f"`{value!r}`" for key, value in origin.env_args.items()}
        parts += ["## Environment", _table(("argument", "value"), rows.items())]
    if origin.data:
        parts += ["## Data", _table(("data", "source"), origin.data.items())]
    if origin.metrics:
        rows = {key: _number(value) for key, value in origin.metrics.items()}
        parts += ["## Results", _table(("metric", "value"), rows.items())]
    parts += ["## Origin"]
    if origin.command:
        parts += [f"```sh\n{_line(origin.command)}\n```"]
    parts += [
        f"Saved by rlpriors {_line(config['version'])}. SHA-256 of model.safetensors: "
        f"`{_line(config['fingerprint'])}`."
    ]
    text = "\n\n".join(parts) + "\n"
    return f"{text}\n<!-- rlpriors card {_digest(text)}. {NOTE} -->\n"


def write_card(folder: str | Path, card: Card, *, replace_edited: bool = False) -> Path:
    """Write the card of the model that was saved to `folder`, and return its path.

    A README.md that was edited, or that this library did not write, stays unchanged, and a warning is logged.

    Args:
        folder: folder of the saved model.
        card: contents that the model knows.
        replace_edited: replace an edited file, too.

    Raises:
        CheckpointError: the folder holds no saved model.
        OSError: the disk is full or read-only.
    """
    path = Path(folder, CARD)
    if path.is_file() and not replace_edited and not is_generated(path.read_text(errors="replace")):
        logging.getLogger(__name__).warning(
            "%s was not replaced, because it was edited or is not a card of this library. Delete it and run "
            "`rlpriors card --write %s` for the card of the new model.",
            path,
            folder,
        )
        return path
    write_text_atomically(path, render_card(card, read_config(Path(folder))))
    return path


def is_generated(text: str) -> bool:
    """Return True for the text of a card that was not edited since `write_card`."""
    seal = SEAL.search(text)
    return seal is not None and seal[1] == _digest(text[: seal.start()])


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _front_matter(card: Card, origin: Provenance) -> str:
    lines = ["library_name: rlpriors", f"pipeline_tag: {card.pipeline_tag}"]
    if card.license in LICENSES:
        lines.append(f"license: {card.license}")
    elif card.license is not None:
        lines += ["license: other", f"license_name: {json.dumps(card.license)}"]
    tags = ["rlpriors", card.kind, *card.tags]
    if origin.env and PLAIN.fullmatch(origin.env):
        tags.append(origin.env)
    lines += ["tags:", *(f"- {json.dumps(tag)}" for tag in dict.fromkeys(tags))]  # a JSON string is YAML
    return "\n".join(["---", *lines, "---"])


def _use(card: Card, origin: Provenance, name: str) -> str:
    blocks = [_code(card.snippet.replace("{name}", name))]
    if card.usage and origin.env and PLAIN.fullmatch(origin.env):
        arguments = dict(origin.env_args)
        if all(map(str.isidentifier, arguments)):
            further = "".join(f", {key}={value!r}" for key, value in arguments.items())
        else:
            further = f", **{arguments!r}"
        usage = card.usage.replace("{env}", json.dumps(origin.env)).replace("{name}", name)
        blocks += ["In its environment:", _code(usage.replace("{arguments}", further))]
    return "\n\n".join(blocks)


def _entries(entries: Sequence[tuple[str, float, float]]) -> list[str]:
    rows = [(name, f"{center:.4g}", f"{scale:.4g}") for name, center, scale in entries[:MAX_ENTRIES]]
    left = len(entries) - len(rows)
    return [
        "### Observation entries",
        "Values are in the environment's units. The network reads (value - center) / scale.",
        _table(("entry", "center", "scale"), rows),
        *([f"{left} further entries are not listed."] if left else []),
    ]


def _code(text: str) -> str:
    return f"```python\n{text.strip()}\n```"


def _table(head: Sequence[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = [[_line(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _line(text: object) -> str:
    """Return a text in one line that cannot end a code block or begin a comment."""
    return " ".join(str(text).split()).replace("```", "'''").replace("<!--", "<! --")


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
