// Shared by all components: elements built from text, never from markup, and the outbox of operations.

function h(tag, props, ...children) {
  const svg = ["svg", "path", "circle", "rect", "line", "polyline"].includes(tag);
  const el = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") el.setAttribute("class", value);
    else if (name === "style") Object.assign(el.style, value);
    else if (name.startsWith("on")) el[name.toLowerCase()] = value;
    else if (name === "data") for (const [k, v] of Object.entries(value)) el.dataset[k] = v;
    else el.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return el;
}

// A component that is redrawn as a whole when its data change. Subclasses have draw(data).
class Redrawn {
  constructor(host, out) {
    this.host = host;
    this.out = out;
  }

  update(data) {
    const key = JSON.stringify({ ...data, ack: null });
    if (key === this.key) return;
    this.key = key;
    this.draw(data);
  }
}

const ICONS = {
  plus: ["M12 5v14M5 12h14"],
  check: ["M4.5 12.5l5 5 10-11"],
  play: ["M7 4.5v15l12.5-7.5z"],
  pause: ["M7 5h3.5v14H7zM13.5 5H17v14h-3.5z"],
  up: ["M12 19V6M6 11.5L12 5.5l6 6"],
  down: ["M12 5v13M6 12.5l6 6 6-6"],
  close: ["M6 6l12 12M18 6L6 18"],
  grip: ["M9 5.5v.01M15 5.5v.01M9 12v.01M15 12v.01M9 18.5v.01M15 18.5v.01"],
  sound: ["M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 010 6M18 6.5a8 8 0 010 11"],
  muted: ["M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5"],
  full: ["M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15"],
  previous: ["M15 6l-6 6 6 6"],
  next: ["M9 6l6 6-6 6"],
  upload: ["M12 15.5V4.5M7 9l5-5 5 5M4.5 15.5v4h15v-4"],
};

function icon(name, filled) {
  const shape = h("svg", { viewBox: "0 0 24 24", width: 16, height: 16, "aria-hidden": "true", class: "hx-icon" });
  for (const d of ICONS[name]) {
    shape.append(
      h("path", {
        d,
        fill: filled ? "currentColor" : "none",
        stroke: filled ? "none" : "currentColor",
        "stroke-width": name === "grip" ? 2.6 : 1.8,
        "stroke-linecap": "round",
        "stroke-linejoin": "round",
      }),
    );
  }
  return shape;
}

// [["the ", false], ["bird", true]] -> text nodes and <mark> elements
function marked(segments) {
  return segments.map(([text, hit]) => (hit ? h("mark", null, text) : document.createTextNode(text)));
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const s = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${s}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${s}`;
}

function precise(seconds) {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  return `${clock(Math.floor(tenths / 10))}.${tenths % 10}`;
}

function timecode(seconds) {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  const whole = Math.floor(tenths / 10);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}.${tenths % 10}`;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function fillText(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

// Whether a key press is meant for a text field or a dialog and not for the page.
function isTyping(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (target.closest("textarea, select, [contenteditable=true], [role=dialog]")) return true;
  const input = target.closest("input");
  return Boolean(input) && !["range", "checkbox", "radio", "button"].includes(input.type);
}

// Whether a key press is on a control, which has its own meaning for Enter and space.
function isOnControl(event) {
  const target = event.composedPath()[0];
  return target instanceof Element && Boolean(target.closest("button, a, summary, [role=slider], [role=button]"));
}

class Outbox {
  constructor(host) {
    this.host = host;
    this.mount = Math.random().toString(36).slice(2);
    this.last = 0;
    this.items = [];
  }

  // Called whenever Streamlit sends data.
  attach(component) {
    this.setStateValue = component.setStateValue;
    const ack = component.data && component.data.ack;
    if (ack && ack.mount === this.mount) this.items = this.items.filter((item) => item.n > ack.n);
    this.host.toggleAttribute("data-pending", this.pending);
  }

  // With `replaces`, an earlier operation of that name that is not acknowledged yet is dropped.
  send(name, value, replaces) {
    if (replaces) this.items = this.items.filter((item) => item.name !== name);
    this.last += 1;
    this.items.push({ n: this.last, name, value: value === undefined ? null : value });
    this.host.toggleAttribute("data-pending", true);
    this.setStateValue("ops", { mount: this.mount, items: this.items });
  }

  get pending() {
    return this.items.length > 0;
  }
}

// One view for each component on the page. It lives until Streamlit removes the component.
function mount(component, View) {
  const host = component.parentElement.querySelector(".hx");
  let view = host.hxView;
  if (!view) {
    view = new View(host, new Outbox(host));
    host.hxView = view;
  }
  view.out.attach(component);
  view.update(component.data || {});
  return () => {
    if (view.destroy) view.destroy();
    host.hxView = null;
    host.replaceChildren();
  };
}
