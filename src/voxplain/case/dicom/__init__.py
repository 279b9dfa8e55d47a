"""DICOM: series to volumes and back. Nothing that identifies a patient leaves this room."""
