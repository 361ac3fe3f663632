"""How tests read the Markdown that an import writes."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token


def tokens(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark").parse(markdown)


def shown(markdown: str) -> str:
    """What a reader sees of Markdown: its text, image titles included."""
    out: list[str] = []
    for token in tokens(markdown):
        for child in token.children or []:
            out.append(str(child.attrs.get("title", "")) if child.type == "image" else child.content)
        out.append("\n")
    return "".join(out)


def assert_plain_blocks(markdown: str) -> None:
    """Only paragraphs, headings of level 2, lists, images and autolinks come out."""
    blocks = {"paragraph", "heading", "bullet_list", "ordered_list", "list_item"}
    for token in tokens(markdown):
        assert token.type == "inline" or token.type.rsplit("_", 1)[0] in blocks, token
        assert not token.type.startswith("heading") or token.tag == "h2"
        for child in token.children or []:
            assert child.type in ("text", "text_special", "image", "link_open", "link_close"), child
