"""Thresholds that several rules share, or that code asks for: one constant each, with its reason.

What only one rule asks for stands in the front matter of its page.
"""

from __future__ import annotations

# A wait that fits into a break from studying; longer, and the next attempt happens another day.
COFFEE_BREAK_S = 600.0
# From leaving in the evening to coming back in the morning.
OVERNIGHT_S = 12 * 3600.0
# Half: a belief about "always" that fails for every second job of its own readers does not hold for them.
COURSE_SHARE_FRAC = 0.5
# Half of one or two jobs would be one lucky job.
MIN_JOBS = 3
# What a course asks of a model whose workload times no whole job: ten passes over 2,000 examples, the size of the
# data set in the article whose "42 minutes against 33 seconds" many readers come with.
COURSE_SAMPLES = 20_000
# Twice as fast is the least for which people put up with a second machine, its driver and its price.
WORTH_A_GPU_RATIO = 2.0
# Nine tenths: what is advertised as doubling, or as a peak, may fall short by a tenth before it is called wrong.
NEARLY_ALL_FRAC = 0.9
# A fifth more is the least that a timing by hand would notice.
NOTICED_RATIO = 1.2
LOOK_UPS = "embedding"  # the workload whose weights are a table
