"""A problem with the object storage of a library at s3://bucket/prefix."""

from __future__ import annotations

from heimdex_core.errors.base import StorageError


class ObjectStorageUnavailable(StorageError):
    """The object storage cannot be reached."""

    code = "OBJECT_STORAGE_UNAVAILABLE"
    message_template = "The object storage at {host} cannot be reached: {reason}"
    hint_template = (
        "Check that the server runs, the network, and AWS_ENDPOINT_URL (not set for Amazon S3); then try again."
        " Nothing of the library is lost."
    )


class ObjectStorageNotInstalled(StorageError):
    """What speaks to object storages is not installed."""

    code = "OBJECT_STORAGE_NOT_INSTALLED"
    message_template = "A library in object storage needs {package}, which cannot be loaded: {reason}"
    hint_template = "Run `pip install -r requirements-cluster.txt` on every machine that uses the library."


class BucketNotFound(ObjectStorageUnavailable):
    """The object storage does not have the bucket."""

    code = "BUCKET_NOT_FOUND"
    message_template = "The object storage at {host} has no bucket “{bucket}”."
    hint_template = (
        "Correct the name after s3://, or create the bucket (`aws s3 mb s3://{bucket}`)."
        " Check AWS_ENDPOINT_URL too: the bucket may be at another server."
    )


class ObjectStorageCredentials(ObjectStorageUnavailable):
    """There are no credentials, or the object storage does not know them."""

    code = "OBJECT_STORAGE_CREDENTIALS"
    message_template = "The object storage at {host} does not accept the credentials: {reason}"
    hint_template = (
        "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary ones, in the"
        " environment of this process."
    )


class ObjectStorageCredentialsExpired(ObjectStorageCredentials):
    """Temporary credentials are no longer valid."""

    code = "OBJECT_STORAGE_CREDENTIALS_EXPIRED"
    message_template = "The credentials for the object storage at {host} have expired."
    hint_template = (
        "Get new ones, set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and start again."
        " On a cloud machine, a role whose credentials renew themselves needs none of the three."
    )


class ObjectStorageDenied(ObjectStorageUnavailable):
    """The credentials are known, but do not allow what is needed."""

    code = "OBJECT_STORAGE_DENIED"
    message_template = "The object storage at {host} denies access to the bucket “{bucket}”: {reason}"
    hint_template = (
        "Allow s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, and s3:GetObject, s3:PutObject,"
        " s3:DeleteObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts on its objects."
    )


class ClockSkewed(ObjectStorageUnavailable):
    """The clock of this machine differs too much from that of the object storage."""

    code = "CLOCK_SKEWED"
    message_template = (
        "The object storage at {host} refuses requests because the clock of this machine is wrong: it is {here} here"
        " and {there} there."
    )
    hint_template = "Set the clock of this machine, or let it be set by NTP (`timedatectl set-ntp true`)."


class ObjectStorageFailed(StorageError):
    """The object storage went on failing, or answered something unexpected."""

    code = "OBJECT_STORAGE_FAILED"
    message_template = "The object storage at {host} failed, tried {attempts} times: {reason}"
    hint_template = (
        "Try again later. If it happens again, look into the log or the status page of the object storage."
        " Nothing is half-written: an object or file is there as a whole or not at all."
    )


class ObjectMissing(StorageError):
    """An object that belongs to the library is not in the bucket."""

    code = "OBJECT_MISSING"
    message_template = "The object “{key}” is not in the bucket “{bucket}”."
    hint_template = (
        "Check that nobody deletes objects of the library, and no lifecycle rule of the bucket does. With versioning"
        " they can be restored there."
    )


class ObjectTruncated(StorageError):
    """An object is not as long as it should be."""

    code = "OBJECT_TRUNCATED"
    message_template = "The object “{key}” has {found} bytes instead of {expected}."
    hint_template = "Try again. If it happens again, the object is damaged: restore it from a copy of the bucket."


class ObjectDamaged(StorageError):
    """An object does not contain what was stored under its name."""

    code = "OBJECT_DAMAGED"
    message_template = "The object “{key}” does not contain what was stored: {reason}"
    hint_template = (
        "Try again. If it happens again, restore the object from a copy or an earlier version of the bucket."
    )
