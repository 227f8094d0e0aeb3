// What goes on in the library: figures, a bar for each day's searches, and tables.

class ActivityFigures extends Redrawn {
  draw(data) {
    const l = data.labels;
    const language = this.host.closest("[lang]")?.lang || document.documentElement.lang || undefined;
    this.when = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
    this.day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric", timeZone: "UTC" });
    this.host.replaceChildren(
      h("p", { class: "muted at" }, fillText(l.since, { time: this.when.format(new Date(data.at)) })),
      h("dl", { class: "tiles" }, ...data.tiles.map(([label, value, details]) => h("div", { class: "tile" },
        h("dt", { class: "caps" }, label), h("dd", null, h("b", null, value), h("span", { class: "muted" }, details))))),
      h("div", { class: "columns" },
        h("div", null, this.searches(data, l), this.processing(data, l), this.failures(data, l)),
        h("div", null, this.videos(data, l), this.queues(data, l), this.workers(data, l), this.disk(data, l))));
  }

  section(heading, ...children) {
    return h("section", null, h("h2", { class: "caps" }, heading), ...children);
  }

  searches(data, l) {
    if (!data.periods.length) return this.section(l.searches, h("p", { class: "muted" }, l.no_searches));
    const most = Math.max(...data.days.map((one) => one.count), 1);
    const bars = h("ol", { class: "bars", "aria-label": l.per_day }, ...data.days.map((one) => {
      const text = [this.day.format(new Date(`${one.day}T00:00:00Z`)), one.text, one.took].filter(Boolean).join(" · ");
      return h("li", { title: text }, h("i", { style: { height: `${Math.round((100 * one.count) / most)}%` } }), h("span", { class: "hx-vh" }, text));
    }));
    const first = data.days[0], last = data.days[data.days.length - 1];
    return this.section(l.searches, bars,
      h("div", { class: "spread muted small", "aria-hidden": "true" },
        ...[first, last].map((one) => h("span", null, this.day.format(new Date(`${one.day}T00:00:00Z`))))),
      this.table([l.period, l.method, l.count, l.median, l.p95],
        data.periods.flatMap((period) => period.rows.map((row, at) => [at ? "" : period.name, ...row])), 2));
  }

  processing(data, l) {
    if (!data.processing.length) return this.section(l.processing, h("p", { class: "muted" }, l.no_processing));
    const most = Math.max(...data.processing.map((one) => one.value), 1e-9);
    const rows = data.processing.map((one) => h("tr", { class: one.is_total ? "total" : null },
      h("th", { scope: "row" }, one.stage), h("td", { class: "n" }, one.count), ...one.times.map((time) => h("td", { class: "n" }, time)),
      h("td", { class: "n meter" }, one.factor, h("i", { style: { width: `${(100 * one.value) / most}%` } }))));
    return this.section(l.processing, this.framed([l.stage, l.count, l.p50, l.p90, l.p99, l.real_time], rows, 1));
  }

  failures(data, l) {
    if (!data.failed.length) return this.section(l.failures, h("p", { class: "muted" }, l.no_failures));
    return this.section(l.failures, this.table([l.stage, l.count], data.failures, 1),
      h("ul", { class: "failed" }, ...data.failed.map((one) => h("li", null,
        h("div", { class: "spread" },
          one.href ? h("a", { href: one.href, onclick: follow }, one.title) : h("b", null, one.title),
          h("span", { class: "muted small" }, [one.user, this.when.format(new Date(one.at))].join(" · "))),
        h("div", { class: "small" }, h("span", { class: "danger" }, one.stage), " ", one.message, " ", h("span", { class: "muted" }, one.hint)),
        one.href ? "" : h("div", { class: "mono muted" }, one.id)))));
  }

  videos(data, l) {
    if (!data.states.length) return this.section(l.videos, h("p", { class: "muted" }, l.no_videos));
    return this.section(l.videos, h("dl", { class: "facts" }, ...data.states.map(([name, count]) => h("div", null, h("dt", null, name), h("dd", { class: "n" }, count)))));
  }

  queues(data, l) {
    if (data.jobs_problem) return this.section(l.queues, h("p", { class: "danger" }, data.jobs_problem));
    if (!data.queues.length) return this.section(l.queues, h("p", { class: "muted" }, data.queues_note));
    return this.section(l.queues, this.table([l.queue, l.running, l.waiting, l.oldest], data.queues, 1));
  }

  workers(data, l) {
    if (!data.workers.length) return this.section(l.workers, h("p", { class: "muted" }, l.no_workers));
    return this.section(l.workers, h("ul", { class: "workers" }, ...data.workers.map((one) => h("li", null,
      h("div", { class: "spread" }, h("span", { class: "mono" }, one.name), h("span", { class: one.is_bad ? "danger" : "muted" }, one.state)),
      ...one.tasks.map((task) => h("div", { class: "small" }, task.stage, " ", h("span", { class: "mono muted" }, task.subject)))))));
  }

  disk(data, l) {
    if (!data.disk.length) return this.section(l.disk, h("p", { class: "muted" }, l.no_disk));
    const kinds = [l.source, l.derived, l.export];
    return this.section(l.disk,
      h("div", { class: "legend small muted" }, ...kinds.map((kind, at) => h("span", null, h("i", { class: `k${at}` }), kind))),
      h("ul", { class: "disk" }, ...data.disk.map((one) => h("li", { title: kinds.map((kind, at) => `${kind} ${one.sizes[at]}`).join("\n") },
        h("div", { class: "spread" }, h("span", { title: one.id }, one.user), h("span", { class: "n" }, one.total)),
        h("div", { class: "stack", "aria-hidden": "true" }, ...one.shares.map((share, at) => h("i", { class: `k${at}`, style: { width: `${100 * share}%` } }))),
        h("span", { class: "hx-vh" }, kinds.map((kind, at) => `${kind} ${one.sizes[at]}`).join(", "))))),
      data.disk_note ? h("p", { class: "muted small" }, data.disk_note) : "");
  }

  table(heads, rows, texts) {
    return this.framed(heads, rows.map((row) => h("tr", null, ...row.map((cell, at) => h("td", { class: at < texts ? null : "n" }, cell)))), texts);
  }

  framed(heads, rows, texts) {
    return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": heads[0] }, h("table", null,
      h("thead", null, h("tr", null, ...heads.map((head, at) => h("th", { scope: "col", class: at < texts ? null : "n" }, head)))), h("tbody", null, ...rows)));
  }
}

export default function (component) {
  return mount(component, ActivityFigures);
}
