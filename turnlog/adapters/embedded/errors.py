"""What the embedded PostgreSQL refuses."""

from turnlog.domain.errors import StoreUnavailable


class EmbeddedPostgresFailed(StoreUnavailable):
    """The embedded PostgreSQL cannot be used: {reason}"""
