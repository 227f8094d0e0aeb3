// The editor of a short: the source with the crop drawn over it (stage.js), in and out on a filmstrip (film.js), words
// (words.js), captions to correct (cues.js), the 9:16 picture with what platforms cover (preview.js), and the choices.

const SHORTEST = 0.5;

class Short {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.time = null;
    this.video = h("video", { playsinline: true, preload: "auto" });
    this.video.disablePictureInPicture = true;
    this.stage = new Stage(this);
    this.film = new Film(this);
    this.words = new Words(this);
    this.cues = new Cues(this);
    this.preview = new Preview(this);
    this.form = h("div", { class: "form" });
    this.said = h("div", { class: "hx-vh", role: "status" });
    host.append(
      h("div", { class: "editor" },
        h("div", { class: "source" }, this.stage.el, this.film.el, this.words.el, this.cues.el),
        h("div", { class: "result" }, this.preview.el),
        h("div", { class: "side" }, this.form)),
      this.said);
    this.history = new History(out, () => this.data.history);
    const v = this.video;
    v.ontimeupdate = v.onseeked = v.onloadeddata = () => this.tick();
    v.onplay = () => { this.stage.paintPlaying(); this.run(); };
    v.onpause = () => this.stage.paintPlaying();
    v.onloadedmetadata = () => { v.currentTime = this.time ?? this.draft.start; };
    v.onerror = () => { if (this.renewed !== v.src) { this.renewed = v.src; out.send("renew", null, true); } };
    v.onclick = () => this.toggle();
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  update(data) {
    this.data = data;
    if (!this.busy) this.draft = this.withWaiting({ ...data.draft });
    if (this.source !== data.media.src) {
      this.source = data.media.src;
      this.video.poster = data.media.poster || "";
      if (data.media.src) this.video.src = data.media.src;
    }
    this.paint();
  }

  // The short as it will be when the server has handled what it has not answered yet.
  withWaiting(draft) {
    for (const { name, value } of this.out.items) {
      if (name === "set") Object.assign(draft, value);
      else if (name === "trim") Object.assign(draft, { start: value.start, end: value.end });
      else if (name === "crop") Object.assign(draft, { crop: value.crop, strategy: value.crop ? "smart_crop" : draft.strategy });
    }
    return draft;
  }

  paint() {
    const focused = focusedIn(this.host);
    this.stage.paint();
    this.film.paint();
    this.words.paint();
    this.cues.paint();
    this.preview.paint();
    this.paintForm();
    focusAgain(this.host, focused);
    this.tick();
  }

  // --- time -------------------------------------------------------------------------------------

  get now() {
    return this.video.readyState >= 1 ? this.video.currentTime : (this.time ?? this.draft.start);
  }

  seek(time) {
    this.time = clamp(time, 0, this.data.media.duration - 0.01);
    if (this.video.readyState >= 1) this.video.currentTime = this.time;
    this.tick();
  }

  toggle() {
    const v = this.video;
    if (!v.paused) { v.pause(); return; }
    if (v.currentTime < this.draft.start - 0.05 || v.currentTime >= this.draft.end - 0.05) this.seek(this.draft.start);
    const started = v.play();
    if (started) started.catch(() => this.stage.paintPlaying());
  }

  // Every frame while it plays: it stops at the end of the short.
  run() {
    const step = () => {
      if (this.video.paused || !this.host.isConnected) return;
      if (this.video.currentTime >= this.draft.end) { this.video.pause(); this.seek(this.draft.end - 0.02); return; }
      this.tick();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  tick() {
    if (!this.data) return;
    const { now } = this;
    this.stage.follow(now);
    this.film.follow(now);
    this.words.follow(now);
    this.preview.follow(now);
  }

  // --- what the user does -----------------------------------------------------------------------

  set(value) {
    this.out.send("set", value, (earlier) => Object.keys(earlier).every((name) => name in value));
    Object.assign(this.draft, value);
    this.paint();
  }

  trim(edge, time) {
    const { draft, data } = this;
    if (edge === "start") draft.start = clamp(time, 0, draft.end - SHORTEST);
    else draft.end = clamp(time, draft.start + SHORTEST, data.media.duration);
    this.film.paint();
    this.words.paint();
    this.paintLength();
    this.seek(edge === "start" ? draft.start : draft.end - 0.05);
  }

  sendTrim() {
    const { start, end } = this.draft;
    this.out.send("trim", { start, end }, true);
  }

  sendCrop(crop) {
    this.draft.crop = crop;
    if (crop) this.draft.strategy = "smart_crop";
    this.out.send("crop", { crop }, true);
    this.paint();
  }

  say(text) {
    this.said.textContent = text;
  }

  key(event) {
    if (isTyping(event) || event.defaultPrevented || !this.data) return;
    const frame = 1 / (this.data.media.fps || 25);
    const act = {
      i: () => { this.trim("start", this.now); this.sendTrim(); },
      o: () => { this.trim("end", this.now); this.sendTrim(); },
      q: () => this.stage.addKeyframe(),
      k: () => this.toggle(),
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.now - (event.shiftKey ? 5 : 1)),
      ArrowRight: () => this.seek(this.now + (event.shiftKey ? 5 : 1)),
      ",": () => this.seek(this.now - frame),
      ".": () => this.seek(this.now + frame),
    }[keyOf(event)];
    if (!act || (isOnControl(event) && (event.key === " " || event.key === "Enter"))) return;
    event.preventDefault();
    act();
  }

  // --- the choices ------------------------------------------------------------------------------

  paintForm() {
    const { data, draft } = this;
    const l = data.labels;
    const key = JSON.stringify([data.choices, draft.title, draft.strategy, draft.captions, draft.position, draft.quality, draft.snap, data.history, data.actions, data.remaining, data.error, l]);
    if (key === this.formKey) { this.paintLength(); return; }
    this.formKey = key;
    this.title = this.title || h("input", { class: "title", type: "text", id: "hx-short-title" });
    if (this.host.getRootNode().activeElement !== this.title) this.title.value = draft.title;
    this.title.maxLength = data.max_title;
    this.title.onchange = () => this.set({ title: this.title.value });
    this.length = h("div", { class: "length" });
    this.form.replaceChildren(
      h("div", { class: "spread" }, h("label", { class: "caps", for: "hx-short-title" }, l.title), h("span", { class: "row" }, this.history.buttons())),
      this.title,
      this.group("strategy", this.pictures()),
      this.group("captions", this.pills("captions")),
      draft.captions ? this.group("position", this.pills("position")) : "",
      this.group("snap", this.pills("snap")),
      this.group("quality", this.pills("quality")),
      this.length,
      data.error ? h("div", { class: "error", role: "alert" }, h("div", { class: "problem" }, data.error.message), h("div", { class: "muted" }, data.error.hint)) : "",
      h("div", { class: "actions" }, data.actions.map((action) => this.action(action))),
      h("p", { class: "muted" }, data.remaining));
    this.paintLength();
  }

  action(action) {
    const b = h("button", { class: action.primary ? "btn primary" : "btn", type: "button", disabled: action.disabled, data: { act: action.name } }, action.label);
    b.onclick = () => this.out.send(action.name, action.value ?? null, true);
    return b;
  }

  group(name, buttons) {
    return h("div", { class: `group ${name}`, role: "group", "aria-label": this.data.labels[name] }, h("div", { class: "caps" }, this.data.labels[name]), h("div", { class: "pills" }, buttons));
  }

  pills(name) {
    return this.data.choices[name].map((choice) => {
      const pill = h("button", { class: "pill", type: "button", "aria-pressed": String((this.draft[name] || "") === choice.name), data: { act: `${name} ${choice.name}` } }, choice.label);
      pill.onclick = () => this.set({ [name]: choice.name || null });
      return pill;
    });
  }

  pictures() {
    return this.data.choices.strategy.map((choice) => {
      const b = h("button", { class: "strategy-choice", type: "button", "aria-pressed": String(this.draft.strategy === choice.name), title: choice.hint, data: { act: `strategy ${choice.name}` } },
        h("span", { class: "shot" }, h("img", { src: choice.picture, alt: "", loading: "lazy", onerror: (event) => { event.target.hidden = true; } })), h("span", null, choice.label));
      b.onclick = () => this.set({ strategy: choice.name });
      return b;
    });
  }

  paintLength() {
    if (!this.length) return;
    const { draft, data } = this;
    const l = data.labels;
    const seconds = draft.end - draft.start;
    const text = fillText(l.length, { length: precise(seconds), limit: precise(data.limits.max) });
    const note = seconds > data.limits.max ? l.too_long : seconds >= data.limits.warn ? l.near_limit : "";
    this.length.className = note ? "length warning" : "length";
    this.length.replaceChildren(h("span", { class: "mono" }, text), note ? h("span", { role: "status" }, ` ${note}`) : "");
    const make = this.form.querySelector('[data-act="make"]');
    const wanted = data.actions.find((action) => action.name === "make");
    if (make && wanted) make.disabled = Boolean(wanted.disabled) || seconds > data.limits.max;
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
    this.history.close();
    this.video.pause();
    this.video.removeAttribute("src");
  }
}

export default function (component) {
  return mount(component, Short);
}
