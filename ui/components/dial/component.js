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
    if (!this.dragging && !this.out.pending) this.weights = { ...data.weights };
    this.paint();
    this.paintSpaces();
    this.paintVideos();
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
        h("section", null, h("div", { class: "caps" }, l.fusion), this.fusions),
        this.spaces,
        h("section", { class: "video-part" }, this.videosHead, this.videos)),
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

  // The share of `seen` without exact words; kept while exact words have all the weight.
  seenShare() {
    const rest = this.weights.transcript + this.weights.vision;
    if (rest > 1e-6) this.share = this.weights.vision / rest;
    return this.share === undefined ? 0.5 : this.share;
  }

  applyWeights(weights) {
    this.seenShare();
    this.weights = weights;
    this.paint();
    if (!this.timer) this.timer = setTimeout(() => this.flush(false), 90);
  }

  flush(released) {
    clearTimeout(this.timer);
    this.timer = null;
    this.out.send(released ? "save_weights" : "set_weights", this.weights, true);
  }

  paint() {
    const l = this.data.labels;
    const seen = Math.round(this.seenShare() * 100);
    const lexical = Math.round(this.weights.lexical * 100);
    this.saidText.textContent = `${l.channel_transcript} ${100 - seen}`;
    this.seenText.textContent = `${l.channel_vision} ${seen}`;
    this.wordsText.textContent = `${lexical} %`;
    if (Number(this.balance.value) !== seen) this.balance.value = seen;
    if (Number(this.exact.value) !== lexical) this.exact.value = lexical;
    this.balance.style.setProperty("--at", `${seen}%`);
    this.exact.style.setProperty("--at", `${lexical}%`);
    this.balance.setAttribute("aria-valuetext", `${l.channel_transcript} ${100 - seen}, ${l.channel_vision} ${seen}`);
    this.summary.replaceChildren(
      h("span", null, l.heading),
      h("span", { class: "said" }, `${l.channel_transcript} ${100 - seen}`),
      h("span", { class: "seen" }, `${l.channel_vision} ${seen}`),
      h("span", { class: "words" }, `${l.channel_lexical} ${lexical} %`),
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

  // The spaces of each kind that has several. At least one of each kind stays on.
  paintSpaces() {
    const l = this.data.labels;
    const shown = JSON.stringify([this.data.spaces, l.spaces]);
    if (shown === this.spacesKey) return;
    this.spacesKey = shown;
    const groups = this.data.spaces;
    this.spaces.hidden = !groups.length;
    const on = groups.flatMap((group) => group.choices.filter((choice) => choice.on).map((choice) => choice.name));
    this.spaces.replaceChildren(h("section", null, h("div", { class: "caps" }, l.spaces), ...groups.map((group) =>
      h("div", { class: "space-group", role: "group", "aria-label": group.label },
        h("div", { class: group.kind }, group.label),
        h("div", { class: "pills" }, ...group.choices.map((choice) => this.pill(choice.label, choice.on, () => {
          const others = on.filter((name) => name !== choice.name);
          const left = group.choices.some((other) => others.includes(other.name));
          if (choice.on && left) this.out.send("set_spaces", others, true);
          else if (!choice.on) this.out.send("set_spaces", [...others, choice.name], true);
        }, choice.name)))))));
  }

  paintVideos() {
    const l = this.data.labels;
    const shown = JSON.stringify([this.data.videos, l.all]);
    if (shown === this.videosKey) return;
    this.videosKey = shown;
    const all = h("button", { class: "link", type: "button" }, l.all);
    all.onclick = () => this.out.send("hide_videos", []);
    const hidden = this.data.videos.filter((video) => !video.on);
    this.videosHead.replaceChildren(h("span", { class: "caps" }, l.videos), hidden.length ? all : "");
    this.videos.replaceChildren(...this.data.videos.map((video) => {
      const box = h("input", { type: "checkbox" });
      box.checked = video.on;
      box.onchange = () => this.out.send("hide_videos", this.data.videos
        .filter((other) => (other.id === video.id ? !box.checked : !other.on)).map((other) => other.id));
      const only = h("button", { class: "link only", type: "button" }, l.only);
      only.onclick = (event) => {
        event.preventDefault();
        this.out.send("hide_videos", this.data.videos.filter((other) => other.id !== video.id).map((other) => other.id));
      };
      return h("label", { class: "video", title: video.title }, box, h("span", { class: "name" }, video.title),
        this.data.videos.length > 1 ? only : "", h("span", { class: "count muted" }, video.count));
    }));
  }

  // "/" focuses the query. Enter and Escape leave it, so that the keys of the grid work again.
  key(event) {
    const query = document.querySelector(".st-key-hx-query input");
    if (!query) return;
    if (event.target === query) {
      if (event.key === "Escape" || (event.key === "Enter" && !event.isComposing)) setTimeout(() => query.blur(), 0);
    } else if (event.key === "/" && !isTyping(event)) {
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
