"""Thresholds of the verdicts: one constant each, with its reason."""

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
# As fast as: what a belief in "always faster" or "no slower" says.
EVEN_RATIO = 1.0
# The factor that the belief itself names.
HUNDRED_RATIO = 100.0
# What people who hold that an optimised CPU keeps up usually say, "about twice", with room for a machine's luck.
NEARLY_AS_FAST_RATIO = 2.5
# The lower end of "CPUs beat GPUs four to fifteen times", as GPU over CPU.
CPU_AHEAD_RATIO = 1 / 4
# Below half as much again, nobody would call a recurrent network sped up.
LSTM_GAIN_RATIO = 1.5
# An answer that takes longer is felt as a wait (Nielsen, Usability Engineering, 1993: 0.1 s feels instant).
INSTANT_S = 0.1
# The slowest rate that is called video.
VIDEO_PER_S = 24.0
# Half the speed of the data-centre card of the same years, for a card sold to players, is "suited" by any measure.
SUITED_RATIO = 0.5
# Nine tenths: what is advertised as doubling, or as a peak, may fall short by a tenth before it is called wrong.
NEARLY_ALL_FRAC = 0.9
# A fifth more is the least that a timing by hand would notice.
NOTICED_RATIO = 1.2
# Half as long per doubling, with a fifth of slack: 1 / 0.6.
DOUBLED_RATIO = 1 / 0.6
# First steps that take a third longer make a plan from the first epoch wrong.
FIRST_STEP_RATIO = 1.3
# "Half", with a tenth of slack on either side.
HALF_RATIOS = (0.45, 0.55)
# A stock build that reaches this share of the fastest library on the same machine is not what makes a job slow.
STOCK_FRAC = 0.6
# A GPU whose meter reads this or more looks full; one that reads this or less looks idle.
LOOKS_FULL_FRAC, LOOKS_IDLE_FRAC = 0.95, 0.5
# A short epoch: what compiling must have paid for by then, if it pays at once.
SHORT_EPOCH_STEPS = 100.0
# Twice the weights: room for the gradients and for nothing else.
MEMORY_RATIO = 2.0
# Below a third of the step, copying is not what to mend first.
COPY_FRAC = 0.3
# Less than a third faster is not "much".
RESIDENT_RATIO = 1.3
# One decimal digit.
ROUNDING_RATIO = 10.0
# Half of what a limit allows: nearer than that, the limit is what decides.
BOUND_FRAC = 0.5
# A tenth of a percentage point: less is a few pictures of a held-out set, and no better model.
BETTER_FRAC = 0.001
# A training that lasts less has no first and last minute.
LONG_MINUTES = 2.0
LOOK_UPS = "embedding"  # the workload whose weights are a table
# A price that differs by a quarter between shops is a different price.
SAME_PRICE_RATIO = 1.25
