"""HTML as values: text is escaped unless it is `Html` already, so that nothing has to be remembered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, TypeAlias

Content: TypeAlias = "str | int | float | Iterable[Any] | None"
_VOID = ("img", "meta", "link", "br")  # elements that have no end


class Html(str):
    """Markup as it is; every other text is escaped on its way into it."""

    __slots__ = ()


def element(name: str, /, *content: Content, **attributes: str | int | float | bool | None) -> Html:
    """`<name ...>content</name>`.

    Attributes as keywords: `_` stands for `-`, one at the end goes (`class_`). True is an attribute without a value,
    False and None are none.
    """
    start = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{name}{start}>" if name in _VOID else f"<{name}{start}>{joined(content)}</{name}>")


def joined(content: Content, between: str = "") -> Html:
    """Texts (escaped), markup (as it is), numbers, and lists of them, one after the other."""
    if content is None:
        return Html("")
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(escape(content))
    if isinstance(content, (int, float)):
        return Html(content)
    return Html(escape(between).join(joined(part) for part in content))


def table(
    head: Sequence[Content], rows: Iterable[Sequence[Content]], caption: str, numbers: Sequence[int] = ()
) -> Html:
    """A table whose first column names the rows; `numbers` are columns of figures. Wide ones scroll by themselves."""

    def cell(column: int, content: Content) -> Html:
        kind = "number" if column in numbers else None
        if column == 0:
            return element("th", content, scope="row", class_=kind)
        return element("td", content, class_=kind)

    columns = [
        element("th", name, scope="col", class_="number" if i in numbers else None) for i, name in enumerate(head)
    ]
    body = [element("tr", [cell(i, content) for i, content in enumerate(row)]) for row in rows]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", columns)),
        element("tbody", body),
    )
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def facts(pairs: Iterable[tuple[Content, Content]], class_: str = "facts") -> Html:
    """Names and values."""
    return element(
        "dl", [element("div", element("dt", name), element("dd", value)) for name, value in pairs], class_=class_
    )


def sentences(texts: Iterable[Content]) -> Html:
    """A list of them; nothing where there are none."""
    items = [element("li", text) for text in texts]
    return element("ul", items, class_="sentences") if items else Html("")


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    """With a space before it."""
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
