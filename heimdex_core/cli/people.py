"""The command `people`: faces are found, named, and removed again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer, stderr_bar
from heimdex_core.formatting import precise
from heimdex_core.types import Json

if TYPE_CHECKING:
    from heimdex_core.library import Library

DESCRIPTION = """\
list      the people whom you have named (also without an action)
scan      look for faces in the videos; after that the worker does so for every new video
enrol     name a person by photos or faces
unnamed   faces that nobody has named yet, in groups
name      say who a group is
rename, merge, split, remove   change people; remove also removes the vectors of the person's faces
faces     the faces of a scene
on, off   let people be searched for in this library, or not"""

_NOTES = {
    "off": "Searching for people is turned off: `people on` turns it on.",
    "off_shared": "In a shared library people are not searched for until `people on`.",
    "no_models": "The models that find and compare faces are missing: `models pull faces` (39 MB).",
}


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the actions of `people`; `shared` has the options of all commands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    actions = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=type(parser))

    def action(name: str, help_text: str, *arguments: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, parents=[shared], help=help_text)
        for argument in arguments:
            made.add_argument(argument, metavar=argument.upper())
        return made

    action("list", "the people whom you have named")
    scan = action("scan", "look for faces in the videos")
    scan.add_argument("video_ids", nargs="*", metavar="VIDEO_ID")
    scan.add_argument("--again", action="store_true", help="also in videos that have been looked through")
    scan.add_argument("--queue", action="store_true", help="let the worker do it")
    enrol = action("enrol", "name a person", "name")
    enrol.add_argument("photos", nargs="*", metavar="PHOTO", help="1 to 10 photos with one face each")
    enrol.add_argument("--face", action="append", default=[], metavar="ID", help="a face, or a scene with one face")
    unnamed = action("unnamed", "faces that nobody has named yet, in groups")
    unnamed.add_argument("--limit", type=int, default=50, metavar="N", help="groups at most (default: 50)")
    action("name", "say who a group is", "cluster_id", "name")
    action("rename", "give a person another name", "person", "name")
    action("merge", "make two people one, under the first one's name", "person", "other")
    split = action("split", "make another person of some faces", "person", "name")
    split.add_argument("faces", nargs="+", metavar="FACE_ID")
    action("remove", "remove a person and the vectors of all the person's faces", "person")
    action("faces", "the faces of a scene", "scene_id")
    action("on", "let people be searched for in this library")
    action("off", "do not; what is stored is kept")


def run_people(args: argparse.Namespace, out: Printer) -> int:
    """Run one action; without one list the people."""
    with opened(args, queue=getattr(args, "queue", False)) as lib:
        if args.action == "scan":
            return _scan(lib, args, out)
        if args.action == "unnamed":
            groups = [schemas.face_cluster(group) for group in lib.people.unnamed(limit=args.limit)]
            out.document(groups, text="\n".join(map(_group_line, groups)) or "No unnamed faces.")
        elif args.action == "faces":
            faces = [schemas.scene_face(face) for face in lib.people.faces(args.scene_id)]
            out.document(faces, text="\n".join(map(_face_line, faces)) or "No faces.")
        elif args.action == "remove":
            removed = lib.people.remove(_person_id(lib, args.person))
            text = f"Removed: {removed.faces} faces in {removed.videos} videos, {removed.photos} photos."
            out.document(removed, text=text)
        else:
            _change(lib, args)
            people = [schemas.person(person) for person in lib.people.all()]
            note = _NOTES.get(lib.people.state().note or "", "")
            lines = [*map(_line, people), *([note] if note else [])]
            out.document(people, text="\n".join(lines) or "Nobody is named yet. Name people with `people enrol`.")
    return 0


def _change(lib: Library, args: argparse.Namespace) -> None:
    people = lib.people
    if args.action == "enrol":
        people.enrol(args.name, args.photos, faces=args.face)
    elif args.action == "name":
        people.name(args.cluster_id, args.name)
    elif args.action == "rename":
        people.rename(_person_id(lib, args.person), args.name)
    elif args.action == "merge":
        people.merge(_person_id(lib, args.person), _person_id(lib, args.other))
    elif args.action == "split":
        people.split(_person_id(lib, args.person), args.faces, args.name)
    elif args.action == "on":
        people.turn_on()
    elif args.action == "off":
        people.turn_off()


def _scan(lib: Library, args: argparse.Namespace, out: Printer) -> int:
    with stderr_bar("videos", 1) as bar:

        def show(done: float, total: float) -> None:
            bar.total = total
            bar.update(done - bar.n)

        scan = lib.people.find_faces(args.video_ids or None, again=args.again, queue=args.queue, progress=show)
    lines = [f"{scan.videos} videos looked through, {scan.faces} faces; {scan.skipped} were up to date."]
    lines += [f"{video_id}: {problem['message']}" for video_id, problem in scan.problems.items()]
    if args.queue:
        lines = [f"The worker looks for faces: {scan.state}, {scan.done} of {scan.total} videos."]
    out.document(schemas.face_scan(scan), text="\n".join(lines))
    return 1 if scan.problems else 0


def _person_id(lib: Library, given: str) -> str:
    """A person by id or by name."""
    named = lib.people.find(given)
    return named.person_id if named is not None else given


def _line(row: Json) -> str:
    known = f"{row['photos']} photos, {row['confirmed']} faces by hand"
    return f"{row['person_id']}  {row['name']}  {row['faces']} faces in {row['videos']} videos  ({known})"


def _group_line(row: Json) -> str:
    first = row["faces"][0]
    return f"{row['cluster_id']}  {len(row['faces'])} faces in {row['videos']} videos  {precise(first['time_s'])}"


def _face_line(row: Json) -> str:
    who = f"{row['name']} {row['similarity']:.2f}" if row["name"] else "nobody"
    return f"{row['face_id']}  {precise(row['time_s'])}  {who}{'  by hand' if row['is_by_hand'] else ''}"
