"""The Markdown of cards as HTML."""

from markdown_it import MarkdownIt

# HTML in the Markdown is shown as text, and images are not loaded.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def as_html(markdown: str) -> str:
    """The HTML of a card's detail."""
    html: str = _MARKDOWN.render(markdown)
    return html
