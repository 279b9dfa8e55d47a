"""Names that a label image brings of its own: the label table of Connectome Workbench, as TotalSegmentator writes it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

_NIFTI = (".nii.gz", ".nii")


def label_names(path: str | Path) -> dict[int, str]:
    """{value: name} of the label table in a NIfTI's header; empty where there is none, or none that can be read.

    A table is an extension of the header, ``<LabelTable><Label Key="1">…``. Values below 0, the background and labels
    without a name are left out; of labels that share a name all but the first have their value beside it.
    """
    import nibabel as nib

    path = Path(path)
    if not path.name.lower().endswith(_NIFTI):
        return {}
    header = nib.load(path).header
    for extension in header.extensions:
        found = _table(extension.content)
        if found:
            return found
    return {}


def _table(content: bytes) -> dict[int, str]:
    """The first label table of an XML document; a document that declares entities of its own is not read."""
    if b"<LabelTable" not in content or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        return {}
    try:
        table = ElementTree.fromstring(content.strip(b" \t\r\n\0")).find(".//LabelTable")
        labels = [] if table is None else [(int(e.attrib["Key"]), (e.text or "").strip()) for e in table]
    except (ElementTree.ParseError, KeyError, ValueError):
        return {}
    found: dict[int, str] = {}
    for value, name in labels:
        if value > 0 and name:
            found[value] = f"{name} ({value})" if name in found.values() else name
    return found
