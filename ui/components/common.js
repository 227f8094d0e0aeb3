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
    // what has been unfolded stays so
    const unfolded = [...this.host.querySelectorAll("details")].map((part) => part.open);
    this.draw(data);
    this.host.querySelectorAll("details").forEach((part, at) => { part.open ||= Boolean(unfolded[at]); });
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
  menu: ["M4 7h16M4 12h16M4 17h16"],
  grid: ["M4.5 4.5h6v6h-6zM13.5 4.5h6v6h-6zM4.5 13.5h6v6h-6zM13.5 13.5h6v6h-6z"],
  list: ["M4.5 6.5h15M4.5 12h15M4.5 17.5h15"],
  previous: ["M15 6l-6 6 6 6"],
  next: ["M9 6l6 6-6 6"],
  undo: ["M9 7L4.5 11.5L9 16M5 11.5h9a5 5 0 010 10h-3"],
  redo: ["M15 7l4.5 4.5L15 16M19 11.5h-9a5 5 0 000 10h3"],
  gone: ["M4 6h16v12H4zM4 18L20 6"],
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

// Whether a key press is in a text field or a dialog, which have their own undo and their own keys.
function isInTextField(event) {
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (target.closest("textarea, select, [contenteditable=true], [role=dialog]")) return true;
  const input = target.closest("input");
  return Boolean(input) && !["range", "checkbox", "radio", "button"].includes(input.type);
}

// Whether a key press is meant for a text field or a dialog and not for the page.
function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey || isInTextField(event);
}

// The key of a keyboard event: a letter in lower case, whatever Shift and Caps Lock are; with a Korean layout, which has
// other letters, the Latin letter on the same key.
function keyOf(event) {
  if (event.isComposing) return "";
  if (/^Key[A-Z]$/.test(event.code) && !/^[\x20-\x7e]$/.test(event.key)) return event.code[3].toLowerCase();
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

// A button or a box that was clicked with the pointer does not keep the focus: Space is for the player then, as before.
function releaseFocus(event) {
  if (!event.detail) return;
  const target = event.composedPath()[0];
  if (!(target instanceof Element) || !target.closest("button, label, input, summary")) return;
  const root = target.getRootNode();
  // the box of a label gets the focus after the click, and one that is drawn anew gets it back
  setTimeout(() => {
    const focused = root.activeElement;
    if (focused && focused.matches("button, input[type=checkbox], input[type=radio], summary")) focused.blur();
  }, 0);
}

// Whether a key press is on a control, which has its own meaning for Enter and space.
function isOnControl(event) {
  const target = event.composedPath()[0];
  return target instanceof Element && Boolean(target.closest("button, a, summary, [role=slider], [role=button]"));
}

// Whether a click is an ordinary one: others open a link in a new tab or window, or save it.
function isPlainClick(event) {
  return !event.defaultPrevented && (event.button || 0) === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

// Opens an address of the app without loading it anew, as Back and Forward do: Streamlit runs the page of the new URL.
function go(href) {
  history.pushState({}, "", href);
  dispatchEvent(new PopStateEvent("popstate"));
}

// The click handler of links to pages of the app.
function follow(event) {
  if (!isPlainClick(event)) return;
  event.preventDefault();
  go(event.currentTarget.href);
}

// Whether the user has asked the system for less motion.
function reducedMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// Sends what the user does to the server, until the server has answered.
//
// An operation says what has changed ("this box is on"), never the resulting list: the list on the page may be older than
// the one on the server. A component shows the data from the server with `waiting` operations applied on top of them.
class Outbox {
  constructor(host) {
    this.host = host;
    this.mount = Math.random().toString(36).slice(2);
    this.last = 0;
    this.sent = 0;
    this.items = [];
    this.retryMs = 10000;
    OUTBOXES.add(this);
  }

  // Called whenever Streamlit sends data.
  attach(component) {
    this.setStateValue = component.setStateValue;
    const { ack, version } = component.data || {};
    this.version = version;
    if (ack && ack.mount === this.mount) this.items = this.items.filter((item) => item.n > ack.n);
    const session = ack && ack.session;
    // The server was restarted and does not know the page any more: what it has not answered is sent again.
    if (this.pending && this.session && session && session !== this.session) queueMicrotask(() => this.flush());
    this.session = session || this.session;
    this.host.toggleAttribute("data-pending", this.pending);
    if (!this.pending) clearTimeout(this.retry);
  }

  // `replaces` drops earlier operations of that name that are not answered yet: true for all, or a function that gets
  // the value of each. Where the data have a version, an object as the value also gets that, and a key that names the
  // operation, so that it is done once.
  send(name, value, replaces) {
    const isReplaced = (item) => item.name === name && (replaces === true || replaces(item.value));
    if (replaces) this.items = this.items.filter((item) => !isReplaced(item));
    const isVersioned = this.version !== undefined && value !== null && typeof value === "object";
    this.last += 1;
    const about = { key: `${this.mount}-${this.last}`, version: this.version };
    this.items.push({ n: this.last, name, value: isVersioned ? { ...about, ...value } : value ?? null });
    this.flush();
  }

  // What is sent while Streamlit draws the page anew may be lost, so it is sent again until it is answered. The server does
  // each operation once, but draws the page again each time, so the time until the next attempt is doubled.
  flush(retryMs = this.retryMs) {
    this.sent += 1;
    this.host.toggleAttribute("data-pending", true);
    this.setStateValue("ops", { mount: this.mount, sent: this.sent, items: this.items });
    clearTimeout(this.retry);
    this.retry = setTimeout(() => {
      if (this.pending && this.host.isConnected) this.flush(2 * retryMs);
    }, retryMs);
  }

  // The values of the operations of these names that the server has not answered yet, oldest first.
  waiting(...names) {
    return this.items.filter((item) => names.includes(item.name)).map((item) => item.value);
  }

  // Calls `act` when the other components of the page have been answered: to undo what was done in one of them.
  afterOthers(act) {
    const others = () => [...OUTBOXES].some((box) => box !== this && box.pending && box.host.isConnected);
    const began = performance.now();
    const attempt = async () => {
      while (others() && performance.now() - began < 15000) await new Promise((resolve) => setTimeout(resolve, 30));
      act();
    };
    this.queue = (this.queue || Promise.resolve()).then(attempt);
  }

  get pending() {
    return this.items.length > 0;
  }

  close() {
    clearTimeout(this.retry);
    OUTBOXES.delete(this);
  }
}

// The outboxes of all components of the page: each component has its own copy of this file.
const OUTBOXES = (window.hxOutboxes = window.hxOutboxes || new Set());

// The buttons to undo and to redo, and their keys: Ctrl+Z, Shift+Ctrl+Z and Ctrl+Y, with Command instead on a Mac.
class History {
  // `actions` gives [{name, label, disabled}] as the server has them.
  constructor(out, actions) {
    this.out = out;
    this.actions = actions;
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  buttons() {
    const command = /Mac|iP/.test(navigator.platform) ? "\u2318" : "Ctrl+";
    return this.actions().map((action) => {
      const keys = `${action.name === "redo" ? "Shift+" : ""}${command}Z`;
      const button = h("button", { class: "btn history", type: "button", disabled: action.disabled, "aria-label": action.label,
        title: `${action.label} (${keys})`, data: { act: action.name } }, icon(action.name));
      button.onclick = () => this.step(action.name);
      return button;
    });
  }

  step(name) {
    this.out.afterOthers(() => this.out.send(name, {}));
  }

  key(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.defaultPrevented || isInTextField(event)) return;
    const name = event.code === "KeyY" && !event.shiftKey ? "redo" : event.code === "KeyZ" ? (event.shiftKey ? "redo" : "undo") : null;
    if (!name) return;
    event.preventDefault();
    this.step(name);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
  }
}

// The name of the button or slider in `host` that has the focus, to give it back after its part was drawn again.
function focusedIn(host) {
  const focused = host.getRootNode().activeElement;
  return focused && host.contains(focused) ? focused.dataset.act : null;
}

function focusAgain(host, name) {
  if (!name) return;
  const found = [...host.querySelectorAll("[data-act]")].find((element) => element.dataset.act === name);
  if (found && found !== host.getRootNode().activeElement) found.focus({ preventScroll: true });
}

// One view for each component on the page. It lives until Streamlit removes the component.
function mount(component, View) {
  const host = component.parentElement.querySelector(".hx");
  let view = host.hxView;
  if (!view) {
    view = new View(host, new Outbox(host));
    host.hxView = view;
    host.addEventListener("click", releaseFocus);
  }
  view.out.attach(component);
  view.update(component.data || {});
  return () => {
    if (view.destroy) view.destroy();
    view.out.close();
    host.hxView = null;
    host.replaceChildren();
  };
}
