"""`mcp`: the library as tools for programs that speak the Model Context Protocol, over stdio."""

from __future__ import annotations

import argparse

from heimdex_core.cli.output import Printer
from heimdex_core.settings import get_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `mcp`."""
    parser.add_argument("--allow-writes", action="store_true", help="also offer the tools that make something")


def run_mcp(args: argparse.Namespace, out: Printer) -> int:
    """Serve until stdin is closed, as the user of HEIMDEX_TOKEN."""
    from heimdex_core.api.mcp_server import make_server
    from heimdex_core.library import Library

    token = get_settings().token
    with Library.open(getattr(args, "library", None), create=False, purpose="query") as library:
        server = make_server(library, token=token.get_secret_value() if token else None, allow_writes=args.allow_writes)
        server.run("stdio")
    return 0
