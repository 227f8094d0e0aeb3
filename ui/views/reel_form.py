"""The form of the reel page: the choices of how a reel is rendered, and what would be cut out of its sound."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from heimdex_core import formatting as fmt
from heimdex_core.export.crop import strategy
from heimdex_core.export.fast import why_exact
from heimdex_core.settings import Settings
from heimdex_core.types import ASPECTS, Pause, ReelClip, ReelOptions
from ui.i18n import duration, t

STRATEGIES = ("center_crop", "letterbox", "blur_pad", "smart_crop")
STYLES = ("plain", "boxed", "karaoke")
POSITIONS = ("low", "safe", "middle")
MODES = ("exact", "fast")
OWN_HEIGHT = "fast"
"""The mode in which a reel can have the size of its sources: only what has the size of the reel can be copied."""
FORMATS = ("otio", "edl", "fcpxml", "csv", "srt")
"""The names in the registries of heimdex_core.export."""
HEIGHTS = (360, 720, 1080)
CROSSFADES_S = (0.0, 0.5, 1.0)
NONE = "none"
BOXES = ("title_card", "lower_thirds", "remove_silence")

Choices = dict[str, Any]


def choices(saved: Any, settings: Settings) -> Choices:
    """What is chosen: of `saved`, a preference, what can be used, and the defaults for the rest."""
    found = saved if isinstance(saved, Mapping) else {}
    defaults: Choices = {
        "mode": MODES[0],
        "aspect": next(iter(ASPECTS)),
        "height_px": settings.reel_height_px,
        "strategy": STRATEGIES[0],
        "crossfade_s": 0.0,
        "captions": NONE,
        "position": "safe",
        **dict.fromkeys(BOXES, False),
    }
    allowed = {name: [value for value, _ in options] for name, options in _options(settings, OWN_HEIGHT).items()}
    chosen = {
        name: found[name] if name in found and found[name] in allowed.get(name, (True, False)) else default
        for name, default in defaults.items()
    }
    if chosen["mode"] == OWN_HEIGHT and "height_px" not in found:
        chosen["height_px"] = None
    return _with_height(chosen, settings)


def _with_height(chosen: Choices, settings: Settings) -> Choices:
    is_known = chosen["height_px"] in dict(_options(settings, chosen["mode"])["height_px"])
    return chosen if is_known else chosen | {"height_px": settings.reel_height_px}


def changed(chosen: Choices, name: str, value: Any, settings: Settings) -> Choices:
    """The choices after one was made in the browser, which sends texts; the same ones for what cannot be chosen."""
    if name in BOXES:
        return chosen | {name: bool(value)}
    known = {str(one): one for one, _ in _options(settings, chosen["mode"]).get(name, ())}
    if str(value) not in known:
        return chosen
    made = chosen | {name: known[str(value)]}
    if name == "mode" and value == OWN_HEIGHT:
        made["height_px"] = None
    return _with_height(made, settings)


def is_wide(chosen: Choices) -> bool:
    """Whether the reel has the shape of most videos, so that nothing is to be chosen for pictures of another shape."""
    return bool(chosen["aspect"] == next(iter(ASPECTS)))


def clip_strategies(chosen: Choices) -> list[dict[str, str]]:
    """What can be chosen for one clip, first that of the reel; nothing in a reel that is wide."""
    if is_wide(chosen):
        return []
    own = [{"value": name, "label": t(f"short.strategy.{name}")} for name in STRATEGIES]
    return [{"value": "", "label": t("reel.strategy_of_reel", name=t(f"short.strategy.{chosen['strategy']}"))}, *own]


def framed(clips: Sequence[ReelClip], chosen: Choices) -> list[ReelClip]:
    """The clips as they are rendered: a wide reel has no strategies of clips, which the page then hides."""
    return [replace(clip, strategy=None) for clip in clips] if is_wide(chosen) else list(clips)


def strategy_of(chosen: Choices, clip: ReelClip) -> str | None:
    """What a clip is rendered with; None in a reel that is wide."""
    return None if is_wide(chosen) else clip.strategy or str(chosen["strategy"])


def reel_options(chosen: Choices) -> dict[str, Any]:
    """The arguments for Library.reel."""
    names = ("mode", "aspect", "height_px", "crossfade_s", "title_card", "lower_thirds", "position")
    options = {name: chosen[name] for name in names}
    captions = None if chosen["captions"] == NONE else chosen["captions"]
    return {**options, "strategy": None if is_wide(chosen) else chosen["strategy"], "captions": captions}


def groups(chosen: Choices, settings: Settings) -> list[dict[str, Any]]:
    """The groups of choices for the component; those that mean nothing at present are left out."""
    hidden = {"strategy"} if is_wide(chosen) else set()
    if chosen["captions"] == NONE:
        hidden.add("position")
    found = [
        {
            "name": name,
            "label": t(f"reelform.{name}"),
            "any": False,
            "options": [{"value": str(value), "label": label, "on": value == chosen[name]} for value, label in options],
        }
        for name, options in _options(settings, chosen["mode"]).items()
        if name not in hidden
    ]
    boxes = [{"value": name, "label": t(f"reelform.{name}"), "on": chosen[name]} for name in BOXES]
    return [*found, {"name": "more", "label": t("reelform.more"), "any": True, "options": boxes}]


def _options(settings: Settings, mode: str) -> dict[str, list[tuple[Any, str]]]:
    heights = sorted({*HEIGHTS, settings.reel_height_px})
    own = [(None, t("reelform.own_height"))] if mode == OWN_HEIGHT else []
    return {
        "aspect": [(name, name) for name in ASPECTS],
        "height_px": [*own, *((height, f"{height}p") for height in heights)],
        "strategy": [(name, t(f"short.strategy.{name}")) for name in STRATEGIES],
        "crossfade_s": [(s, t("reelform.crossfade", s=f"{s:g}") if s else t("reelform.cut")) for s in CROSSFADES_S],
        "captions": [(NONE, t("short.captions.none")), *((s, t(f"short.captions.{s}")) for s in STYLES)],
        "position": [(name, t(f"short.position.{name}")) for name in POSITIONS],
        "mode": [(name, t(f"reelform.mode.{name}")) for name in MODES],
    }


def pauses(found: Sequence[Pause], kept: Collection[str]) -> dict[str, Any]:
    """The pauses of the reel as a list, each of which can be kept."""
    gone = [pause for pause in found if pause.pause_id not in kept]
    total = fmt.precise(sum(pause.duration_s for pause in gone))
    return {
        "label": t("reelform.pauses", n=len(gone), total=len(found), time=total) if found else t("reelform.no_pauses"),
        "hint": t("reelform.pauses_hint"),
        "items": [
            {
                "id": pause.pause_id,
                "time": fmt.precise(pause.start_s),
                "text": _pause_text(pause),
                "kept": pause.pause_id in kept,
            }
            for pause in found
        ],
    }


def _pause_text(pause: Pause) -> str:
    seconds = f"{pause.duration_s:.1f}"
    if pause.kind == "silence":
        return t("reelform.silence", s=seconds)
    return t("reelform.filler", text=pause.text, s=seconds)


def timelines(*, is_empty: bool) -> dict[str, Any]:
    """The buttons that save the edit for other programs."""
    return {
        "label": t("reelform.timelines"),
        "disabled": is_empty,
        "formats": [{"name": name, "label": name.upper(), "title": t(f"reelform.timeline.{name}")} for name in FORMATS],
    }


def notice(chosen: Choices, settings: Settings, clips: Sequence[ReelClip] = ()) -> str:
    """What will be rendered, and how long its file stays; whether the mode fast is of no use, and what is not shown."""
    fps = f"{settings.reel_fps:g}"
    if chosen["height_px"] is None:
        text = t("reel.own_format", aspect=chosen["aspect"], height=settings.reel_height_px, fps=fps)
    else:
        text = t("reel.format", aspect=chosen["aspect"], height=chosen["height_px"], fps=fps)
    kept_for = duration(settings.export_ttl_s).replace(" ", "\N{NO-BREAK SPACE}")
    text = f"{text} · {t('reel.expires', time=kept_for)}"
    sentences = [text]
    names = {strategy_of(chosen, clip) for clip in clips}
    if any(name is not None and strategy(name).follows for name in names):
        sentences.append(t("reelform.follow_preview"))
    if chosen["mode"] == "fast" and why_exact(ReelOptions(**reel_options(chosen))) is not None:
        sentences.append(t("reelform.nothing_copied"))
    return ". ".join(sentences)
