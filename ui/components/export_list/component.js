// The list of exports: each with its state, how long its file stays, and buttons. The countdowns run by themselves.

class ExportList extends Redrawn {
  constructor(host, out) {
    super(host, out);
    this.timer = setInterval(() => this.count(), 1000);
  }

  update(data) {
    // countdowns go by the server's clock
    this.aheadS = data.now - Date.now() / 1000;
    super.update({ ...data, now: null });
    this.count();
  }

  draw(data) {
    this.labels = data.labels;
    const focused = focusedIn(this.host);
    const list = data.rows.map((row) => this.row(row, data.language));
    this.host.replaceChildren(
      h("div", { class: "kinds row", role: "group", "aria-label": data.labels.list }, data.kinds.map((kind) => this.kind(kind))),
      data.empty ? h("p", { class: "muted" }, data.empty) : h("ul", { "aria-label": data.labels.list }, list),
      data.more ? h("div", { class: "older" }, this.button({ name: "more", label: data.labels.more, value: null }, "")) : "");
    this.counters = [...this.host.querySelectorAll(".countdown")];
    focusAgain(this.host, focused);
  }

  kind(kind) {
    const pill = h("button", { class: "pill", type: "button", "aria-pressed": String(kind.on), data: { act: `kind ${kind.name}` } }, kind.label);
    pill.onclick = () => this.out.send("kind", kind.name, true);
    return pill;
  }

  row(row, language) {
    const made = new Date(row.created * 1000);
    const when = h("time", { class: "muted when", datetime: made.toISOString() },
      made.toLocaleString(language, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }));
    return h("li", { class: row.shown ? "export shown" : "export", "aria-label": row.label, "aria-current": row.shown ? "true" : null, data: { export: row.id, state: row.state } },
      h("div", { class: row.portrait ? "picture portrait" : "picture" }, row.thumbnail ? h("img", { src: row.thumbnail, alt: "", loading: "lazy", onerror: () => this.renew(row.thumbnail) }) : ""),
      h("div", { class: "about" },
        h("div", { class: "head" }, h("span", { class: "kind caps" }, row.kind), h("span", { class: "name" }, row.title), when),
        this.facts(row),
        row.progress ? this.progress(row) : "",
        row.error ? h("div", { class: "problem", role: "alert" }, h("div", { class: "said" }, row.error.message), h("div", { class: "muted" }, row.error.hint)) : "",
        row.notes.map((note) => h("div", { class: "muted" }, note))),
      h("div", { class: "actions row" },
        row.download ? h("a", { class: "btn", href: row.download.href, download: row.download.name, "aria-label": `${row.download.label}: ${row.title}`, data: { act: `download ${row.id}` } }, row.download.label) : "",
        row.actions.map((action) => this.button(action, row.title))));
  }

  facts(row) {
    if (!row.facts.length && !row.expires) return "";
    const parts = row.facts.flatMap((fact, at) => (at ? [" · ", fact] : [fact]));
    return h("div", { class: "facts mono" }, parts, row.expires ? [" · ", h("span", { class: "countdown", data: { until: row.expires } })] : "");
  }

  progress(row) {
    const { title, text, fraction } = row.progress;
    const percent = Math.round(clamp(fraction, 0, 1) * 100);
    return h("div", { class: "progress" },
      h("div", null, h("span", null, title), h("span", { class: "muted" }, text)),
      h("div", { class: "rail", role: "progressbar", "aria-label": row.label, "aria-valuenow": percent, "aria-valuemin": 0, "aria-valuemax": 100 },
        h("span", { class: "fill", style: { width: `${percent}%` } })));
  }

  // A button; one that needs to be sure asks by its own text, until it loses the focus.
  button(action, title) {
    const label = (text) => { b.textContent = text; b.setAttribute("aria-label", title ? `${text}: ${title}` : text); };
    const id = action.value && action.value.id ? action.value.id : action.value;
    const b = h("button", { class: action.primary ? "btn primary" : "btn", type: "button", data: { act: `${action.name} ${id}` } });
    label(action.label);
    b.onclick = (event) => {
      if (!action.sure || b.classList.contains("sure")) { this.out.send(action.name, action.value); return; }
      event.stopPropagation();  // it keeps the focus
      b.classList.add("sure");
      label(this.labels.sure);
      b.focus();
      b.onblur = () => { b.classList.remove("sure"); label(action.label); };
    };
    return b;
  }

  count() {
    const now = Date.now() / 1000 + this.aheadS;
    for (const counter of this.counters || []) {
      const left = Number(counter.dataset.until) - now;
      const text = fillText(this.labels.deleted_in, { time: hms(left) });
      if (counter.textContent !== text) counter.textContent = text;
      if (left <= 0) this.renew(`over ${counter.dataset.until}`);
    }
  }

  // Asks for the list as it is now, once for each reason.
  renew(reason) {
    this.renewed = this.renewed || new Set();
    if (this.renewed.has(reason)) return;
    this.renewed.add(reason);
    this.out.send("renew", null, true);
  }

  destroy() {
    clearInterval(this.timer);
  }
}

// A time that is left, as h:mm:ss.
function hms(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

export default function (component) {
  return mount(component, ExportList);
}
