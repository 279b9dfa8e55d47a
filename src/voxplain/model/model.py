"""A network with what is needed to ask it honestly."""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from voxplain.errors import InputError, ModelError, suggest
from voxplain.model import checks, heads, layers, outputs, probe
from voxplain.model.freeze import Freeze
from voxplain.model.label_values import Values, values_of
from voxplain.model.preparation import Preparation
from voxplain.model.windows import Windows

Task = Literal["classification", "segmentation"]
Output = Literal["softmax", "sigmoid", "binary", "probabilities"]


class Model:
    """The user's module, how to prepare its input, and what its output means.

    The module is moved to ``device`` and otherwise never changed for good. What is not given is found out by
    asking the module with small random inputs.

    Args:
        module: takes (N, C, *spatial), returns one tensor or a nest of them.
        spatial_dims: 2 or 3.
        task: ``"classification"`` (N, K) or ``"segmentation"`` (N, K, *spatial).
        output: what the K outputs are: ``"softmax"`` logits (default for K > 1), ``"binary"`` (default for
            K = 1: one logit, foreground where positive), ``"sigmoid"`` logits of K independent labels, or
            ``"probabilities"``.
        classes: names; a single-logit network has two, background and foreground.
        head: which tensor of a nested output: ``"out"``, ``0``, ``"out.1"``.
        prepare: steps before the network.
        windows: how it slides; the whole image by default.
        device: such as ``"cpu"`` or ``"cuda:0"``.
        precision: ``"fp32"``, or ``"bf16"`` for autocast.
        resize_output: interpolates a coarser or finer segmentation linearly to the input's grid.
        channels_in: channels of the input, where they cannot be found out.
        label_values: for each class, the values of a ground-truth label map that mean it; by default its number, and
            nothing for the independent labels of ``"sigmoid"``.
        fixed_batch: the only batch size that the module takes.
        fixed_shape: the only spatial shape that it takes.
        hookable: whether Python hooks on submodules run (not in TorchScript).
        name: for messages.

    Attributes:
        channels_out: K of the raw output.
        device: of the parameters.

    Raises:
        ModelError: arguments that contradict the module.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        spatial_dims: int | None = None,
        task: Task | None = None,
        output: Output | None = None,
        classes: Sequence[str] | None = None,
        head: str | int | None = None,
        prepare: Preparation | None = None,
        windows: Windows | None = None,
        device: str | torch.device = "cpu",
        precision: Literal["fp32", "bf16"] = "fp32",
        resize_output: bool = False,
        channels_in: int | None = None,
        label_values: Sequence[Sequence[int]] | None = None,
        fixed_batch: int | None = None,
        fixed_shape: tuple[int, ...] | None = None,
        hookable: bool | None = None,
        name: str | None = None,
    ) -> None:
        checks.choice("task", task, ("classification", "segmentation"))
        checks.choice("output", output, outputs.KINDS)
        checks.choice("precision", precision, ("fp32", "bf16"))
        self.device = checks.device(device)
        self.module = module.to(self.device)
        self.name = name or type(module).__name__
        self.head = head
        self.precision = precision
        self.resize_output = resize_output
        self.fixed_batch = fixed_batch
        self.fixed_shape = fixed_shape
        self.hookable = not isinstance(module, torch.jit.ScriptModule) if hookable is None else hookable
        self._freeze = Freeze(module)
        self.asked_task = task
        self._asked = (output, tuple(classes) if classes is not None else None)
        self._label_values = label_values
        self._meaning: outputs.Meaning | None = None
        self.input_seen: tuple[int, ...] | None = None  # (C, *spatial) of an input that the module took
        self.windows = windows or Windows(roi=fixed_shape)
        prepare = prepare or Preparation()
        self.spatial_dims = probe.spatial_dims(module, spatial_dims, self.windows, prepare, fixed_shape)
        self.prepare = replace(prepare, dims=self.spatial_dims)
        self.channels_in = channels_in if channels_in is not None else probe.channels_in(module)
        self._why = probe.ask(self)

    @property
    def task(self) -> Task:
        """``"classification"`` or ``"segmentation"``."""
        return self.meaning.task

    @property
    def known_task(self) -> Task | None:
        """The task that the outputs showed, else the one that the user gave."""
        return self._meaning.task if self._meaning else self.asked_task

    @property
    def output(self) -> Output:
        """What the raw outputs are."""
        return self.meaning.output

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.meaning.classes

    @property
    def label_values(self) -> Values | None:
        """For each class, the values of a label map that mean it; None where nobody knows."""
        return values_of(self._label_values, self.classes, self.output)

    @property
    def channels_out(self) -> int:
        """K of the raw output, 1 for a binary network."""
        return self.meaning.channels

    @property
    def meaning(self) -> outputs.Meaning:
        """Task, output kind and classes; known after the first pass.

        Raises:
            ModelError: no pass has succeeded yet.
        """
        if self._meaning is None:
            raise ModelError(
                f"{self.name}: no output is known yet, because small random inputs failed ({self._why}); "
                "run one forward pass first, or give windows with a roi that the network takes"
            )
        return self._meaning

    def forward(self, x: Tensor) -> Tensor:
        """The network's raw output.

        Args:
            x: (N, C, *spatial), on the model's device.

        Returns:
            (N, K, *spatial) or (N, K), float32, or double where x is double.

        Raises:
            ModelError: an input that does not fit, an output that cannot be used, NaN.
        """
        checks.input_shape(self, x)
        if self.fixed_batch and len(x) != self.fixed_batch:
            out = self._in_fixed_batches(x, self.fixed_batch)
        else:
            out = self._pass(x)
        checks.finite(out, x, self.name)
        return out.double() if x.dtype == torch.float64 else out.float()

    def around(self, module: nn.Module) -> Model:
        """The same settings around another module of the same form, such as a copy with other weights."""
        other = copy.copy(self)
        other.module = module.to(self.device)
        other._freeze = Freeze(module)
        return other

    def frozen(self) -> AbstractContextManager[None]:
        """Evaluation mode, parameters without gradient, no in-place activations; all restored on exit.

        >>> model = Model(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(inplace=True)))
        >>> with model.frozen():
        ...     print(model.module.training, model.module[1].inplace, model.module[0].weight.requires_grad)
        False False False
        >>> print(model.module.training, model.module[1].inplace, model.module[0].weight.requires_grad)
        True True True
        """
        return self._freeze()

    def class_index(self, name_or_index: str | int) -> int:
        """Index of a class.

        Args:
            name_or_index: an int is the index, never a name. Text is a name (exact, else ignoring case), and only
                where no class has that name the index in digits.

        Raises:
            InputError: unknown or ambiguous; suggests the closest names.

        >>> model = Model(nn.Conv2d(1, 4, 1), classes=["0", "2", "3", "Liver"])
        >>> model.class_index(2), model.class_index("2"), model.class_index("1"), model.class_index("liver")
        (2, 1, 1, 3)
        """
        names = self.classes
        if not isinstance(name_or_index, str):
            return self._in_range(operator.index(name_or_index))
        text = name_or_index.strip()
        for found in ([n == text for n in names], [n.casefold() == text.casefold() for n in names]):
            if sum(found) > 1:
                which = [i for i, hit in enumerate(found) if hit]
                raise InputError(f"class {text!r}: found at indices {which}; give one of these instead")
            if any(found):
                return found.index(True)
        if text.lstrip("+-").isdecimal():
            return self._in_range(int(text))
        raise InputError(f"class {text!r}: the network does not know it; {suggest(text, names)}")

    def layer(self, name: str) -> nn.Module:
        """A submodule by its dotted name.

        Raises:
            ModelError: unknown (suggests the closest names), or a TorchScript network.
        """
        return layers.find(self, name)

    def need_hooks(self, what: str) -> None:
        """Refuse a network whose layers cannot be watched.

        Args:
            what: wants the hooks, for the message, such as ``"layer 'encoder.0'"``.

        Raises:
            ModelError: a TorchScript network.
        """
        layers.need_hooks(self, what)

    def layers(self) -> list[layers.Layer]:
        """Name, type and output shape of each submodule that runs, from one small pass.

        Raises:
            ModelError: a TorchScript network, or no input is known that the network takes.
        """
        return layers.run(self)

    @property
    def in_place(self) -> frozenset[nn.Module]:
        """Modules whose in-place flag is switched off while the model is frozen."""
        return self._freeze.in_place

    @property
    def asked_output(self) -> Output | None:
        """The output kind that the user gave."""
        return self._asked[0]

    def __repr__(self) -> str:
        known = (
            f"{self.task}, {self.output}, {len(self.classes)} classes" if self._meaning else "not asked yet"
        )
        return f"Model({self.name}, {self.spatial_dims}-D, {known}, {self.device}, {self.precision})"

    def _in_range(self, index: int) -> int:
        if 0 <= index < len(self.classes):
            return index
        raise InputError(f"class {index}: the network has classes 0 to {len(self.classes) - 1}")

    def _pass(self, x: Tensor) -> Tensor:
        parameter = next((p for p in self.module.parameters() if p.is_floating_point()), None)
        # a copy, since the network may work in place on its input
        given = x.to(x.dtype if parameter is None else parameter.dtype, copy=True)
        mixed = self.precision == "bf16" and x.dtype != torch.float64
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
                raw = self.module(given)
        except Exception as error:
            if checks.out_of_memory(error):
                raise
            raise checks.explain(error, self, x) from error
        chosen = heads.select(raw, self.head, self.name)
        out = outputs.shaped(chosen, x, self)
        if self._meaning is None:
            self._meaning = outputs.meaning(out, x, self.asked_task, *self._asked, name=self.name)
            self.input_seen = tuple(x.shape[1:])
        return out

    def _in_fixed_batches(self, x: Tensor, size: int) -> Tensor:
        parts = []
        for start in range(0, len(x), size):
            part = x[start : start + size]
            missing = size - len(part)
            # a repeated sample costs one wasted evaluation and gets no gradient, since its output is cut off
            whole = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
            parts.append(self._pass(whole)[: len(part)])
        return torch.cat(parts)
