"""Not there, or not for this person."""

from __future__ import annotations

from heimdex_core.errors.base import AccessError


class VideoNotFound(AccessError):
    code = "VIDEO_NOT_FOUND"
    message_template = "There is no video {video_id}."
    hint_template = "`python -m heimdex_core videos` lists what there is."


class SceneNotFound(AccessError):
    code = "SCENE_NOT_FOUND"
    message_template = "There is no scene {scene_id}."
    hint_template = "It may have moved when its video was indexed again. Search for it once more."


class ExportNotFound(AccessError):
    code = "EXPORT_NOT_FOUND"
    message_template = "There is no export {export_id}."
    hint_template = "It may have expired. Render it again."


class ReelNotFound(AccessError):
    code = "REEL_NOT_FOUND"
    message_template = "There is no reel {reel_id}."
    hint_template = "It may have been deleted. Choose another one."


class LinkInvalid(AccessError):
    code = "LINK_INVALID"
    message_template = "This link is not valid."
    hint_template = "Reload the page to get a new one."


class LinkExpired(AccessError):
    code = "LINK_EXPIRED"
    message_template = "This link has expired."
    hint_template = "Reload the page to get a new one."


class OriginRefused(AccessError):
    code = "ORIGIN_REFUSED"
    message_template = "The request came from another site ({origin})."
    hint_template = "Open the application under its own address and try again."
