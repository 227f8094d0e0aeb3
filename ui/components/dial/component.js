// The weights of the channels, presets, the fusion method, the spaces and the videos to search.

class Dial {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.timer = null;
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  update(data) {
    this.data = data;
    if (!this.built || this.labelsKey !== JSON.stringify(data.labels)) this.build(data);
    // While a slider is dragged or a change is not acknowledged, the data from the server are older than ours.
    if (!this.dragging && !this.out.waiting("set_weights", "save_weights").length) this.weights = { ...data.weights };
    this.paint();
    this.paintSpaces();
    this.paintVideos();
    this.note.textContent = data.note;
    this.note.hidden = !data.note;
    if (data.is_empty && this.wasEmpty === undefined) this.focusQuery(60);
    this.wasEmpty = data.is_empty;
  }

  // A page without a query begins in its field; on a touch screen that would only open the keyboard.
  focusQuery(tries) {
    const query = document.querySelector(".st-key-hx-query input");
    if (query && matchMedia("(hover: hover)").matches) {
      if (document.activeElement === document.body || document.activeElement === null) query.focus();
    } else if (!query && tries > 0) requestAnimationFrame(() => this.focusQuery(tries - 1));
  }

  build(data) {
    this.labelsKey = JSON.stringify(data.labels);
    const l = data.labels;
    this.saidText = h("span", { class: "said" });
    this.seenText = h("span", { class: "seen" });
    this.wordsText = h("span", { class: "words mono" });
    this.balance = this.slider(l.balance, (value) => this.setBalance(value));
    this.balance.classList.add("balance");
    this.exact = this.slider(l.exact, (value) => this.setExact(value));
    this.exact.classList.add("exact");
    this.presets = h("div", { class: "pills", role: "group", "aria-label": l.presets });
    this.fusions = h("div", { class: "pills", role: "group", "aria-label": l.fusion });
    this.spaces = h("div", { class: "spaces" });
    this.videos = h("div", { class: "videos" });
    this.videosHead = h("div", { class: "spread head" });
    this.note = h("p", { class: "not-ready muted", role: "status" });
    this.summary = h("button", { class: "summary", type: "button", "aria-expanded": "false" });
    this.summary.onclick = () => {
      const open = this.host.classList.toggle("open");
      this.summary.setAttribute("aria-expanded", String(open));
    };
    this.host.replaceChildren(
      this.summary,
      h("div", { class: "body" },
        h("section", null,
          h("div", { class: "caps" }, l.heading),
          h("div", { class: "spread ends" }, this.saidText, this.seenText),
          this.balance,
          h("div", { class: "spread ends" }, h("span", null, l.exact), this.wordsText),
          this.exact,
          this.presets),
        h("details", { class: "advanced" }, h("summary", { class: "caps" }, l.advanced), h("div", { class: "muted" }, l.fusion), this.fusions),
        this.spaces,
        h("section", { class: "video-part" }, this.videosHead, this.videos)),
      this.note,
    );
    this.built = true;
  }

  slider(label, change) {
    const input = h("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": label });
    input.oninput = () => { this.dragging = true; change(Number(input.value)); };
    input.onchange = () => { this.dragging = false; this.flush(true); };
    return input;
  }

  setBalance(percent) {
    const rest = 1 - this.weights.lexical;
    const seen = percent / 100;
    this.applyWeights({ transcript: rest * (1 - seen), vision: rest * seen, lexical: this.weights.lexical });
  }

  setExact(percent) {
    const lexical = percent / 100;
    const seen = this.seenShare();
    this.applyWeights({ transcript: (1 - lexical) * (1 - seen), vision: (1 - lexical) * seen, lexical });
  }

  // The share of `seen` without keywords; kept while keywords have all the weight.
  seenShare() {
    const rest = this.weights.transcript + this.weights.vision;
    if (rest > 1e-6) this.share = this.weights.vision / rest;
    return this.share === undefined ? 0.5 : this.share;
  }

  applyWeights(weights) {
    this.seenShare();
    this.weights = weights;
    this.paint();
    if (this.timer) this.changed = true; else this.flush(false);
  }

  // The first change is sent at once, those that follow at intervals: each of them draws the page again.
  flush(released) {
    clearTimeout(this.timer);
    this.changed = false;
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.changed) this.flush(false);
    }, 90);
    this.out.send(released ? "save_weights" : "set_weights", this.weights, true);
  }

  paint() {
    const l = this.data.labels;
    const seen = Math.round(this.seenShare() * 100);
    const lexical = Math.round(this.weights.lexical * 100);
    this.saidText.textContent = `${l.channel_transcript} ${100 - seen}`;
    this.seenText.textContent = `${l.channel_vision} ${seen}`;
    this.wordsText.textContent = `${lexical}%`;
    if (Number(this.balance.value) !== seen) this.balance.value = seen;
    if (Number(this.exact.value) !== lexical) this.exact.value = lexical;
    this.balance.style.setProperty("--at", `${seen}%`);
    this.exact.style.setProperty("--at", `${lexical}%`);
    this.balance.setAttribute("aria-valuetext", `${l.channel_transcript} ${100 - seen}, ${l.channel_vision} ${seen}`);
    this.summary.replaceChildren(
      h("span", null, l.heading),
      h("span", { class: "said" }, `${l.channel_transcript} ${100 - seen}`),
      h("span", { class: "seen" }, `${l.channel_vision} ${seen}`),
      h("span", { class: "words" }, `${l.channel_lexical} ${lexical}%`),
    );
    this.presets.replaceChildren(...this.data.presets.map((preset) => this.pill(
      preset.label, this.matches(preset.weights), () => {
        this.weights = { ...preset.weights };
        this.share = undefined;
        this.paint();
        this.out.send("save_weights", this.weights, true);
      })));
    this.fusions.replaceChildren(...this.data.fusions.map((fusion) => this.pill(
      fusion.label, fusion.name === this.data.fusion, () => this.out.send("set_fusion", fusion.name, true), fusion.title)));
  }

  pill(label, pressed, click, title) {
    const button = h("button", { class: "pill", type: "button", "aria-pressed": String(pressed), title }, label);
    button.onclick = click;
    return button;
  }

  matches(weights) {
    return Object.keys(weights).every((name) => Math.abs(weights[name] - this.weights[name]) < 0.006);
  }

  // A box with its label. `change` is called with whether it is ticked now.
  checkbox(text, on, change, title) {
    const box = h("input", { type: "checkbox" });
    box.checked = on;
    box.onchange = () => change(box.checked);
    return h("label", { class: "check", title: title || text }, box, h("span", { class: "name" }, text));
  }

  // The spaces of each kind that has several. At least one of each kind stays on.
  paintSpaces() {
    const l = this.data.labels;
    const changes = new Map(this.out.waiting("set_space").map((change) => [change.name, change.on]));
    const groups = this.data.spaces.map((group) => ({
      ...group,
      choices: group.choices.map((choice) => ({ ...choice, on: changes.has(choice.name) ? changes.get(choice.name) : choice.on })),
    }));
    const shown = JSON.stringify([groups, l.spaces]);
    if (shown === this.spacesKey) return;
    this.spacesKey = shown;
    const focused = focusedIn(this.spaces);
    this.spaces.hidden = !groups.length;
    this.spaces.replaceChildren(h("section", null, h("div", { class: "caps" }, l.spaces), ...groups.map((group) =>
      h("div", { class: "space-group", role: "group", "aria-label": group.label },
        h("div", { class: group.kind }, group.label),
        ...group.choices.map((choice) => {
          const last = choice.on && group.choices.filter((other) => other.on).length === 1;
          const row = this.checkbox(choice.label, choice.on, (on) => {
            this.out.send("set_space", { name: choice.name, on }, (earlier) => earlier.name === choice.name);
            this.paintSpaces();
          }, choice.name);
          row.control.disabled = last;
          row.control.dataset.act = choice.name;
          return row;
        })))));
    focusAgain(this.spaces, focused);
  }

  // The videos as the server has them, with what it has not answered yet applied.
  currentVideos() {
    const videos = this.data.videos.map((video) => ({ ...video }));
    for (const change of this.out.waiting("show_video")) {
      for (const video of videos) {
        if (change.all) video.on = true;
        else if (change.only !== undefined) video.on = video.id === change.only;
        else if (change.id === video.id) video.on = change.on;
      }
    }
    return videos;
  }

  showVideo(change) {
    this.out.send("show_video", change);
    this.paintVideos();
  }

  paintVideos() {
    const l = this.data.labels;
    const videos = this.currentVideos();
    const shown = JSON.stringify([videos, l.all]);
    if (shown === this.videosKey) return;
    this.videosKey = shown;
    const focused = focusedIn(this.host);
    const all = h("button", { class: "link", type: "button", data: { act: "all" } }, l.all);
    all.onclick = () => this.showVideo({ all: true });
    this.videosHead.hidden = !videos.length;
    this.videosHead.replaceChildren(h("span", { class: "caps" }, l.videos), videos.every((video) => video.on) ? "" : all);
    this.videos.replaceChildren(...videos.map((video) => {
      const row = this.checkbox(video.title, video.on, (on) => this.showVideo({ id: video.id, on }));
      row.control.dataset.act = `show ${video.id}`;
      if (video.owner) row.querySelector(".name").append(h("span", { class: "owner muted" }, video.owner));
      const only = h("button", { class: "link only", type: "button", "aria-label": video.only, data: { act: `only ${video.id}` } }, l.only);
      only.onclick = () => this.showVideo({ only: video.id });
      return h("div", { class: "video" }, row, videos.length > 1 ? only : "", h("span", { class: "count muted" }, video.count));
    }));
    focusAgain(this.host, focused);
  }

  // "/" focuses the query. Enter and Escape leave it, so that the keys of the grid work again.
  key(event) {
    const query = document.querySelector(".st-key-hx-query input");
    if (!query) return;
    if (event.target === query) {
      if (event.key === "Escape" || (event.key === "Enter" && !event.isComposing)) setTimeout(() => query.blur(), 0);
    } else if (event.key === "/" && !isTyping(event) && !event.defaultPrevented) {
      event.preventDefault();
      query.focus();
      query.select();
    }
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    clearTimeout(this.timer);
  }
}

export default function (component) {
  return mount(component, Dial);
}
