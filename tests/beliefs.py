"""The site's own beliefs, and verdicts on them."""

from __future__ import annotations

from bench.report.claims import beliefs
from bench.report.claims.case import Verdict
from bench.report.evidence.evidence import Evidence
from bench.report.prose import source

BELIEFS = source.beliefs()


def judge(verdict_id: str, evidence: Evidence) -> Verdict:
    """The verdict on one of the site's beliefs."""
    return beliefs.lookup(verdict_id, BELIEFS, evidence)
