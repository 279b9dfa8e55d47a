/** Keys and gestures, as the help says them. */
export const HELP: [string, string][] = [
  ["Arrows", "move the cross-hair in the picture that has the focus"],
  ["Page up, Page down", "turn its slices, Home and End go to the first and last; so does the wheel over a picture that was pressed"],
  ["1 – 9", "show that method"],
  ["+ and −", "zoom about the cross-hair; so does the wheel with Ctrl"],
  ["0", "show the whole picture"],
  ["Neurological", "the patient’s left on the left; else, as radiologists look, it is on the right"],
  ["?", "this help"],
  ["S", "the cross-hair to the strongest value"],
  ["W", "the next window of grey"],
  ["O, X, N, D", "outlines, cross-hair, neurological, three dimensions: on and off"],
  ["One finger", "moves the cross-hair sideways from where it touches; up and down scrolls the page"],
  ["Two fingers", "zoom and move the picture"],
  ["Drag", "moves the cross-hair, or what “Dragging moves” says"],
  ["Shift and drag, right button", "across: a wider window; down: a brighter centre"],
  ["Alt and drag, middle button", "moves the picture"],
];
