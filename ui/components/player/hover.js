// While the pointer moves over the track, the picture at that place is shown above it, from the sprite of its scene:
// one request for a scene, after the pointer has stayed in it for a moment.

const HOVER_DELAY_MS = 120;

class Hover {
  constructor(track) {
    this.track = track;
    this.image = h("div", { class: "picture" });
    this.label = h("span", { class: "mono" });
    this.el = h("div", { class: "hover", hidden: true, "aria-hidden": "true" }, this.image, this.label);
    this.loaded = new Map();
    track.el.append(this.el);
    track.el.addEventListener("pointermove", (event) => this.move(event));
    track.el.addEventListener("pointerleave", () => this.hide());
  }

  // `scenes` are [start, end in seconds, URL of the sprite, number of its pictures] in order; null for no pictures.
  set(scenes, whole) {
    this.scenes = scenes;
    this.whole = whole;
  }

  move(event) {
    if (!this.scenes || event.pointerType === "touch") { this.hide(); return; }
    const box = this.track.el.getBoundingClientRect();
    const share = clamp((event.clientX - box.left) / box.width, 0, 0.9999);
    this.time = share * this.whole;
    this.el.hidden = false;
    this.el.style.left = `${clamp(share * box.width, 84, box.width - 84)}px`;
    this.label.textContent = precise(this.time);
    this.paint();
  }

  paint() {
    const scene = this.scenes.find(([start, end]) => this.time >= start && this.time < end);
    const url = scene ? scene[2] : null;
    if (this.loaded.get(url) === true) {
      const [start, end, , count] = scene;
      const at = clamp(Math.floor(((this.time - start) / (end - start)) * count), 0, count - 1);
      Object.assign(this.image.style, { backgroundImage: `url("${url}")`, backgroundSize: `${count * 100}% 100%`, backgroundPosition: count > 1 ? `${(100 * at) / (count - 1)}% 0` : "0 0" });
      this.image.dataset.at = String(at);
      this.image.hidden = false;
      return;
    }
    this.image.hidden = true;
    if (url === this.wanted) return;
    this.wanted = url;
    clearTimeout(this.timer);
    if (url && !this.loaded.has(url)) this.timer = setTimeout(() => this.load(url), HOVER_DELAY_MS);
  }

  load(url) {
    this.loaded.set(url, false);
    const image = new Image();
    image.onload = () => {
      this.loaded.set(url, true);
      if (!this.el.hidden) this.paint();
    };
    image.src = url;
  }

  hide() {
    clearTimeout(this.timer);
    this.wanted = null;
    this.el.hidden = true;
  }
}
