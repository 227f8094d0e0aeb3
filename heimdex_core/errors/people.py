"""People in the picture: who is not there, and photos that nobody can be told from."""

from __future__ import annotations

from heimdex_core.errors.base import AccessError, ModelError, ValidationError


class PersonNotFound(AccessError):
    """The user has named no person with this id."""

    code = "PERSON_NOT_FOUND"
    message_template = "There is no person {person_id}."
    hint_template = "`python -m heimdex_core people` lists the people."


class FaceNotFound(AccessError):
    """There is no face with this id, or it is in a video of another user."""

    code = "FACE_NOT_FOUND"
    message_template = "There is no face {face_id}."
    hint_template = "It may have been removed, or its video was deleted. Reload the page."


class PeopleOff(AccessError):
    """Searching for people is turned off in this library."""

    code = "PEOPLE_OFF"
    message_template = "Searching for people is turned off in this library."
    hint_template = "An administrator can turn it on: on the page People, or with `python -m heimdex_core people on`."


class FaceModelsMissing(ModelError):
    """The models that find and compare faces are not on this machine."""

    code = "FACE_MODELS_MISSING"
    message_template = "The models that find and compare faces are missing."
    hint_template = "Download them (39 MB) with `python -m heimdex_core models pull faces`."


class NoFaceInPhoto(ValidationError):
    """Nobody's face was found in a photo."""

    code = "NO_FACE_IN_PHOTO"
    message_template = "No face was found in {filename}."
    hint_template = "Use a photo in which the face is seen from the front, sharp and not too small."


class SeveralFacesInPhoto(ValidationError):
    """A photo shows several people, so it is not known which one is meant."""

    code = "SEVERAL_FACES_IN_PHOTO"
    message_template = "{filename} shows {count} faces."
    hint_template = "Use a photo of one person, or cut the face out of this one."
