"""PyTorch, as its own documentation recommends, and networks batched by hand and by torch.func."""

from typing import Any

import numpy as np

from experiments.benchmark.work import Data, Trainer, Work, initial, share_right


def torch_device() -> Any:
    """The GPU if PyTorch knows one."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def torch_wait() -> None:
    """Return when all that was asked of the GPU, if there is one, is done."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def torch_module(layers: list[tuple[np.ndarray, np.ndarray]]) -> Any:
    """PyTorch's perceptron with these weights and biases."""
    import torch

    parts: list[Any] = []
    for weight, bias in layers:
        linear = torch.nn.Linear(*weight.shape)
        linear.load_state_dict({"weight": torch.from_numpy(weight.T.copy()), "bias": torch.from_numpy(bias)})
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1]).to(torch_device())


def torch_tensors(data: Data) -> Any:
    """Inputs, labels and validation inputs as PyTorch takes them, on its device."""
    import torch

    arrays = data.inputs, data.labels.astype(np.int64), data.validation_inputs
    return [torch.from_numpy(array).to(torch_device()) for array in arrays]


def torch(
    work: Work, data: Data, *, fused: bool = True, compiled: bool = False, bfloat16: bool = False
) -> Trainer:
    """PyTorch: data as tensors in memory, a step at a time."""
    import torch

    torch.manual_seed(work.seed)
    model = torch_module(initial(work))
    optimizer = torch.optim.Adam(model.parameters(), lr=work.learning_rate, fused=fused)
    loss_fn = torch.nn.CrossEntropyLoss()
    inputs, labels, validation = torch_tensors(data)
    device = torch_device()

    def forward(x: Any, y: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            return loss_fn(model(x), y)

    # Of a GPU's launches a whole step becomes one: its CUDA graph.
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    loss_of = torch.compile(forward, mode=mode) if compiled else forward

    def epoch() -> None:
        for rows in torch.randperm(len(inputs), device=device).split(work.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_of(inputs[rows], labels[rows]).backward()
            optimizer.step()
        torch_wait()

    def accuracy() -> float:
        with torch.inference_mode():
            return share_right(model(validation).cpu(), data.validation_labels)

    return Trainer(epoch, accuracy)


def torch_by_hand(work: Work, data: Data, *, bfloat16: bool = False) -> Trainer:
    """PyTorch with all members' first layers as one large one, and their others as a batch of products."""
    import torch

    torch.manual_seed(work.seed)
    each = [initial(work, member) for member in range(work.num_members)]
    arrays = [np.stack(parts) for layer in zip(*each, strict=True) for parts in zip(*layer, strict=True)]
    arrays[0] = np.moveaxis(arrays[0], 0, 1).reshape(work.layer_sizes[0], -1)
    arrays[1] = arrays[1].ravel()
    device = torch_device()
    flat = [torch.from_numpy(array).to(device).requires_grad_() for array in arrays]
    optimizer = torch.optim.Adam(flat, lr=work.learning_rate, fused=True)
    inputs, labels, validation = torch_tensors(data)

    def forward(x: Any) -> Any:
        hidden = torch.addmm(flat[1], x, flat[0])
        hidden = hidden.view(len(x), work.num_members, -1).transpose(0, 1)
        for weight, bias in zip(flat[2::2], flat[3::2], strict=True):
            hidden = torch.baddbmm(bias[:, None], torch.relu(hidden), weight)
        return hidden

    def loss_of(x: Any, y: Any) -> Any:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            logits, targets = forward(x), y.expand(work.num_members, -1)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return work.num_members * loss

    def epoch() -> None:
        for rows in torch.randperm(len(inputs), device=device).split(work.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_of(inputs[rows], labels[rows]).backward()
            optimizer.step()
        torch_wait()

    def accuracy() -> float:
        with torch.inference_mode():
            return share_right(forward(validation).cpu(), data.validation_labels)

    return Trainer(epoch, accuracy)


def torch_func(work: Work, data: Data) -> Trainer:
    """PyTorch's own way to ensembles: torch.func's vmap of the gradient over stacked modules."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    torch.manual_seed(work.seed)
    modules = [torch_module(initial(work, member)) for member in range(work.num_members)]
    base = modules[0]
    params, buffers = stack_module_state(modules)
    optimizer = torch.optim.Adam(params.values(), lr=work.learning_rate, fused=True)
    inputs, labels, validation = torch_tensors(data)

    def loss_fn(params: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(functional_call(base, (params, buffers), (x,)), y)

    grads_of = vmap(grad(loss_fn), in_dims=(0, None, None))

    def epoch() -> None:
        for rows in torch.randperm(len(inputs), device=torch_device()).split(work.batch_size):
            for name, grads in grads_of(params, inputs[rows], labels[rows]).items():
                params[name].grad = grads
            optimizer.step()
        torch_wait()

    def accuracy() -> float:
        with torch.inference_mode():
            logits = vmap(lambda p: functional_call(base, (p, buffers), (validation,)))(params)
        return share_right(logits.cpu(), data.validation_labels)

    return Trainer(epoch, accuracy)
