"""The commands `reels` (named reels) and `pauses` (what can be cut out of speech)."""

from __future__ import annotations

import argparse

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer
from heimdex_core.formatting import clock, precise
from heimdex_core.types import Json, Reel


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what can be done with named reels."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(shared))

    def action(name: str, help_text: str, *positional: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=help_text, description=help_text, parents=[shared])
        for one in positional:
            made.add_argument(one.lower(), metavar=one)
        return made

    action("list", "list the named reels, last changed first")
    action("show", "show the clips of a reel, by its id or title", "REEL")
    create = action("create", "keep a reel of scenes, or of the clips in the tray", "TITLE")
    create.add_argument("scene_ids", nargs="*", metavar="SCENE_ID", help="default: the clips in the tray")
    action("rename", "give a reel another title", "REEL", "TITLE")
    action("duplicate", "keep a second reel of the same clips", "REEL").add_argument(
        "--title", help="of the second one"
    )
    action("delete", "remove a reel; what was rendered of it stays", "REEL")


def run_reels(args: argparse.Namespace, out: Printer) -> int:
    """List, show and change the named reels. Every action but `list` prints the reel, as it was before `delete`."""
    with opened(args) as lib:
        if args.action == "list":
            rows = [schemas.reel(reel) for reel in lib.reels.list()]
            text = "\n".join(_line(row) for row in rows)
            out.document(rows, text=text or "No reels. `reels create TITLE SCENE_ID...` keeps one.")
            return 0
        found: Reel
        if args.action == "create":
            found = lib.reels.create(args.title, args.scene_ids or lib.tray().clips)
        else:
            found = lib.reels.find(args.reel)
        if args.action == "rename":
            found = lib.reels.rename(found.reel_id, args.title)
        elif args.action == "duplicate":
            found = lib.reels.duplicate(found.reel_id, args.title)
        elif args.action == "delete":
            lib.reels.delete(found.reel_id)
        document = schemas.reel(found)
        out.document(document, text="\n".join([_line(document), *map(_clip_line, document["clips"])]))
    return 0


def _line(row: Json) -> str:
    return f"{row['reel_id']}  {len(row['clips']):3}  {clock(row['duration_s']):>7}  {row['title']}"


def _clip_line(clip: Json) -> str:
    line = f"  {precise(clip['start_s']):>9}  {precise(clip['end_s']):>9}  {clip['clip_id']}"
    return f"{line}  {clip['strategy']}" if clip["strategy"] else line


def add_pauses_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pauses`."""
    parser.add_argument("scene_ids", nargs="+", metavar="SCENE_ID")
    parser.add_argument(
        "--min-silence", type=float, metavar="S", help="find silences longer than S seconds (default: 0.8)"
    )


def run_pauses(args: argparse.Namespace, out: Printer) -> int:
    """List the filler words and long silences in scenes."""
    with opened(args) as lib:
        rows = [schemas.pause(one) for one in lib.pauses(args.scene_ids, min_silence_s=args.min_silence)]
    lines = [
        f"{row['pause_id']}  {precise(row['start_s']):>9}  {row['duration_s']:6.2f} s  {row['text'] or row['kind']}"
        for row in rows
    ]
    out.document(rows, text="\n".join(lines) or "No pauses.")
    return 0
