"""Explain any PyTorch model on medical images, 2D and 3D, with numbers that say whether to believe it.

Names are imported from their rooms when they are first used: `import voxplain` loads neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Room -> its public names. The block for type checkers repeats them; a test keeps both equal.
_ROOMS = {
    "voxplain.aggregate": (
        "Cohort",
        "OwenGame",
        "Partition",
        "RegionGame",
        "RegionTable",
        "Shells",
        "owen_game",
        "predicted_regions",
        "region_game",
        "region_table",
        "regions_from_labels",
        "table_of",
    ),
    "voxplain.attribution": (
        "AblationCam",
        "ActivationMaximization",
        "Answer",
        "Attribution",
        "Blur",
        "BlurIntegratedGradients",
        "Constant",
        "ContrastShapley",
        "ContrastiveExcitationBackprop",
        "Deconvolution",
        "DeepDream",
        "DeepLift",
        "DeepLiftShap",
        "EigenCam",
        "EigenGradCam",
        "Evidence",
        "ExcitationBackprop",
        "ExpectedGradients",
        "ExtremalPerturbation",
        "FeatureAblation",
        "FeaturePermutation",
        "GradCam",
        "GradCamPlusPlus",
        "Gradient",
        "GuidedBackprop",
        "GuidedGradCam",
        "GuidedIntegratedGradients",
        "HiResCam",
        "InputXGradient",
        "IntegratedGradients",
        "InternalInfluence",
        "KernelShap",
        "LayerActivation",
        "LayerActivationGuidedBackprop",
        "LayerCam",
        "LayerConductance",
        "LayerDeepLift",
        "LayerGradientShap",
        "LayerGradientXActivation",
        "LayerIntegratedGradients",
        "Lime",
        "Lrp",
        "Mean",
        "Method",
        "Minimum",
        "NeuronGradient",
        "NoiseTunnel",
        "Occlusion",
        "OtherCase",
        "Rise",
        "ScoreCam",
        "ShapleySampling",
        "SmoothGrad",
        "SmoothGradSquared",
        "VarGrad",
        "XGradCam",
        "method",
        "methods",
    ),
    "voxplain.case": (
        "Case",
        "Geometry",
        "read_case",
        "read_mask",
        "take_slice",
        "write_array",
        "write_case",
    ),
    "voxplain.engine": ("Passes", "Problem"),
    "voxplain.errors": (
        "GeometryError",
        "InputError",
        "ModelError",
        "OutOfMemoryError",
        "StorageError",
        "TargetError",
        "VoxplainError",
    ),
    "voxplain.metric": ("Evaluation", "Metric", "agreement", "compare", "evaluate", "metrics", "verdicts"),
    "voxplain.model": ("Model", "Preparation", "Prepared", "Windows", "load_model"),
    "voxplain.study": (
        "ExplainSettings",
        "StudySettings",
        "explain",
        "load_aggregate",
        "load_settings",
        "load_study",
        "run_study",
    ),
    "voxplain.target": (
        "AllClasses",
        "Boundary",
        "ClassScore",
        "Component",
        "FalseNegatives",
        "FalsePositives",
        "LabelRegion",
        "Mask",
        "PredictedRegion",
        "Target",
        "Voxel",
        "parse_target",
    ),
}
_EXPORTS = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = ["__version__", *_EXPORTS]  # noqa: PLE0604 (names and a string: checked by a test)

if TYPE_CHECKING:
    from voxplain.aggregate import (
        Cohort as Cohort,
        OwenGame as OwenGame,
        Partition as Partition,
        RegionGame as RegionGame,
        RegionTable as RegionTable,
        Shells as Shells,
        owen_game as owen_game,
        predicted_regions as predicted_regions,
        region_game as region_game,
        region_table as region_table,
        regions_from_labels as regions_from_labels,
        table_of as table_of,
    )
    from voxplain.attribution import (
        AblationCam as AblationCam,
        ActivationMaximization as ActivationMaximization,
        Answer as Answer,
        Attribution as Attribution,
        Blur as Blur,
        BlurIntegratedGradients as BlurIntegratedGradients,
        Constant as Constant,
        ContrastiveExcitationBackprop as ContrastiveExcitationBackprop,
        ContrastShapley as ContrastShapley,
        Deconvolution as Deconvolution,
        DeepDream as DeepDream,
        DeepLift as DeepLift,
        DeepLiftShap as DeepLiftShap,
        EigenCam as EigenCam,
        EigenGradCam as EigenGradCam,
        Evidence as Evidence,
        ExcitationBackprop as ExcitationBackprop,
        ExpectedGradients as ExpectedGradients,
        ExtremalPerturbation as ExtremalPerturbation,
        FeatureAblation as FeatureAblation,
        FeaturePermutation as FeaturePermutation,
        GradCam as GradCam,
        GradCamPlusPlus as GradCamPlusPlus,
        Gradient as Gradient,
        GuidedBackprop as GuidedBackprop,
        GuidedGradCam as GuidedGradCam,
        GuidedIntegratedGradients as GuidedIntegratedGradients,
        HiResCam as HiResCam,
        InputXGradient as InputXGradient,
        IntegratedGradients as IntegratedGradients,
        InternalInfluence as InternalInfluence,
        KernelShap as KernelShap,
        LayerActivation as LayerActivation,
        LayerActivationGuidedBackprop as LayerActivationGuidedBackprop,
        LayerCam as LayerCam,
        LayerConductance as LayerConductance,
        LayerDeepLift as LayerDeepLift,
        LayerGradientShap as LayerGradientShap,
        LayerGradientXActivation as LayerGradientXActivation,
        LayerIntegratedGradients as LayerIntegratedGradients,
        Lime as Lime,
        Lrp as Lrp,
        Mean as Mean,
        Method as Method,
        Minimum as Minimum,
        NeuronGradient as NeuronGradient,
        NoiseTunnel as NoiseTunnel,
        Occlusion as Occlusion,
        OtherCase as OtherCase,
        Rise as Rise,
        ScoreCam as ScoreCam,
        ShapleySampling as ShapleySampling,
        SmoothGrad as SmoothGrad,
        SmoothGradSquared as SmoothGradSquared,
        VarGrad as VarGrad,
        XGradCam as XGradCam,
        method as method,
        methods as methods,
    )
    from voxplain.case import (
        Case as Case,
        Geometry as Geometry,
        read_case as read_case,
        read_mask as read_mask,
        take_slice as take_slice,
        write_array as write_array,
        write_case as write_case,
    )
    from voxplain.engine import (
        Passes as Passes,
        Problem as Problem,
    )
    from voxplain.errors import (
        GeometryError as GeometryError,
        InputError as InputError,
        ModelError as ModelError,
        OutOfMemoryError as OutOfMemoryError,
        StorageError as StorageError,
        TargetError as TargetError,
        VoxplainError as VoxplainError,
    )
    from voxplain.metric import (
        Evaluation as Evaluation,
        Metric as Metric,
        agreement as agreement,
        compare as compare,
        evaluate as evaluate,
        metrics as metrics,
        verdicts as verdicts,
    )
    from voxplain.model import (
        Model as Model,
        Preparation as Preparation,
        Prepared as Prepared,
        Windows as Windows,
        load_model as load_model,
    )
    from voxplain.study import (
        ExplainSettings as ExplainSettings,
        StudySettings as StudySettings,
        explain as explain,
        load_aggregate as load_aggregate,
        load_settings as load_settings,
        load_study as load_study,
        run_study as run_study,
    )
    from voxplain.target import (
        AllClasses as AllClasses,
        Boundary as Boundary,
        ClassScore as ClassScore,
        Component as Component,
        FalseNegatives as FalseNegatives,
        FalsePositives as FalsePositives,
        LabelRegion as LabelRegion,
        Mask as Mask,
        PredictedRegion as PredictedRegion,
        Target as Target,
        Voxel as Voxel,
        parse_target as parse_target,
    )


def __getattr__(name: str) -> object:
    """Import a public name from its room on first use (PEP 562) and keep it here."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'voxplain' has no attribute {name!r}")
    value: object = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
