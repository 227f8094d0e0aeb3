"""A search result as a notebook shows it: thumbnails with timecodes, highlighted words and reasons.

The HTML holds its images inline, so that a saved notebook keeps them. All text from files and users is escaped. Text
takes the notebook's own colour, for dark and light themes.
"""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from heimdex_core.formatting import precise
from heimdex_core.search.channels.base import REASONS
from heimdex_core.search.matching import pieces
from heimdex_core.search.notes import note_texts, seen_text
from heimdex_core.types import Hit, SearchResult

CHANNEL_COLOURS = {"transcript": "#f5b35c", "vision": "#5fc8a6", "lexical": "#a58bfa"}
"""Colours of the score bar; other channels are grey."""


class NotebookResult(SearchResult):
    """A SearchResult that notebooks show as thumbnails with their reasons."""

    def _repr_html_(self) -> str:
        cards = "".join(_card(hit, self.thumbnails.get(hit.scene_id), self.terms) for hit in self.hits)
        shown = f'<div style="display:flex;flex-wrap:wrap;gap:12px">{cards}</div>'
        body = shown if cards else "<p>No matching scenes.</p>"
        return f'<div style="font:13px system-ui,sans-serif">{_head(self)}{body}</div>'


def _head(result: SearchResult) -> str:
    abstaining = [
        f"{escape(name)}: {escape(REASONS.get(state.reason or '', state.reason or ''))}"
        for name, state in result.channels.items()
        if not state.active and state.reason != "not_asked"
    ]
    shown = f" (showing {len(result.hits)})" if len(result.hits) < result.total else ""
    scenes = "scene" if result.total == 1 else "scenes"
    facts = [
        f"<b>{result.total} {scenes}</b>{shown}",
        # models load once per process, which is no part of the time that a query takes
        f"{result.timing_ms.get('total', 0.0) - result.timing_ms.get('load', 0.0):.0f} ms",
        escape(result.fusion),
        *(["nothing is close to the query"] if result.nothing_close and result.hits else []),
        *(escape(f'"{other}" instead of "{word}"') for word, other in result.corrected.items()),
        *map(escape, note_texts(result)),
        *abstaining,
    ]
    return f'<p style="margin:4px 0 10px">{" &middot; ".join(facts)}</p>'


def _card(hit: Hit, thumbnail: Path | None, terms: tuple[str, ...]) -> str:
    scene = hit.scene
    place = f"{precise(scene.start_s)} &middot; {scene.duration_s:.1f} s"
    text = _marked(scene.transcript, terms) if scene.transcript else "<i>(no speech)</i>"
    seen = "".join(f'<div style="opacity:.65">{escape(seen_text(person))}</div>' for person in hit.people)
    return (
        '<div style="width:240px;border:1px solid rgba(128,128,128,.35);border-radius:8px;overflow:hidden">'
        f'<div style="position:relative;background:#222;min-height:40px">{_picture(thumbnail)}'
        '<code style="position:absolute;left:6px;bottom:6px;padding:1px 6px;border-radius:4px;'
        f'background:rgba(0,0,0,.75);color:#fff;font-size:11px">{place}</code></div>'
        f'<div style="padding:8px"><div style="opacity:.65">{escape(hit.video_title)}</div>'
        f'<div style="max-height:5.2em;overflow:hidden">{text}</div>{seen}{_bar(hit)}'
        f'<div style="opacity:.65;font-size:11px">#{hit.rank} &middot; {hit.score:.3f}</div></div></div>'
    )


def _marked(text: str, terms: tuple[str, ...]) -> str:
    found = pieces(text, terms)
    return "".join(f"<mark>{escape(piece)}</mark>" if is_match else escape(piece) for piece, is_match in found)


def _picture(thumbnail: Path | None) -> str:
    if thumbnail is None or not thumbnail.is_file():
        return ""
    data = base64.b64encode(thumbnail.read_bytes()).decode("ascii")
    return f'<img alt="" style="display:block;width:100%" src="data:image/webp;base64,{data}">'


def _bar(hit: Hit) -> str:
    """The score as a bar with one coloured segment per channel."""
    total = sum(part.contribution for part in hit.channels.values())
    if total <= 0:
        return ""
    segments = "".join(
        f'<span title="{escape(name)} {part.contribution:.3f}" style="width:{100 * part.contribution / total:.1f}%;'
        f'background:{CHANNEL_COLOURS.get(name, "#888")}"></span>'
        for name, part in hit.channels.items()
        if part.contribution > 0
    )
    return f'<div style="display:flex;height:4px;margin:6px 0;border-radius:2px;overflow:hidden">{segments}</div>'
