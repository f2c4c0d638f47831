"""What a clean-up did, and what it could not do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """`lines` says what was done, for people; `dirty` names what may still be broken."""

    lines: tuple[str, ...] = ()
    dirty: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether everything was read back as gone."""
        return not self.dirty
