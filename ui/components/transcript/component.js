// The transcript of a whole video. The line that is being spoken is marked; a click plays from a line. The search marks
// every match and goes from one to the next: Enter and Shift+Enter in its field, or the buttons.

const AT_ONCE = 400; // lines that are put on the page before it may be drawn

class Transcript {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.rows = [];
    this.matches = [];
    this.at = -1;
    this.heading = h("h2", { class: "caps" });
    this.rough = h("span", { class: "rough" });
    this.input = h("input", { type: "search", class: "query", autocomplete: "off", spellcheck: "false" });
    this.count = h("span", { class: "count muted", role: "status" });
    this.before = h("button", { class: "step", type: "button" }, icon("up"));
    this.after = h("button", { class: "step", type: "button" }, icon("down"));
    this.search = h("div", { class: "search", role: "search" }, this.input, this.count, this.before, this.after);
    this.none = h("p", { class: "muted none" });
    this.box = h("div", { class: "box", tabindex: "-1" });
    host.append(h("div", { class: "spread" }, this.heading, this.rough), this.search, this.none, this.box);
    this.input.oninput = () => this.find(true);
    this.input.onkeydown = (event) => this.inputKey(event);
    this.before.onclick = () => this.go(-1);
    this.after.onclick = () => this.go(1);
    this.box.onwheel = this.box.ontouchmove = () => { this.scrolledAt = performance.now(); };
    this.onPlayhead = (event) => {
      const { media, time } = event.detail;
      if (this.data && (media === undefined || media === this.data.media)) this.mark(time);
    };
    document.addEventListener("hx-playhead", this.onPlayhead);
  }

  update(data) {
    this.data = data;
    const { labels: l, lines } = data;
    this.heading.textContent = l.heading;
    this.rough.textContent = l.rough;
    this.none.textContent = l.no_speech;
    this.input.placeholder = l.search;
    this.input.setAttribute("aria-label", l.search);
    this.box.setAttribute("aria-label", l.heading);
    for (const [button, label] of [[this.before, l.previous], [this.after, l.next]]) {
      button.setAttribute("aria-label", label);
      button.title = label;
    }
    this.none.hidden = lines.length > 0;
    this.search.hidden = this.box.hidden = !lines.length;
    if (data.version === this.version) return;
    this.version = data.version;
    this.build(lines);
  }

  build(lines) {
    if (this.building) cancelAnimationFrame(this.building);
    this.current = null;
    this.rows = [];
    this.box.replaceChildren();
    this.box.classList.toggle("hours", lines.length > 0 && lines[lines.length - 1][0] >= 3600);
    const more = () => {
      this.building = null;
      const part = lines.slice(this.rows.length, this.rows.length + AT_ONCE).map((line) => this.row(line));
      this.rows.push(...part);
      this.box.append(...part.map((row) => row.el));
      if (this.rows.length < lines.length) this.building = requestAnimationFrame(more);
      else this.find(false);
    };
    more();
  }

  row([start, end, said]) {
    const text = said.normalize("NFC");
    const row = { start, end, text, folded: text.toLowerCase() };
    row.words = h("span", { class: "words" }, text);
    row.el = h("button", { class: "line", type: "button" }, h("span", { class: "at mono" }, clock(start)), row.words);
    row.el.onclick = () => this.seek(row);
    return row;
  }

  seek(row) {
    document.dispatchEvent(new CustomEvent("hx-seek", { detail: { time: row.start, play: true } }));
  }

  // --- the search -----------------------------------------------------------------------------

  find(isNew) {
    const wanted = this.input.value.trim().normalize("NFC").toLowerCase();
    for (const { row } of this.matches) row.words.replaceChildren(row.text);
    this.matches = [];
    if (wanted) for (const row of this.rows) this.markMatches(row, wanted);
    if (isNew || this.at >= this.matches.length) this.at = -1;
    if (isNew && this.matches.length) this.go(1);
    this.paintCount();
  }

  markMatches(row, wanted) {
    const parts = [];
    let done = 0;
    for (let at = row.folded.indexOf(wanted); at >= 0; at = row.folded.indexOf(wanted, at + wanted.length)) {
      // lower case may have another length, as that of İ: then the line is marked as a whole
      const exact = row.folded.length === row.text.length;
      const mark = h("mark", null, exact ? row.text.slice(at, at + wanted.length) : row.text);
      if (exact) parts.push(row.text.slice(done, at));
      parts.push(mark);
      this.matches.push({ row, mark });
      done = exact ? at + wanted.length : row.text.length;
      if (!exact) break;
    }
    if (parts.length) row.words.replaceChildren(...parts, row.text.slice(done));
  }

  go(step) {
    if (!this.matches.length) return;
    if (this.at >= 0) this.matches[this.at].mark.classList.remove("here");
    this.at = (this.at + step + this.matches.length) % this.matches.length;
    const { row, mark } = this.matches[this.at];
    mark.classList.add("here");
    this.scrolledAt = performance.now();
    this.scrollTo(row);
    this.paintCount();
  }

  paintCount() {
    const { labels: l } = this.data;
    const searching = Boolean(this.input.value.trim());
    const m = this.matches.length;
    this.count.textContent = !searching ? "" : m ? fillText(l.count, { n: this.at + 1, m }) : l.no_match;
    this.before.disabled = this.after.disabled = !m;
  }

  inputKey(event) {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.go(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && this.input.value) {
      event.preventDefault();
      this.input.value = "";
      this.find(true);
    }
  }

  // --- the line that is spoken ----------------------------------------------------------------

  mark(time) {
    const found = this.rowAt(time);
    if (found === this.current) return;
    if (this.current) { this.current.el.classList.remove("current"); this.current.el.removeAttribute("aria-current"); }
    this.current = found;
    if (!found) return;
    found.el.classList.add("current");
    found.el.setAttribute("aria-current", "true");
    // whoever reads on or searches is not taken back to the playhead
    const isReading = performance.now() - (this.scrolledAt || -1e9) < 6000 || this.matches.length > 0;
    if (!isReading) this.scrollTo(found);
  }

  rowAt(time) {
    let [low, high] = [0, this.rows.length - 1];
    if (high < 0 || time < this.rows[0].start - 0.02) return null;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.rows[middle].start <= time + 0.02) low = middle; else high = middle - 1;
    }
    return time < this.rows[low].end ? this.rows[low] : null;
  }

  // Lines that are not drawn yet have an estimated height, so that a long way is corrected once they are.
  scrollTo(row, attempts = 6) {
    if (this.scrolling) cancelAnimationFrame(this.scrolling);
    const box = this.box.getBoundingClientRect();
    const line = row.el.getBoundingClientRect();
    if (line.top >= box.top && line.bottom <= box.bottom) return;
    this.box.scrollTop += line.top - box.top - box.height / 3;
    if (attempts > 0) this.scrolling = requestAnimationFrame(() => this.scrollTo(row, attempts - 1));
  }

  destroy() {
    if (this.building) cancelAnimationFrame(this.building);
    if (this.scrolling) cancelAnimationFrame(this.scrolling);
    document.removeEventListener("hx-playhead", this.onPlayhead);
  }
}

export default function (component) {
  return mount(component, Transcript);
}
