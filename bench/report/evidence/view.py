"""Which of a study's settings counts as the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.schema import Backend, Device, Record, Scalar

if TYPE_CHECKING:
    from bench.records.store import SessionResults
    from bench.report.evidence.evidence import Evidence


def usual(
    evidence: Evidence,
    session: SessionResults | None,
    workload: str,
    device: Device,
    backend: Backend,
    params: Mapping[str, Scalar] | None = None,
) -> Record | None:
    """The cell that speaks for a study: its headline variant at float32, on the most threads used for it.

    With ``params``, which may be a part of a variant's, that variant instead.

    A disturbed cell speaks only where there is no other.
    """
    found = evidence.candidates(session, workload, "study", device, backend=backend, params=params)
    return next((record for record in evidence.undisturbed(found) if record.status == "ok"), None)
