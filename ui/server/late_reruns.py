"""A request that a page sent while another one was being opened does not bring the earlier page back.

Streamlit 1.67 runs a request of a fragment on the page that the browser showed when it was sent. If another page has
been opened meanwhile, the browser is told that the earlier one is shown again: it drops the elements of the new one,
and the next update of these fails ("Bad delta path index"). The fragment that looks for changes every two seconds can
send such a request at any moment. docs/decisions/app-late-reruns.md has the alternatives.
"""

from __future__ import annotations

from dataclasses import replace

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData


def on_page_shown(request: RerunData, shown: str) -> RerunData:
    """The same request, but a request of fragments is run on the page that is shown.

    Args:
        request: of the browser. A request of fragments has a `fragment_id_queue`, any other draws the whole page.
        shown: hash of the page that was drawn last; empty before the first.
    """
    if request.fragment_id_queue and shown and request.page_script_hash != shown:
        # its fragments do not exist any more, so nothing of it is drawn
        return replace(request, page_script_hash=shown)
    return request


def install() -> None:
    """Pass every request through `on_page_shown` before Streamlit runs it."""
    run = ScriptRunner._run_script  # noqa: SLF001 - there is no public place for it

    def run_on_page_shown(self: ScriptRunner, rerun_data: RerunData) -> None:
        run(self, on_page_shown(rerun_data, self._pages_manager.current_page_script_hash))

    ScriptRunner._run_script = run_on_page_shown  # type: ignore[method-assign]  # noqa: SLF001
