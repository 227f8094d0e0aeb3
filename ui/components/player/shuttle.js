// The keys of the player, and playing at other speeds and backwards, as editors do with J, K and L.

const SPEEDS = [1, 2, 4];

class Shuttle {
  constructor(player) {
    this.player = player;
    this.reverse = 0;  // the speed of playing backwards; 0 while it does not
  }

  key(event) {
    const { player } = this;
    if (isTyping(event) || event.defaultPrevented || !player.data || !player.data.clips.length) return;
    const on = event.composedPath()[0];
    const key = keyOf(event);
    if (on !== player.track.el && this.belongsToControl(on, key)) return;
    const act = {
      " ": () => event.repeat || player.toggle(),
      k: () => event.repeat || player.toggle(),
      j: () => event.repeat || this.back(),
      l: () => event.repeat || this.forward(),
      ArrowLeft: () => player.nudge(event.shiftKey ? -5 : -1),
      ArrowRight: () => player.nudge(event.shiftKey ? 5 : 1),
      ",": () => player.stepFrame(-1),
      ".": () => player.stepFrame(1),
      m: () => { player.video.muted = !player.video.muted; },
      f: () => event.repeat || player.toggleFull(),
    }[key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  // Space presses buttons and ticks boxes, arrows move sliders: there they do not control the player.
  belongsToControl(on, key) {
    if (!(on instanceof Element)) return false;
    if (key === " ") return Boolean(on.closest("button, a, summary, [role=button], input:not([type=range])"));
    return key.startsWith("Arrow") && Boolean(on.closest("input, [role=slider], [role=tab], [role=radio]"));
  }

  forward() {
    const { video } = this.player;
    const playing = !video.paused;
    const next = playing ? this.faster(video.playbackRate) : 1;
    this.stop();
    if (!playing) this.player.toggle();
    video.playbackRate = next;
  }

  back() {
    const next = this.reverse ? this.faster(this.reverse) : 1;
    const { player } = this;
    player.stop();
    this.reverse = next;
    this.at = player.now;
    player.paintSpeed();
    player.paintPlaying();
    if (!this.frame) this.run();
  }

  faster(speed) {
    return SPEEDS[Math.min(SPEEDS.indexOf(speed) + 1, SPEEDS.length - 1)];
  }

  // Browsers cannot play backwards: the time is set for each picture, as fast as the browser can show them.
  run() {
    const { player } = this;
    let last = performance.now();
    const step = (now) => {
      this.frame = null;
      if (!this.reverse || !player.host.isConnected) return;
      const first = player.bounded ? player.clip.start : 0;
      this.at = Math.max(first, this.at - ((now - last) / 1000) * this.reverse);
      last = now;
      if (this.at <= first) { player.seek(first); player.stop(); return; }
      if (!player.video.seeking) player.video.currentTime = this.at;
      player.tick();
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  // Back to the usual speed, and forwards.
  stop() {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.frame = null;
    this.reverse = 0;
    this.player.video.playbackRate = 1;
    this.player.paintSpeed();
  }
}
