"""Reader studies: methods without names, cases in an order of each reader's own, and how far readers agree."""

from voxplain.viewing.readers.agreement import Agreement, MethodMean, PairAgreement, reader_agreement
from voxplain.viewing.readers.coefficients import icc, krippendorff, weighted_kappa
from voxplain.viewing.readers.table import told

__all__ = [
    "Agreement",
    "MethodMean",
    "PairAgreement",
    "icc",
    "krippendorff",
    "reader_agreement",
    "told",
    "weighted_kappa",
]
