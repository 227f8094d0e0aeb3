"""Something does not exist, or the user has no access to it."""

from __future__ import annotations

from heimdex_core.errors.base import AccessError


class VideoNotFound(AccessError):
    """The library has no video with this id, or it belongs to another user."""

    code = "VIDEO_NOT_FOUND"
    message_template = "There is no video {video_id}."
    hint_template = "List the videos with `python -m heimdex_core videos`."


class SceneNotFound(AccessError):
    """No current generation has a scene with this id."""

    code = "SCENE_NOT_FOUND"
    message_template = "There is no scene {scene_id}."
    hint_template = "Its video may have been deleted or indexed again with other scenes. Search for it again."


class ExportNotFound(AccessError):
    """There is no export with this id, or it has no file yet."""

    code = "EXPORT_NOT_FOUND"
    message_template = "There is no export {export_id}."
    hint_template = "`python -m heimdex_core exports` lists the exports."


class ExportExpired(AccessError):
    """The file of an export is past its time, or was removed by hand. Its record is kept."""

    code = "EXPORT_EXPIRED"
    message_template = "The file of this export has expired or was removed."
    hint_template = "Make the export again; what it was made with is still known."


class EditNotFound(AccessError):
    """A video has no edit with this id."""

    code = "EDIT_NOT_FOUND"
    message_template = "There is no edit {edit_id} of this video."
    hint_template = "It may have been undone already. `python -m heimdex_core scenes VIDEO_ID --edits` lists the edits."


class ReelNotFound(AccessError):
    """There is no reel with this id."""

    code = "REEL_NOT_FOUND"
    message_template = "There is no reel {reel_id}."
    hint_template = "It may have been deleted. Choose another one."


class LinkInvalid(AccessError):
    """A signed link was changed, or is not for this user or file."""

    code = "LINK_INVALID"
    message_template = "This link is not valid."
    hint_template = "Reload the page to get a new link."


class LinkExpired(AccessError):
    """A signed link is too old."""

    code = "LINK_EXPIRED"
    message_template = "This link has expired."
    hint_template = "Reload the page to get a new link."


class OriginRefused(AccessError):
    """A page of another site sent the request."""

    code = "ORIGIN_REFUSED"
    message_template = "The request came from another site ({origin})."
    hint_template = "Open the app at its own address and try again."


class UploadConflict(AccessError):
    """A file is being uploaded by two requests, or an upload is continued at another position than it reached."""

    code = "UPLOAD_CONFLICT"
    message_template = "{filename} is already being uploaded, in another window for example."
    hint_template = "Wait until that upload is finished, or close the other window."


class UploadIncomplete(AccessError):
    """An upload was to be finished before all of its file had arrived."""

    code = "UPLOAD_INCOMPLETE"
    message_template = "{filename} has not arrived completely: {found_bytes} bytes of {expected_bytes} bytes."
    hint_template = "Choose the same file again. What has arrived is kept."


class HostRefused(AccessError):
    """A request named a host that is neither localhost, nor an IP address, nor in the settings."""

    code = "HOST_REFUSED"
    message_template = "The host name {host} is not allowed."
    hint_template = (
        "Open the app at localhost or at its IP address. If {host} is a name of this server, add it to"
        " HEIMDEX_ALLOWED_HOSTS and restart the app."
    )


class SignInRequired(AccessError):
    """A request came without a token or a session, where one is needed."""

    code = "SIGN_IN_REQUIRED"
    message_template = "This needs somebody who is signed in."
    hint_template = "Sign in, or send a token in the header Authorization: Bearer. docs/shared-libraries.md has more."


class TokenInvalid(AccessError):
    """A token is malformed, unknown or revoked, or its user was deleted. Which one is not told."""

    code = "TOKEN_INVALID"
    message_template = "This token is not valid."
    hint_template = "It may have been revoked. Make a new one on the Settings page or with `users tokens make`."


class TokenExpired(AccessError):
    """A token is past its time."""

    code = "TOKEN_EXPIRED"
    message_template = "This token expired at {expired_at}."
    hint_template = "Make a new one on the Settings page or with `users tokens make`."


class EmailNotVerified(AccessError):
    """The identity provider does not say that an address is the user's, so nothing may depend on it."""

    code = "EMAIL_NOT_VERIFIED"
    message_template = "The sign-in service has not verified this e-mail address."
    hint_template = "Verify the address there and sign in again."


class SignInNotAllowed(AccessError):
    """A user has a verified address, but HEIMDEX_SIGN_IN_ALLOWED does not name it, or not any more."""

    code = "SIGN_IN_NOT_ALLOWED"
    message_template = "{email} may not use this library."
    hint_template = (
        "Sign in with another account, or ask whoever runs this server to add the address to HEIMDEX_SIGN_IN_ALLOWED."
    )


class NotAllowed(AccessError):
    """The scope of a token, the user's role, or a share for reading does not allow it.

    What a user may not even see is "not found" instead.
    """

    code = "NOT_ALLOWED"
    message_template = "This is not allowed: {needed} is needed."
    hint_template = "Ask an admin of the library, or the owner of the video."


class UserNotFound(AccessError):
    """There is no user with this id or e-mail address, or the user was deleted."""

    code = "USER_NOT_FOUND"
    message_template = "There is no user {user}."
    hint_template = "Users are known after they have signed in once. `python -m heimdex_core users list` lists them."


class TokenNotFound(AccessError):
    """The user has no token with this id."""

    code = "TOKEN_NOT_FOUND"
    message_template = "There is no token {token_id}."
    hint_template = "It may have been revoked already."


class CollectionNotFound(AccessError):
    """There is no collection with this id, or it is neither the user's nor shared with them."""

    code = "COLLECTION_NOT_FOUND"
    message_template = "There is no collection {collection_id}."
    hint_template = "It may have been deleted, or is no longer shared. Choose another one."


class ShareNotFound(AccessError):
    """Nobody shares this video or collection with the user, or a video only as part of a collection."""

    code = "SHARE_NOT_FOUND"
    message_template = "The {kind} {target_id} is not shared with you."
    hint_template = "It may not be shared any more. A video of a shared collection is given back with the collection."
