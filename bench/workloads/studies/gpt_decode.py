"""Text written by a GPT with random weights, one token at a time for one user. Pure: seeded weights, own functions.

Each token needs every weight once and little arithmetic with it, so the memory's speed sets the pace. The study times
tokens beside three plain walks through as many bytes in the same process, and says which share of that pace is
reached. Keys and values of earlier tokens stay in a cache of fixed size, so that no call has a new shape.
"""

from __future__ import annotations

from typing import Any

from bench.schema import Reading, Series, Variant, Workload

N_TOKENS = 8_192  # rows of the embedding, which is also the read-out
CONTEXT = 256  # tokens that fit into the cache; each token attends to all places written so far
PROMPT = 64  # where writing begins, and begins again when the cache is full

TINY = {"width": 64, "layers": 2, "heads": 2}
SMALL = {"width": 384, "layers": 6, "heads": 6}  # 14 million weights
MEDIUM = {"width": 768, "layers": 12, "heads": 12}  # depth and width of the smallest GPT-2; 91 million weights
LARGE = {"width": 2048, "layers": 20, "heads": 16}  # 1.0 billion weights

SPEC = Workload(
    id="gpt-decode",
    title="Writing tokens with a GPT",
    summary="A decoder-only transformer with random weights writes text for one user, one token after another.",
    kind="study",
    sample_noun="tokens",
    data_source="weights drawn by a seeded generator: only speed is asked, and it does not depend on them",
    series=(
        Series(id="token", label="one token"),
        Series(id="sum", label="sum over as many bytes as the weights have"),
        Series(id="scale", label="as many bytes read, scaled and written"),
        Series(id="product", label="product of a matrix of as many bytes with one vector"),
    ),
    readings=(
        Reading(id="weight-bytes", label="bytes of the weights", unit="bytes"),
        Reading(id="bandwidth", label="fastest walk through as many bytes", unit="bytes_per_s"),
        Reading(id="tokens-per-s", label="tokens per second", unit="per_s"),
        Reading(id="bound-tokens-per-s", label="tokens per second that the bandwidth allows", unit="per_s"),
        Reading(id="bound-frac", label="share of that bound reached", unit="frac"),
    ),
    variants={
        "smoke": (Variant(mode="study", batch_size=1, n_samples=1, params=TINY, n_blocks=3, steady_limit_s=0.5,
                          headline=True, estimate_s=10.0),),
        "quick": (Variant(mode="study", batch_size=1, n_samples=1, params=SMALL, n_blocks=3, steady_limit_s=0.5,
                          headline=True, estimate_s=8.0),),
        "reference": (
            Variant(mode="study", batch_size=1, n_samples=1, params=SMALL, n_blocks=20, steady_limit_s=4.0,
                    headline=True, estimate_s=20.0, more_threads=(1, 2, 4, 8), sweep="threads"),
            Variant(mode="study", batch_size=1, n_samples=1, params=MEDIUM, n_blocks=20, steady_limit_s=4.0,
                    headline=True, estimate_s=25.0, more_threads=(1, 2, 4, 8), more_precisions=("mixed_bfloat16",),
                    sweep="threads"),
            Variant(mode="study", batch_size=1, n_samples=1, params=LARGE, n_blocks=20, steady_limit_s=4.0,
                    estimate_s=60.0, devices=("gpu",), more_precisions=("mixed_bfloat16",)),
        ),
    },
)  # fmt: skip


def measure(study: Any) -> None:
    """Time tokens and walks in turn; weights have the type of the run's precision, float32 or bfloat16."""
    import statistics

    ops = study.keras.ops
    is_mixed = study.cell.precision.startswith("mixed_")
    dtype = study.cell.precision.removeprefix("mixed_") if is_mixed else "float32"
    weights = draw_weights(study.keras, study.variant.params, study.seed, dtype)
    writer = Writer(study, weights, dtype)

    n = n_weights(study.variant.params)
    matrix = ops.cast(study.keras.random.normal((n // 1024, 1024), seed=study.seed), dtype)
    vector = ops.ones((1024, 1), dtype=dtype)

    def end_of(value: Any) -> Any:
        """What to wait for: waiting in TensorFlow copies a tensor to the host, so one number of it is enough."""
        is_whole = study.cell.backend != "tensorflow"
        return value if is_whole else ops.cast(ops.reshape(value, (-1,))[0], "float32")

    study.time({
        "token": writer.token,
        "sum": lambda: end_of(ops.sum(matrix)),
        "scale": lambda: end_of(matrix * 0.5),
        "product": lambda: end_of(ops.matmul(matrix, vector)),
    })  # fmt: skip
    study.observe(weights["table"], writer.logits)

    def call_s(name: str) -> float:
        return statistics.median(block.seconds / block.n_steps for block in study.series[name])

    n_bytes = n * (2 if is_mixed else 4)
    bandwidth = max(n_bytes / call_s("sum"), 2 * n_bytes / call_s("scale"), n_bytes / call_s("product"))
    study.read("weight-bytes", n_bytes)
    study.read("bandwidth", bandwidth)
    study.read("tokens-per-s", 1 / call_s("token"))
    study.read("bound-tokens-per-s", bandwidth / n_bytes)
    study.read("bound-frac", n_bytes / call_s("token") / bandwidth)


def n_weights(params: Any) -> int:
    """Weights that every token needs: the layers, and the table, which is read whole as the read-out."""
    width, n_layers = int(params["width"]), int(params["layers"])
    return N_TOKENS * width + n_layers * 12 * width**2


def draw_weights(keras: Any, params: Any, seed: int, dtype: str) -> dict[str, Any]:
    """Tensors on the default device: "table" (8192, width), "places" (256, width) and "layers", a list of four each.

    Norms have no weights of their own: they would be ones and zeros, and too few to count.
    """
    width, n_layers = int(params["width"]), int(params["layers"])
    seeds = iter(range(seed * 1000, seed * 1000 + 4 * n_layers + 2))

    def draw(*shape: int) -> Any:
        return keras.ops.cast(keras.random.normal(shape, stddev=0.02, seed=next(seeds)), dtype)

    sizes = {"qkv": (width, 3 * width), "out": (width, width), "up": (width, 4 * width), "down": (4 * width, width)}
    layers = [{name: draw(*shape) for name, shape in sizes.items()} for _ in range(n_layers)]
    return {"table": draw(N_TOKENS, width), "places": draw(CONTEXT, width), "layers": layers}


def forward(ops: Any, weights: Any, n_heads: int, token: Any, place: Any, store: Any) -> tuple[Any, Any]:
    """One token through the decoder: the next token, shape (1,), and logits, shape (8192, 1).

    Args:
        token, place: id and position of the token, shape (1,), whole numbers.
        store: puts a layer's key and value, each (heads, 1, size), into its caches and returns these, each
            (heads, 256, size).
    """
    width = weights["table"].shape[1]
    size = width // n_heads
    is_past = ops.reshape(ops.arange(CONTEXT, dtype="int32") <= place, (1, CONTEXT, 1))
    x = ops.take(weights["table"], token, axis=0) + ops.take(weights["places"], place, axis=0)  # (1, width)
    for number, layer in enumerate(weights["layers"]):
        parts = ops.split(ops.matmul(_norm(ops, x), layer["qkv"]), 3, axis=-1)
        query, key, value = (ops.reshape(part, (n_heads, 1, size)) for part in parts)
        keys, values = store(number, key, value)
        scores = ops.matmul(keys, ops.reshape(query, (n_heads, size, 1))) / size**0.5  # (heads, 256, 1)
        shares = ops.softmax(ops.where(is_past, ops.cast(scores, "float32"), -1e9), axis=1)
        shares = ops.reshape(ops.cast(shares, x.dtype), (n_heads, 1, CONTEXT))
        x = x + ops.matmul(ops.reshape(ops.matmul(shares, values), (1, width)), layer["out"])
        x = x + ops.matmul(ops.gelu(ops.matmul(_norm(ops, x), layer["up"])), layer["down"])
    # The table times the column, and not the row times the table turned round, which some backends would copy.
    logits = ops.matmul(weights["table"], ops.reshape(_norm(ops, x), (width, 1)))  # (8192, 1)
    return ops.cast(ops.argmax(logits, axis=0), "int32"), logits


def _norm(ops: Any, x: Any) -> Any:
    """Mean 0 and variance 1 over the last axis."""
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    return centred * ops.rsqrt(ops.mean(ops.square(centred), axis=-1, keepdims=True) + 1e-5)


class Writer:
    """Writes token after token, each the likeliest after the one before, with caches kept on the device.

    The forward pass is compiled as the backend's users compile it: a traced graph in TensorFlow, XLA in JAX; PyTorch
    runs operation by operation, without gradients. The token stays on the device.
    """

    def __init__(self, study: Any, weights: dict[str, Any], dtype: str) -> None:
        """Empty caches, writing from the place after the prompt, whose keys and values are zeros."""
        self._study, self._weights = study, weights
        self._n_heads, n_layers = int(study.variant.params["heads"]), int(study.variant.params["layers"])
        ops = study.keras.ops
        shape = (self._n_heads, CONTEXT, int(study.variant.params["width"]) // self._n_heads)
        self._caches = [[ops.zeros(shape, dtype=dtype) for _ in range(2)] for _ in range(n_layers)]
        index_type = "int64" if study.cell.backend == "torch" else "int32"  # PyTorch indexes by 64 bits only
        self._places = [ops.convert_to_tensor([place], dtype=index_type) for place in range(CONTEXT)]
        self._token, self._place = ops.convert_to_tensor([1], dtype="int32"), PROMPT
        self._step = {"tensorflow": self._tensorflow, "jax": self._jax, "torch": self._torch}[study.cell.backend]()
        self.logits: Any = None

    def token(self) -> Any:
        """Write one more token; its id, shape (1,), on the device."""
        self._token, self.logits = self._step(self._token, self._places[self._place])
        self._place = self._place + 1 if self._place + 1 < CONTEXT else PROMPT
        return self._token

    def _tensorflow(self) -> Any:
        tf, ops = self._study.framework, self._study.keras.ops
        caches = [[tf.Variable(cache) for cache in pair] for pair in self._caches]

        @tf.function
        def step(token: Any, place: Any) -> Any:
            def store(number: int, *new: Any) -> Any:
                for cache, part in zip(caches[number], new, strict=True):
                    cache[:, place[0], :].assign(part[:, 0])  # in place: the rest of the cache is not touched
                return [cache.read_value() for cache in caches[number]]

            return forward(ops, self._weights, self._n_heads, token, place, store)

        return step

    def _jax(self) -> Any:
        jax, ops = self._study.framework, self._study.keras.ops

        def pure(weights: Any, caches: Any, token: Any, place: Any) -> Any:
            def store(number: int, *new: Any) -> Any:
                caches[number] = [
                    jax.lax.dynamic_update_slice(cache, part, (0, place[0], 0))
                    for cache, part in zip(caches[number], new, strict=True)
                ]
                return caches[number]

            token, logits = forward(ops, weights, self._n_heads, token, place, store)
            return token, logits, caches

        compiled = jax.jit(pure, donate_argnums=1)  # donated, so that the caches are changed in place

        def step(token: Any, place: Any) -> Any:
            token, logits, self._caches = compiled(self._weights, self._caches, token, place)
            return token, logits

        return step

    def _torch(self) -> Any:
        torch, ops = self._study.framework, self._study.keras.ops

        def store(number: int, *new: Any) -> Any:
            for cache, part in zip(self._caches[number], new, strict=True):
                cache.index_copy_(1, place_of[0], part)
            return self._caches[number]

        place_of: list[Any] = [None]

        def step(token: Any, place: Any) -> Any:
            place_of[0] = place
            with torch.inference_mode():
                return forward(ops, self._weights, self._n_heads, token, place, store)

        return step
