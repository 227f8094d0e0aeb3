// The scene that is judged: its keyframe until it plays, then from its start to its end.

class Screen {
  constructor(renew) {
    this.renew = renew;
    this.video = h("video", { playsinline: true, preload: "auto", tabindex: -1 });
    this.image = h("img", { alt: "" });
    this.button = h("button", { class: "big", type: "button" }, icon("play", true));
    this.time = h("span", { class: "time" });
    this.message = h("div", { class: "message", hidden: true });
    this.el = h("div", { class: "screen" }, this.video, this.image, this.button, this.time, this.message);
    this.button.onclick = () => this.toggle();
    this.video.onclick = () => this.toggle();
    this.image.onclick = () => this.toggle();
    this.video.onplay = () => this.paint();
    this.video.onpause = () => this.paint();
    this.video.onplaying = () => { this.image.hidden = true; };
    this.video.onloadedmetadata = () => { this.video.currentTime = this.item.start; };
    this.video.onerror = () => this.failed();
    this.image.onerror = () => { this.image.hidden = true; this.askOnce(this.item.poster); };
  }

  show(item, labels) {
    const isNew = !this.item || this.item.key !== item.key;
    const isRenewed = this.source !== item.src && (isNew || this.broken);
    this.item = item;
    this.labels = labels;
    if (!isNew && !isRenewed) return;
    this.stop();
    this.message.hidden = true;
    this.broken = false;
    this.time.textContent = item.time;
    if (item.poster) this.image.src = item.poster; else this.image.removeAttribute("src");
    this.image.hidden = !item.poster;
    if (isRenewed) {
      this.source = item.src;
      if (item.src) this.video.src = item.src; else this.video.removeAttribute("src");
    } else if (this.video.readyState >= 1) {
      this.video.currentTime = item.start;
    }
    if (!item.src) this.say(labels.no_media);
    this.paint();
  }

  toggle() {
    if (!this.source) return;
    if (!this.video.paused) { this.video.pause(); return; }
    const { start, end } = this.item;
    const now = this.video.currentTime;
    if (now < start - 0.05 || now >= end - 0.06) this.video.currentTime = start;
    const started = this.video.play();
    // Browsers may refuse to play sound before the first click or key.
    if (started) started.catch(() => this.paint());
    this.follow();
  }

  // Stops at the end of the scene: `timeupdate` comes too seldom for that.
  follow() {
    cancelAnimationFrame(this.frame);
    const step = () => {
      if (this.video.paused || !this.el.isConnected) return;
      if (this.video.currentTime >= this.item.end) { this.video.pause(); return; }
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  stop() {
    if (!this.video.paused) this.video.pause();
  }

  paint() {
    const playing = !this.video.paused;
    this.el.classList.toggle("playing", playing);
    this.button.replaceChildren(icon(playing ? "pause" : "play", true));
    this.button.setAttribute("aria-label", this.labels ? this.labels[playing ? "pause" : "play"] : "");
  }

  // A link has probably expired: ask for new ones, once for each URL.
  askOnce(url) {
    this.asked = this.asked || new Set();
    if (!url || this.asked.has(url)) return false;
    this.asked.add(url);
    this.renew();
    return true;
  }

  failed() {
    if (!this.source) return;
    this.broken = true;
    if (!this.askOnce(this.source)) this.say(this.labels.unplayable);
  }

  say(text) {
    this.message.textContent = text;
    this.message.hidden = false;
  }
}
