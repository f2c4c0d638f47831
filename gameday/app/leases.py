"""All leases of a run as one: taken together, renewed together, given back together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gameday.errors import GamedayError, NoEffectError, RefusedError
from gameday.ports import Lease, Undo


class Leases:
    """A run's hold on every place in which it breaks something."""

    def __init__(self, leases: Sequence[Lease]) -> None:
        self._leases = tuple(leases)
        self._taken: list[Lease] = []

    def keep_fds(self) -> list[int]:
        """Descriptors that hold a lease for as long as somebody has them open."""
        found = (getattr(lease, "fileno", None) for lease in self._taken)
        return [fd() for fd in found if fd is not None]

    def take(self, before_each: Callable[[Undo], None]) -> None:
        """Take all, or none: raises `RefusedError` with every refusal.

        *before_each* is called with the record of a lease before that is taken. One whose taking is
        interrupted, or broke off, may have been taken: it is given back with the others.
        """
        refusals: list[str] = []
        for lease in self._leases:
            try:
                before_each(lease.undo)
                self._taken.append(lease)
                lease.take()
            except (RefusedError, NoEffectError) as error:
                self._taken.remove(lease)
                refusals.append(str(error))
            except GamedayError as error:
                refusals.append(str(error))
        if refusals:
            self.release_quietly()
            raise RefusedError("\n".join(dict.fromkeys(refusals)))

    def renew(self) -> None:
        """Hold them on. Raises what the first one raises that could not be, after all were tried.

        A refusal (another run has it) counts more than a server that does not answer.
        """
        errors: list[GamedayError] = []
        for lease in self._taken:
            try:
                lease.renew()
            except GamedayError as error:
                errors.append(error)
        if errors:
            raise min(errors, key=lambda e: not isinstance(e, RefusedError))

    def release(self) -> None:
        """Give all of them back, as far as that goes. Raises the first error, after all.

        What could not be given back is tried again by the next call.
        """
        errors: list[GamedayError] = []
        for lease in reversed(self._taken.copy()):
            try:
                lease.release()
                self._taken.remove(lease)
            except GamedayError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def release_quietly(self) -> bool:
        """The same; whoever cleans up afterwards does what could not be done. Whether all went."""
        try:
            self.release()
        except GamedayError:
            return False
        return True
