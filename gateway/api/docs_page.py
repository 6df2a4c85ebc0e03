"""The OpenAPI document as one HTML page: headings, lists and tables, made for keyboards and readers. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { box-sizing: border-box; font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem;
  padding: 1rem; }
nav ul { columns: 16rem; list-style: none; padding: 0; }
a { overflow-wrap: anywhere; }
a:focus-visible, summary:focus-visible { outline: 3px solid; outline-offset: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { position: static; }
section section { border-top: 1px solid var(--line); margin-top: 1.5rem; }
h3 { font-size: 1.1rem; margin-bottom: .25rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { font-weight: 600; text-align: left; padding: .5rem 0 .25rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .75rem .25rem 0; text-align: left;
  vertical-align: top; }
thead th { font-weight: 500; }
code { background: var(--soft); overflow-wrap: anywhere; border-radius: 3px; padding: 0 .25em; }
"""

Json = Mapping[str, Any]

_CODE: Final = re.compile(r"`([^`]*)`")
_REFERENCE: Final = "#/components/schemas/"


def page(document: Json) -> str:
    """The whole page."""
    return "\n".join(_page(document)) + "\n"


def _page(document: Json) -> Iterator[str]:
    title = escape(document["info"]["title"])
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}: API</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield '<a class="skip" href="#operations">Skip to the operations</a>'
    yield f"<header>\n<h1>{title}: API</h1>\n<p>{_words(document['info']['description'])}</p>"
    yield f"<p>Version {escape(document['info']['version'])}; for programs: "
    yield '<a href="openapi.json">openapi.json</a>.</p>\n</header>'
    yield '<nav aria-label="Operations">\n<ul>'
    for _, _, operation in _operations(document):
        yield f'<li><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a></li>'
    yield '</ul>\n</nav>\n<main id="operations">'
    for tag in document["tags"]:
        group = tag["name"]
        yield f'<section aria-labelledby="group-{escape(group)}">'
        yield f'<h2 id="group-{escape(group)}">{escape(group)}</h2>'
        for path, method, operation in _operations(document):
            if group in operation["tags"]:
                yield from _operation(path, method, operation)
        yield "</section>"
    yield '<section aria-labelledby="types">\n<h2 id="types">Types</h2>'
    for name, schema in document["components"]["schemas"].items():
        yield from _type(name, schema)
    yield "</section>\n</main>\n</body>\n</html>"


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _operation(path: str, method: str, operation: Json) -> Iterator[str]:
    name = operation["operationId"]
    yield f'<section aria-labelledby="{name}">'
    yield f'<h3 id="{name}">{escape(operation["summary"])}</h3>'
    yield f"<p><code>{method.upper()} {escape(path)}</code></p>"
    yield f"<p>{_words(operation['description'])}</p>"
    parameters = operation.get("parameters", [])
    rows = [
        (
            f"<code>{escape(each['name'])}</code>",
            each["in"],
            _kind(each["schema"]),
            _words(each["description"]),
        )
        for each in parameters
    ]
    yield from _table("Parameters", ("Name", "In", "Type", "Meaning"), rows)
    bodies = operation.get("requestBody", {}).get("content", {})
    yield from _table(
        "Body",
        ("Media type", "Type"),
        [(f"<code>{kind}</code>", _body(each)) for kind, each in bodies.items()],
    )
    answers = [
        (status, _words(answer["description"]), ", ".join(map(_body, answer.get("content", {}).values())))
        for status, answer in operation["responses"].items()
    ]
    yield from _table("Answers", ("Status", "Meaning", "Type"), answers)
    yield "</section>"


def _type(name: str, schema: Json) -> Iterator[str]:
    yield f'<section aria-labelledby="type-{name}">\n<h3 id="type-{name}">{name}</h3>'
    if "description" in schema:
        yield f"<p>{_words(schema['description'])}</p>"
    required = schema.get("required", [])
    rows = [
        (
            f"<code>{escape(field)}</code>",
            _kind(each),
            "yes" if field in required else "no",
            _words(each.get("description", "")),
        )
        for field, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(f"Fields of {name}", ("Name", "Type", "Always", "Meaning"), rows)
    else:
        yield f"<p>{_kind(schema)}</p>"
    yield "</section>"


def _table(caption: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield f'<div class="scroll"><table>\n<caption>{caption}</caption>'
    yield "<thead><tr>" + "".join(f'<th scope="col">{head}</th>' for head in heads) + "</tr></thead>\n<tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _body(content: Json) -> str:
    return _kind(content["schema"])


def _kind(schema: Json) -> str:
    """A type in few words."""
    if reference := schema.get("$ref", ""):
        name = escape(reference.removeprefix(_REFERENCE))
        return f'<a href="#type-{name}">{name}</a>'
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return " or ".join(_kind(option) for option in schema[either])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if properties := schema.get("properties"):
        return ", ".join(f"<code>{escape(name)}</code>: {_kind(kind)}" for name, kind in properties.items())
    return escape(str(schema.get("type", "anything"))) + _limits(schema)


def _limits(schema: Json) -> str:
    limits = {
        "minimum": "at least",
        "maximum": "at most",
        "minLength": "characters, at least",
        "maxLength": "characters, at most",
        "pattern": "like",
    }
    said = [f"{words} {escape(str(schema[key]))}" for key, words in limits.items() if key in schema]
    return f" ({', '.join(said)})" if said else ""


def _words(text: str) -> str:
    """Prose; what stands in backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))
