// Drop zone, the details for the next files, and the rows of running and stopped uploads. uploads.js does the work.

const ACCEPT = ".mp4,.m4v,.mov,.avi,.mkv,.webm,.srt,.vtt,.ass,.ssa,.smi,.sami,.ttml,.dfxp,.itt,.sub,video/*";
const MAX_DESCRIPTION = 1000; // it is sent in a header
const SHOWN_WAITING = 5;

// The files in what was dropped, folders included. Entries must be taken before the event ends.
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { files: [...transfer.files], isFolder: false };
  const files = [];
  const walk = async (entry) => {
    if (entry.isFile) { files.push(await new Promise((resolve, reject) => entry.file(resolve, reject))); return; }
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return;
      for (const child of part) await walk(child);
    }
  };
  for (const entry of entries) await walk(entry);
  return { files, isFolder: true };
}

class Upload {
  constructor(host, out) {
    this.host = host;
    this.out = out;
    this.showsList = true;
    this.uploads = uploads();
    this.rows = new Map();
    this.input = h("input", { type: "file", multiple: true, hidden: true, accept: ACCEPT });
    this.input.onchange = () => { this.add([...this.input.files], false); this.input.value = ""; };
    this.folder = h("input", { type: "file", webkitdirectory: true, hidden: true });
    this.folder.onchange = () => { this.add([...this.folder.files], true); this.folder.value = ""; };
    this.strong = h("span", { class: "strong" });
    this.choose = h("button", { class: "choose", type: "button" });
    this.choose.onclick = () => this.input.click();
    this.chooseFolder = h("button", { class: "choose", type: "button" });
    this.chooseFolder.onclick = () => this.folder.click();
    this.hint = h("span", { class: "muted" });
    this.zone = h("div", { class: "zone" }, icon("upload"), h("div", { class: "words" }, this.strong, " ", this.choose, " ", this.chooseFolder, " ", this.hint));
    this.welcome = h("div", { class: "welcome", hidden: true });
    this.overall = h("div", { class: "overall muted", hidden: true });
    this.note = h("div", { class: "note muted", role: "status", hidden: true });
    this.list = h("div", { class: "list" });
    this.stopped = h("div", { class: "list stopped" });
    this.said = h("div", { class: "hx-vh", "aria-live": "polite" });
    this.title = h("input", { type: "text", class: "field" });
    this.description = h("textarea", { class: "field", rows: 2, maxlength: MAX_DESCRIPTION });
    this.language = h("select", { class: "field" });
    this.summary = h("summary", null);
    this.captions = { title: h("span"), language: h("span"), description: h("span") };
    this.more = h("details", { class: "more" }, this.summary, h("div", { class: "fields" },
      h("label", null, this.captions.title, this.title), h("label", null, this.captions.language, this.language),
      h("label", { class: "long" }, this.captions.description, this.description)));
    host.append(this.input, this.folder, this.zone, this.more, this.note, this.overall, this.list, this.stopped, this.welcome, this.said);
    this.wire();
  }

  wire() {
    let depth = 0;
    const over = (on) => this.zone.classList.toggle("over", on);
    this.zone.ondragenter = (event) => { event.preventDefault(); depth += 1; over(true); };
    this.zone.ondragover = (event) => event.preventDefault();
    this.zone.ondragleave = () => { depth -= 1; if (depth <= 0) { depth = 0; over(false); } };
    this.zone.ondrop = async (event) => {
      event.preventDefault();
      depth = 0;
      over(false);
      const { files, isFolder } = await droppedFiles(event.dataTransfer);
      this.add(files, isFolder);
    };
  }

  update(data) {
    const l = data.labels;
    this.data = data;
    this.strong.textContent = l.drop;
    this.choose.textContent = l.choose;
    this.chooseFolder.textContent = l.choose_folder;
    this.hint.textContent = l.hint;
    this.paintFields(data);
    this.zone.classList.toggle("large", data.large);
    this.host.classList.toggle("centered", data.centered);
    this.welcome.hidden = !data.welcome;
    if (data.welcome) this.welcome.replaceChildren(h("div", { class: "big" }, data.welcome.title), h("div", { class: "muted" }, data.welcome.text));
    if (!this.out.pending) for (const job of this.uploads.jobs.filter((one) => one.state === "done" && one.isAnnounced)) this.uploads.remove(job);
    this.uploads.attach(this, data);
  }

  paintFields(data) {
    const l = data.labels;
    this.summary.textContent = l.more;
    this.captions.title.textContent = l.title;
    this.captions.description.textContent = l.description;
    this.captions.language.textContent = l.language;
    this.title.placeholder = l.title_hint;
    this.title.maxLength = data.max_title;
    this.description.placeholder = l.description_hint;
    const key = JSON.stringify(data.languages);
    if (this.languageKey === key) return;
    const chosen = this.languageKey ? this.language.value : data.language;
    this.languageKey = key;
    this.language.replaceChildren(...data.languages.map(({ code, name }) => h("option", { value: code, selected: code === chosen }, name)));
  }

  // A folder can have other files too, which are left out.
  add(files, isFolder) {
    const usable = isFolder ? files.filter((file) => (VIDEO_NAME.test(file.name) || SUBTITLE_NAME.test(file.name)) && !file.name.startsWith(".")) : files;
    const left = files.length - usable.length;
    this.note.hidden = !left && usable.length > 0;
    this.note.textContent = usable.length ? fillText(this.data.labels.left_out, { n: left }) : this.data.labels.none_in_folder;
    if (!files.length) this.note.hidden = !isFolder;
    if (!usable.length) return;
    const isSingle = usable.filter((file) => !SUBTITLE_NAME.test(file.name)).length === 1;
    this.uploads.add(usable, this.takeDetails(isSingle));
  }

  // The details for the files that have just been chosen. The language is kept for the next ones.
  takeDetails(isSingle) {
    const found = { description: this.description.value.trim(), language: this.language.value, title: isSingle ? this.title.value.trim() : "" };
    this.description.value = "";
    if (isSingle) this.title.value = "";
    return found;
  }

  // --- called by the uploads ---

  askForToken() {
    this.out.send("token", null, true);
  }

  showVideo(job) {
    job.isAnnounced = true;
    this.out.send("added", job.video.video_id);
  }

  paintUploads() {
    if (!this.data) return;
    const { jobs } = this.uploads;
    const waiting = jobs.filter((job) => job.state === "waiting");
    const shown = jobs.filter((job) => job.state !== "waiting" || waiting.indexOf(job) < SHOWN_WAITING);
    for (const [job, row] of this.rows) if (!shown.includes(job)) { row.el.remove(); this.rows.delete(job); }
    shown.forEach((job, at) => {
      let row = this.rows.get(job);
      if (!row) { row = { el: h("div", { class: "job", data: { upload: job.file.name } }) }; this.rows.set(job, row); }
      this.fillRow(row, job);
      if (this.list.children[at] !== row.el) this.list.insertBefore(row.el, this.list.children[at] || null);
    });
    const hidden = jobs.length - shown.length;
    if (this.hiddenNote) this.hiddenNote.remove();
    this.hiddenNote = hidden ? h("div", { class: "muted" }, fillText(this.data.labels.more_waiting, { n: hidden })) : null;
    if (this.hiddenNote) this.list.append(this.hiddenNote);
    this.paintStopped();
    this.paintShares();
  }

  fillRow(row, job) {
    const l = this.data.labels;
    const key = JSON.stringify([job.state, job.error, job.isRepeated, job.resumedAt > 0, l.cancel, job.subtitles.length]);
    if (row.key === key) return;
    row.key = key;
    row.el.className = `job ${job.state}`;
    const { el } = row;
    const name = h("div", { class: "name" }, job.file.name, ...job.subtitles.map((file) => h("span", { class: "muted" }, ` + ${file.name}`)));
    const button = (label, act, run) => {
      const made = h("button", { class: "btn", type: "button", "aria-label": `${label}: ${job.file.name}`, data: { act } }, label);
      made.onclick = run;
      return made;
    };
    const dismiss = button(l.dismiss, "dismiss", () => this.uploads.remove(job));
    row.fill = row.percent = null;
    if (job.state === "failed") {
      const canRetry = job.error.category !== "validation" && job.error.category && !SUBTITLE_NAME.test(job.file.name);
      el.setAttribute("role", "alert");
      el.replaceChildren(h("div", { class: "info" }, name, h("div", { class: "problem" }, job.error.message), h("div", { class: "muted" }, job.error.hint)),
        canRetry ? button(l.retry, "retry", () => this.uploads.retry(job)) : "", dismiss);
      return;
    }
    el.removeAttribute("role");
    if (job.state === "known") {
      el.replaceChildren(h("div", { class: "info", role: "status" }, name, h("div", { class: "muted" }, fillText(l.known, { title: job.video.title }))),
        button(l.open, "open", () => this.out.send("open", job.video.video_id)), dismiss);
      return;
    }
    row.fill = h("span", { class: "fill" });
    row.percent = h("span", { class: "percent mono" });
    row.state = h("span", { class: "muted" });
    el.replaceChildren(h("div", { class: "info" }, name, h("div", { class: "row progress" }, row.state,
      h("span", { class: "rail", role: "progressbar", "aria-label": job.file.name, "aria-valuemin": 0, "aria-valuemax": 100 }, row.fill), row.percent)),
    job.state === "done" || job.state === "checking" ? "" : button(l.cancel, "cancel", () => this.uploads.cancel(job)));
    const texts = { lost: `${l.lost} ${l.lost_hint}`, sending: job.resumedAt > 0 ? l.resumed : l.sending };
    const text = texts[job.state] || l[job.state];
    row.state.textContent = job.isRepeated ? `${text} · ${l.repeated}` : text;
    this.said.textContent = `${job.file.name}: ${text}`;
  }

  paintShares() {
    for (const [job, row] of this.rows) {
      if (!row.fill) continue;
      const share = job.file.size ? job.sent / job.file.size : 1;
      row.fill.style.width = `${share * 100}%`;
      row.fill.parentElement.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
      row.percent.textContent = percentText(share);
    }
    const { files, doneFiles, sent, total, leftS } = this.uploads.progress;
    const l = this.data.labels;
    this.overall.hidden = files === 0;
    if (!files) return;
    const parts = [fillText(l.of, { done: sizeText(sent), total: sizeText(total) })];
    if (files + doneFiles > 1) parts.unshift(fillText(l.files_done, { done: doneFiles, total: files + doneFiles }));
    if (leftS !== null) parts.push(fillText(l.left, { time: this.timeText(leftS) }));
    this.overall.textContent = parts.join(" · ");
  }

  // As ui.i18n.time_left: seconds or minutes; hours and minutes.
  timeText(seconds) {
    const l = this.data.labels;
    if (seconds < 59.5) return fillText(l.seconds, { n: Math.max(1, Math.round(seconds)) });
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return fillText(l.minutes, { n: minutes });
    const hours = fillText(l.hours, { n: Math.floor(minutes / 60) });
    return minutes % 60 ? `${hours} ${fillText(l.minutes, { n: minutes % 60 })}` : hours;
  }

  // What was interrupted, before this page was loaded, and is kept by the server.
  paintStopped() {
    const l = this.data.labels;
    // the server keeps the end of a long name
    const isRunning = (one) => this.uploads.unfinished.some((job) => job.file.size === one.size && job.file.name.normalize("NFC").endsWith(one.name));
    const rows = this.data.stopped.filter((one) => !isRunning(one));
    const key = JSON.stringify([rows, l.stopped]);
    if (this.stoppedKey === key) return;
    this.stoppedKey = key;
    this.stopped.replaceChildren(...(rows.length ? [h("div", { class: "caps" }, l.stopped)] : []), ...rows.map((one) => {
      const choose = h("button", { class: "btn", type: "button", "aria-label": `${l.choose_again}: ${one.name}` }, l.choose_again);
      choose.onclick = () => this.input.click();
      const discard = h("button", { class: "btn", type: "button", "aria-label": `${l.discard}: ${one.name}`, data: { act: "discard" } }, l.discard);
      discard.onclick = () => this.out.send("discard", one.id);
      return h("div", { class: "job", data: { stopped: one.name } }, h("div", { class: "info" }, h("div", { class: "name" }, one.name), h("div", { class: "muted" }, one.text)), choose, discard);
    }));
  }

  destroy() {
    this.uploads.detach(this);
  }
}

export default function (component) {
  return mount(component, Upload);
}
