"""PyTorch, as its own documentation recommends, and networks batched by hand and by torch.func."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from experiments.benchmark.work import Data, Trainer, Work, initial, share_right


def torch_device() -> Any:
    """The GPU if PyTorch knows one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def torch_module(layers: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """PyTorch's perceptron with these weights and biases."""
    import torch

    parts: list[Any] = []
    for weight, bias in layers:
        linear = torch.nn.Linear(*weight.shape)
        linear.load_state_dict({"weight": torch.from_numpy(weight.T.copy()), "bias": torch.from_numpy(bias)})
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1]).to(torch_device())


def torch_trainer(
    work: Work,
    data: Data,
    params: Iterable[Any],
    backward: Callable[[Any, Any], None],
    predict: Callable[[Any], Any],
    **adam: Any,
) -> Trainer:
    """Data as tensors in memory, a step at a time: ``backward(inputs, labels)`` leaves the gradients with
    ``params``, and ``predict(inputs)`` gives logits.
    """
    import torch

    kind = torch.optim.AdamW if "weight_decay" in adam else torch.optim.Adam
    optimizer = kind(params, lr=work.learning_rate, **{"fused": True} | adam)
    inputs, labels, validation = (
        torch.from_numpy(array).to(torch_device())
        for array in (data.inputs, data.labels.astype(np.int64), data.validation_inputs)
    )

    def epoch() -> None:
        for rows in torch.randperm(len(inputs), device=torch_device()).split(work.batch_size):
            optimizer.zero_grad(set_to_none=True)
            backward(inputs[rows], labels[rows])
            optimizer.step()
        # A GPU, if there is one, answers before it is done.
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def accuracy() -> float:
        with torch.inference_mode():
            return share_right(predict(validation).cpu(), data.validation_labels)

    return Trainer(epoch, accuracy)


def autocast(enabled: bool) -> Any:
    """Products in bfloat16, if so."""
    import torch

    return torch.autocast(torch_device().type, torch.bfloat16, enabled=enabled)


def torch(work: Work, data: Data, *, compiled: bool = False, bfloat16: bool = False, **adam: Any) -> Trainer:
    """PyTorch, one network."""
    import torch

    torch.manual_seed(work.seed)
    model, cross_entropy = torch_module(initial(work)), torch.nn.CrossEntropyLoss()

    def forward(x: Any, y: Any) -> Any:
        with autocast(bfloat16):
            return cross_entropy(model(x), y)

    # Of a GPU's launches a whole step becomes one: its CUDA graph.
    mode = "reduce-overhead" if torch.cuda.is_available() else "default"
    loss = torch.compile(forward, mode=mode) if compiled else forward
    return torch_trainer(work, data, model.parameters(), lambda x, y: loss(x, y).backward(), model, **adam)


def torch_by_hand(work: Work, data: Data, *, bfloat16: bool = False) -> Trainer:
    """PyTorch with all members' first layers as one large one, and their others as a batch of products."""
    import torch

    torch.manual_seed(work.seed)
    each = [initial(work, member) for member in range(work.num_members)]
    arrays = [np.stack(parts) for layer in zip(*each, strict=True) for parts in zip(*layer, strict=True)]
    arrays[0] = np.moveaxis(arrays[0], 0, 1).reshape(work.layer_sizes[0], -1)
    arrays[1] = arrays[1].ravel()
    flat = [torch.from_numpy(array).to(torch_device()).requires_grad_() for array in arrays]

    def forward(x: Any) -> Any:
        hidden = torch.addmm(flat[1], x, flat[0])
        hidden = hidden.view(len(x), work.num_members, -1).transpose(0, 1)
        for weight, bias in zip(flat[2::2], flat[3::2], strict=True):
            hidden = torch.baddbmm(bias[:, None], torch.relu(hidden), weight)
        return hidden

    def backward(x: Any, y: Any) -> None:
        with autocast(bfloat16):
            logits, targets = forward(x), y.expand(work.num_members, -1)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        (work.num_members * loss).backward()

    return torch_trainer(work, data, flat, backward, forward)


def torch_func(work: Work, data: Data) -> Trainer:
    """PyTorch's own way to ensembles: torch.func's vmap of the gradient over stacked modules."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    torch.manual_seed(work.seed)
    modules = [torch_module(initial(work, member)) for member in range(work.num_members)]
    base = modules[0]
    params, buffers = stack_module_state(modules)

    def loss_fn(params: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(functional_call(base, (params, buffers), (x,)), y)

    grads_of = vmap(grad(loss_fn), in_dims=(0, None, None))

    def backward(x: Any, y: Any) -> None:
        for name, grads in grads_of(params, x, y).items():
            params[name].grad = grads

    def predict(x: Any) -> Any:
        return vmap(lambda p: functional_call(base, (p, buffers), (x,)))(params)

    return torch_trainer(work, data, params.values(), backward, predict)
