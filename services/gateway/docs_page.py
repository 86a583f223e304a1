"""The API's document as one page that needs nothing else: no script, no font, no other host."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid #d7dde6}code,b.verb{font-family:ui-monospace,monospace}
details{border:1px solid #d7dde6;border-radius:6px;margin:.6rem 0;padding:.5rem .8rem}summary{cursor:pointer}
b.verb{display:inline-block;min-width:4.5em}table{border-collapse:collapse;width:100%;font-size:.9em}
td,th{border-top:1px solid #e6eaf0;padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top}.said{color:#5a6675}
@media(prefers-color-scheme:dark){body{color:#dbe2ec;background:#12161c}h2,details,td,th{border-color:#2b3440}.said{color:#93a0b0}}
"""


def page(document: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI document."""
    info = document["info"]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])} API</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>"
        "<p>Answers are <code>{success, data?, error?, timestamp}</code>. The machine-readable document is "
        "<a href=/openapi.json>/openapi.json</a>; the WebSocket is at <code>/ws</code>, the same events at <code>/api/events</code>.</p>"
        + "".join(_groups(document))
        + "<h2>Schemas</h2>"
        + "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    )


def _groups(document: Mapping[str, Any]) -> Iterator[str]:
    group = ""
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if operation["tags"][0] != group:
                group = operation["tags"][0]
                yield f"<h2>{escape(group)}</h2>"
            yield _operation(verb.upper(), path, operation)


def _operation(verb: str, path: str, operation: Mapping[str, Any]) -> str:
    door = "token" if operation["security"] else "open"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = [(item["name"], item["in"], item["schema"]) for item in operation["parameters"]]
    fields += [(name, "body", schema) for name, schema in body.get("properties", {}).items()]
    answered: Mapping[str, Any] = next(iter(operation["responses"]["200"]["content"].values()))["schema"]
    answer = answered.get("properties", {}).get("data", answered)
    return (
        f"<details><summary><b class=verb>{verb}</b> <code>{escape(path)}</code> <span class=said>{door}</span></summary>"
        f"<p>{escape(operation['summary'])}</p>{_table(fields)}<p>Data: {_type(answer)}</p></details>"
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    fields = [(field, "", shape) for field, shape in schema["properties"].items()]
    said = escape(schema.get("description", ""))
    return f"<details id='{escape(name)}'><summary><code>{escape(name)}</code></summary><p>{said}</p>{_table(fields)}</details>"


def _table(fields: list[tuple[str, str, Mapping[str, Any]]]) -> str:
    rows = (
        f"<tr><td><code>{escape(name)}</code><td>{place}<td>{_type(schema)}"
        f"<td class=said>{escape(schema.get('description', ''))}"
        for name, place, schema in fields
    )
    return f"<table>{''.join(rows)}</table>" if fields else ""


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    kinds: Any = schema.get("type", "any")
    return escape(kinds if isinstance(kinds, str) else " or ".join(map(str, kinds)))
