// What each section of the state looks like.
"use strict";
const STATES = { running: "running", done: "done", stopped: "stopped", "not begun": "not begun", unreadable: "can't be read" };

function runsTable(group, sections) {
  const runs = group.runs.map((id) => [id, sections.get(id)]).filter(([, run]) => run);
  const judged = runs.some(([, run]) => run.counts || run.questions);
  const columns = ["run", "now", "steps", "success on held-out levels [95 %]", "an episode earns: reward + credit + bonus"];
  if (judged) columns.push("asked of the judge");
  const rows = runs.map(([id, run]) => {
    const cells = [
      [el("b", {}, run.title), ...arm(run, group.arms[id])],
      el("span", { class: `state ${run.state.replace(" ", "-")}` }, STATES[run.state]),
      steps(run),
      success(run),
      run.earned[0] === null ? "–" : run.earned.slice(0, 3).map((part) => decimal(part)).join(" + "),
    ];
    if (judged) cells.push(asked(run));
    return cells;
  });
  return grid(columns, rows);
}

// Which agent it is, where its folder's name doesn't say so.
function arm(run, label) {
  if (run.title === `${label}-seed${run.seed}`) return [];
  return [el("br"), el("span", { class: "soft" }, `${label}, seed ${run.seed}`)];
}

function steps(run) {
  const bar = el("progress", { max: run.total, value: Math.min(run.steps, run.total), "aria-label": "steps done" });
  const words = [`${number(run.steps)} of ${number(run.total)}`];
  if (run.state === "running" && run.rate) words.push(`${number(run.rate)} a second`);
  const lines = [el("span", { class: "bar" }, bar, " ", words.join(", "))];
  if (run.waiting) {
    const [seconds, answered, of] = run.waiting;
    lines.push(el("br"), el("span", { class: "soft" }, `waits for the judge for ${number(seconds)} s${of ? `: ${number(answered)} of ${number(of)} answers` : ""}`));
  }
  return lines;
}

function success(run) {
  const [value, low, high] = run.success;
  if (value === null || value === undefined) return "not measured yet";
  return `${share(value)} [${share(low)}, ${share(high)}] of ${run.episodes}`;
}

function asked(run) {
  const counts = run.counts;
  if (!counts && !run.questions) return "–";
  const words = [`${number(Math.max(run.questions || 0, counts ? counts.asked : 0))} questions`];
  const pending = run.pending ?? (counts ? counts.pending : 0);
  if (pending) words.push(`${number(pending)} pending`);
  const student = run.by_student ?? (counts ? counts.by_student : 0);
  if (student) words.push(`${number(student)} answered by the student`);
  if (counts) {
    words.push(`${number(counts.unreadable)} unreadable`);
    if (counts.requests) {
      words.push(`${number(counts.requests)} requests`);
      words.push(dollars(counts.cost, counts.cost === null));
    }
  }
  return words.join(", ");
}

function subgoalsTable(group, sections) {
  const rows = [];
  for (const id of group.runs) {
    const run = sections.get(id);
    for (const subgoal of run?.subgoals ?? []) {
      rows.push([
        run.title, subgoal.name, share(subgoal.truth), share(subgoal.judge), decimal(subgoal.truth_repeats ?? subgoal.judge_repeats),
        subgoal.false === undefined ? "–" : decimal(subgoal.false),
      ]);
    }
  }
  if (!rows.length) return null;
  return el("details", { "data-key": "subgoals" }, el("summary", {}, "Subgoals at the last evaluation, in numbers"),
    grid(["run", "subgoal", "episodes with it, by the engine", "by the judge", "repeats an episode", "of the judge's, false, an episode"], rows));
}

function charts(id, group) {
  if (!group.charts.length) return el("p", { class: "soft" }, "No evaluation yet: curves begin with the first one.");
  return el("div", { class: "charts" }, group.charts.map((chart) => {
    const source = `${base}/chart/${chart.kind}?${new URLSearchParams({ group: id, v: group.version })}`;
    return el("figure", {}, el("figcaption", {}, chart.title), el("img", { src: source, alt: chart.alt, loading: "lazy" }));
  }));
}

function runDetails(id, run) {
  const body = el("div");
  const details = el("details", { "data-key": id }, el("summary", {}, `${run.title}: reward, commands, texts that were judged last`), body);
  const show = async () => {
    if (!details.open) return;
    let more;
    try {
      more = await fetched("/run", { id });
    } catch (error) {
      body.replaceChildren(el("p", { class: "problem" }, error.message));
      return;
    }
    body.replaceChildren(
      el("p", {}, `Reward: ${run.reward}.`),
      more.problem ? el("p", { class: "problem" }, more.problem) : "",
      ...Object.values(more.commands).map((command) => el("pre", { class: "text" }, command)),
      more.texts ? el("p", {}, `${number(more.texts)} different texts judged, ${number(more.texts_unreadable)} unreadable; the last ones:`) : "",
      ...more.judged.map((one) =>
        el("div", { class: "judged" },
          el("pre", { class: "text" }, one.text),
          one.raw ? el("pre", { class: "text" }, one.raw) : "",
          el("p", {}, one.achieved === null ? "unreadable" : el("b", {}, one.achieved.join(", ") || "nothing achieved"))),
      ),
    );
  };
  details.addEventListener("toggle", show);
  details.refresh = show;
  return details;
}

function groupSection(id, group, sections) {
  const runs = group.runs.map((run) => [run, sections.get(run)]).filter(([, run]) => run);
  const problems = runs.filter(([, run]) => run.problem).map(([, run]) => el("p", { class: "problem" }, run.problem));
  const more = runs.filter(([, run]) => !run.problem).map(([run, section]) => runDetails(run, section));
  const folded = more.length > 3 ? [el("details", { "data-key": "more" }, el("summary", {}, `More of each of the ${more.length} runs`), more)] : more;
  return el("section", {}, el("h2", {}, group.task), runsTable(group, sections), charts(id, group), subgoalsTable(group, sections), problems, folded);
}

function storeSection(id, store) {
  const parts = [el("h2", {}, "Questions and answers"), el("p", { class: "soft" }, store.path)];
  if (store.problem) return el("section", {}, parts, el("p", { class: "problem" }, store.problem));
  const models = Object.entries(store.models).map(([model, of]) => [
    el("b", {}, model), `${number(of.questions)} in ${number(of.attempts)} requests`, number(of.failed),
    `${number(of.prompt_tokens)} + ${number(of.completion_tokens)}`,
    of.attempts ? `${decimal(of.seconds / of.attempts)} s` : "–", dollars(of.cost, of.unpriced),
  ]);
  const now = [];
  if (store.asked_now) now.push(`${number(store.asked_now)} questions are being asked`);
  if (store.calls_counted < store.calls) now.push(`${number(store.calls_counted)} of ${number(store.calls)} requests summed up so far`);
  if (now.length) parts.push(el("p", {}, now.join("; ")));
  if (models.length) parts.push(grid(["model", "questions", "failed", "tokens in + out", "seconds a request", "cost"], models));
  const classes = store.classes.map((of) => [
    of.task || "any", of.model, `${of.mode}, ${of.form}`, number(of.answers),
    Object.entries(of.verdicts).map(([verdict, n]) => `${number(n)} ${verdict}`).join(", "),
  ]);
  if (classes.length) parts.push(grid(["task", "model", "reads, form", "answers", "classes"], classes));
  else parts.push(el("p", { class: "soft" }, "No answers yet."));
  if (store.last.length) {
    parts.push(el("h3", {}, "Asked last"), ...store.last.flatMap((call) => lastCall(id, call)));
  }
  return el("section", {}, parts);
}

// A call with its judgements; one that brought none that can be shown, as it came.
function lastCall(store, call) {
  if (call.judgements.length) return call.judgements.slice(0, 8).map((judgement) => judgementItem(store, judgement));
  const failed = call.outcome !== "ok" && call.outcome !== "imported";
  return [
    el("details", { class: "judgement", "data-key": `call:${call.call}` },
      el("summary", {}, el("b", { class: failed ? "bad" : "" }, failed ? call.outcome : "answered"), " ",
        el("span", { class: "soft" }, [call.task, call.model].filter(Boolean).join(" · "), " ", time(call.at))),
      call.detail ? el("p", {}, call.detail) : "",
      call.raw ? el("pre", { class: "text" }, call.raw) : el("p", { class: "soft" }, "Nothing came back.")),
  ];
}

function evaluationSection(evaluation) {
  const parts = [el("h2", {}, "Evaluation"), el("p", { class: "soft" }, evaluation.path)];
  if (evaluation.problem) return el("section", {}, parts, el("p", { class: "problem" }, evaluation.problem));
  const interval = (metric) => {
    if (!metric || metric.value === null) return "–";
    return metric.low === null ? decimal(metric.value) : `${decimal(metric.value)} [${decimal(metric.low)}, ${decimal(metric.high)}]`;
  };
  for (const table of evaluation.tables) {
    const rows = table.scores.map((score) => [
      el("b", {}, [score.judge, score.mode, score.variant].filter(Boolean).join(" ")),
      ...["mcc", "precision", "recall", "f1", "unreadable"].map((name) => interval(score.metrics[name])),
      Object.entries(score.verdicts).map(([verdict, n]) => `${number(n)} ${verdict}`).join(", "),
    ]);
    parts.push(grid(["judge", "MCC", "precision", "recall", "F1", "unreadable", "classes"], rows,
      `${table.name}: ${number(table.transitions)} transitions, against ${table.against}`));
  }
  parts.push(el("p", { class: "soft" }, `The whole of it is in ${evaluation.page}`));
  return el("section", {}, parts);
}

function answersSection(answers) {
  const parts = [el("h2", {}, "Table of answers"), el("p", { class: "soft" }, answers.path)];
  if (answers.problem) return el("section", {}, parts, el("p", { class: "problem" }, answers.problem));
  const rows = answers.judges.map((of) => [
    el("b", {}, of.judge), of.mode, number(of.answers),
    Object.entries(of.verdicts).map(([verdict, n]) => `${number(n)} ${verdict}`).join(", "),
  ]);
  return el("section", {}, parts, grid(["judge", "reads", "answers", "classes"], rows));
}
