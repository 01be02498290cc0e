"""The nets in PyTorch's own words: modules, torch.optim, backward and step, in PyTorch's own layout (NCHW)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.workloads.parts.by_hand import (
    ADAM_BETAS,
    ADAM_EPSILON,
    LAYER_NORM_EPSILON,
    MOBILENET_BLOCKS,
    MOBILENET_NORM,
    MOMENTUM,
    RATES,
    RESNET_NORM,
    RESNET_STAGES,
    WITH_ADAM,
    Peer,
    numbered,
)


def build(
    net: str, weights: Mapping[str, Any], params: Mapping[str, Any], device: str, *, is_compiled: bool = False
) -> Peer:
    """A net whose weights begin as those given, by Keras path and in Keras's layout.

    Args:
        device: of torch, "cpu", "cuda" or "mps".
        is_compiled: whether torch.compile gets the net, forwards and backwards; the optimizer's step stays as it is.
    """
    import torch
    from torch import nn

    layers: dict[str, Any] = {}  # by the name of the Keras layer
    model = NETS[net](nn, layers, params)
    with torch.no_grad():
        load(nn, layers, {path: torch.from_numpy(weight) for path, weight in weights.items()})
    model.to(device)
    forward = torch.compile(model) if is_compiled else model
    trained = [value for value in model.parameters() if value.requires_grad]
    if net in WITH_ADAM:
        optimizer = torch.optim.Adam(trained, RATES[net], ADAM_BETAS, ADAM_EPSILON)
    else:
        optimizer = torch.optim.SGD(trained, RATES[net], MOMENTUM)
    cross_entropy = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(forward(torch.from_numpy(x).to(device)), torch.from_numpy(y).long().to(device))
        loss.backward()
        optimizer.step()
        return loss.detach()

    def set_rate(value: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = value

    def moving() -> dict[str, Any]:
        norms = {name: layer for name, layer in layers.items() if isinstance(layer, nn.BatchNorm2d)}
        means = {f"{name}/moving_mean": norm.running_mean for name, norm in norms.items()}
        variances = {f"{name}/moving_variance": norm.running_var for name, norm in norms.items()}
        return {path: value.cpu().numpy().copy() for path, value in (means | variances).items()}

    return Peer(step, set_rate, sum(value.numel() for value in trained), moving)


def load(nn: Any, layers: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    """Copy Keras's weights into modules, each turned into PyTorch's layout."""
    for name, layer in layers.items():
        own = {path.removeprefix(f"{name}/"): weight for path, weight in weights.items() if path.startswith(f"{name}/")}
        if isinstance(layer, nn.Conv2d):
            turned = (2, 3, 0, 1) if layer.groups > 1 else (3, 2, 0, 1)  # a kernel by channel is (3, 3, channels, 1)
            layer.weight.copy_(own["kernel"].permute(turned))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.copy_(own["moving_mean"])
            layer.running_var.copy_(own["moving_variance"])
        elif isinstance(layer, nn.Linear):
            layer.weight.copy_(own["kernel"].T)
        elif isinstance(layer, nn.Embedding):
            layer.weight.copy_(own["embeddings"])
        elif isinstance(layer, nn.LSTM):
            layer.weight_ih_l0.copy_(own["lstm_cell/kernel"].T)
            layer.weight_hh_l0.copy_(own["lstm_cell/recurrent_kernel"].T)
            layer.bias_ih_l0.copy_(own["lstm_cell/bias"])
        elif isinstance(layer, nn.MultiheadAttention):
            width, parts = layer.embed_dim, ("query", "key", "value")
            for index, part in enumerate(parts):
                rows = slice(index * width, (index + 1) * width)
                layer.in_proj_weight[rows].copy_(own[f"{part}/kernel"].reshape(width, width).T)
                layer.in_proj_bias[rows].copy_(own[f"{part}/bias"].reshape(width))
            layer.out_proj.weight.copy_(own["attention_output/kernel"].reshape(width, width).T)
            layer.out_proj.bias.copy_(own["attention_output/bias"])
        elif isinstance(layer, nn.Parameter):
            layer.copy_(own["table"])
        if isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            layer.weight.copy_(own["gamma"])
            layer.bias.copy_(own["beta"])
        elif "bias" in own:
            layer.bias.copy_(own["bias"])


def resnet50(nn: Any, layers: dict[str, Any], params: Any) -> Any:
    """Logits of (batch, 1000) from images of (batch, 3, rows, columns)."""

    def unit(name: str, n_in: int, n_out: int, size: int = 1, stride: int = 1) -> Any:
        keep, epsilon = RESNET_NORM
        layers[f"{name}_conv"] = nn.Conv2d(n_in, n_out, size, stride, padding=size // 2)
        layers[f"{name}_bn"] = nn.BatchNorm2d(n_out, epsilon, momentum=1 - keep)
        return nn.Sequential(layers[f"{name}_conv"], layers[f"{name}_bn"])

    class Block(nn.Module):
        def __init__(self, name: str, n_in: int, width: int, stride: int, *, is_first: bool) -> None:
            super().__init__()
            self.narrow = unit(f"{name}_1", n_in, width, stride=stride)
            self.look = unit(f"{name}_2", width, width, 3)
            self.widen = unit(f"{name}_3", width, 4 * width)
            self.shortcut = unit(f"{name}_0", n_in, 4 * width, stride=stride) if is_first else nn.Identity()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Any) -> Any:
            y = self.widen(self.relu(self.look(self.relu(self.narrow(x)))))
            return self.relu(y + self.shortcut(x))

    blocks, n_in = [], 64
    for stage, width, n_blocks in RESNET_STAGES:
        for index in range(n_blocks):
            stride = 2 if index == 0 and stage != "conv2" else 1
            blocks.append(Block(f"{stage}_block{index + 1}", n_in, width, stride, is_first=index == 0))
            n_in = 4 * width
    layers["predictions"] = nn.Linear(n_in, 1000)
    front = [unit("conv1", 3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)]
    return nn.Sequential(*front, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), layers["predictions"])


def mobilenet_v2(nn: Any, layers: dict[str, Any], params: Any) -> Any:
    """Logits of (batch, 1000) from images of (batch, 3, rows, columns), whose sides are multiples of 32."""

    def unit(conv: str, norm: str, n_in: int, n_out: int, size: int = 1, stride: int = 1, groups: int = 1) -> list[Any]:
        keep, epsilon = MOBILENET_NORM
        # Halving an even side, Keras pads behind only; PyTorch's own padding would shift the pixels by one.
        pad = [nn.ZeroPad2d((0, 1, 0, 1))] if stride == 2 else []
        padding = 0 if pad else size // 2
        layers[conv] = nn.Conv2d(n_in, n_out, size, stride, padding, groups=groups, bias=False)
        layers[norm] = nn.BatchNorm2d(n_out, epsilon, momentum=1 - keep)
        return [*pad, layers[conv], layers[norm], nn.ReLU6(inplace=True)]

    class Residual(nn.Sequential):
        def forward(self, x: Any) -> Any:
            return x + super().forward(x)

    parts, n_in = unit("Conv1", "bn_Conv1", 3, 32, 3, 2), 32
    for index, (n_out, stride) in enumerate(MOBILENET_BLOCKS):
        name, wide = (f"block_{index}_", 6 * n_in) if index else ("expanded_conv_", n_in)
        block = unit(f"{name}expand", f"{name}expand_BN", n_in, wide) if index else []
        block += unit(f"{name}depthwise", f"{name}depthwise_BN", wide, wide, 3, stride, wide)
        block += unit(f"{name}project", f"{name}project_BN", wide, n_out)[:-1]  # no ReLU
        parts.append((Residual if stride == 1 and n_in == n_out else nn.Sequential)(*block))
        n_in = n_out
    layers["predictions"] = nn.Linear(1280, 1000)
    parts += [*unit("Conv_1", "Conv_1_bn", n_in, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(), layers["predictions"]]
    return nn.Sequential(*parts)


def lstm_text(nn: Any, layers: dict[str, Any], params: Any) -> Any:
    """Logits of (batch, 128) from character codes of (batch, length)."""
    units = int(params["units"])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(128, 64), nn.LSTM(64, units, batch_first=True)
            self.dense = nn.Linear(units, 128)
            # PyTorch's layer adds two biases; two that both learn would move twice as fast as Keras's one.
            nn.init.zeros_(self.lstm.bias_hh_l0)
            self.lstm.bias_hh_l0.requires_grad_(False)

        def forward(self, x: Any) -> Any:
            outputs, _ = self.lstm(self.embedding(x))
            return self.dense(outputs[:, -1])

    net = Net()
    layers |= {"embedding": net.embedding, "lstm": net.lstm, "dense": net.dense}
    return net


def transformer_text(nn: Any, layers: dict[str, Any], params: Any) -> Any:
    """Logits of (batch, 8) from word ids of (batch, length)."""
    import torch

    width, n_layers, n_heads = (int(params[name]) for name in ("width", "layers", "heads"))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(8192, width)
            self.table = nn.Parameter(torch.zeros(int(params["length"]), width))
            self.encoder = nn.ModuleList(
                nn.TransformerEncoderLayer(
                    width,
                    n_heads,
                    4 * width,
                    dropout=0.0,
                    activation="gelu",
                    layer_norm_eps=LAYER_NORM_EPSILON,
                    batch_first=True,
                    norm_first=True,
                )
                for _ in range(n_layers)
            )
            self.norm, self.dense = nn.LayerNorm(width, LAYER_NORM_EPSILON), nn.Linear(width, 8)

        def forward(self, x: Any) -> Any:
            x = self.embedding(x) + self.table
            for layer in self.encoder:
                x = layer(x)
            return self.dense(self.norm(x).mean(1))

    net = Net()
    layers |= {"embedding": net.embedding, "positions": net.table}
    for index, layer in enumerate(net.encoder):
        layers[numbered("layer_normalization", 2 * index)] = layer.norm1
        layers[numbered("layer_normalization", 2 * index + 1)] = layer.norm2
        layers[numbered("multi_head_attention", index)] = layer.self_attn
        layers[numbered("dense", 2 * index)] = layer.linear1
        layers[numbered("dense", 2 * index + 1)] = layer.linear2
    layers[numbered("layer_normalization", 2 * n_layers)] = net.norm
    layers[numbered("dense", 2 * n_layers)] = net.dense
    return net


NETS = {
    "resnet50": resnet50,
    "mobilenet-v2": mobilenet_v2,
    "lstm-text": lstm_text,
    "transformer-text": transformer_text,
}
