/** Keys and gestures, as the help says them. */
export const HELP: [string, string][] = [
  ["Arrows", "move the cross-hair in the picture that has the focus"],
  ["Page up, Page down", "turn its slices; so does the wheel over it"],
  ["1 – 9", "show that method"],
  ["+ and −", "zoom about the cross-hair; so does the wheel with Ctrl"],
  ["0", "show the whole picture"],
  ["Neurological", "the patient’s left on the left; else, as radiologists look, it is on the right"],
  ["?", "this help"],
  ["Drag", "moves the cross-hair, or what “Dragging moves” says"],
  ["Shift and drag, right button", "across: a wider window; down: a brighter centre"],
  ["Alt and drag, middle button", "moves the picture"],
];
