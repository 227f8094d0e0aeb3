"""/docs: the routes of the API on one page without scripts, so that it needs nothing from the network."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse

_CSP = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }
code, pre { font: 14px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
summary { cursor: pointer; padding: .35em 0 }
summary span { opacity: .75 }
details details { margin-left: 1.5em }
pre { white-space: pre-wrap; border-left: 2px solid; padding-left: 1em; opacity: .9 }
"""


def docs_page(app: FastAPI) -> HTMLResponse:
    """What openapi.json says, for people."""
    about = app.openapi()
    by_tag: dict[str, list[str]] = {}
    for path, methods in about["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method.upper(), path, operation))
    shapes = "".join(_shape(name, shape) for name, shape in sorted(about["components"]["schemas"].items()))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(rows)}" for tag, rows in by_tag.items())
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(about['info']['title'])} API</title><style>{_STYLE}</style>"
        f"<h1>{escape(about['info']['title'])} API</h1><p>{escape(about['info']['description'])}"
        f' For programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"<p>Paths are below <code>{escape(about['servers'][0]['url'])}</code>. Those with a scope need"
        f" <code>Authorization: Bearer</code> and a token that has it, from the Settings page. Errors are"
        f" <code>application/problem+json</code>.</p>{sections}<h2>Shapes</h2>{shapes}</html>"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _CSP, "X-Content-Type-Options": "nosniff"})


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    scopes = sorted({scope for one in operation.get("security", ()) for names in one.values() for scope in names})
    rows = [
        f"<li><code>{escape(one['name'])}</code> ({escape(one['in'])}{', required' if one.get('required') else ''})"
        f" {_type(one.get('schema', {}))} {escape(one.get('description', ''))}</li>"
        for one in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        rows.append(f"<li>body: {_type(body)}</li>")
    for status, answer in sorted(operation["responses"].items()):
        shape = answer.get("content", {}).get("application/json", {}).get("schema")
        if shape:
            rows.append(f"<li>{escape(status)}: {_type(shape)}</li>")
    needed = f" &middot; scope {escape(', '.join(scopes))}" if scopes else ""
    return (
        f"<details><summary><code>{method} {escape(path)}</code> <span>{escape(operation.get('description', ''))}"
        f"{needed}</span></summary><ul>{''.join(rows)}</ul></details>"
    )


def _shape(name: str, shape: dict[str, Any]) -> str:
    rows = [
        f"<li><code>{escape(field)}</code> {_type(about)} {escape(about.get('description', ''))}</li>"
        for field, about in shape.get("properties", {}).items()
    ] or [f"<li>{_type(shape)}</li>"]
    return (
        f"<details><summary><code>{escape(name)}</code> <span>{escape(shape.get('description', ''))}</span></summary>"
        f'<ul id="{escape(name)}">{"".join(rows)}</ul></details>'  # inside, as a link opens what is around its target
    )


def _type(about: dict[str, Any]) -> str:
    if "$ref" in about:
        return _link(about["$ref"])
    if "anyOf" in about:
        return " or ".join(_type(one) for one in about["anyOf"])
    if "enum" in about:
        return escape(" | ".join(map(str, about["enum"])))
    inner = f" of {_type(about['items'])}" if isinstance(about.get("items"), dict) else ""
    least, most = about.get("minimum"), about.get("maximum")
    bounds = "" if least is None else f" from {_number(least)}" + ("" if most is None else f" to {_number(most)}")
    return escape(str(about.get("type", "value")) + bounds) + inner


def _number(value: float) -> str:
    return str(int(value) if value == int(value) else value)


def _link(reference: str) -> str:
    name = escape(reference.rpartition("/")[2])
    return f'<a href="#{name}">{name}</a>'
