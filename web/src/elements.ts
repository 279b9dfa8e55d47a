/** Elements of the page, made without any HTML text, so that no name can become markup. */

type Child = Node | string;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Record<string, string> = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A list to choose from, with its label. */
export function choice(label: string, onChange: (index: number) => void): { whole: HTMLElement; list: HTMLSelectElement } {
  const list = make("select");
  list.addEventListener("change", () => onChange(Number(list.value)));
  return { whole: make("label", { class: "vx-field" }, make("span", {}, label), list), list };
}

/** Fill a list: values and what stands for them. */
export function fill(list: HTMLSelectElement, options: [number, string][], chosen: number): void {
  list.replaceChildren(...options.map(([value, text]) => make("option", { value: String(value) }, text)));
  list.value = String(chosen);
}

/** A slider in per cent, with its label and its value. */
export function slider(label: string, value: number, onInput: (share: number) => void): { whole: HTMLElement; set: (share: number) => void } {
  const input = make("input", { type: "range", min: "0", max: "100", step: "1", value: String(Math.round(100 * value)) });
  // no <output>: the label would name it, as its first control, and not the slider
  const shown = make("span", {}, `${input.value} %`);
  const tell = () => (shown.textContent = `${input.value} %`);
  input.addEventListener("input", () => {
    tell();
    onInput(Number(input.value) / 100);
  });
  const set = (share: number) => {
    input.value = String(Math.round(100 * share));
    tell();
  };
  return { whole: make("label", { class: "vx-field" }, make("span", {}, label, " ", shown), input), set };
}

/** A button that stays down. */
export function toggle(label: string, on: boolean, onChange: (on: boolean) => void): HTMLButtonElement {
  const button = make("button", { type: "button", "aria-pressed": String(on) }, label);
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    onChange(now);
  });
  return button;
}

export function press(label: string, onClick: () => void): HTMLButtonElement {
  const button = make("button", { type: "button" }, label);
  button.addEventListener("click", onClick);
  return button;
}

/** A number with few digits and the true minus. */
export function number(value: number, digits = 4): string {
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}
