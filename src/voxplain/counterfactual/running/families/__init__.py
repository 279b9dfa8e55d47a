"""How each family of images is made, written and read."""

from __future__ import annotations

from voxplain.counterfactual.running.families.autoencoding import AutoencoderFamily
from voxplain.counterfactual.running.families.components import PcaFamily
from voxplain.counterfactual.running.families.diffusing import DiffusionFamily
from voxplain.counterfactual.running.families.family import Family
from voxplain.counterfactual.running.families.styles import StyleFamily
from voxplain.counterfactual.settings.config import GeneratorSettings
from voxplain.errors import InputError, suggest

_FAMILIES: dict[str, type[Family]] = {
    "pca": PcaFamily,
    "autoencoder": AutoencoderFamily,
    "stylegan": StyleFamily,
    "diffusion": DiffusionFamily,
}


def family_of(asked: GeneratorSettings) -> Family:
    """The family with its parameters.

    Raises:
        InputError: an unknown parameter.
    """
    check_parameters(asked)
    return _FAMILIES[asked.family](dict(asked.parameters))


def check_parameters(asked: GeneratorSettings) -> None:
    """Refuse what the family does not know.

    Raises:
        InputError: an unknown parameter.
    """
    known = _FAMILIES[asked.family].parameters
    for name in asked.parameters:
        if name not in known:
            raise InputError(
                f"generator.parameters: unknown key {name!r} of {asked.family}; {suggest(name, known)}"
            )


__all__ = ["Family", "check_parameters", "family_of"]
