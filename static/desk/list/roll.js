/**
 * A list of any length, of which only what is near the window is in the document: rows stand in chunks, and a chunk that
 * is far away is an empty box of its height. What is drawn stays the same elements, so that a click or the focus on them lasts.
 */

/** @typedef {import("./shown.js").Row} Row */
/** @typedef {{ rows: Row[], element: HTMLElement, items: Map<string, HTMLElement> | null, drawn: string }} Chunk */
/** @typedef {{ row: string, at: number, focused: Element | null }} Held  which row's which control has the focus */
/** @typedef {{ heading: (row: Row) => HTMLElement, item: () => HTMLElement, draw: (element: HTMLElement, row: Row) => void }} Maker */

const ROWS = 30;
/** Chunks within so many pixels of the window are drawn. */
const NEAR = 1000;
/** Until one has been measured. */
const ROW_PX = 68;

export class Roll {
  #place;
  #maker;
  /** @type {Row[] | null} */
  #rows = null;
  /** @type {Chunk[]} */
  #chunks = [];
  #rowPx = ROW_PX;
  #watch;

  /** @param {HTMLElement} place @param {Maker} maker */
  constructor(place, maker) {
    this.#place = place;
    this.#maker = maker;
    this.#watch = new IntersectionObserver((changes) => this.#scrolled(changes), { rootMargin: `${NEAR}px 0px` });
  }

  /** Draws what is near; rows that were not changed since are drawn again as they are now. @param {Row[]} rows */
  show(rows) {
    const held = this.#focus();
    if (rows !== this.#rows) this.#cut(rows);
    const from = -this.#place.getBoundingClientRect().top;
    const heights = this.#chunks.map((chunk) => this.#heightOf(chunk)); // all measured before the first is changed
    let at = 0;
    for (const [index, chunk] of this.#chunks.entries()) {
      const height = heights[index];
      const near = at + height > from - NEAR && at < from + innerHeight + NEAR;
      if (near || chunk.element.contains(document.activeElement)) this.#draw(chunk);
      else if (rows !== this.#rows) this.#clear(chunk, height);
      at += height;
    }
    if (rows !== this.#rows) {
      for (const { element } of this.#chunks) {
        this.#watch.unobserve(element);
        this.#watch.observe(element);
      }
    }
    this.#rows = rows;
    this.#restore(held);
  }

  /** @param {Row[]} rows */
  #cut(rows) {
    const count = Math.ceil(rows.length / ROWS);
    for (const { element } of this.#chunks.splice(count)) {
      this.#watch.unobserve(element);
      element.remove();
    }
    while (this.#chunks.length < count) {
      const element = document.createElement("div");
      element.className = "chunk";
      this.#chunks.push({ rows: [], element, items: null, drawn: "" });
      this.#place.append(element);
    }
    this.#chunks.forEach((chunk, index) => (chunk.rows = rows.slice(index * ROWS, (index + 1) * ROWS)));
  }

  /** @param {IntersectionObserverEntry[]} changes */
  #scrolled(changes) {
    for (const { target, isIntersecting, boundingClientRect } of changes) {
      const chunk = this.#chunks.find(({ element }) => element === target);
      if (!chunk) continue;
      if (isIntersecting) this.#draw(chunk);
      else if (chunk.items && !chunk.element.contains(document.activeElement)) this.#clear(chunk, boundingClientRect.height);
    }
  }

  /** @param {Chunk} chunk */
  #draw(chunk) {
    const items = chunk.items ?? new Map();
    const order = chunk.rows.map(({ id }) => id).join(" ");
    if (order !== chunk.drawn) this.#build(chunk, items);
    chunk.items = items;
    chunk.drawn = order;
    for (const row of chunk.rows) {
      const element = items.get(row.id);
      if (element) this.#maker.draw(element, row);
    }
  }

  /** Puts headings, lists and items in their order. @param {Chunk} chunk @param {Map<string, HTMLElement>} items */
  #build({ rows, element }, items) {
    const parts = [];
    let list = /** @type {HTMLElement | null} */ (null);
    const left = new Map(items);
    items.clear();
    for (const row of rows) {
      const item = left.get(row.id) ?? (row.kind === "day" ? this.#maker.heading(row) : this.#maker.item());
      item.dataset.row = row.id;
      items.set(row.id, item);
      if (row.kind === "day") {
        parts.push(item);
        list = null;
        continue;
      }
      if (!list) parts.push((list = document.createElement("ul")));
      list.append(item);
    }
    element.style.blockSize = "";
    element.replaceChildren(...parts);
  }

  /** @param {Chunk} chunk @param {number} height */
  #clear(chunk, height) {
    chunk.items = null;
    chunk.drawn = "";
    chunk.element.replaceChildren();
    chunk.element.style.blockSize = `${height}px`;
  }

  /** As it is, or as it will be. @param {Chunk} chunk */
  #heightOf({ rows, element, items }) {
    if (!items) return rows.length * this.#rowPx;
    const { height } = element.getBoundingClientRect();
    if (height > 0 && items.size === ROWS) this.#rowPx = height / ROWS;
    return height;
  }

  /** @returns {Held | null} */
  #focus() {
    const focused = document.activeElement;
    const row = this.#place.contains(focused) ? /** @type {HTMLElement | null} */ (focused?.closest("[data-row]")) : null;
    return row && { row: String(row.dataset.row), at: controls(row).indexOf(/** @type {HTMLElement} */ (focused)), focused };
  }

  /** An item that was moved has lost it. @param {Held | null} held */
  #restore(held) {
    if (!held || document.activeElement === held.focused) return;
    for (const { items } of this.#chunks) {
      const row = items?.get(held.row);
      if (row) return controls(row)[held.at]?.focus({ preventScroll: true });
    }
  }
}

/** @param {HTMLElement} row @returns {HTMLElement[]} */
function controls(row) {
  return [...row.querySelectorAll("a, button")].map((element) => /** @type {HTMLElement} */ (element));
}
