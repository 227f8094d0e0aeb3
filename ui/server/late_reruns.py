"""What an open page asks for while it is being left does not bring it back.

Streamlit 1.67 runs a request of a fragment on the page that the browser showed when it was sent. If another page has
been opened meanwhile, the browser is told that the earlier one is shown again: it drops the elements of the new one,
and the next update of these fails ("Bad delta path index"). A fragment that looks for changes every two seconds asks
at any moment, so this happens by itself.
"""

from __future__ import annotations

from dataclasses import replace

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData


def on_page_shown(request: RerunData, shown: str) -> RerunData:
    """The request as it is to be run.

    Args:
        request: of the browser. A request of fragments has a `fragment_id_queue`, any other draws the whole page.
        shown: hash of the page that was drawn last; empty before the first.
    """
    if request.fragment_id_queue and shown and request.page_script_hash != shown:
        # its fragments do not exist any more, so nothing of it is drawn
        return replace(request, page_script_hash=shown)
    return request


def install() -> None:
    """Make the script runner of Streamlit do so."""
    run = ScriptRunner._run_script  # noqa: SLF001 - there is no public place for it

    def run_on_page_shown(self: ScriptRunner, rerun_data: RerunData) -> None:
        run(self, on_page_shown(rerun_data, self._pages_manager.current_page_script_hash))

    ScriptRunner._run_script = run_on_page_shown  # type: ignore[method-assign]  # noqa: SLF001
