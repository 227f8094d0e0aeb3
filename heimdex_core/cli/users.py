"""`users`: who uses a shared library, their tokens, and what is theirs. Works with the rights of an admin."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from heimdex_core import schemas
from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer
from heimdex_core.types import SCOPES, Token, User, to_json

if TYPE_CHECKING:
    from heimdex_core.library import Library
    from heimdex_core.library.accounts import Accounts

_DAY_S = 24 * 3600.0


def add_arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """The actions of `users` and their options; `shared` has the options of all commands."""

    def add(actions: Any, name: str, help_text: str) -> argparse.ArgumentParser:
        created: argparse.ArgumentParser = actions.add_parser(
            name, help=help_text, description=help_text, parents=[shared]
        )
        return created

    options: dict[str, Any] = {"metavar": "ACTION", "required": True, "parser_class": type(parser)}
    actions = parser.add_subparsers(dest="action", **options)
    add(actions, "list", "list the users")
    assign = add(actions, "assign-videos", "make videos of one user another one's")
    assign.add_argument("from_user", metavar="FROM", help="id or e-mail; `local` is who used the library before")
    assign.add_argument("to_user", metavar="TO", help="id or e-mail")
    assign.add_argument("video_ids", metavar="VIDEO_ID", nargs="*", help="default: all")
    export = add(actions, "export", "copy what is a user's into a new folder")
    export.add_argument("user", metavar="USER", help="id or e-mail")
    export.add_argument("folder", metavar="FOLDER")
    delete = add(actions, "delete", "remove a user and all that is theirs, for good")
    delete.add_argument("user", metavar="USER", help="id or e-mail")
    delete.add_argument("--export", metavar="FOLDER", help="copy what is theirs into this folder first")
    of_tokens = add(actions, "tokens", "tokens of a user for other programs")
    tokens = of_tokens.add_subparsers(dest="what", **options)
    make = add(tokens, "make", "make a token; its secret is shown once")
    make.add_argument("name", metavar="NAME", help="what it is for")
    make.add_argument(
        "--scope", action="append", metavar="SCOPE", help=f"{', '.join(SCOPES)} (repeatable; default: read)"
    )
    make.add_argument("--days", type=float, metavar="N", help="how long it is valid (default: without an end)")
    listing = add(tokens, "list", "list the tokens")
    revoke = add(tokens, "revoke", "make a token invalid")
    revoke.add_argument("token_id", metavar="TOKEN_ID")
    for one in (make, listing, revoke):
        one.add_argument("--user", metavar="USER", help="id or e-mail (default: the library's own user)")


def run_users(args: argparse.Namespace, out: Printer) -> int:
    """Do one action and print what came of it."""
    queue = args.action == "delete"  # so that work in progress is cancelled
    with opened(args, queue=queue) as lib:
        accounts = lib.accounts
        if args.action == "list":
            users = accounts.users()
            out.document([to_json(user) for user in users], text="\n".join(_user_line(user) for user in users))
        elif args.action == "assign-videos":
            changed = accounts.assign_videos(args.from_user, args.to_user, args.video_ids or None)
            out.document([schemas.video(video) for video in changed], empty="No videos were assigned.")
        elif args.action == "export":
            copied = accounts.export_data(args.user, args.folder)
            out.document(copied, text=_counted(copied))
        elif args.action == "delete":
            found = accounts.find(args.user)
            report = accounts.export_data(found.user_id, args.export) if args.export else None
            accounts.delete_user(found.user_id)
            out.document({"deleted": found.user_id, "exported": report}, text=f"{found.name} was deleted.")
        else:
            _run_tokens(args, _of_user(lib, args.user), out)
    return 0


def _of_user(lib: Library, user: str | None) -> Accounts:
    if user is None:
        return lib.accounts
    found = lib.accounts.find(user)
    return lib.as_user(found.user_id).accounts.as_operator()


def _run_tokens(args: argparse.Namespace, accounts: Accounts, out: Printer) -> None:
    if args.what == "list":
        tokens = accounts.tokens()
        lines = "\n".join(_token_line(token) for token in tokens)
        out.document(
            [to_json(token) for token in tokens], text=lines or "No tokens. Make one with `users tokens make`."
        )
    elif args.what == "revoke":
        accounts.revoke_token(args.token_id)
        out.document({"revoked": args.token_id}, text="The token is not valid any more.")
    else:
        lifetime_s = None if args.days is None else args.days * _DAY_S
        token, secret = accounts.make_token(args.name, args.scope or ["read"], lifetime_s)
        text = f"{_token_line(token)}\n{secret}\nKeep the secret now: it cannot be shown again."
        out.document({**to_json(token), "secret": secret}, text=text)


def _user_line(user: User) -> str:
    seen = user.last_seen_at.isoformat(timespec="minutes") if user.last_seen_at else "never"
    return f"{user.user_id}  {user.role:6}  {user.name}  {user.email or '-'}  last seen: {seen}"


def _token_line(token: Token) -> str:
    times = {"expires": token.expires_at, "last used": token.last_used_at}
    shown = [f"{name}: {at.isoformat(timespec='minutes') if at else 'never'}" for name, at in times.items()]
    return f"{token.token_id}  {token.name}  {' '.join(token.scopes)}  {'  '.join(shown)}"


def _counted(report: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in report.items())
