// One part of the page "Evaluate": the bar with query sets and views, a query set, a table of runs, the comparison of two
// runs, the figures of a sweep or its heat map. Each has a function in the other scripts, which returns its elements.

class Evaluation extends Redrawn {
  draw(data) {
    const focused = focusedIn(this.host);
    this.host.replaceChildren(...PARTS[data.part](data, this.out).filter(Boolean));
    focusAgain(this.host, focused);
  }
}

// A button that sends an operation. `act` names it, to find it again after its part was drawn anew.
function sends(out, name, value, text, { act = name, kind = "btn", ...props } = {}) {
  const button = h("button", { class: kind, type: "button", data: { act }, ...props }, text);
  button.onclick = () => out.send(name, value, true);
  return button;
}

function linkTo(href, text, props = {}) {
  return h("a", { href, onclick: follow, ...props }, text);
}

// A button that opens a file of the person and sends {"name", "content": base64, ...more}.
function opensFile(out, name, text, { accept, limit, too_large, more = {} }) {
  const input = h("input", { type: "file", accept, hidden: true, "aria-label": text });
  const message = h("span", { class: "problem", role: "alert" });
  const button = h("button", { class: "btn", type: "button", data: { act: name } }, text);
  button.onclick = () => input.click();
  input.onchange = async () => {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    message.textContent = file.size > limit ? too_large : "";
    if (file.size > limit) return;
    const reader = new FileReader();
    reader.onload = () => out.send(name, { name: file.name, content: reader.result.split(",")[1] || "", ...more });
    reader.readAsDataURL(file);
  };
  return h("span", { class: "opens-file" }, button, input, message);
}

const PARTS = { none: () => [], head, sets, queries, runs, comparison, scenes, figures, heatmap, steps, list };

export default function (component) {
  return mount(component, Evaluation);
}
