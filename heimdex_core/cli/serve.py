"""`serve`: the HTTP API by itself."""

from __future__ import annotations

import argparse
import sys

from heimdex_core.cli import opened
from heimdex_core.cli.output import Printer

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"default: {DEFAULT_PORT}")
    parser.add_argument("--host", default=DEFAULT_HOST, help=f"address to listen at (default: {DEFAULT_HOST})")
    parser.add_argument("--no-worker", action="store_true", help="leave queued jobs to a worker elsewhere")


def run_serve(args: argparse.Namespace, out: Printer) -> int:
    """Serve until stopped."""
    from heimdex_core.api.server import serve

    with opened(args, create=True, queue=True) as lib:
        print(f"The API is at http://{args.host}:{args.port}/api/v1 (docs/api.md).", file=sys.stderr, flush=True)
        serve(lib, host=args.host, port=args.port, has_worker=not args.no_worker)
    return 0
