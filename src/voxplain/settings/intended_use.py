"""What a page may be used for, where nobody says otherwise."""

INTENDED_USE = (
    "Research only; not for diagnosis. The page shows what a model reacted to in an image. It is not a medical "
    "device, and no "
    "decision about a patient may rest on it."
)
