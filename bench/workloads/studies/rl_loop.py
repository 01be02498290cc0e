"""A tiny policy balances a pole: environment and network in turn, one step at a time or many at once. Own physics.

Reinforcement learning spends its time in a loop between an environment, which is ordinary code on the CPU, and a net
of a few thousand weights. The study times the environment alone, one step of environment and policy together, and one
update of the policy; the number of environments that step together is the variant's parameter.

The cart and its pole obey the equations of Barto, Sutton and Anderson (1983), "Neuronlike adaptive elements that can
solve difficult learning control problems", IEEE Transactions on Systems, Man, and Cybernetics 13(5), with their masses
and lengths, but without friction, stepped by Euler's method.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Reading, Series, Variant, Workload

GRAVITY, FORCE_N = 9.8, 10.0  # m/s^2; pushed left or right with that force
CART_KG, POLE_KG, HALF_POLE_M = 1.0, 0.1, 0.5
STEP_S = 0.02
TRACK_M, FALL_RAD = 2.4, 0.2094  # an episode ends beyond 2.4 m from the middle or 12 degrees from upright
MAX_STEPS = 500
WIDTH = 64
N_UPDATE = 1_024  # transitions in one update, whatever the number of environments
DISCOUNT = 0.99

SPEC = Workload(
    id="rl-loop",
    title="Reinforcement learning loop",
    summary="A policy with two hidden layers of 64 balances poles on carts: act, step the environment, learn.",
    kind="study",
    sample_noun="environment steps",
    data_source="a simulated cart and pole, written in NumPy; starting positions come from a seeded generator",
    series=(
        Series(id="environment", label="environment step alone"),
        Series(id="act", label="policy and environment step"),
        Series(id="update", label="one update of the policy"),
    ),
    readings=(
        Reading(id="environment-steps-per-s", label="steps per second, environment alone", unit="per_s"),
        Reading(id="act-steps-per-s", label="steps per second, policy and environment", unit="per_s"),
        Reading(id="loop-steps-per-s", label="steps per second, updates included", unit="per_s"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params={"n_envs": 8}, n_blocks=3,
                          steady_limit_s=0.3, headline=True, estimate_s=8.0),),
        "quick": (Variant(mode="study", batch_size=1, n_samples=1, params={"n_envs": 1}, n_blocks=3,
                          steady_limit_s=0.3, headline=True, estimate_s=8.0),),
        "reference": tuple(Variant(mode="study", batch_size=1, n_samples=1, params={"n_envs": n_envs}, n_blocks=20,
                                   steady_limit_s=3.0, headline=n_envs == 1, estimate_s=16.0)
                           for n_envs in (1, 8, 64, 512)),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Collect transitions for an update, then time environment, acting and updating in turn."""
    import statistics

    import numpy as np

    n_envs = int(study.variant.params["n_envs"])
    poles = CartPoles(n_envs, study.seed)
    model = build_policy(study.keras, is_compiled=study.cell.backend == "jax")
    policy = compiled_policy(study, model)
    rng = np.random.default_rng(study.seed)

    def act() -> Any:
        """Sample a push for every cart from the policy and step; states before, pushes, rewards, ends."""
        states = poles.states
        logits = study.keras.ops.convert_to_numpy(policy(states))
        is_right = rng.random(n_envs) < 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
        return states, is_right.astype(np.int32), *poles.step(is_right)

    states, actions, rewards, ends = (
        np.stack(parts) for parts in zip(*(act() for _ in range(N_UPDATE // n_envs)), strict=True)
    )
    weights = advantages(rewards, ends)
    batch = states.reshape(-1, 4), actions.reshape(-1), weights.reshape(-1)
    pushes = np.zeros(n_envs, dtype=bool)

    def push() -> None:
        np.logical_not(pushes, out=pushes)
        poles.step(pushes)

    def keep_state() -> None:
        act()  # ends on the host: the pushes were read from the device

    study.time({
        "environment": push,
        "act": keep_state,
        "update": lambda: update(model, *batch),  # returns the loss on the host
    })  # fmt: skip
    study.observe(model.trainable_variables[0].value, policy(poles.states))

    def call_s(name: str) -> float:
        return statistics.median(block.seconds / block.n_steps for block in study.series[name])

    study.read("environment-steps-per-s", n_envs / call_s("environment"))
    study.read("act-steps-per-s", n_envs / call_s("act"))
    study.read("loop-steps-per-s", N_UPDATE / (N_UPDATE / n_envs * call_s("act") + call_s("update")))


def build_policy(keras: Any, *, is_compiled: bool) -> Any:
    """Two hidden layers and a read-out. Input (batch, 4), output (batch, 2), logits of left and right."""
    hidden = [keras.layers.Dense(WIDTH, activation="tanh") for _ in range(2)]  # (batch, 64) each
    model = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(2)], name="policy")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(3e-4), loss=loss, jit_compile=is_compiled)
    return model


def compiled_policy(study: Any, model: Any) -> Any:
    """The policy's forward pass, compiled as the backend's users do it: host array in, logits on the device out."""
    if study.cell.backend == "tensorflow":
        return study.framework.function(lambda states: model(states, training=False), reduce_retracing=True)
    if study.cell.backend == "jax":
        forward = study.framework.jit(lambda values, states: model.stateless_call(values, [], states)[0])
        return lambda states: forward([variable.value for variable in model.trainable_variables], states)

    def without_gradients(states: Any) -> Any:
        with study.framework.inference_mode():
            return model(states, training=False)

    return without_gradients


def update(model: Any, states: Any, actions: Any, weights: Any) -> Any:
    """One step of REINFORCE: cross-entropy of the pushes made, weighted by how much better than usual they ended."""
    return model.train_on_batch(states, actions, sample_weight=weights)


def advantages(rewards: Any, ends: Any) -> Any:
    """Discounted sum of the rewards to the episode's end, minus the mean, over the deviation; shape (steps, n_envs)."""
    import numpy as np

    returns, ahead = np.empty_like(rewards), np.zeros(rewards.shape[1:], dtype=rewards.dtype)
    for index in reversed(range(len(rewards))):
        ahead = rewards[index] + DISCOUNT * ahead * ~ends[index]
        returns[index] = ahead
    return (returns - returns.mean()) / (returns.std() + 1e-8)


class CartPoles:
    """Carts with poles that step together; one whose episode ends starts anew at once.

    ``states`` has shape (n, 4), float32: place in m, speed in m/s, angle from upright in rad, its rate in rad/s.
    """

    def __init__(self, n: int, seed: int) -> None:
        """n carts near the middle with poles near upright."""
        import numpy as np

        self._np, self._rng = np, np.random.default_rng(seed)
        self.states = self._start(n)
        self._n_steps = np.zeros(n, dtype=np.int32)

    def _start(self, n: int) -> Any:
        return self._rng.uniform(-0.05, 0.05, (n, 4)).astype(self._np.float32)

    def step(self, is_right: Any) -> tuple[Any, Any]:
        """Push every cart right or left for one step.

        Returns:
            Rewards, 1 for each pole still up, float32, and which episodes ended, both of shape (n,).
        """
        np = self._np
        place, speed, angle, rate = self.states.T
        sine, cosine = np.sin(angle), np.cos(angle)
        total_kg = CART_KG + POLE_KG
        force = np.where(is_right, FORCE_N, -FORCE_N)
        pushed = (force + POLE_KG * HALF_POLE_M * rate**2 * sine) / total_kg
        turning = (GRAVITY * sine - cosine * pushed) / (HALF_POLE_M * (4 / 3 - POLE_KG * cosine**2 / total_kg))
        moving = pushed - POLE_KG * HALF_POLE_M * turning * cosine / total_kg
        change = np.stack([speed, moving, rate, turning], axis=1)
        states = (self.states + STEP_S * change).astype(np.float32)
        self._n_steps += 1
        fell = (np.abs(states[:, 0]) > TRACK_M) | (np.abs(states[:, 2]) > FALL_RAD)
        ends = fell | (self._n_steps >= MAX_STEPS)
        if ends.any():
            states[ends] = self._start(int(ends.sum()))
            self._n_steps[ends] = 0
        self.states = states
        return (~fell).astype(np.float32), ends
