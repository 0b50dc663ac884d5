"use strict";
// Shows only the disagreements of one judge, or of one class.
for (const section of document.querySelectorAll("section.disputes")) {
  const picks = section.querySelectorAll("select");
  const update = () => {
    const [judge, kind] = [...picks].map((p) => p.value);
    let shown = 0;
    for (const item of section.querySelectorAll("details")) {
      const fits =
        (judge === "" || item.dataset.wrong.split(" ").includes(judge)) &&
        (kind === "" || item.dataset.truth === kind);
      item.hidden = !fits;
      shown += fits;
    }
    section.querySelector("output").textContent = shown;
  };
  picks.forEach((p) => p.addEventListener("change", update));
  update();
}
