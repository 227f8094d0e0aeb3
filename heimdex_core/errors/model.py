"""A model is missing, broken or unsuitable, or cannot be downloaded."""

from __future__ import annotations

from heimdex_core.errors.base import ModelError


class ModelUnavailable(ModelError):
    """A model or its package is not installed."""

    code = "MODEL_UNAVAILABLE"
    message_template = "The model {name} is not available: {reason}"
    hint_template = "Install the requirements again, or choose another profile."


class ModelBroken(ModelError):
    """A model's files are damaged, or do not fit its adapter."""

    code = "MODEL_BROKEN"
    message_template = "The model {name} cannot be used: {reason}"
    hint_template = "Its files are damaged or have the wrong version. Install it again."


class WeightsMissing(ModelUnavailable):
    """The files of a model are not on this machine, or are incomplete."""

    code = "WEIGHTS_MISSING"
    message_template = "The weights of {name} are not on this machine: {reason}"
    hint_template = (
        "Download them with `python -m heimdex_core models pull {name}`, or copy them into the folder"
        " HEIMDEX_MODELS_DIR."
    )


class ModelFolderUnusable(WeightsMissing):
    """A folder that the user named does not contain a model."""

    code = "MODEL_FOLDER_UNUSABLE"
    message_template = "The model folder {name} cannot be used: {reason}"
    hint_template = "Check the path: the folder must contain all files of the model."


class ProfileWeightsMissing(ModelUnavailable):
    """Models of the chosen profile are not on this machine."""

    code = "PROFILE_WEIGHTS_MISSING"
    message_template = "{profile} needs models that are not on this machine: {missing} ({size_gb} GB to download)."
    hint_template = (
        "Download them with `python -m heimdex_core models pull {pull}`. The profile offline needs no download."
    )


class HubUnreachable(ModelError):
    """The model hub does not answer, or reports an error that may be temporary."""

    code = "HUB_UNREACHABLE"
    message_template = "The model hub {endpoint} cannot be reached: {reason}"
    hint_template = (
        "What has been downloaded is kept: run it again when the network is available. For a machine without one,"
        " download with `models pull {name} --to DIR` on another machine, copy DIR and set HEIMDEX_MODELS_DIR to it."
    )


class HubRefused(ModelError):
    """The model hub does not allow the download."""

    code = "HUB_REFUSED"
    message_template = "The model hub {endpoint} does not provide {repo}: {reason}"
    hint_template = "Accept the terms on the model's page and log in with `hf auth login`, or choose another model."


class ModelUnsuited(ModelError):
    """A repository has no files that an adapter can read."""

    code = "MODEL_UNSUITED"
    message_template = "The repository {repo} has no model in a supported format: {reason}"
    hint_template = (
        "Choose a model for faster-whisper, sentence-transformers or open_clip; `models list` shows some of them."
    )


class DownloadDamaged(ModelError):
    """A downloaded file differs from the hub's."""

    code = "DOWNLOAD_DAMAGED"
    message_template = "{file} of {name} was damaged during the download: {reason}"
    hint_template = "The file was removed. Run the same command again; complete files are kept."


class DownloadUnexpected(ModelError):
    """The hub has another file than the one that this version was made for."""

    code = "DOWNLOAD_UNEXPECTED"
    message_template = "{file} of {repo} on the hub is another file than expected: {reason}"
    hint_template = "Nothing was downloaded. Put the expected file into HEIMDEX_MODELS_DIR, or set HF_ENDPOINT."


class DownloadRunning(ModelError):
    """Another download into the same folder is running."""

    code = "DOWNLOAD_RUNNING"
    message_template = "{name} is already being downloaded into {folder}."
    hint_template = "Wait until the download is complete. If it is interrupted, the next one resumes it."


class DeviceUnavailable(ModelError):
    """The device that was asked for cannot be used."""

    code = "DEVICE_UNAVAILABLE"
    message_template = "The device {device} cannot be used: {reason}"
    hint_template = "Set HEIMDEX_DEVICE=auto to use an available device, or install the driver of the GPU."


class OutOfGpuMemory(ModelError):
    """The GPU's memory is too small for a single item."""

    code = "OUT_OF_GPU_MEMORY"
    message_template = "The GPU has too little memory for {name}, even with one item at a time."
    hint_template = "Close other programs that use the GPU, choose a smaller model, or set HEIMDEX_DEVICE=cpu."


class ProfileMismatch(ModelError):
    """A library was opened with another profile than its own."""

    code = "PROFILE_MISMATCH"
    message_template = "This library uses the profile {pinned}, not {asked}."
    hint_template = (
        "Omit the profile, or switch the library to it with `python -m heimdex_core reindex --profile {asked}`."
    )
