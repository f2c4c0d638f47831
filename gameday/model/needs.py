"""What a scenario may say it needs (`needs`), so that it is skipped where that is not there."""

from __future__ import annotations

DOCKER, CONTAINERS, LIBFAKETIME = "docker", "containers", "libfaketime"
#: Each word, and what has to be there for it.
NEEDS = {
    DOCKER: "a Docker engine that answers",
    CONTAINERS: "such an engine, and on it the containers that the faults break",
    LIBFAKETIME: "the library libfaketime on this machine",
}
