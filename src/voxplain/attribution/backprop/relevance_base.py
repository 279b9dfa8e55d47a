"""What every backward pass of relevance does: it keeps books, and refuses what it has no rule for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from torch import Tensor, nn

from voxplain.attribution.backprop import decompose
from voxplain.attribution.backprop.call import Back, Call
from voxplain.attribution.backprop.relevance_books import Books
from voxplain.attribution.backprop.relevance_cut import cut
from voxplain.attribution.backprop.relevance_graph import mark
from voxplain.attribution.backprop.relevance_rules import Shares
from voxplain.attribution.backprop.rules import Rules

# (inputs, output, relevance of the output) -> relevance of every input, and what became of the rest
Share = Callable[[tuple[Tensor, ...], Tensor, Tensor], tuple[Sequence[Tensor | None], Shares]]


class RelevanceRules(Rules):
    """Relevance that is shared out and written down, whatever the rules.

    Attributes:
        books: what became of every target's relevance.
    """

    strict = True
    inflation = 2

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__(module, method)
        self.books = Books()
        self._image: Tensor | None = None

    def start(self, x: Tensor) -> None:
        self.books.start(len(x))
        self._image = x
        x.register_hook(lambda relevance: self.books.take("arrived", relevance))  # type: ignore[no-untyped-call]

    def watched(self, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        z = super().watched(run, x)
        mark(z)
        return z

    def seed(self, cotangent: Tensor, z: Tensor) -> Tensor:
        """Relevance at the output: what each output adds to a linear score."""
        relevance = cotangent * z
        self.books.open(relevance)
        return relevance

    def after(self, served: Sequence[tuple[int, int]]) -> None:
        self.books.close(served)

    def detached(self, tensor: Tensor, gate: bool) -> Tensor:
        assert self._image is not None
        return cut(tensor, self._image, lambda relevance: self.books.take("detached", relevance), gate=gate)

    def booked(self, found: Shares) -> Tensor:
        """The inputs' relevance; what did not reach them is written down."""
        self.books.take("bias", found.bias)
        self.books.take("epsilon", found.epsilon)
        self.books.take("dead", found.rest)
        return found.inputs

    def booking(self, share: Share) -> Back:
        """A rule that writes down what did not reach the inputs."""

        def back(inputs: tuple[Tensor, ...], out: Tensor, relevance: Tensor) -> Sequence[Tensor | None]:
            given, shares = share(inputs, out, relevance)
            self.booked(shares)
            return given

        return back

    def no_rule(self, what: str) -> NoReturn:
        """Give up on this network.

        Raises:
            ModelError: always.
        """
        self.refuse(
            f"it has no rule for {what}; choose a method that takes any operation, such as integrated_gradients or occlusion"
        )

    def attention(self, call: Call) -> object:
        with self.again():
            return decompose.attention(call)

    def multihead(self, call: Call) -> object:
        with self.again():
            return decompose.multihead(call)

    def rewritten(self, call: Call) -> object:
        with self.again():
            return decompose.rewritten(call)
