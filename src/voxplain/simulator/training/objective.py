"""What one step of training computes, as one module: so that several processes can share it."""

from __future__ import annotations

from torch import Tensor, nn

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.simulator import losses
from voxplain.simulator.networks import Simulator

Terms = dict[str, Tensor]


class Objective(nn.Module):
    """Losses per sample of a simulator's answers to a batch.

    Args:
        simulator: what is trained.
        decision: what is explained; held still.
        told: which losses count how much.
        gap: distance of the classes' typical logits.
    """

    def __init__(
        self, simulator: Simulator, decision: Decision, told: losses.LossSettings, gap: float
    ) -> None:
        super().__init__()
        self.simulator, self.decision, self.told, self.gap = simulator, decision, told, gap

    def forward(self, x: Tensor, before: Tensor, target: Tensor, direction: Tensor) -> Terms:
        """Every loss that has a weight, (N,) each; besides ``after`` (N,), the logit, and ``image`` (N, C, *S).

        Args:
            x: images (N, C, *S).
            before: (N,) their logits.
            target: (N,) the logits that they should have.
            direction: (N,) +1 or −1.
        """
        told = self.told
        dose = losses.matched_dose(before, target, direction, self.gap) if told.dose == "matched" else 1.0
        change = self.simulator(x, direction)
        image = change(x, dose)
        after = self.decision(image)
        terms: Terms = {"after": after, "image": image}
        if told.logit == "hinge":
            terms["logit"] = losses.hinge(before, after, direction, told.margin)
        else:
            terms["logit"] = losses.towards(after, target, self.gap)
        for name in ("size", "bending", "gradient"):
            if getattr(told, name):
                terms[name] = getattr(losses, name)(change.field)
        if told.brightness and change.brightness is not None:
            terms["brightness"] = change.brightness.abs().flatten(1).mean(1)
        if told.cycle:
            back = self.simulator(image, -direction)(image, dose)
            terms["cycle"] = ((back - x) ** 2).flatten(1).mean(1)
        return terms

    def total(self, terms: Terms) -> Tensor:
        """(N,) the weighted sum."""
        weights = {
            "logit": 1.0,
            **{n: getattr(self.told, n) for n in terms if hasattr(self.told, n) and n != "logit"},
        }
        out = terms["logit"]
        for name, value in terms.items():
            if name in weights and name != "logit":
                out = out + weights[name] * value
        return out
