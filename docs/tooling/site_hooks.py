"""Hooks of MkDocs: add the API reference and the linked files of the repository to the site.

`on_config`         put the tree of the API reference into the navigation
`on_files`          add the pages of the API reference, the pages at the top of the repository, linked files
`on_page_markdown`  point links that leave `docs/` into the site, and class names to the API reference
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from api_reference import class_links, find_modules, link_classes, navigation, page

__all__ = ["on_config", "on_files", "on_page_markdown"]

ROOT = Path(__file__).parents[2]
# Pages at the top of the repository that become pages of the site.
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "README.md": "index.md"}
GENERATED = {uri: name for name, uri in PAGES.items()}
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
MODULES = find_modules()
CLASSES = class_links(MODULES)
MODULE_PAGES = {module.path.resolve().relative_to(ROOT).as_posix(): module.uri for module in MODULES.values()}


def on_config(config: Any) -> Any:
    """Replace the navigation entry "API reference" by the tree of its pages."""
    for entry in config.nav:
        if "API reference" in entry:
            entry["API reference"] = navigation(MODULES)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add generated pages, and each file of the repository that a page links to."""
    from mkdocs.structure.files import File

    for module in MODULES.values():
        files.append(File.generated(config, module.uri, content=page(module, MODULES)))
    for uri, name in GENERATED.items():
        files.append(File.generated(config, uri, content=(ROOT / name).read_text(encoding="utf-8")))
    copied = set()
    for file in list(files.documentation_pages()):
        for link in LINK.finditer(file.content_string):
            target = _repository_path(file.src_uri, link[2])
            uri = target and _site_uri(target)
            if uri and uri.startswith("files/") and uri not in copied:
                copied.add(uri)
                files.append(File.generated(config, uri, abs_src_path=f"{ROOT}/{target}"))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Rewrite relative links from paths of the repository to paths of the site, and link class names."""
    source = page.file.src_uri

    def rewrite(link: re.Match[str]) -> str:
        target = _repository_path(source, link[2])
        if target is None:
            return link[0]
        uri = posixpath.relpath(_site_uri(target), posixpath.dirname(source))
        return f"{link[1]}{uri}{link[3] or ''}{link[4]}"

    if source.startswith("reference/"):
        return markdown
    return link_classes(LINK.sub(rewrite, markdown), CLASSES)


def _repository_path(source: str, link: str) -> str | None:
    """Return the path of a link's target in the repository; None if it is not a file of the repository."""
    if "://" in link or link.startswith(("mailto:", "/")) or source.startswith("reference/"):
        return None
    copied = source.removeprefix("files/") if source.startswith("files/") else None
    origin = GENERATED.get(source) or copied or f"docs/{source}"
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    return path if (ROOT / path).is_file() else None


def _site_uri(path: str) -> str:
    """Return the place of a file of the repository inside the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PAGES.get(path) or MODULE_PAGES.get(path) or f"files/{path}"
