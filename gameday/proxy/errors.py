"""Errors that the HTTP API answers, with the wording of Toxiproxy."""

from __future__ import annotations


class ApiError(Exception):
    """A request that is answered with an error; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class ListenError(ApiError):
    """A listen address that cannot be used: 500, as the real server answers it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 500)


def bad_body(reason: str) -> ApiError:
    """Return the 400 for a body that cannot be read as what the route wants."""
    return ApiError(f"bad request body: {reason}", 400)


def missing_field(field: str) -> ApiError:
    """Return the 400 for a required field that is missing or empty."""
    return ApiError(f"missing required field: {field}", 400)


def proxy_not_found() -> ApiError:
    """Return the 404 for a proxy nobody created."""
    return ApiError("proxy not found", 404)


def proxy_exists() -> ApiError:
    """Return the 409 for a proxy name that is taken."""
    return ApiError("proxy already exists", 409)


def toxic_not_found() -> ApiError:
    """Return the 404 for a toxic that the proxy does not have."""
    return ApiError("toxic not found", 404)


def toxic_exists() -> ApiError:
    """Return the 409 for a toxic name that is taken in either stream."""
    return ApiError("toxic already exists", 409)
