(() => {
  "use strict";

  const natural = new Intl.Collator("en", { numeric: true });

  /* Order, filter and find the cards of one gallery. */
  function setUpGallery(gallery) {
    const cards = [...gallery.querySelectorAll(".card")];
    const list = gallery.querySelector(".cards");
    const { sort, show, find } = gallery.querySelector("form").elements;
    const count = gallery.querySelector("output");

    function update() {
      const key = sort.value;
      const words = find.value.trim().toLowerCase();
      const byId = (a, b) => natural.compare(a.dataset.id, b.dataset.id);
      const byValue = (a, b) => Number(b.dataset[key]) - Number(a.dataset[key]) || byId(a, b);
      cards.sort(key === "id" ? byId : byValue);
      list.append(...cards);
      let shown = 0;
      for (const card of cards) {
        const kind = !show || show.value === "all" || card.dataset.state === show.value;
        card.hidden = !(kind && card.dataset.id.toLowerCase().includes(words));
        shown += card.hidden ? 0 : 1;
      }
      count.value = `${shown} of ${cards.length} images`;
    }

    gallery.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    gallery.querySelector("form").addEventListener("input", update);
    update();
  }

  /* Click a column's head to order the rows by it; click again to turn the order round. */
  function setUpTable(table) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const body = table.tBodies[0];
    heads.forEach((head, column) => {
      head.querySelector("button")?.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const text = (row) => row.cells[column].textContent;
        const number = (row) => Number(row.cells[column].dataset.value || -Infinity);
        const rows = [...body.rows].sort((a, b) =>
          head.dataset.kind === "text" ? natural.compare(text(a), text(b)) : number(a) - number(b));
        body.append(...(down ? rows.reverse() : rows));
      });
    });
  }

  /* One enlarged panel at a time; arrows walk through the panels of an image and through the images shown. */
  function setUpLightbox(dialog) {
    const image = dialog.querySelector("img");
    const stage = dialog.querySelector(".stage");
    const text = (name) => dialog.querySelector(`[data-text="${name}"]`);
    let panel = null;
    let zoom = 0; // 0: as large as fits

    const panelsOf = (card) => [...card.querySelectorAll(".panel")];

    function draw() {
      const { naturalWidth: width, naturalHeight: height } = image;
      if (!width) return;
      const fit = Math.min((stage.clientWidth - 16) / width, (stage.clientHeight - 16) / height);
      const scale = zoom || (fit >= 2 ? Math.floor(fit) : fit);
      image.classList.toggle("sharp", scale >= 2 || Number.isInteger(scale));
      image.style.width = `${width * scale}px`;
      image.style.height = `${height * scale}px`;
      const stored = `${panel.dataset.width} × ${panel.dataset.height}`;
      const reduced = Number(panel.dataset.width) !== width ? `, embedded at ${width} × ${height}` : "";
      const shown = Number.isInteger(scale) ? `${scale} ×` : `${Math.round(scale * 100)} %`;
      text("size").textContent = `${stored} pixels${reduced}, shown at ${shown}`;
    }

    function show(next) {
      panel = next;
      const source = panel.querySelector("img");
      image.src = source.src;
      image.alt = source.alt;
      text("id").textContent = panel.closest(".card").dataset.id;
      text("kind").textContent = panel.textContent.trim();
      const link = dialog.querySelector("a");
      link.hidden = !panel.dataset.file;
      if (panel.dataset.file) link.href = panel.dataset.file;
      image.decode().then(draw, draw);
    }

    function beside(step) {
      const panels = panelsOf(panel.closest(".card"));
      show(panels[(panels.indexOf(panel) + step + panels.length) % panels.length]);
    }

    function otherImage(step) {
      const card = panel.closest(".card");
      const cards = [...card.parentElement.children].filter((other) => !other.hidden && panelsOf(other).length);
      const next = cards[(cards.indexOf(card) + step + cards.length) % cards.length];
      const same = next.querySelector(`.panel[data-kind="${panel.dataset.kind}"]`);
      show(same ?? panelsOf(next)[0]);
    }

    function scaleBy(factor) {
      const now = image.clientWidth / image.naturalWidth;
      zoom = Math.min(32, Math.max(0.25, factor > 1 ? Math.floor(now) + 1 : Math.ceil(now) - 1 || now / 2));
      draw();
    }

    const fitAgain = () => { zoom = 0; draw(); };
    const actions = {
      ArrowLeft: () => beside(-1), ArrowRight: () => beside(1),
      ArrowUp: () => otherImage(-1), ArrowDown: () => otherImage(1),
      "+": () => scaleBy(2), "=": () => scaleBy(2), "-": () => scaleBy(0.5), 0: fitAgain,
    };
    document.addEventListener("click", (event) => {
      const clicked = event.target.closest(".panel");
      if (!clicked) return;
      zoom = 0;
      dialog.showModal();
      show(clicked);
    });
    dialog.addEventListener("keydown", (event) => {
      const action = actions[event.key];
      if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      action();
    });
    dialog.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.key === "Escape") dialog.close();
      else if (button) actions[button.dataset.key]();
      else if (event.target === stage) dialog.close();
    });
    dialog.addEventListener("close", () => panel?.focus());
    window.addEventListener("resize", () => dialog.open && draw());
  }

  document.documentElement.classList.add("js");
  document.querySelectorAll("[data-gallery]").forEach(setUpGallery);
  document.querySelectorAll("table[data-sortable]").forEach(setUpTable);
  setUpLightbox(document.getElementById("lightbox"));
})();
